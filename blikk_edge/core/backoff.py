"""How long to wait before trying again: exponential from 1 s to 30 s with full jitter on the upper half."""

import random
from typing import Final

FIRST_S: Final = 1.0
LAST_S: Final = 30.0
MOST_DOUBLINGS: Final = 20
"""Twelve days, longer than any pause; a number of tries may grow for years."""


class Backoff:
    """The pauses of one part that keeps trying, at most `last_s` long. `rng` is handed in by tests."""

    def __init__(self, *, last_s: float = LAST_S, rng: random.Random | None = None) -> None:
        self._last_s = last_s
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait now: between half and the whole of 1, 2, 4, 8, 16, ..., `last_s`, `last_s`, ..."""
        ceiling = min(self._last_s, FIRST_S * 2.0 ** min(self._tries, MOST_DOUBLINGS))
        self._tries += 1
        return max(FIRST_S, ceiling * self._rng.uniform(0.5, 1.0))

    def reset(self) -> None:
        """It worked: the next failure waits 1 s again."""
        self._tries = 0
