"""What went on when a process was killed is ended once, and its final text is owed until it is there."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from patience import PATIENCE
from sink_samples import PERSON, T0, event, observation

from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.summary import Importance, Summary
from blikk_edge.store.store import Store
from blikk_edge.store.unfinished import OPEN
from blikk_edge.wire.records import record_from_text, record_to_text


def opened(path: Path) -> Store:
    store = Store(path / "blikk.db")
    store.open()
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = opened(tmp_path)
    yield made
    made.close()


def restarted(store: Store) -> Store:
    store.close()
    store.open()
    return store


def ended(number: int, at: float = 30.0) -> Event:
    return replace(event(number, revision=3), phase=Phase.ENDED, time=T0 + at, ended=T0 + at, reason=Observed.LEFT)


def text(of: Event, revision: int) -> Summary:
    return Summary(
        id=f"{of.id}-s{revision}",
        camera=of.camera,
        event=of.id,
        revision=revision,
        time=of.time,
        since=of.started,
        until=of.time,
        title="t",
        text="x",
        importance=Importance.NORMAL,
    )


def test_a_new_store_has_nothing_left_open(store: Store) -> None:
    assert (list(store.left_open()), list(store.unwritten())) == ([], [])


def test_what_was_open_is_ended_as_last_seen(store: Store) -> None:
    store.put(event(1))
    store.put(replace(event(2), objects=(replace(PERSON, since=T0 + 2, dwell_s=4.0),)))
    store.put(replace(event(2, revision=2), objects=(replace(PERSON, since=T0 + 2, dwell_s=40.5),)))
    for record in (event(3), replace(ended(3), id="event-3"), observation(4)):
        store.put(record)
    first, second = restarted(store).left_open()
    assert (first.id, first.revision, first.phase, first.reason) == ("event-1", 2, Phase.ENDED, Observed.LEFT)
    assert (second.id, second.revision, second.interrupted) == ("event-2", 3, True)
    assert (second.ended, second.duration_s) == (T0 + 42.5, 40.5)


def test_a_quiet_visit_lasted_until_it_was_last_noted(store: Store) -> None:
    store.put(event(1))
    store.put(event(2))
    store.note_open({"event-1": T0 + 3000.0, "event-2": 5.0})
    first, second = restarted(store).left_open()
    assert first.duration_s == 2999.0
    assert second.ended is not None
    assert second.ended >= second.started  # a time that cannot be is not reported


def test_an_event_without_objects_ends_with_its_last_revision(store: Store) -> None:
    store.put(replace(event(1), objects=(), time=T0 + 9))
    (only,) = restarted(store).left_open()
    assert (only.ended, only.time) == (T0 + 9, T0 + 9)


def test_it_ends_once_however_often_the_process_is_killed(store: Store) -> None:
    for number in range(3):
        store.put(event(number))
    ends = list(restarted(store).left_open())
    assert [event.revision for event in ends] == [2, 2, 2]
    store.put(ends[0])  # killed before the others were put
    again = list(restarted(store).left_open())
    assert again == ends[1:]
    for end in again:
        store.put(end)
    assert list(restarted(store).left_open()) == []
    reported = [p.record for p in store.pending("mqtt", 100)]
    assert [(each.id, each.revision) for each in reported if isinstance(each, Event) and each.phase is Phase.ENDED] == [
        (f"event-{number}", 2) for number in range(3)
    ]


def test_events_of_this_process_are_not_left_open(store: Store) -> None:
    store.put(event(1))
    restarted(store)
    store.put(event(2))
    assert [event.id for event in store.left_open()] == ["event-1"]


def test_the_final_text_is_owed_until_it_is_there(store: Store) -> None:
    """Killed between the end and its text, and again; also where the end was reported in time."""
    store.put(event(1))
    (end,) = restarted(store).left_open()
    store.put(end)
    store.put(ended(2))
    store.put(text(end, 1))
    for _ in range(2):
        assert {event.id for event in restarted(store).unwritten()} == {"event-1", "event-2"}
    store.put(text(end, 2))
    assert [event.id for event in store.unwritten()] == ["event-2"]
    assert [event.id for event in restarted(store).unwritten()] == ["event-2"]


def test_no_text_is_owed_about_what_ended_long_before(store: Store) -> None:
    store.put(ended(1, at=10.0))
    store.put(ended(2, at=1000.0))
    assert [event.id for event in restarted(store).unwritten()] == ["event-2"]


def test_an_old_event_that_was_ended_at_a_start_is_owed_a_text_for_a_few_starts(store: Store) -> None:
    store.put(event(1))
    store.put(ended(2, at=9000.0))
    (end,) = restarted(store).left_open()
    store.put(end)
    owed = []
    for _ in range(8):  # each start of a node asks for both
        restarted(store).left_open()
        owed.append({event.id for event in store.unwritten()})
    assert owed[0] == {"event-1", "event-2"}
    assert owed[-1] == {"event-2"}


def test_a_store_that_another_process_has_reports_later(store: Store) -> None:
    store.put(event(1))
    late = Store(store.path)
    with pytest.raises(StoreError):
        late.open()
    with pytest.raises(StoreError):
        late.left_open()
    store.close()
    late.put(event(2))
    assert [event.id for event in late.left_open()] == ["event-1"]
    late.close()


def test_a_record_of_an_earlier_version_has_no_mark(store: Store) -> None:
    content = record_to_text(event(1))
    assert "interrupted" not in content
    assert record_from_text(content) == event(1)
    end = event(1).cut_off(T0 + 60)
    assert record_from_text(record_to_text(end)) == end


def test_open_events_are_found_without_reading_all(store: Store) -> None:
    db = store._file._db
    assert db is not None
    plan = db.execute(f"EXPLAIN QUERY PLAN {OPEN}", (1,)).fetchall()
    assert any("events_open" in str(row) for row in plan), plan


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sink_samples import event
from blikk_edge.store.store import Store
from blikk_edge.store.unfinished import OPEN
store = Store(Path(sys.argv[1]))
store.open()
for end in store.left_open():
    store.put(end)
for number in range(int(sys.argv[3]), int(sys.argv[3]) + 5):
    store.put(event(number))
    store.note_open({f"event-{number}": event(number).started + 77.0})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_two_real_kills_everything_has_ended_once(tmp_path: Path) -> None:
    for first in (0, 5):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "blikk.db"), str(Path(__file__).parents[1]), str(first)]
        assert subprocess.run(command, check=False, timeout=60 * PATIENCE).returncode == -9
    store = opened(tmp_path)
    for end in store.left_open():
        store.put(end)
    reported = [p.record for p in store.pending("mqtt", 1000)]
    ends = [each for each in reported if isinstance(each, Event) and each.phase is Phase.ENDED]
    assert [each.id for each in ends] == [f"event-{number}" for number in range(10)]
    assert {each.id: each.duration_s for each in ends}["event-9"] == 77.0
    assert list(restarted(store).left_open()) == []
    store.close()


def test_text_that_is_no_record_is_passed_over(store: Store) -> None:
    store.put(event(1))
    store.close()
    with closing(sqlite3.connect(store.path)) as db, db:
        for name, nonsense in (("x", '{"phase":"updated"}'), ("y", "no JSON")):
            db.execute("INSERT INTO events VALUES (?, 'c', 1.0, ?, 'person')", (name, nonsense))
        for key, nonsense in (("events.seen", "["), ("events.ending", '{"a": null, "b": 1e999}')):
            db.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", (key, nonsense))
    db.close()
    store.open()
    assert [event.id for event in store.left_open()] == ["event-1"]


def test_who_only_reads_the_history_counts_as_no_start(store: Store) -> None:
    """As `blikk ask` does, while no node runs."""
    store.put(event(1))
    (end,) = restarted(store).left_open()
    store.put(end)
    for _ in range(10):
        restarted(store)
    assert [each.id for each in store.unwritten()] == ["event-1"]
