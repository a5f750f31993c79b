"""The record of when cameras were watched, in a real store, on a clock that is moved."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from patience import PATIENCE
from sink_samples import event

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.ports import Item
from blikk_edge.core.status import CameraAvailability, CameraState
from blikk_edge.core.watched import GAP_S, NODE, Watched
from blikk_edge.sinks.watched import KEY, WRITE_EVERY_S, WatchRecord, newest_spans, watched_in
from blikk_edge.store.store import Store

START = 1_800_000_000.0
HOUR = 3600.0


class Wall(VirtualClock):
    """A clock that can be set while time goes on."""

    def __init__(self) -> None:
        super().__init__(START)
        self.ahead_s = 0.0
        self.sleeping = False

    def now(self) -> float:
        return super().now() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        self.sleeping = True
        try:
            await super().sleep(seconds)
        finally:
            self.sleeping = False


class Box:
    """An inbox that knows whether somebody waits at it."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[Item] = asyncio.Queue()
        self.waited_at = False

    def put(self, item: Item) -> None:
        self.waited_at = False
        self.items.put_nowait(item)

    async def get(self) -> Item:
        self.waited_at = self.items.empty()
        return await self.items.get()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "blikk.db")
    store.open()
    yield store
    store.close()


class Running:
    """A record at work."""

    def __init__(self, store: Store, clock: Wall) -> None:
        self.clock = clock
        self.inbox = Box()
        self.record = WatchRecord(cameras=("door", "yard"), memory=store, history=store, clock=clock)
        self.task = asyncio.ensure_future(self.record.run(self.inbox))

    async def deliver(self, *items: Item) -> None:
        await self._idle()
        for item in items:
            self.inbox.put(item)
            await self._idle()

    async def pass_time(self, seconds: float) -> None:
        """In steps, so that each writing is done before the next is due."""
        await self._idle()
        while seconds > 0:
            await self.clock.advance(min(seconds, WRITE_EVERY_S))
            seconds -= WRITE_EVERY_S
            await self._idle()

    async def _idle(self) -> None:
        """Until all is written, and it waits for an item and for time to pass."""
        deadline = time.monotonic() + 20 * PATIENCE
        while not (self.inbox.waited_at and self.clock.sleeping):
            assert time.monotonic() < deadline, "it is still at work after 20 s"
            assert not self.task.done(), self.task
            await asyncio.sleep(0.001)

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait((self.task,))


@pytest.fixture
async def run(store: Store) -> AsyncIterator[Callable[[], Running]]:
    clock, made = Wall(), []

    def start() -> Running:
        made.append(Running(store, clock))
        return made[-1]

    yield start
    for each in made:
        await each.end()


def online(camera: str, *, online: bool = True) -> CameraAvailability:
    return CameraAvailability(camera=camera, online=online)


def known(store: Store, camera: str) -> Watched:
    found = watched_in(store, store)(camera)
    assert found is not None
    return found


def hours(store: Store, camera: str) -> list[tuple[float, float]]:
    """The spans in hours since the start, to a hundredth."""
    return [(round((a - START) / HOUR, 2), round((b - START) / HOUR, 2)) for a, b in known(store, camera).spans]


async def test_a_camera_is_watched_while_it_is_online(store: Store, run: Callable[[], Running]) -> None:
    running = run()
    await running.pass_time(HOUR)
    await running.deliver(online("door"))
    await running.pass_time(HOUR)
    await running.deliver(online("door", online=False))
    await running.pass_time(HOUR)
    await running.deliver(online("door"))
    await running.pass_time(HOUR)
    await running.end()
    assert hours(store, "door") == [(1, 2), (3, 4)]
    assert hours(store, "yard") == []
    assert hours(store, NODE) == [(0, 4)]
    assert known(store, "yard").gaps(START, START + HOUR) == ((START, START + HOUR),)


async def test_a_camera_whose_detection_is_off_is_not_watched(store: Store, run: Callable[[], Running]) -> None:
    running = run()
    await running.deliver(CameraState(camera="door", online=True))
    await running.pass_time(HOUR)
    await running.deliver(CameraState(camera="door", online=True, detect=False))
    await running.pass_time(HOUR)
    await running.deliver(online("door"), CameraState(camera="door", online=True, detect=True))
    await running.pass_time(HOUR)
    await running.end()
    assert hours(store, "door") == [(0, 1), (2, 3)]


