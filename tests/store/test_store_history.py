"""What the store remembers of the past: found by camera, label and time, bounded, forgotten without a trace."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sink_samples import T0, event, observation, ring

from blikk_edge.core.errors import StoreBusyError
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import History
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary
from blikk_edge.store.file import LAYOUT
from blikk_edge.store.store import Store
from blikk_edge.wire.records import record_to_text

LAYOUT_1 = """
CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);
CREATE TABLE events (id TEXT PRIMARY KEY, camera TEXT NOT NULL, started REAL NOT NULL, text TEXT NOT NULL);
CREATE INDEX events_started ON events (started);
CREATE INDEX events_camera ON events (camera, started);
CREATE TABLE memory (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version=1;
"""
"""As blikk 0.1 wrote it."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "blikk.db")
    store.open()
    yield store
    store.close()


def cat(number: int) -> Event:
    return replace(event(number, camera="yard"), id=f"cat-{number}", label=Label.ANIMAL)


def summary(number: int, *, revision: int = 1) -> Summary:
    """Of `event(number)`."""
    return Summary(
        id=f"event-{number}-summary",
        camera="front_door",
        event=f"event-{number}",
        revision=revision,
        time=T0 + number + revision,
        since=T0 + number,
        until=T0 + number + 1,
        title="A visitor",
        text="Somebody came.",
    )


def digest(since: float, until: float, *, camera: str | None = None) -> Summary:
    return replace(
        summary(0), id=f"digest-{camera}-{since}", camera=camera, event=None, since=T0 + since, until=T0 + until
    )


def test_store_is_the_history(store: Store) -> None:
    history: History = store
    assert list(history.events()) == []
    assert history.event("nothing") is None


def test_events_are_found_by_label(store: Store) -> None:
    for record in (event(1), cat(2), event(3)):
        store.put(record)
    assert list(store.events(label=Label.ANIMAL)) == [cat(2)]
    assert list(store.events(label=Label.PERSON, limit=1)) == [event(3)]
    assert list(store.events(label=Label.PERSON, camera="yard")) == []


def test_an_event_is_found_by_its_id_in_its_newest_revision(store: Store) -> None:
    store.put(event(1))
    store.put(event(1, revision=2))
    assert store.event("event-1") == event(1, revision=2)


def test_a_summary_is_kept_beside_the_outbox_in_its_newest_revision(store: Store) -> None:
    for record in (summary(1), summary(2), summary(1, revision=2), summary(2)):
        store.put(record)
    assert list(store.summaries()) == [summary(2), summary(1, revision=2)]
    assert store.depth("mqtt") == 4


def test_an_event_has_one_summary_whatever_its_revisions_are_called(store: Store) -> None:
    early, final = replace(summary(1), id="event-1-s1"), replace(summary(1, revision=2), id="event-1-s2")
    for record in (early, final):
        store.put(record)
    assert list(store.summaries(event="event-1")) == [final]


def test_an_early_summary_that_comes_late_does_not_replace_the_final_one(store: Store) -> None:
    store.put(summary(1, revision=2))
    store.put(summary(1))
    assert list(store.summaries(event="event-1")) == [summary(1, revision=2)]


def test_summaries_are_found_by_event_camera_and_time(store: Store) -> None:
    day = digest(0, 10)
    for record in (summary(1), summary(5), day):
        store.put(record)
    assert list(store.summaries(event="event-5")) == [summary(5)]
    assert list(store.summaries(camera="front_door")) == [summary(5), summary(1)]
    assert list(store.summaries(since=T0 + 1, until=T0 + 5)) == [summary(1)]
    assert list(store.summaries(limit=1)) == [summary(5)]


def test_rings_are_kept_and_found_by_time(store: Store) -> None:
    for number in (1, 2, 3, 2):
        store.put(ring(number))
    assert list(store.rings()) == [ring(3), ring(2), ring(1)]
    assert list(store.rings(since=T0 + 2, until=T0 + 3)) == [ring(2)]
    assert list(store.rings(camera="yard")) == []


def test_a_mark_stays_with_its_event_through_later_revisions_and_a_restart(store: Store) -> None:
    store.put(event(1))
    store.put(event(2))
    assert store.mark("event-1", "Família") == replace(event(1), mark="Família")
    store.put(event(1, revision=2))
    store.close()
    store.open()
    assert list(store.events()) == [event(2), replace(event(1, revision=2), mark="Família")]
    assert [waiting.record for waiting in store.pending("mqtt", 9)] == [event(1), event(2), event(1, revision=2)]
    store.mark("event-1", "the post")
    assert store.event("event-1") == replace(event(1, revision=2), mark="the post")
    assert store.mark("event-1", "") == event(1, revision=2)
    assert store.mark("event-9", "nobody") is None


def test_a_mark_stays_with_a_ring_through_a_restart(store: Store) -> None:
    store.put(ring(1))
    store.put(ring(2))
    assert store.mark_ring("ring-1", "Família") == replace(ring(1), mark="Família")
    store.close()
    store.open()
    assert list(store.rings()) == [ring(2), replace(ring(1), mark="Família")]
    assert [waiting.record for waiting in store.pending("mqtt", 9)] == [ring(1), ring(2)]
    assert store.mark_ring("ring-1", "") == ring(1)
    assert store.mark_ring("ring-9", "nobody") is None


def test_a_mark_is_forgotten_with_its_event(store: Store) -> None:
    store.put(event(1))
    store.mark("event-1", "a word of the household")
    store.forget(event="event-1")
    store.put(event(1, revision=2))
    assert list(store.events()) == [event(1, revision=2)]
    assert b"household" not in store.path.read_bytes()


def test_one_ring_is_found_by_its_id(store: Store) -> None:
    store.put(ring(1))
    assert (store.ring("ring-1"), store.ring("ring-2")) == (ring(1), None)


def test_every_part_of_the_history_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    for first in (0, 10):  # over a restart too
        store = Store(path, max_records=3)
        store.open()
        for number in range(first, first + 5):
            for record in (event(number), summary(number), ring(number), summary(number, revision=2)):
                store.put(record)
        store.close()
    store.open()
    assert [e.id for e in store.events()] == ["event-14", "event-13", "event-12"]
    assert [s.event for s in store.summaries()] == ["event-14", "event-13", "event-12"]
    assert [r.id for r in store.rings()] == ["ring-14", "ring-13", "ring-12"]
    store.close()


def old_store(path: Path, *, events: int) -> None:
    db = sqlite3.connect(path)
    db.executescript(LAYOUT_1)
    with db:
        for number in range(events):
            e = cat(number) if number % 2 else event(number)
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (e.id, e.camera, e.started, record_to_text(e)))
        db.execute("INSERT INTO events VALUES ('odd', 'yard', 0, 'no JSON')")
        db.execute("INSERT INTO outbox (text) VALUES (?)", (record_to_text(ring(7)),))
        db.execute("INSERT INTO memory VALUES ('parked', '[1]')")
    db.close()


