"""Messages at which a broker ends the connection without saying why, so that they do not end every one.

MQTT 3.1.1 has no other way to refuse one, and some brokers of version 5 do so too: what an access list forbids, what is
too large. They are found by publishing one at a time.
"""

from dataclasses import dataclass
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.wire.messages import Message

LEFT_OUT_S: Final = 3600.0
"""After this time it is tried again: the broker may have been set right."""

LARGE: Final = 4096
"""A packet from this size on is suspected for its size, a smaller one for its topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """The message that was under way when the connection ended; `size` is that of its packet in bytes."""

    topic: str
    size: int


class Suspects:
    """What is left out: after two connections in a row that ended at the same message."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: Suspect | None = None
        self._topics: dict[str, float] = {}
        self._smallest: tuple[int, float] | None = None

    def ended_at(self, suspect: Suspect | None) -> None:
        """A connection on which one message at a time was published has ended, at this one."""
        if suspect is None or self._last is None or not _same(suspect, self._last):
            self._last = suspect
            return
        now = self._clock.monotonic()
        if suspect.size >= LARGE:
            self._smallest = (min(suspect.size, self._last.size), now)
        else:
            self._topics[suspect.topic] = now
        self._last = None

    def left_out(self, message: Message, size: int) -> bool:
        """Whether this message is not worth another connection."""
        oldest = self._clock.monotonic() - LEFT_OUT_S
        if self._smallest is not None and self._smallest[1] < oldest:
            self._smallest = None
        if self._smallest is not None and size >= self._smallest[0]:
            return True
        return self._topics.get(message.topic, oldest) > oldest


def _same(one: Suspect, other: Suspect) -> bool:
    return one.topic == other.topic or (one.size >= LARGE and other.size >= LARGE)
