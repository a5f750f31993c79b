"""What is new in the events of one camera: a state that begins counts once, however often it is repeated."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.sources.onvif.soap_xml import Notice
from blikk_edge.sources.onvif.topics import Topic

STATES_MAX: Final = 256
SEEN_MAX: Final = 64

FORGOTTEN_S: Final = 60.0
"""Some cameras never say that a button was let go: what was not repeated for so long has ended."""


@dataclass(slots=True)
class _State:
    on: bool
    heard: float


class Changes:
    """Says of each event whether something begins with it.

    What is `Initialized` only tells how it stands. Of what has a state, the change to on counts; its repeats do not.
    What has none counts each time. What a camera sends again in the first answer of a new subscription does not.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: OrderedDict[object, _State] = OrderedDict()
        self._seen: deque[object] = deque(maxlen=SEEN_MAX)

    def begins(self, notice: Notice, topic: Topic, *, again: bool = False) -> bool:
        """Whether what this event is about begins with it; `again`: it is of the first answer of a subscription."""
        key = (topic.path, notice.source)
        on = notice.operation != "Deleted" and any(value in topic.on for value in notice.values)
        known = (key, notice.at, on) in self._seen
        self._seen.append((key, notice.at, on))
        if again and known and notice.at:
            return False
        if topic.pulse or not (notice.values or notice.operation):
            return notice.operation not in {"Initialized", "Deleted"}
        before, now = self._states.get(key), self._clock.monotonic()
        self._states[key] = _State(on, now)
        self._states.move_to_end(key)
        if len(self._states) > STATES_MAX:
            self._states.popitem(last=False)
        if not on or notice.operation == "Initialized":
            return False
        return before is None or not before.on or now - before.heard > FORGOTTEN_S
