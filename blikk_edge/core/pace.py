"""How often an edge client sends: one frame a second while something moves, less when quiet or when it does not fit."""

from typing import Final

MOVING_S: Final = 1.0
QUIET_S: Final = 5.0
"""Still frames too: the node takes a client that says nothing for 10 s to be gone."""

LONGEST_S: Final = 8.0
SHARE: Final = 0.5
"""A frame may keep the line busy for this part of the time between two."""

EASE: Final = 0.8


class Pace:
    """The time between two frames: from motion, from how long they take to arrive, from what the node asks for."""

    def __init__(self) -> None:
        self._took_s = 0.0
        self._asked_s = 0.0

    def gap_s(self, *, moving: bool) -> float:
        """Seconds from one frame to the next."""
        wish = MOVING_S if moving else QUIET_S
        return min(LONGEST_S, max(wish, self._took_s / SHARE, self._asked_s))

    def sent(self, took_s: float) -> None:
        """A frame took so long from sending to acknowledgement: at once believed when longer, slowly when shorter."""
        self._took_s = took_s if took_s > self._took_s else EASE * self._took_s + (1 - EASE) * took_s

    def asked(self, gap_s: float) -> None:
        """The node wants at least so much time between two frames."""
        self._asked_s = min(LONGEST_S, max(0.0, gap_s))
