"""How long to wait before the next connection, by how the last one ended."""

import random
from typing import Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.sinks.mqtt.refusal import LostError, TakenOverError

STEADY_S: Final = 10.0
"""A connection that lasted this long was a good one: the next pause is the first again."""

OFTEN: Final = 3
"""So many short connections in a row, each ended while nothing was under way, look like a second client with our id."""

CERTAIN: Final = 5
"""So many are waited for like one that the broker announced. A broker that restarts often does not go on so long."""

RIVAL_FIRST_S: Final = 15.0
RIVAL_LAST_S: Final = 300.0
"""A node whose connection was taken from it within `STEADY_S` came second; it waits longer each time, up to this."""

RIVAL_S: Final = 900.0
"""So long the other client is remembered."""


class Pauses:
    """The pauses of one sink. Of two nodes with one id, one keeps its connection for most of the time."""

    def __init__(self, clock: Clock, *, rng: random.Random | None = None) -> None:
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._backoff = Backoff(rng=self._rng)
        self._short = 0
        self._idle = 0
        self._taken = 0
        self._taken_at: float | None = None
        self.rival_logged = False
        """Whether the last end was one of several in `RIVAL_S` at which another client took our connection."""

    @property
    def careful(self) -> bool:
        """Whether connections end so often that it must be found out at which message."""
        return self._short > 1

    @property
    def rival(self) -> bool:
        """Whether another client has taken our connection not long ago."""
        return self._taken_at is not None and self._clock.monotonic() - self._taken_at < RIVAL_S

    @property
    def guessed_rival(self) -> bool:
        """Whether connections end as if a second node took them, without the broker saying so."""
        return self._idle >= OFTEN

    def after(self, error: SinkError, *, lasted_s: float, idle: bool = False) -> float:
        """Seconds to wait after a connection that stood for `lasted_s` (0: never made).

        `idle`: no message was under way when it ended.
        """
        if lasted_s >= STEADY_S:
            self._backoff.reset()
            self._short = self._idle = self._taken = 0
        if isinstance(error, TakenOverError):
            self.rival_logged = self.rival
            self._taken_at = self._clock.monotonic()
            if lasted_s < STEADY_S:
                return self._rival_pause()
        elif isinstance(error, LostError) and lasted_s < STEADY_S:
            self._short += 1
            self._idle = self._idle + 1 if idle else 0
            if self._idle >= CERTAIN:
                return self._rival_pause()
        return self._backoff.next_s()

    def learnt(self) -> None:
        """It is known now at what connections ended, and that is left out: the next may stand."""
        self._backoff.reset()

    def _rival_pause(self) -> float:
        ceiling = min(RIVAL_LAST_S, RIVAL_FIRST_S * 2.0 ** min(self._taken, 10))
        self._taken += 1
        return ceiling * self._rng.uniform(0.5, 1.0)
