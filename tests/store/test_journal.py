"""The journal gives each sink every record it takes, once it is settled never again, whatever the others do."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sink_samples import T0, event, observation, ring

from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Phase
from blikk_edge.core.ports import Pending
from blikk_edge.core.summary import Answer
from blikk_edge.store.store import Store

BOTH = {"mqtt": None, "webhook": ("ring", "answer")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blikk.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    store.open()
    store.follow(BOTH)
    yield store
    store.close()


def ids(pending: list[Pending]) -> list[str]:
    return [each.record.id for each in pending]


def waiting(store: Store, sink: str, limit: int = 1000) -> list[str]:
    return ids(list(store.pending(sink, limit)))


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db, db:
        (count,) = db.execute("SELECT count(*) FROM outbox").fetchone()
    db.close()
    return int(count)


def test_each_sink_has_a_place_of_its_own_and_only_what_it_takes(store: Store) -> None:
    seqs = [store.put(record) for record in (event(1), ring(2), observation(3), ring(4))]
    assert waiting(store, "mqtt") == ["event-1", "ring-2", "observation-3", "ring-4"]
    assert waiting(store, "webhook") == ["ring-2", "ring-4"]
    assert (store.depth("mqtt"), store.depth("webhook")) == (4, 2)
    store.delivered("mqtt", seqs[:3])
    assert waiting(store, "mqtt") == ["ring-4"]
    assert waiting(store, "webhook") == ["ring-2", "ring-4"]
    store.delivered("webhook", [seqs[3]])  # out of order
    assert waiting(store, "webhook") == ["ring-2"]
    assert (store.depth("mqtt"), store.depth("webhook")) == (1, 1)


def test_what_every_sink_has_had_goes_at_once(store: Store, path: Path) -> None:
    seqs = [store.put(record) for record in (event(1), ring(2), ring(3))]
    store.delivered("mqtt", seqs)
    store.delivered("webhook", [seqs[2]])
    assert store.put(ring(4)) > seqs[2]
    store.close()
    assert rows(path) == 2  # the second, which the webhook waits for, and the new one


def test_places_outlive_the_process_also_those_out_of_order(store: Store) -> None:
    seqs = [store.put(ring(number)) for number in range(6)]
    store.delivered("mqtt", [seqs[0], seqs[2], seqs[3]])
    store.delivered("webhook", [seqs[1], seqs[5]])
    store.close()
    store.open()
    assert waiting(store, "mqtt") == ["ring-1", "ring-4", "ring-5"]
    assert waiting(store, "webhook") == ["ring-0", "ring-2", "ring-3", "ring-4"]
    assert all(each.replayed for each in store.pending("webhook", 10))


def test_a_new_sink_begins_with_the_next_record(path: Path) -> None:
    store = Store(path)
    store.open()
    store.follow({"mqtt": None})
    store.put(ring(1))
    store.follow({"mqtt": None, "redis": None})
    store.put(ring(2))
    assert waiting(store, "mqtt") == ["ring-1", "ring-2"]
    assert waiting(store, "redis") == ["ring-2"]
    store.close()


def test_for_a_sink_that_is_gone_nothing_waits(store: Store, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seqs = [store.put(ring(number)) for number in range(4)]
    store.delivered("mqtt", seqs)
    store.follow({"mqtt": None})
    assert "4 records waited for a sink that is gone from the configuration" in caplog.text
    store.follow(BOTH)  # and a webhook that comes back is a new one
    assert waiting(store, "webhook") == []
    store.close()
    assert rows(path) == 0


def test_what_waits_for_a_sink_that_cannot_be_had_now_stays(store: Store) -> None:
    store.put(ring(1))
    store.follow({"mqtt": None}, absent=("webhook", "never_there"))
    store.put(ring(2))
    store.follow(BOTH)
    assert waiting(store, "webhook") == ["ring-1", "ring-2"]
    assert "never_there" not in store._journal.places


def test_whoever_opens_it_without_knowing_the_sinks_changes_no_place(store: Store, path: Path) -> None:
    seqs = [store.put(ring(number)) for number in range(3)]
    store.delivered("webhook", seqs[:1])
    store.close()
    other = Store(path)  # `blikk ask`
    other.open()
    assert other.rings(limit=1) == [ring(2)]
    other.close()
    store.open()
    assert waiting(store, "webhook") == ["ring-1", "ring-2"]
    assert waiting(store, "mqtt") == ["ring-0", "ring-1", "ring-2"]


def test_without_its_disk_nothing_waits_and_all_comes_when_it_is_back(tmp_path: Path) -> None:
    """The file is a folder at the start: a node runs all the same, and asks for the depth with each health."""
    path = tmp_path / "blikk.db"
    path.mkdir()
    store = Store(path)
    with pytest.raises(StoreError):
        store.open()
    with pytest.raises(StoreError):
        store.follow(BOTH)
    assert (store.depth("mqtt"), store.depth("webhook"), store.lost) == (0, 0, 0)
    path.rmdir()
    store.put(ring(1))
    assert waiting(store, "mqtt") == waiting(store, "webhook") == ["ring-1"]
    store.close()


def test_without_a_sink_there_is_history_and_no_journal(path: Path) -> None:
    store = Store(path)
    store.open()
    store.follow({})
    assert store.put(event(1)) == 0
    assert list(store.events()) == [event(1)]
    store.close()
    assert rows(path) == 0


def test_a_sink_that_is_away_costs_its_own_oldest_records_only(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(path, outbox_records=5)
    store.open()
    store.follow({"mqtt": None, "webhook": ("ring",)})
    for number in range(20):
        seq = store.put(ring(number))
        assert waiting(store, "mqtt") == [f"ring-{number}"]  # nothing is held up, nothing is lost for it
        store.delivered("mqtt", [seq])
    assert waiting(store, "webhook") == [f"ring-{number}" for number in range(15, 20)]
    assert (store.depth("mqtt"), store.depth("webhook"), store.lost) == (0, 5, 15)
    assert len([r for r in caplog.records if "webhook: the journal is full (5 records)" in r.message]) == 1
    store.close()
    assert rows(path) == 5


def test_what_was_lost_stays_counted_when_the_file_is_opened_anew(path: Path) -> None:
    store = Store(path, outbox_records=5)
    store.open()
    store.follow({"mqtt": None})
    for number in range(8):
        store.put(ring(number))
    store.close()
    store.open()
    assert store.lost == 3
    store.close()


def test_what_everybody_has_goes_before_what_somebody_waits_for(path: Path) -> None:
    store = Store(path, outbox_records=5)
    store.open()
    store.follow({"mqtt": None, "webhook": ("ring",)})
    first = store.put(ring(0))
    store.delivered("mqtt", [first])
    for number in range(1, 200):  # of no interest to the webhook, and delivered
        store.delivered("mqtt", [store.put(observation(number))])
    assert waiting(store, "webhook") == ["ring-0"]
    assert store.lost == 0
    store.close()


def test_a_record_that_cannot_be_read_holds_up_nobody(store: Store, path: Path) -> None:
    for number in range(3):
        store.put(ring(number))
    store.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE outbox SET text = replace(text, 'ring-1', 'ring' || char(0)) WHERE text LIKE '%ring-1%'")
        db.execute("UPDATE outbox SET text = '{\"record\":\"ring\"}' WHERE text LIKE '%ring' || char(0) || '%'")
    db.close()
    store.open()
    assert waiting(store, "mqtt") == ["ring-0", "ring-2"]
    assert waiting(store, "webhook") == ["ring-0", "ring-2"]
    assert store.lost == 2  # for each of them


def test_the_store_of_an_earlier_version_is_taken_over_whole(path: Path) -> None:
    """`store_without_cursors.sqlite` was written by version 0.1, whose outbox was the broker's alone.

    Five visits are over and delivered; of 44 records that waited then, two were acknowledged, the first and the fourth.
    """
    shutil.copy(Path(__file__).with_name("store_without_cursors.sqlite"), path)
    store = Store(path)
    store.open()
    store.follow(BOTH)
    expected = [each for number in range(5, 25) for each in (f"event-{number}", f"observation-{number}")]
    expected = [*expected, "ring-1", "ring-2", "summary-1", "answer-1"]
    del expected[3], expected[0]
    assert waiting(store, "mqtt") == expected
    assert all(each.replayed for each in store.pending("mqtt", 100))
    assert waiting(store, "webhook") == []  # it had none in a file; what was posted then is not posted again
    ended = [replace(event(n, revision=2), phase=Phase.ENDED, ended=T0 + n + 1) for n in range(5)]
    assert list(store.events(limit=100)) == [*(event(n) for n in range(24, 4, -1)), *reversed(ended)]
    assert [each.id for each in store.rings()] == ["ring-2", "ring-1"]
    assert [each.text for each in store.summaries()] == ["A person was here."]
    assert store.recall("switches/front_door") == '{"detect": true}'
    store.put(ring(3))
    assert waiting(store, "webhook") == ["ring-3"]
    store.delivered("mqtt", [each.seq for each in store.pending("mqtt", 100)])
    store.delivered("webhook", [each.seq for each in store.pending("webhook", 100)])
    store.close()
    assert rows(path) == 0


def test_an_earlier_version_goes_on_with_what_a_new_one_left(store: Store, path: Path) -> None:
    """The layout is the same: at worst it publishes once more what another sink still waited for."""
    seqs = [store.put(ring(number)) for number in range(3)]
    store.delivered("mqtt", seqs[:2])
    store.delivered("webhook", seqs[:1])
    store.close()
    with closing(sqlite3.connect(path)) as db, db:
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        found = [json.loads(text)["id"] for (text,) in db.execute("SELECT text FROM outbox ORDER BY seq")]
    db.close()
    assert layout == 2
    assert found == ["ring-1", "ring-2"]


@pytest.mark.parametrize("damage", ["[5", "[1, [2, null]]", '"x"', "{}", "", "[" * 5000])
def test_a_place_that_cannot_be_read_gives_all_once_more(damage: str, store: Store, path: Path) -> None:
    seqs = [store.put(ring(number)) for number in range(3)]
    store.delivered("webhook", seqs[:2])
    store.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE memory SET text = ? WHERE key = 'cursor/webhook'", (damage,))
    db.close()
    store.open()
    assert waiting(store, "webhook") == ["ring-0", "ring-1", "ring-2"]


def test_a_damaged_file_loses_no_place(store: Store, path: Path) -> None:
    seqs = [store.put(ring(number)) for number in range(50)]
    store.delivered("mqtt", seqs[:20])
    store.delivered("webhook", seqs[:10])
    store.close()
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)
    store.open()
    assert waiting(store, "mqtt") == [f"ring-{number}" for number in range(20, 50)]
    assert waiting(store, "webhook") == [f"ring-{number}" for number in range(10, 50)]
    assert store.put(ring(99)) > seqs[-1]
    assert waiting(store, "webhook")[-1] == "ring-99"


def test_a_place_beyond_all_numbers_hides_no_new_record(store: Store, path: Path) -> None:
    """As when the page with the newest records is gone, and that with the places is not."""
    store.put(ring(1))
    store.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE memory SET text = '[900000,[900003]]' WHERE key = 'cursor/mqtt'")
    db.close()
    store.open()
    store.put(ring(2))
    assert waiting(store, "mqtt") == ["ring-2"]


def answer(number: int) -> Answer:
    return Answer(
        id=f"answer-{number}",
        camera="front_door",
        question="gate_open",
        asked="Is the gate open?",
        answer="yes",
        confidence=0.9,
        time=T0,
        since=T0,
        changed=True,
    )


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["ring", "observation", "answer", "restart"]),
        st.tuples(st.sampled_from(["mqtt", "webhook", "redis"]), st.sets(st.integers(0, 7), max_size=4)),
    ),
    max_size=40,
)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_every_sink_gets_all_it_takes_once_whatever_is_settled_when(
    tmp_path: Path, steps: list[str | tuple[str, set[int]]]
) -> None:
    takes = {"mqtt": None, "webhook": ("ring", "answer"), "redis": ("observation",)}
    path = tmp_path / "any.db"
    for file in tmp_path.iterdir():
        file.unlink()
    store = Store(path)
    store.open()
    store.follow(takes)
    owed: dict[str, list[str]] = {name: [] for name in takes}
    for number, step in enumerate(steps):
        match step:
            case "restart":
                store.close()
                store = Store(path)
                store.open()
                store.follow(takes)
            case str(kind):
                record = {"ring": ring, "observation": observation, "answer": answer}[kind](number)
                store.put(record)
                for name, kinds in takes.items():
                    if kinds is None or kind in kinds:
                        owed[name].append(record.id)
            case (sink, which):
                pending = list(store.pending(sink, 8))
                chosen = [pending[n] for n in sorted(which) if n < len(pending)]
                store.delivered(sink, [each.seq for each in chosen])
                owed[sink] = [each for each in owed[sink] if each not in ids(chosen)]
        for name in takes:
            assert waiting(store, name) == owed[name]
            assert store.depth(name) == len(owed[name])
    store.close()
    assert rows(path) == len(set(owed["mqtt"]) | set(owed["webhook"]) | set(owed["redis"]))
