"""The backlog neither loses nor reorders records, whatever order of failures it meets."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sink_samples import ring

from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Record
from blikk_edge.core.ports import Pending
from blikk_edge.runtime.backlog import Backlog

SINK = "mqtt"


class FakeJournal:
    """An outbox in memory whose disk is full when the test says so."""

    def __init__(self) -> None:
        self.full = False
        self.lost = 0
        self._rows: dict[int, Record] = {}
        self._last = 0

    def put(self, record: Record) -> int:
        self._check()
        self._last += 1
        self._rows[self._last] = record
        return self._last

    def pending(self, sink: str, limit: int) -> Sequence[Pending]:
        return [Pending(seq=seq, record=record) for seq, record in list(self._rows.items())[:limit]]

    def delivered(self, sink: str, seqs: Sequence[int]) -> None:
        self._check()
        for seq in seqs:
            self._rows.pop(seq, None)

    def depth(self, sink: str) -> int:
        return len(self._rows)

    def _check(self) -> None:
        if self.full:
            raise StoreError("store x: cannot write: database or disk is full")


STEPS = st.lists(
    st.one_of(
        st.just("put"),
        st.just("fill"),
        st.just("free"),
        st.just("age"),
        st.tuples(st.just("publish"), st.integers(1, 5), st.integers(0, 5)),
        # records that are reported while a window is under way
        st.tuples(st.just("publish and put"), st.integers(1, 5), st.integers(0, 5)),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_record_is_published_and_none_before_an_older_one(steps: list[str | tuple[str, int, int]]) -> None:
    async def play() -> None:
        journal = FakeJournal()
        backlog = Backlog(journal, {SINK: None})
        reported = 0
        published: list[str] = []

        async def put() -> None:
            nonlocal reported
            await backlog.put(ring(reported))
            reported += 1

        async def publish(limit: int, acknowledged: int, *, meanwhile: bool) -> None:
            window = await backlog.oldest(SINK, limit)
            published.extend(pending.record.id for pending in window)
            if meanwhile:
                await put()
            await backlog.settle(SINK, [pending.seq for pending in window[:acknowledged]])

        for step in steps:
            match step:
                case "put":
                    await put()
                case "fill" | "free":
                    journal.full = step == "fill"
                case "age":
                    backlog.age(SINK)
                case (str(what), int(limit), int(acknowledged)):
                    await publish(limit, acknowledged, meanwhile="put" in what)
        journal.full = False
        while await backlog.oldest(SINK, 3):
            await publish(3, 3, meanwhile=False)
        assert list(dict.fromkeys(published)) == [f"ring-{n}" for n in range(reported)]
        assert (backlog.depth(SINK), backlog.lost) == (0, 0)

    asyncio.run(play())


async def test_what_waited_when_the_outage_ended_is_replayed_and_nothing_newer() -> None:
    journal = FakeJournal()
    backlog = Backlog(journal, {SINK: None})
    await backlog.put(ring(0))
    journal.full = True
    await backlog.put(ring(1))
    backlog.age(SINK)
    journal.full = False
    await backlog.put(ring(2))  # brings the one in memory to disk first
    assert [(p.record.id, p.replayed) for p in await backlog.oldest(SINK, 9)] == [
        ("ring-0", True),
        ("ring-1", True),
        ("ring-2", False),
    ]


async def test_a_full_disk_that_cannot_forget_does_not_let_memory_go_first() -> None:
    journal = FakeJournal()
    backlog = Backlog(journal, {SINK: None})
    await backlog.put(ring(0))
    await backlog.put(ring(1))
    journal.full = True
    await backlog.put(ring(2))
    await backlog.settle(SINK, [pending.seq for pending in await backlog.oldest(SINK, 1)])
    assert [pending.record.id for pending in await backlog.oldest(SINK, 1)] == ["ring-1"]


async def test_memory_is_bounded_and_counts_what_it_gave_up(caplog: pytest.LogCaptureFixture) -> None:
    journal = FakeJournal()
    journal.full = True
    backlog = Backlog(journal, {SINK: None}, memory_records=3)
    for number in range(5):
        await backlog.put(ring(number))
    assert [p.record.id for p in await backlog.oldest(SINK, 9)] == ["ring-2", "ring-3", "ring-4"]
    assert (backlog.depth(SINK), backlog.lost) == (3, 2)
    assert len([r for r in caplog.records if "given up" in r.message]) == 1
