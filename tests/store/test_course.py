"""How events went, in the store: kept with the event and no longer, bounded, and carried over."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sink_samples import T0, event, observation

from blikk_edge.core.appearance import Appearance, Colour
from blikk_edge.core.errors import StoreError
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observation, Observed, Phase
from blikk_edge.core.paths import EventPath, PathPoint
from blikk_edge.core.sightings import Label
from blikk_edge.store import course
from blikk_edge.store.store import Store
from blikk_edge.wire.records import record_to_text


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "blikk.db", courses=True)
    made.open()
    yield made
    made.close()


def seen(number: int, of: int, kind: Observed = Observed.APPEARED) -> Observation:
    return replace(observation(number), event=f"event-{of}", kind=kind)


def ended(number: int, revision: int = 2) -> Event:
    return replace(event(number, revision=revision), phase=Phase.ENDED, ended=T0 + number + 5)


def path_of(number: int) -> EventPath:
    points = (
        PathPoint(time=T0, track=7, box=Box(0.1, 0.2, 0.3, 0.9)),
        PathPoint(time=T0 + 1, track=7, box=Box(0, 0, 1, 1)),
    )
    return EventPath(event=f"event-{number}", points=points)


def rows(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        (count,) = db.execute("SELECT count(*) FROM course").fetchone()
    db.close()
    return int(count)


def test_an_event_has_its_records_in_order_and_its_path(store: Store) -> None:
    records = [event(1), seen(1, 1), seen(2, 1, Observed.STILL), ended(1), seen(3, 1, Observed.LEFT)]
    for record in (*records, event(2), observation(9)):
        store.put(record)
    store.keep_path(path_of(1))
    found = store.course("event-1")
    assert list(found.records) == records
    assert found.path == path_of(1)
    assert found.whole
    assert store.course("nothing").records == ()


def test_what_somebody_looked_like_is_no_part_of_it(store: Store) -> None:
    look = Appearance(track=7, label=Label.PERSON, kind="person", colours=(Colour("red"),))
    store.put(event(1))
    store.put(replace(seen(1, 1), appearances=(look,), embedding=(0.1, 0.2)))
    assert list(store.course("event-1").records) == [event(1), seen(1, 1)]
    assert len(store.appearances()) == 1


def test_it_goes_with_its_event_without_a_trace(store: Store, tmp_path: Path) -> None:
    for record in (event(1), seen(1, 1), event(2)):
        store.put(record)
    store.keep_path(path_of(1))
    assert store.forget(event="event-1") == 1
    assert store.course("event-1") == course.Course()
    store.close()
    content = (tmp_path / "blikk.db").read_bytes()
    gone, there = (course.pack(record_to_text(record)) for record in (seen(1, 1), event(2)))
    assert there in content
    assert gone not in content


def test_the_oldest_goes_with_the_oldest_events_and_looks_stay_counted(tmp_path: Path) -> None:
    store = Store(tmp_path / "blikk.db", courses=True, max_records=3)
    store.open()
    look = Appearance(track=7, label=Label.PERSON, kind="person", colours=(Colour("red"),))
    for number in range(20):
        store.put(event(number))
        store.put(replace(seen(number, number), appearances=(look,)))
    assert [len(store.course(f"event-{number}").records) for number in (16, 17, 18, 19)] == [0, 2, 2, 2]
    assert len(store.appearances()) == 3
    store.close()
    assert rows(tmp_path / "blikk.db") == 6


def test_one_event_has_no_more_than_its_share_but_always_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "RECORDS_MAX", 5)
    store.put(event(1))
    for number in range(9):
        store.put(seen(number, 1))
    store.put(ended(1))
    found = store.course("event-1")
    assert len(found.records) == 6
    assert found.records[-1] == ended(1)
    assert not found.whole


def test_the_whole_table_is_bounded_whatever_single_events_hold(tmp_path: Path) -> None:
    store = Store(tmp_path / "blikk.db", courses=True, max_records=2)
    store.open()
    store.put(event(1))
    for number in range(100):
        store.put(seen(number, 1))
    store.close()
    assert rows(tmp_path / "blikk.db") == 2 * course.PER_EVENT


def test_a_node_without_pages_keeps_none_and_makes_no_table(tmp_path: Path) -> None:
    store = Store(tmp_path / "blikk.db")
    store.open()
    for record in (event(1), seen(1, 1)):
        store.put(record)
    assert store.course("event-1").records == ()
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "blikk.db")) as db, db:
        assert db.execute("SELECT 1 FROM sqlite_master WHERE name = 'course'").fetchone() is None


def test_a_store_of_an_earlier_version_keeps_all_it_has(tmp_path: Path) -> None:
    """As blikk wrote it before how events went was kept."""
    path = tmp_path / "blikk.db"
    shutil.copy(Path(__file__).parent / "earlier_store.sqlite", path)
    earlier = Store(path)
    earlier.open()
    before = list(earlier.events()), list(earlier.summaries()), list(earlier.rings())
    earlier.close()
    store = Store(path, courses=True)
    store.open()
    assert (list(store.events()), list(store.summaries()), list(store.rings())) == before
    known = before[0][0]
    store.put(replace(known, revision=known.revision + 1, time=known.time + 1))
    found = store.course(known.id)
    assert [record.revision for record in found.records if isinstance(record, Event)] == [known.revision + 1]
    assert not found.whole
    store.close()


def test_what_belongs_to_no_event_goes_at_the_next_start(store: Store, tmp_path: Path) -> None:
    store.put(event(1))
    store.keep_path(path_of(1))
    store.keep_path(path_of(2))  # forgotten while its path was on its way
    store.close()
    store.open()
    assert store.course("event-1").path == path_of(1)
    assert store.course("event-2").path is None


def test_a_damaged_store_carries_over_how_events_went(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    for number in range(200):
        store.put(event(number))
        store.put(seen(number, number))
    store.put(event(1000))
    store.keep_path(path_of(1000))
    store.close()
    with path.open("r+b") as file:  # a page in the middle
        file.seek(4096 * 20)
        file.write(b"\xff" * 4096)
    opened = Store(path, courses=True)
    opened.open()
    for number in range(200):  # whoever meets the damage has it mended
        with contextlib.suppress(StoreError):
            opened.course(f"event-{number}")
            opened.event(f"event-{number}")
    assert path.with_name("blikk.db.damaged").exists()
    whole = [number for number in range(200) if len(opened.course(f"event-{number}").records) == 2]
    assert len(whole) > 150
    assert opened.course("event-1000").path == path_of(1000)
    opened.close()


def test_a_row_that_rotted_is_left_out_and_said_so(store: Store, tmp_path: Path) -> None:
    for record in (event(1), seen(1, 1), seen(2, 1)):
        store.put(record)
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "blikk.db")) as db, db:
        db.execute("UPDATE course SET packed = x'ffffffff' WHERE seq = 2")
    db.close()
    store.open()
    found = store.course("event-1")
    assert list(found.records) == [event(1), seen(2, 1)]
    assert not found.whole
