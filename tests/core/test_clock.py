"""The virtual clock: sleepers wake in order, each at its own time."""

import asyncio

import pytest

from blikk_edge.core.clock import EARLIEST, ClipClock, SystemClock, VirtualClock, steady


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock, woken = VirtualClock(100.0), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.now()))

    tasks = [asyncio.create_task(sleeper(s)) for s in (3.0, 1.0, 2.0)]
    await clock.advance(2.5)
    assert woken == [(1.0, 101.0), (2.0, 102.0)]
    await clock.advance(1.0)
    await asyncio.gather(*tasks)
    assert clock.now() == 103.5


async def test_who_sleeps_again_wakes_again_within_the_same_advance() -> None:
    clock, ticks = VirtualClock(), []

    async def ticker() -> None:
        while True:
            await clock.sleep(1.0)
            ticks.append(clock.now())

    task = asyncio.create_task(ticker())
    await clock.advance(600.0)
    task.cancel()
    assert len(ticks) == 600


def test_time_is_never_set_back() -> None:
    clock = VirtualClock(10.0)
    clock.set(5.0)
    assert clock.monotonic() == 10.0
    assert SystemClock().monotonic() <= SystemClock().monotonic()


class SettableClock(VirtualClock):
    """A machine's clock: the wall clock may be set, the monotonic one goes on from an arbitrary zero."""

    ahead_s = 0.0
    pause_s = 0.0

    def now(self) -> float:
        wall = super().now() + self.ahead_s
        self.set(super().now() + self.pause_s)  # the thread is held up after it has read the clock
        return wall

    def monotonic(self) -> float:
        return super().now() - 1.7e9


def test_the_steady_clock_of_a_clock_that_nobody_sets_is_that_clock() -> None:
    clock = VirtualClock(1_790_000_000.123)
    made = steady(clock)
    for _ in range(50):
        clock.set(clock.now() + 0.7)
        assert (made.now(), made.timeline) == (clock.now(), 0)


@pytest.mark.parametrize("off", [30.0, -30.0, 119.0, -119.0])
def test_the_steady_clock_loses_a_small_error_slowly(off: float) -> None:
    clock = SettableClock(1.79e9)
    made = steady(clock)
    before = made.now()
    clock.ahead_s = off
    clock.set(1.79e9 + 10)

    assert made.now() - before == pytest.approx(10 + (1 if off > 0 else -1))
    for second in range(10, 1300, 10):
        clock.set(1.79e9 + second)
        made.now()
    assert made.now() == pytest.approx(clock.now(), abs=0.03)
    assert made.timeline == 0


@pytest.mark.parametrize("off", [121.0, -121.0, 21_600.0, -30 * 86400.0, -1.7e9])
def test_the_steady_clock_follows_at_once_when_the_clock_is_set(off: float) -> None:
    clock = SettableClock(1.79e9)
    made = steady(clock)
    made.now()
    clock.ahead_s = off
    clock.set(1.79e9 + 5)

    assert made.now() == pytest.approx(1.79e9 + 5 + off, abs=0.01)
    assert made.timeline == 1


def test_the_clock_is_settled_an_hour_after_the_start_and_after_it_was_set() -> None:
    clock = SettableClock(1.79e9)
    made = steady(clock)
    assert not made.settled
    clock.set(1.79e9 + 3601)
    assert made.settled
    clock.ahead_s = -600.0
    assert not made.settled
    clock.set(1.79e9 + 7202)
    assert made.settled


def test_a_clock_that_was_never_set_is_never_settled() -> None:
    clock = SettableClock(0.0)
    made = steady(clock)
    made.now()
    clock.set(10 * 3600.0)
    assert not made.settled


def test_a_thread_that_is_held_up_between_two_clocks_sees_no_jump() -> None:
    clock = SettableClock(1.79e9)
    made = steady(clock)
    made.now()
    clock.pause_s = 600.0
    made.now()
    clock.pause_s = 0.0

    assert made.now() == pytest.approx(clock.now(), abs=0.03)
    assert made.timeline == 0


def test_all_who_have_a_steady_clock_have_the_same() -> None:
    made = steady(VirtualClock())
    assert steady(made) is made


@pytest.mark.parametrize(
    ("time", "plausible"), [(0.0, False), (1_714_521_600.0, False), (EARLIEST - 1, False), (EARLIEST + 1, True)]
)
def test_a_clock_that_was_never_set_is_not_plausible(time: float, plausible: bool) -> None:
    assert steady(VirtualClock(time)).plausible is plausible


def test_this_machines_clock_is_steady_against_itself() -> None:
    made = steady(SystemClock())
    times = [made.now() for _ in range(1000)]
    assert times == sorted(times)
    assert made.now() == pytest.approx(SystemClock().now(), abs=1)
    assert made.timeline == 0


def test_the_time_of_a_clip_is_that_of_its_newest_frame() -> None:
    clock = ClipClock(1000.0)
    assert clock.now() == 1000.0
    before = clock.monotonic()
    clock.reach(1060.0)
    assert clock.now() == 1060.0
    assert clock.monotonic() >= before + 60.0 - 1.0  # what waits for an hour of the clip need not wait for an hour
    clock.reach(1059.0)
    assert clock.now() == 1060.0
    assert (steady(clock), clock.timeline, clock.settled) == (clock, 0, False)
    time, timeline = clock.dated(clock.monotonic() - 5.0)
    assert (round(time), timeline) == (1055, 0)
