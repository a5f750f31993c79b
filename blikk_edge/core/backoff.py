"""How long to wait before trying again: exponential from 1 s to 30 s with full jitter on the upper half."""

import random
from typing import Final

FIRST_S: Final = 1.0
LAST_S: Final = 30.0


class Backoff:
    """The pauses of one part that keeps trying. `rng` is handed in by tests."""

    def __init__(self, *, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait now: between half and the whole of 1, 2, 4, 8, 16, 30, 30, ..."""
        ceiling = min(LAST_S, FIRST_S * 2.0 ** min(self._tries, 10))
        self._tries += 1
        return max(FIRST_S, ceiling * self._rng.uniform(0.5, 1.0))

    def reset(self) -> None:
        """It worked: the next failure waits 1 s again."""
        self._tries = 0
