"""Time as a value that can be handed in: the system's clock, and one that a replay or a test moves."""

import asyncio
import heapq
import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Wall clock in seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; the zero is arbitrary."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` of this clock pass."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Wall clock in seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep in real time."""
        await asyncio.sleep(max(0.0, seconds))


class VirtualClock:
    """A clock that only moves when told to: replays and tests run hours in moments.

    Sleepers wake in the order of their deadlines as `advance` passes them.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC, as last set."""
        return self._now

    def monotonic(self) -> float:
        """The same seconds; this clock is never set back."""
        return self._now

    def set(self, now: float) -> None:
        """Move to `now` without waking sleepers in between; earlier times are ignored."""
        self._now = max(self._now, now)

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved the clock past the deadline."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._order, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass; sleepers whose time has come run in order, each with the clock at its deadline."""
        end = self._now + seconds
        while True:
            for _ in range(5):  # let woken tasks reach their next sleep before looking for the next deadline
                await asyncio.sleep(0)
            if not self._sleepers or self._sleepers[0][0] > end:
                break
            deadline, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, deadline)
            if not future.done():
                future.set_result(None)
        self._now = end
