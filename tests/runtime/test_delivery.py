"""One delivery for every durable sink: in order, tried again, none held up by another."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sink_samples import Box1, Hasty, event, observation, picture, ring, state, until

from blikk_edge.core.backoff import FIRST_S
from blikk_edge.core.clock import Clock, VirtualClock
from blikk_edge.core.errors import SinkError, StoreError
from blikk_edge.core.observation import Phase, Record
from blikk_edge.core.ports import DurableSink, Pending
from blikk_edge.runtime.backlog import Backlog
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.store.store import Store


class Scripted:
    """A durable sink that does what the test says: `acts` for the next calls of `send`, then it takes everything."""

    def __init__(self, name: str, *, takes: Sequence[str] | None = None, batch: int = 4) -> None:
        self.name = name
        self.takes = takes
        self.batch = batch
        self.got: list[Pending] = []
        self.acts: list[Callable[[Sequence[Pending]], None] | Exception] = []
        self.ready = asyncio.Event()
        self.ready.set()
        self.opened = 0
        self.closed = False

    @property
    def ids(self) -> list[str]:
        return [each.record.id for each in self.got]

    async def open(self) -> None:
        await self.ready.wait()
        self.opened += 1

    async def send(self, batch: Sequence[Pending]) -> None:
        await asyncio.sleep(0)
        act = self.acts.pop(0) if self.acts else None
        if isinstance(act, SinkError):
            self.got += [each for each in batch if each.seq in act.taken]
        if isinstance(act, Exception):
            raise act
        if act is not None:
            act(batch)
        self.got += batch

    async def close(self) -> None:
        self.closed = True


class Running:
    """A delivery in a task."""

    def __init__(self, store: Store, *sinks: Scripted, clock: Clock | None = None) -> None:
        self.clock = Hasty()
        self.inbox = Box1()
        store.follow({sink.name: sink.takes for sink in sinks})
        self.delivery = Delivery(store, sinks, clock=clock or self.clock, rng=random.Random(1))
        self.task = asyncio.ensure_future(self.delivery.run(self.inbox))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait((self.task,))
        if not self.task.cancelled():
            self.task.result()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "blikk.db")
    store.open()
    yield store
    store.close()


@asynccontextmanager
async def delivering(store: Store, *sinks: Scripted, clock: Clock | None = None) -> AsyncIterator[Running]:
    running = Running(store, *sinks, clock=clock)
    try:
        yield running
    finally:
        await running.stop()


async def test_every_sink_gets_what_it_takes_in_order(store: Store) -> None:
    all_of_it, rings = Scripted("a"), Scripted("b", takes=("ring",), batch=1)
    sink: DurableSink = all_of_it
    assert sink.batch == 4
    async with delivering(store, all_of_it, rings) as running:
        running.inbox.put(event(1), picture(1), ring(2), state(), observation(3), ring(4))
        await until(lambda: len(all_of_it.got) == 4 and len(rings.got) == 2)
        await until(lambda: running.delivery.outbox == 0)
    assert all_of_it.ids == ["event-1", "ring-2", "observation-3", "ring-4"]
    assert rings.ids == ["ring-2", "ring-4"]
    assert not any(each.replayed for each in all_of_it.got)
    assert all_of_it.closed
    assert rings.closed


async def test_a_sink_that_is_away_holds_up_no_other_and_gets_it_all_later(store: Store) -> None:
    here, away = Scripted("here"), Scripted("away")
    away.ready.clear()
    async with delivering(store, here, away) as running:
        running.inbox.put(*(ring(n) for n in range(50)))
        await until(lambda: len(here.got) == 50)
        assert running.delivery.outbox == 50
        away.ready.set()
        await until(lambda: len(away.got) == 50)
        await until(lambda: running.delivery.outbox == 0)
    assert here.ids == away.ids == [f"ring-{n}" for n in range(50)]


class Calling(Scripted):
    """A durable sink to which rings, and the begins of events, go first."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.urgent = {"ring": {}, "event": {"phase": "started"}}