def test_a_store_of_layout_1_is_brought_up_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    old_store(path, events=4)
    store = Store(path)
    store.open()
    assert list(store.events(label=Label.PERSON)) == [event(2), event(0)]
    assert list(store.events(label=Label.ANIMAL)) == [cat(3), cat(1)]
    assert [p.record for p in store.pending("mqtt", 10)] == [ring(7)]
    assert store.recall("parked") == "[1]"
    store.put(event(2, revision=2))
    store.put(summary(2))
    assert store.event("event-2") == event(2, revision=2)
    store.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (LAYOUT,)
    db.close()


def test_a_migration_that_is_cut_off_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "blikk.db"
    old_store(path, events=2)
    with monkeypatch.context() as broken:
        broken.setattr("blikk_edge.store.file._TABLES", "CREATE TABLE fails (;")
        with pytest.raises(Exception, match="syntax error"):
            Store(path).open()
    store = Store(path)
    store.open()
    assert [e.id for e in store.events()] == ["cat-1", "event-0"]
    store.close()


def test_a_store_in_use_is_reported_from_a_broken_one(store: Store) -> None:
    second = Store(store.path)
    with pytest.raises(StoreBusyError, match="another process"):
        second.open()
    second.close()


def test_forgetting_an_event_takes_its_texts_and_what_waits_of_it(store: Store) -> None:
    seen = replace(observation(2), event="event-2")
    day, other_day, elsewhere = digest(0, 10), digest(20, 30), digest(0, 10, camera="yard")
    stays = [event(1), summary(1), ring(2), observation(3), other_day, elsewhere]
    for record in (*stays, event(2), seen, summary(2), event(2, revision=2), summary(2, revision=2), day):
        store.put(record)

    assert store.forget(event="event-2") == 1

    assert list(store.events()) == [event(1)]
    assert set(store.summaries()) == {summary(1), other_day, elsewhere}
    assert list(store.rings()) == [ring(2)]
    assert [p.record for p in store.pending("mqtt", 50)] == stays
    assert store.depth("mqtt") == len(stays)


def test_forgetting_a_time_of_a_camera_takes_everything_reported_of_it(store: Store) -> None:
    stays = [event(1), cat(5), ring(1), observation(9)]
    for record in (*stays, event(5), ring(5), observation(5), digest(4, 6)):
        store.put(record)

    assert store.forget(camera="front_door", since=T0 + 2, until=T0 + 9) == 1

    assert list(store.events()) == [cat(5), event(1)]
    assert list(store.rings()) == [ring(1)]
    assert list(store.summaries()) == []
    assert [p.record for p in store.pending("mqtt", 50)] == stays


def test_forgetting_with_no_limit_forgets_all_and_counts_go_on(store: Store) -> None:
    for number in range(5):
        store.put(event(number))
    assert store.forget() == 5
    assert store.forget() == 0
    assert (store.depth("mqtt"), list(store.pending("mqtt", 5)), list(store.events())) == (0, [], [])
    store.put(event(9))
    assert (store.depth("mqtt"), list(store.events())) == (1, [event(9)])


def test_what_is_forgotten_stands_nowhere_in_the_file(store: Store) -> None:
    secret = b"a-visitor-to-forget"
    for number in range(50):
        visit = replace(event(number), id=f"{secret.decode()}-{number}")
        store.delivered("mqtt", [store.put(visit), store.put(replace(visit, revision=2))])
    files = [store.path, store.path.with_name("blikk.db-wal")]
    assert any(secret in path.read_bytes() for path in files)

    assert store.forget(camera="front_door") == 50

    assert not any(secret in path.read_bytes() for path in files if path.exists())


def test_an_event_that_goes_on_comes_back_with_its_next_revision(store: Store) -> None:
    store.put(event(1))
    store.forget(event="event-1")
    store.put(event(1, revision=2))
    assert list(store.events()) == [event(1, revision=2)]
