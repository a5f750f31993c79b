"""Messages at which a broker ends the connection without saying why, so that they do not end every one.

MQTT 3.1.1 has no other way to refuse one, and some brokers of version 5 do so too: what an access list forbids, what is
too large. They are found by publishing one at a time. A connection may also end for any other reason just then, so what
was taken before is not suspected as easily.
"""

from dataclasses import dataclass
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.wire.messages import Message

LEFT_OUT_S: Final = 3600.0
"""After this time it is tried again: the broker may have been set right."""

LARGE: Final = 4096
"""A packet from this size on is suspected for its size, a smaller one for its topic."""

ENDS: Final = 2
"""So many connections in a row that ended at the same topic, or at a large packet each, are enough."""

ENDS_KNOWN: Final = 4
"""So many that ended at the very same message, where the broker has taken that topic and size before."""

REMEMBERED: Final = 2000
"""Topics that were taken; ours are fewer, but those of answers are chosen by others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """The message that was under way when the connection ended, or the filter that was just subscribed to.

    Attributes:
        topic: Of a subscription the words `subscription to` and its filter.
        size: Bytes of its packet; 0 of a subscription.
        content: A hash of its payload, by which a message is known again; 0 of a subscription.
    """

    topic: str
    size: int
    content: int = 0

    @property
    def is_subscription(self) -> bool:
        """Whether it is one; they are made one at a time on every connection."""
        return not self.size


def suspect(message: Message, size: int) -> Suspect:
    """A message as one that may be left out."""
    return Suspect(topic=message.topic, size=size, content=hash(message.payload))


def subscription(topic_filter: str) -> Suspect:
    """A subscription as one that may be left out."""
    return Suspect(topic=f"subscription to {topic_filter}", size=0)


class Suspects:
    """What is left out, by topic, by size, or, where the broker has taken such before, one message alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: Suspect | None = None
        self._ends = 0
        self._topics: dict[str, float] = {}
        self._messages: dict[tuple[str, int], float] = {}
        self._smallest: tuple[int, float] | None = None
        self._taken: set[str] = set()
        self._largest_taken = 0

    def taken(self, suspect: Suspect) -> None:
        """The broker has acknowledged this."""
        if len(self._taken) < REMEMBERED:
            self._taken.add(suspect.topic)
        self._largest_taken = max(self._largest_taken, suspect.size)

    def ended_at(self, suspect: Suspect | None) -> bool:
        """A connection has ended at this one; whether that is enough to leave it out."""
        last, self._last = self._last, suspect
        if suspect is None or last is None or not self._same(suspect, last):
            self._ends = 1
            return False
        self._ends += 1
        now = self._clock.monotonic()
        if self._is_known(suspect):
            if self._ends < ENDS_KNOWN:
                return False
            self._messages = {key: at for key, at in self._messages.items() if at > now - LEFT_OUT_S}
            self._messages[suspect.topic, suspect.content] = now
            # what was true of the topic and the size may be so no more: the next is suspected sooner
            self._taken.discard(suspect.topic)
            self._largest_taken = 0
        elif suspect.size >= LARGE:
            self._smallest = (min(suspect.size, last.size), now)
        else:
            self._topics[suspect.topic] = now
        self._last = None
        return True

    def left_out(self, suspect: Suspect) -> bool:
        """Whether this one is not worth another connection."""
        oldest = self._clock.monotonic() - LEFT_OUT_S
        if self._smallest is not None and self._smallest[1] < oldest:
            self._smallest = None
        if self._smallest is not None and suspect.size >= self._smallest[0]:
            return True
        if self._messages.get((suspect.topic, suspect.content), oldest) > oldest:
            return True
        return self._topics.get(suspect.topic, oldest) > oldest

    def _is_known(self, suspect: Suspect) -> bool:
        if suspect.size >= LARGE:
            return suspect.size <= self._largest_taken
        return suspect.topic in self._taken

    def _same(self, one: Suspect, other: Suspect) -> bool:
        if self._is_known(one) or self._is_known(other):
            return (one.topic, one.content) == (other.topic, other.content)
        return one.topic == other.topic or (one.size >= LARGE and other.size >= LARGE)