async def test_after_an_outage_what_is_urgent_goes_first_and_the_newest_of_it_before_the_others(store: Store) -> None:
    calling, plain = Calling("calling"), Scripted("plain")
    calling.ready.clear()
    plain.ready.clear()
    records = [observation(n) if n % 4 else ring(n) for n in range(24)]
    records[10:12] = [event(10), replace(event(11), phase=Phase.ENDED)]
    async with delivering(store, calling, plain) as running:
        running.inbox.put(*records)
        await until(lambda: running.delivery.outbox == len(records))
        calling.acts = [SinkError("away", taken=[21, 17])]
        calling.ready.set()
        plain.ready.set()
        await until(lambda: running.delivery.outbox == 0)
    assert [each.id for each in records] == plain.ids
    assert calling.ids[:6] == ["ring-20", "ring-16", "ring-12", "event-10", "ring-8", "ring-4"]
    rest = [each.id for each in records if each.id not in calling.ids[:6]]
    assert calling.ids[6:] == rest, "all others come in order, and none twice"


async def test_what_goes_at_once_goes_in_order_also_where_some_of_it_is_urgent(store: Store) -> None:
    calling = Calling("calling")
    calling.ready.clear()
    async with delivering(store, calling) as running:
        running.inbox.put(observation(1), ring(2), observation(3), ring(4))
        await until(lambda: running.delivery.outbox == 4)
        calling.ready.set()
        await until(lambda: running.delivery.outbox == 0)
    assert calling.ids == ["observation-1", "ring-2", "observation-3", "ring-4"]


async def test_an_error_is_reported_once_and_what_waited_is_replayed(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "blikk.delivery")
    sink = Scripted("hook", batch=1)

    def fail(_batch: Sequence[Pending]) -> None:
        sink.ready.clear()
        raise SinkError("hook: it answers 503")

    sink.acts = [SinkError("hook: it answers 503"), fail]
    async with delivering(store, sink) as running:
        running.inbox.put(ring(1))
        await until(lambda: not sink.ready.is_set())
        await until(lambda: running.delivery.problems == {"hook": "hook: it answers 503"})
        sink.ready.set()
        await until(lambda: len(sink.got) == 1)
        running.inbox.put(ring(2))
        await until(lambda: len(sink.got) == 2)
        assert running.delivery.problems == {}
    assert [(each.record.id, each.replayed) for each in sink.got] == [("ring-1", True), ("ring-2", False)]
    assert [r.getMessage() for r in caplog.records] == ["hook: it answers 503", "hook works now"]
    assert running.clock.pauses == [1.0, pytest.approx(1.5, abs=0.5)]
    assert sink.opened == 3


async def test_a_sink_says_when_to_come_back(store: Store) -> None:
    sink = Scripted("hook")
    sink.acts = [SinkError("busy", after_s=90.0), SinkError(after_s=0)]
    async with delivering(store, sink) as running:
        running.inbox.put(ring(1))
        await until(lambda: sink.got)
    assert running.clock.pauses == [90.0]  # and after the second error at once
    assert sink.opened == 3


async def test_a_sink_that_wants_to_come_back_at_once_and_never_waits_does_not_spin(store: Store) -> None:
    sink, other, clock = Scripted("hook"), Scripted("other", batch=1), VirtualClock()
    sink.acts = [SinkError(after_s=0) for _ in range(1000)]
    async with delivering(store, sink, other, clock=clock) as running:
        running.inbox.put(*(ring(n) for n in range(50)))
        await until(lambda: len(other.got) == 50 and sink.opened == 2)
        assert len(sink.acts) >= 998
        await clock.advance(FIRST_S)
        await until(lambda: sink.opened == 3)


async def test_of_a_batch_what_was_taken_is_not_sent_again_and_what_is_refused_is_lost(store: Store) -> None:
    sink = Scripted("hook")

    def refuse_third(batch: Sequence[Pending]) -> None:
        raise SinkError("the third is too large", taken=[batch[0].seq], refused=[batch[2].seq])

    away = Scripted("away")
    away.ready.clear()
    async with delivering(store, sink, away) as running:
        sink.acts = [refuse_third]
        sink.ready.clear()
        running.inbox.put(*(ring(n) for n in range(4)))
        await until(running.inbox.empty)
        sink.ready.set()
        await until(lambda: running.delivery.lost == 1)
        await until(lambda: len(sink.got) >= 2)
    # `refuse_third` took the first itself
    assert sink.ids == ["ring-1", "ring-3"]
    assert [p.record.id for p in store.pending("away", 10)] == ["ring-0", "ring-1", "ring-2", "ring-3"]
    assert store.depth("hook") == 0