async def test_a_power_cut_costs_a_few_minutes(store: Store, run: Callable[[], Running]) -> None:
    running = run()
    await running.deliver(online("door"))
    await running.pass_time(HOUR)
    (_, end) = known(store, "door").spans[0]  # as it stands on the disk
    assert 0 <= START + HOUR - end <= WRITE_EVERY_S < GAP_S
    await running.end()


async def test_a_short_restart_is_no_gap_and_a_long_one_is(store: Store, run: Callable[[], Running]) -> None:
    for pause_s in (60.0, 2 * HOUR, 0.0):
        running = run()
        await running.deliver(online("door"))
        await running.pass_time(HOUR)
        await running.end()
        await running.clock.advance(pause_s)
    assert hours(store, "door") == [(0, 2.02), (4.02, 5.02)]


async def test_a_clock_that_is_set_makes_no_time_watched(store: Store, run: Callable[[], Running]) -> None:
    running = run()
    await running.deliver(online("door"))
    await running.pass_time(HOUR)
    running.clock.ahead_s = 100 * HOUR
    await running.pass_time(HOUR)
    assert hours(store, "door") == [(0, 1), (101, 102)]
    running.clock.ahead_s = 0.0
    await running.pass_time(2 * HOUR)
    await running.end()
    assert hours(store, "door") == [(0, 1), (2, 4)]


@pytest.mark.parametrize("shown", [0.0, START - 24 * HOUR])
async def test_a_machine_that_starts_without_the_time_keeps_the_record(
    store: Store, run: Callable[[], Running], shown: float
) -> None:
    running = run()
    await running.deliver(online("door"))
    await running.pass_time(HOUR)
    await running.end()
    running.clock.ahead_s = shown - START
    running = run()
    await running.deliver(online("door"))
    await running.pass_time(0.5 * HOUR)
    running.clock.ahead_s = 0.0
    await running.pass_time(2 * HOUR)
    await running.end()
    assert hours(store, "door")[-2:] == [(0, 1), (1.5, 3.5)]
    assert known(store, "door").gaps(START, START + HOUR) == ()


async def test_what_could_not_be_written_is_made_up_for(
    store: Store, run: Callable[[], Running], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "blikk.watched")
    remember, full = store.remember, [True]

    def maybe(key: str, text: str) -> None:
        if full[0]:
            raise StoreError("disk full")
        remember(key, text)

    monkeypatch.setattr(store, "remember", maybe)
    running = run()
    await running.deliver(online("door"))
    await running.pass_time(HOUR)
    full[0] = False
    await running.pass_time(HOUR)
    await running.end()
    assert hours(store, "door") == [(0, 2)]
    assert [record.getMessage() for record in caplog.records] == [
        "when cameras were watched is not kept: disk full",
        "when cameras were watched is kept now",
    ]


async def test_of_the_time_before_the_record_in_an_older_store_nothing_is_known(
    store: Store, run: Callable[[], Running]
) -> None:
    store.put(event(1, camera="door"))
    assert watched_in(store, store)("door") is None
    running = run()
    await running.deliver(online("door"))
    await running.pass_time(HOUR)
    await running.end()
    assert known(store, "door").gaps(START - 9 * HOUR, START + HOUR) == ()
    assert known(store, "yard").gaps(START - 9 * HOUR, START - HOUR) != ()


def test_an_empty_store_has_watched_nothing(store: Store) -> None:
    assert watched_in(store, store)("door") == Watched()


@pytest.mark.parametrize("text", ["", "7", "[]", "{", '{"cameras": 7}', '{"cameras": {"door": {"spans": [[1]]}}}'])
def test_a_record_that_cannot_be_read_is_none(store: Store, text: str) -> None:
    store.remember(KEY, text)
    assert watched_in(store, store)("door") == Watched()


def test_a_shorter_record_says_from_when_on_it_is_whole() -> None:
    door, gate = '"spans":[[5000,6000],[9000,9500]]', '"gate":{"known_since":7,"spans":[]}'
    record = f'{{"cameras":{{"door":{{"known_since":0,{door.replace("[[", "[[1000,2000],[")}}},{gate}}}}}'
    assert newest_spans(record, 3) == record
    short = f'{{"cameras":{{"door":{{"known_since":5000,{door}}},{gate}}}}}'
    assert newest_spans(record, 2) == short
