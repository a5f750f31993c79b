"""How many of one kind are accepted, or logged: some at once, and so many a second on average."""

from collections.abc import Hashable
from typing import Final

from blikk_edge.core.clock import Clock

COMMANDS: Final = 50
COMMANDS_PER_S: Final = 10.0
"""More commands of one kind, at once or on average, are a flood, and are passed over."""


LOGGED: Final = 5
LOGGED_EVERY_S: Final = 600.0
"""What comes and goes is logged so often, and then once in this time."""


class Allowance:
    """`at_once` of each key, refilled by `per_s` a second. To be asked with keys of which there are few."""

    def __init__(self, clock: Clock, *, at_once: int, per_s: float) -> None:
        self._clock = clock
        self._at_once = at_once
        self._per_s = per_s
        self._left: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable) -> bool:
        """Whether one more is allowed now; it counts if it is."""
        now = self._clock.monotonic()
        left, at = self._left.get(key, (float(self._at_once), now))
        left = min(self._at_once, left + (now - at) * self._per_s)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        return allowed


def log_allowance(clock: Clock) -> Allowance:
    """For log lines about what comes and goes: `LOGGED` of each, and then one in `LOGGED_EVERY_S`."""
    return Allowance(clock, at_once=LOGGED, per_s=1 / LOGGED_EVERY_S)
