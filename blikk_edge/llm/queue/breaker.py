"""Whether the language model is worth asking now: a circuit breaker."""

import math
import random
from typing import Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.status import LlmPhase

LAST_PAUSE_S: Final = 300.0
REFUSED_S: Final = 1800.0
"""A wrong key rarely mends itself, but a bill gets paid and a model gets loaded without a word to us."""
PATIENCE_MAX_S: Final = 24 * 3600.0
"""What is listened to of a Retry-After; the longest in use are those of daily quotas."""


class Breaker:
    """Closed: calls go through. Open: none does for a while. Half-open: one is let through, and decides.

    `phase` and `problem` stay until a call has worked, except after patience was asked for, which ends with its time.
    Each `begin` is followed by exactly one of `worked`, `failed`, `busy`, `refused` and `let_go`.
    """

    def __init__(self, clock: Clock, *, rng: random.Random | None = None) -> None:
        self.probing = False
        self._clock = clock
        self._backoff = Backoff(last_s=LAST_PAUSE_S, rng=rng)
        self._closed = True
        self._until = -math.inf
        self._phase = LlmPhase.READY
        self._patience = False
        self._problem: str | None = None

    @property
    def phase(self) -> LlmPhase:
        """READY, RESTING or REFUSED."""
        return LlmPhase.READY if self._patience and not self.wait_s() else self._phase

    @property
    def problem(self) -> str | None:
        """What is wrong, a sentence; None when READY."""
        return None if self.phase is LlmPhase.READY else self._problem

    def wait_s(self) -> float:
        """Seconds until a call may be tried; 0 where one may."""
        return 0.0 if self._closed else max(0.0, self._until - self._clock.monotonic())

    def begin(self) -> bool:
        """A call is about to be made, where `wait_s` is 0 and nothing is `probing`; True when it is the probe."""
        self.probing = not self._closed
        return self.probing

    def worked(self, *, probe: bool) -> None:
        """The model answered. What had begun before the breaker opened does not close it."""
        if probe or self._closed:
            self.probing, self._closed, self._patience = False, True, False
            self._phase, self._problem = LlmPhase.READY, None
            self._backoff.reset()

    def let_go(self, *, probe: bool) -> None:
        """The call was given up by who wanted it, which says nothing of the model."""
        self.probing = self.probing and not probe

    def failed(self, problem: str, *, probe: bool) -> None:
        """The model could not be reached or failed: pause, twice as long each time, 1 s to 5 min."""
        if probe or self._closed:
            self._open(self._backoff.next_s(), LlmPhase.RESTING, problem, probe=probe)

    def busy(self, problem: str, retry_after_s: float | None, *, probe: bool) -> None:
        """The model asked for patience: at least so long; the usual pause where that is longer, or nothing was said."""
        asked_s = retry_after_s if retry_after_s is not None and retry_after_s > 0 else 0.0
        asked_s = min(asked_s, PATIENCE_MAX_S)
        if probe or self._closed:
            self._open(max(self._backoff.next_s(), asked_s), LlmPhase.RESTING, problem, probe=probe)
            self._patience = True
        else:
            self._until = max(self._until, self._clock.monotonic() + asked_s)

    def refused(self, problem: str, *, probe: bool) -> None:
        """The model will not answer this user: not again for half an hour."""
        self._open(REFUSED_S, LlmPhase.REFUSED, problem, probe=probe)

    def _open(self, pause_s: float, phase: LlmPhase, problem: str, *, probe: bool) -> None:
        self.let_go(probe=probe)
        self._closed = self._patience = False
        self._until = max(self._until, self._clock.monotonic() + pause_s)
        self._phase, self._problem = phase, problem
