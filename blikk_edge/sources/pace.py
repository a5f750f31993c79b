"""Whether a live stream's time goes on as fast as its frames come."""

from typing import Final

# Over so long the two are compared at a time.
WINDOW_S: Final = 5.0
# They may differ by this share: jitter shows at the ends of a window, and clocks of cameras differ by far less.
TOLERANCE: Final = 0.05
# So many windows in a row must say the same. What a server sends at once at first, and what a network holds up and
# brings later, is in one window, or in two that say the opposite of each other.
WINDOWS: Final = 4


class Pace:
    """Compares a stream's time with arrivals, both in seconds, until `even` is false: it is of no use then.

    Some cameras count milliseconds or frames where ticks are wanted, and by night take half the pictures with the
    timestamps of the day. `behind_s` is how far such a time has fallen behind meanwhile, below 0 where it ran ahead.
    """

    __slots__ = ("_passed_s", "_streamed_s", "_windows", "behind_s", "even")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new connection begins, whose time is believed."""
        self.even = True
        self.behind_s = self._streamed_s = self._passed_s = 0.0
        self._windows = 0

    def step(self, streamed_s: float, passed_s: float) -> None:
        """The stream's time went on by so much while so much time passed."""
        self._streamed_s += streamed_s
        self._passed_s += passed_s
        if self._passed_s < WINDOW_S:
            return
        behind_s = self._passed_s - self._streamed_s
        off = abs(behind_s) > TOLERANCE * self._passed_s
        if not off or behind_s * self.behind_s < 0.0:
            self.behind_s, self._windows = 0.0, 0
        if off:
            self.behind_s += behind_s
            self._windows += 1
        self.even = self._windows < WINDOWS
        self._streamed_s = self._passed_s = 0.0
