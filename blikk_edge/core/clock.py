"""Time as a value that can be handed in: the system's clock, a steady one, a clip's, and one that a test moves."""

import asyncio
import heapq
import time
from dataclasses import dataclass
from typing import Final, Protocol

JUMP_S: Final = 120.0
"""A wall clock off by more than this was set, and is followed at once; two minutes are lost unseen in twenty."""

SLEW: Final = 0.1
"""How fast a smaller error is lost, in seconds per second: a duration is wrong by a tenth at most."""

CLOSE_S: Final = 0.02
"""Nearer than this to the wall clock is near enough: reading two clocks one after the other takes time too."""

PAUSED_S: Final = 1.0
"""A thread that was held up so long between reading two clocks cannot compare them."""

EARLIEST: Final = 1_788_220_800.0
"""2026-09-01 UTC, before this release: a wall clock that shows less was never set."""

SETTLED_S: Final = 3600.0
"""A clock that was wrong at the start, or was set wrongly, has most likely been mended by then."""


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


@dataclass(frozen=True, slots=True)
class _Known:
    """What is added to monotonic time, when that was last compared, on which timeline, and when that one began."""

    ahead_s: float
    looked: float
    timeline: int
    began: float


class SteadyClock:
    """The wall clock as it should be for measuring: it runs with the monotonic clock, whatever is done to the other.

    An error of up to JUMP_S is lost slowly, at SLEW. A larger one means that the clock was set, forward or back: `now`
    shows the new time at once and `timeline` is one higher. Times of different timelines cannot be compared. Safe from
    any thread.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: _Known | None = None  # replaced whole; of two threads at a time the later look counts

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC; within a timeline they never go back."""
        known = self._look()
        return max(known.looked, self._clock.monotonic()) + known.ahead_s

    def monotonic(self) -> float:
        """Seconds that never go back; the zero is arbitrary."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await self._clock.sleep(seconds)

    @property
    def timeline(self) -> int:
        """How often the clock was set since this one was made."""
        return self._look().timeline

    @property
    def plausible(self) -> bool:
        """Whether it can show the time at all: a machine without a clock of its own starts in 1970, or long ago."""
        return self.now() >= EARLIEST

    @property
    def settled(self) -> bool:
        """Whether nothing speaks against the time it shows: plausible, and not set for SETTLED_S.

        Before, nothing may be thrown away for its age: a wrong time, soon mended, would cost it all.
        """
        return self.plausible and self._clock.monotonic() - self._look().began >= SETTLED_S

    def dated(self, moment: float) -> tuple[float, int]:
        """The wall time of a moment of the monotonic clock that is about now, and its timeline."""
        known = self._look()
        return moment + known.ahead_s, known.timeline

    def _look(self) -> _Known:
        """Compare the two clocks."""
        before, wall = self._clock.monotonic(), self._clock.now()
        looked, known = self._clock.monotonic(), self._known
        if known is None:
            known = self._known = _Known(wall - looked, looked, 0, looked)
            return known
        passed = looked - known.looked
        if passed < 0 or looked - before > PAUSED_S:
            return known
        off = wall - looked - known.ahead_s
        if abs(off) > JUMP_S:
            known = _Known(wall - looked, looked, known.timeline + 1, looked)
        else:
            lost = 0.0 if abs(off) <= CLOSE_S else max(-SLEW * passed, min(SLEW * passed, off))
            known = _Known(known.ahead_s + lost, looked, known.timeline, known.began)
        self._known = known
        return known


def steady(clock: Clock) -> SteadyClock:
    """This clock made steady; one that is so already stays the same, so that all who have it see it set together."""
    return clock if isinstance(clock, SteadyClock) else SteadyClock(clock)


@dataclass(frozen=True, slots=True)
class _Reached:
    """How far a clip is, since when by the machine's clock, and by how much it has been faster than that so far."""

    time: float
    moment: float
    skipped_s: float


class ClipClock(SteadyClock):
    """The time in a clip that is read faster, or more slowly, than it was filmed: `now` is that of its newest frame.

    Its monotonic time goes on with the machine's, and faster where the clip does: what waits for an hour of the clip
    need not wait for an hour. Safe from any thread; one thread alone calls `reach`. `start` is the time of the first
    frame, seconds since 1970 UTC.
    """

    def __init__(self, start: float) -> None:
        super().__init__(SystemClock())
        self.start = start
        self._reached = _Reached(start, time.monotonic(), 0.0)

    def reach(self, now: float) -> None:
        """The clip has come to a frame of this time, which is never before that of an earlier one."""
        before, moment = self._reached, time.monotonic()
        skipped_s = max(0.0, now - before.time - (moment - before.moment))
        self._reached = _Reached(max(now, before.time), moment, before.skipped_s + skipped_s)

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._reached.time

    def monotonic(self) -> float:
        """Seconds that never go back; the zero is arbitrary."""
        return time.monotonic() + self._reached.skipped_s

    @property
    def timeline(self) -> int:
        """Nobody sets it."""
        return 0

    @property
    def settled(self) -> bool:
        """When the clip was filmed is not known: nothing is thrown away for its age."""
        return False

    def dated(self, moment: float) -> tuple[float, int]:
        """The time in the clip of a moment of the monotonic clock that is about now."""
        return self.now() + moment - self.monotonic(), 0


class VirtualClock:
    """A clock that only moves when it is moved: replays and tests run hours in moments.

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
