"""What things looked like when they appeared, in the store's table of that name."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

from blikk_edge.core.appearance import Colour, StoredAppearance
from blikk_edge.core.observation import Observation
from blikk_edge.core.sightings import Label
from blikk_edge.store.conditions import Value, where

# Made with the first row: a node that searches for nothing does not have it. The number of the layout stays: an earlier
# version of this program opens the file too, and forgets what belongs to an event with it, as SQLite runs the trigger.
_MADE: Final = (
    """CREATE TABLE IF NOT EXISTS appearances
    (seq INTEGER PRIMARY KEY, observation TEXT NOT NULL, camera TEXT NOT NULL, event TEXT, time REAL NOT NULL,
     label TEXT, kind TEXT NOT NULL, colours TEXT NOT NULL, model TEXT, float16 BLOB)""",
    "CREATE INDEX IF NOT EXISTS appearances_time ON appearances (time)",
    "CREATE INDEX IF NOT EXISTS appearances_event ON appearances (event)",
    """CREATE TRIGGER IF NOT EXISTS appearances_of_event AFTER DELETE ON events
    BEGIN DELETE FROM appearances WHERE event = OLD.id; END""",
)
INTO: Final = (
    "INSERT INTO appearances (observation, camera, event, time, label, kind, colours, model, float16)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_COLUMNS: Final = "seq, observation, camera, event, time, label, kind, colours"
_NUMBERS_MAX: Final = 500
"""Numbers in one query."""


def make(db: sqlite3.Connection) -> None:
    """Have the table, in the open transaction."""
    for statement in _MADE:
        db.execute(statement)


def exists(db: sqlite3.Connection) -> bool:
    """Whether there is a table."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'appearances'").fetchone() is not None


def keep(db: sqlite3.Connection, observation: Observation) -> int:
    """Write what came with an Observation; how many rows."""
    if observation.appearances:
        make(db)
    for seen in observation.appearances:
        embedding = seen.embedding
        row = (
            *(observation.id, observation.camera, observation.event, observation.time),
            *(seen.label, seen.kind, " ".join(seen.colours)),
            *((None, None) if embedding is None else (embedding.model, embedding.raw)),
        )
        db.execute(INTO, row)
    return len(observation.appearances)


def embeddings(
    db: sqlite3.Connection,
    *,
    model: str,
    camera: str | None,
    since: float | None,
    until: float | None,
    below: int | None,
    limit: int,
) -> list[tuple[int, bytes]]:
    """See `History.embeddings`."""
    if not exists(db):
        return []
    clauses, values = where({"model = ?": model, **_conditions(camera, since, until, below)})
    # Only fixed clauses are joined here and below; every value is bound.
    query = f"SELECT seq, float16 FROM appearances WHERE {clauses} ORDER BY seq DESC LIMIT ?"  # noqa: S608
    return [(seq, raw) for seq, raw in db.execute(query, (*values, max(0, limit))) if isinstance(raw, bytes)]


def appearances(
    db: sqlite3.Connection,
    *,
    camera: str | None,
    since: float | None,
    until: float | None,
    below: int | None,
    numbers: Collection[int] | None,
    limit: int,
) -> list[StoredAppearance]:
    """See `History.appearances`."""
    if not exists(db):
        return []
    clauses, values = where(_conditions(camera, since, until, below))
    if numbers is not None:
        among = tuple(numbers)[:_NUMBERS_MAX]
        clauses, values = f"{clauses} AND seq IN ({', '.join('?' * len(among))})", (*values, *among)
    query = f"SELECT {_COLUMNS} FROM appearances WHERE {clauses} ORDER BY seq DESC LIMIT ?"  # noqa: S608
    return [_read(row) for row in db.execute(query, (*values, max(0, limit)))]


def _conditions(camera: str | None, since: float | None, until: float | None, below: int | None) -> dict[str, Value]:
    return {"camera = ?": camera, "time >= ?": since, "time < ?": until, "seq < ?": below}


def _read(row: Sequence[Value]) -> StoredAppearance:
    """A row; words that rotted on the disk are left out."""
    seq, observation, camera, event, time, label, kind, colours = row
    known = set(Colour)
    return StoredAppearance(
        seq=int(str(seq)),
        observation=str(observation),
        camera=str(camera),
        event=None if event is None else str(event),
        time=float(time) if isinstance(time, int | float) else 0.0,
        label=Label(label) if label in set(Label) else None,
        kind=str(kind),
        colours=tuple(Colour(each) for each in str(colours).split() if each in known),
    )
