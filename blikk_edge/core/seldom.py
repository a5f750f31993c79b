"""Says a thing seldom: whoever floods us shall not flood the log."""

from typing import Final

from blikk_edge.core.clock import Clock

EVERY_S: Final = 10.0


class Seldom:
    """Lets one of many through in ten seconds, and counts the others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said_at: float | None = None
        self._unsaid = 0

    def turn(self) -> int | None:
        """How many were passed over since the last that was let through; None where this one is passed over too."""
        now = self._clock.monotonic()
        if self._said_at is not None and now - self._said_at < EVERY_S:
            self._unsaid += 1
            return None
        unsaid, self._said_at, self._unsaid = self._unsaid, now, 0
        return unsaid
