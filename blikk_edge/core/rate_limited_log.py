"""A limit on equal log lines: one now, the others counted until the next."""

from collections.abc import Hashable
from typing import Final

from blikk_edge.core.clock import Clock

EVERY_S: Final = 10.0


class RateLimitedLog:
    """Lets one of many through in ten seconds, of each key, and counts the others. There are to be few keys."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[Hashable, tuple[float, int]] = {}

    def turn(self, key: Hashable = None) -> str | None:
        """What to add to the line: how many were passed over since the last, or nothing; None: this one is too."""
        now = self._clock.monotonic()
        said_at, unsaid = self._said.get(key, (None, 0))
        if said_at is not None and now - said_at < EVERY_S:
            self._said[key] = (said_at, unsaid + 1)
            return None
        self._said[key] = (now, 0)
        return f" (and {unsaid} more before)" if unsaid else ""