async def test_a_sink_with_a_bug_costs_no_other_anything(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    good, bad = Scripted("good"), Scripted("bad")
    bad.acts = [TypeError("it is a str"), KeyError("x")]
    async with delivering(store, good, bad) as running:
        running.inbox.put(*(ring(n) for n in range(9)))
        await until(lambda: len(good.got) == 9)
        await until(lambda: len(bad.got) == 9)
        await until(lambda: running.delivery.problems == {})
    assert bad.ids == good.ids == [f"ring-{n}" for n in range(9)]
    assert "it failed in a way that it should not" in caplog.text


async def test_a_stop_sends_what_can_be_sent_and_keeps_the_rest(store: Store) -> None:
    here, away = Scripted("here"), Scripted("away")
    away.ready.clear()
    running = Running(store, here, away)
    await until(lambda: here.opened)
    running.inbox.put(*(ring(n) for n in range(30)))
    began = asyncio.get_running_loop().time()
    await running.stop()
    assert asyncio.get_running_loop().time() - began < 30.0
    assert here.ids == [f"ring-{n}" for n in range(30)]
    assert (store.depth("here"), store.depth("away")) == (0, 30)


async def test_without_a_sink_the_history_is_kept_all_the_same(store: Store) -> None:
    async with delivering(store) as running:
        running.inbox.put(event(1), ring(2))
        await until(lambda: len(store.events()) == 1 and len(store.rings()) == 1)
        assert (running.delivery.outbox, running.delivery.lost) == (0, 0)


class Disk:
    """A store whose disk is full when the test says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.full = False

    @property
    def lost(self) -> int:
        return self._store.lost

    def put(self, record: Record) -> int:
        self._check()
        return self._store.put(record)

    def pending(self, sink: str, limit: int) -> Sequence[Pending]:
        return self._store.pending(sink, limit)

    def delivered(self, sink: str, seqs: Sequence[int]) -> None:
        self._check()
        self._store.delivered(sink, seqs)

    def depth(self, sink: str) -> int:
        return self._store.depth(sink)

    def _check(self) -> None:
        if self.full:
            raise StoreError("store x: cannot write: database or disk is full")


TAKES = {"a": None, "b": ("ring",)}
STEPS = st.lists(
    st.one_of(
        st.sampled_from(["ring", "event", "fill", "free", "age a", "save"]),
        # one sink is given records, something else happens, then it settles some
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.integers(1, 4),
            st.integers(0, 4),
            st.sampled_from(["", "ring", "event", "fill", "free", "save"]),
        ),
    ),
    max_size=40,
)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
def test_no_sink_misses_a_record_whenever_the_disk_is_full(
    tmp_path: Path, steps: list[str | tuple[str, int, int, str]]
) -> None:
    async def play() -> None:
        for file in tmp_path.iterdir():
            file.unlink()
        store = Store(tmp_path / "any.db")
        store.open()
        store.follow(TAKES)
        disk = Disk(store)
        backlog = Backlog(disk, TAKES)
        owed: dict[str, list[str]] = {"a": [], "b": []}
        seen: dict[str, list[str]] = {"a": [], "b": []}
        numbers = iter(range(1000))

        async def do(step: str) -> None:
            match step:
                case "ring" | "event":
                    record = {"ring": ring, "event": event}[step](next(numbers))
                    await backlog.put(record)
                    for sink, kinds in TAKES.items():
                        if kinds is None or step in kinds:
                            owed[sink].append(record.id)
                case "fill" | "free":
                    disk.full = step == "fill"
                case "save":
                    await backlog.save()
                case "age a":
                    backlog.age("a")

        async def give(sink: str, limit: int, settled: int, meanwhile: str) -> None:
            batch = await backlog.oldest(sink, limit)
            seen[sink] += [pending.record.id for pending in batch]
            await do(meanwhile)
            await backlog.settle(sink, [pending.seq for pending in batch[:settled]])

        for step in steps:
            if isinstance(step, str):
                await do(step)
            else:
                await give(*step)
        disk.full = False
        await backlog.save()
        for sink in TAKES:
            while await backlog.oldest(sink, 3):
                await give(sink, 3, 3, "")
            assert list(dict.fromkeys(seen[sink])) == owed[sink]
            assert backlog.depth(sink) == 0
        assert (backlog.lost, backlog.unsaved) == (0, 0)
        store.close()

    asyncio.run(play())
