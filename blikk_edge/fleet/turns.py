"""Whose turn it is: ring before person before digest, and yet nobody waits for ever."""

from typing import Final

from blikk_edge.fleet.jobs import Urgency

PASSED_MAX: Final = 8
"""So many more important jobs may go before a queue that is less important; then it is looked at first, once."""


class Turns:
    """The order in which a worker looks at the queues. A queue that was passed over PASSED_MAX times comes first.

    Of two that were, the more important one does: a job that waits sees at most PASSED_MAX + 1 others go before it that
    came later.
    """

    def __init__(self) -> None:
        self._passed = dict.fromkeys(Urgency, 0)

    def order(self) -> tuple[Urgency, ...]:
        """Where to look now, one after the other."""
        return tuple(sorted(Urgency, key=lambda each: self._passed[each] < PASSED_MAX))

    def looked(self, place: Urgency, *, taken: bool) -> None:
        """A queue was looked at; it had a job, or was empty."""
        self._passed[place] = 0
        if taken:
            for less in tuple(Urgency)[tuple(Urgency).index(place) + 1 :]:
                self._passed[less] += 1
