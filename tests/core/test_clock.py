"""The virtual clock: sleepers wake in order, each at its own time."""

import asyncio

from blikk_edge.core.clock import SystemClock, VirtualClock


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
