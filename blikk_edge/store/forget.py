"""Forgetting in the store's tables: which rows go with an event, and what is the newest of each place."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from blikk_edge.store.appearances import exists
from blikk_edge.store.conditions import where

# A record in the outbox, by its JSON: an event names itself by `id`, all others their event by `event`.
_OF_CAMERA: Final = "json_extract(text, '$.camera') = ?"
_OF_EVENT: Final = "? IN (json_extract(text, '$.id'), json_extract(text, '$.event'))"
_OF_TIME_FROM: Final = "coalesce(json_extract(text, '$.started'), json_extract(text, '$.time')) >= ?"
_OF_TIME_TO: Final = "coalesce(json_extract(text, '$.started'), json_extract(text, '$.time')) < ?"
_OF_GONE: Final = (
    "json_extract(text, '$.id') IN (SELECT id FROM gone UNION SELECT id FROM gone_texts)"
    " OR json_extract(text, '$.event') IN (SELECT id FROM gone)"
)
# What takes back from the broker what was forgotten before must still reach it.
_NOT_TAKING_BACK: Final = "json_extract(text, '$.record') IS NOT 'withdrawn'"
# A period's text is about events that began in it; that of a moment of whoever was there, also if they had come before.
_ENDED: Final = "coalesce(CASE WHEN json_valid(text) THEN json_extract(text, '$.ended') END, 9e99)"
_GONE_SUMMARIES: Final = """
INSERT INTO gone_texts SELECT key FROM summaries WHERE event IN (SELECT id FROM gone) OR event IS NULL AND EXISTS
    (SELECT 1 FROM gone WHERE coalesce(summaries.camera, gone.camera) = gone.camera
     AND gone.started <= summaries.until
     AND (gone.started >= summaries.since OR summaries.since = summaries.until AND gone.ended >= summaries.since))
"""
# Of an event that is not here (any more), as where the site told the text and no event.
_ALONE: Final = """
INSERT OR IGNORE INTO gone_texts SELECT key FROM summaries
WHERE event IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events WHERE events.id = summaries.event)
"""

# SQLite gives the other columns of the row that has the largest value.
_NEWEST: Final = (
    """SELECT text, max(rowid) FROM events WHERE json_valid(text)
       GROUP BY camera, label, json_extract(text, '$.picture') IS NULL""",
    "SELECT text, max(rowid) FROM rings GROUP BY camera",
    """SELECT text, max(json_extract(text, '$.time')) FROM summaries WHERE json_valid(text)
       GROUP BY camera, event IS NULL""",
)


def forget(
    db: sqlite3.Connection, *, camera: str | None, event: str | None, since: float | None, until: float | None
) -> int:
    """Delete what matches everything given, as `Store.forget` promises, in the open transaction; how many events."""
    outbox, of_outbox = where({_OF_CAMERA: camera, _OF_EVENT: event, _OF_TIME_FROM: since, _OF_TIME_TO: until})
    find_gone(db, camera=camera, event=event, since=since, until=until)
    db.execute("DELETE FROM summaries WHERE key IN (SELECT id FROM gone_texts)")
    looks, of_looks = where({"camera = ?": camera, "event = ?": event, "time >= ?": since, "time < ?": until})
    if exists(db):
        db.execute(f"DELETE FROM appearances WHERE {looks}", of_looks)  # noqa: S608
    if event is None:
        ring, of_ring = where({"camera = ?": camera, "time >= ?": since, "time < ?": until})
        db.execute(f"DELETE FROM rings WHERE {ring}", of_ring)  # noqa: S608
    waiting = f"json_valid(text) AND {_NOT_TAKING_BACK} AND ({_OF_GONE} OR {outbox})"
    db.execute(f"DELETE FROM outbox WHERE {waiting}", of_outbox)  # noqa: S608
    count = db.execute("DELETE FROM events WHERE id IN (SELECT id FROM gone)").rowcount
    drop_gone(db)
    return count


def find_gone(
    db: sqlite3.Connection, *, camera: str | None, event: str | None, since: float | None, until: float | None
) -> None:
    """Have the tables `gone` and `gone_texts` of the events and texts that match; to be dropped (`drop_gone`)."""
    which, of_which = where({"camera = ?": camera, "id = ?": event, "started >= ?": since, "started < ?": until})
    db.execute("CREATE TEMP TABLE gone (id TEXT PRIMARY KEY, camera TEXT, started REAL, ended REAL)")
    db.execute("CREATE TEMP TABLE gone_texts (id TEXT PRIMARY KEY)")
    # Only fixed clauses are joined here; every value is bound.
    db.execute(f"INSERT INTO gone SELECT id, camera, started, {_ENDED} FROM events WHERE {which}", of_which)  # noqa: S608
    db.execute(_GONE_SUMMARIES)
    texts, of_texts = where({"camera = ?": camera, "event = ?": event, "since >= ?": since, "since < ?": until})
    db.execute(f"{_ALONE} AND {texts}", of_texts)


def drop_gone(db: sqlite3.Connection) -> None:
    """Drop the tables of `find_gone`."""
    db.execute("DROP TABLE gone")
    db.execute("DROP TABLE gone_texts")


def newest(db: sqlite3.Connection) -> Sequence[str]:
    """The records that `History.newest` names, as they are stored."""
    return [text for query in _NEWEST for text, _ in db.execute(query)]
