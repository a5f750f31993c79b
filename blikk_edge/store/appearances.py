"""What things looked like when they appeared, in the store's table of that name."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

from blikk_edge.core.appearance import Colour, Description, StoredAppearance
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
    # All that a search looks at but the embeddings, which are most of the file.
    """CREATE INDEX IF NOT EXISTS appearances_words ON appearances (label, kind, colours, time, camera, model)""",
    """CREATE TRIGGER IF NOT EXISTS appearances_of_event AFTER DELETE ON events
    BEGIN DELETE FROM appearances WHERE event = OLD.id; END""",
)
INTO: Final = (
    "INSERT INTO appearances (observation, camera, event, time, label, kind, colours, model, float16)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_COLUMNS: Final = "seq, observation, camera, event, time, label, kind, colours"
_NUMBERS_MAX: Final = 1000
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
    numbers: Collection[int] | None,
    limit: int,
) -> list[tuple[int, bytes]]:
    """See `History.embeddings`."""
    if not exists(db):
        return []
    clauses, values = _among(numbers, where({"model = ?": model, **_conditions(camera, since, until, below)}))
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
    clauses, values = _among(numbers, where(_conditions(camera, since, until, below)))
    query = f"SELECT {_COLUMNS} FROM appearances WHERE {clauses} ORDER BY seq DESC LIMIT ?"  # noqa: S608
    return [_read(row) for row in db.execute(query, (*values, max(0, limit)))]


def embedded(db: sqlite3.Connection, *, model: str, camera: str | None) -> list[tuple[int, float]]:
    """See `History.embedded`."""
    if not exists(db):
        return []
    clauses, values = where({"model = ?": model, "camera = ?": camera})
    return db.execute(f"SELECT seq, time FROM appearances WHERE {clauses}", values).fetchall()  # noqa: S608


def embedded_mark(db: sqlite3.Connection, *, model: str) -> object:
    """See `History.embedded_mark`. A row that takes the number of one that is gone has another time."""
    if not exists(db):
        return None
    return db.execute("SELECT count(*), total(seq), total(time) FROM appearances WHERE model = ?", (model,)).fetchone()


def descriptions(db: sqlite3.Connection) -> list[Description]:
    """See `History.descriptions`."""
    if not exists(db):
        return []
    found = db.execute("SELECT DISTINCT label, kind, colours FROM appearances").fetchall()
    return list(dict.fromkeys(_description(*row) for row in found))


def described(
    db: sqlite3.Connection,
    description: Description,
    *,
    but: str | None,
    camera: str | None,
    since: float | None,
    until: float | None,
    limit: int,
) -> list[StoredAppearance]:
    """See `History.described`."""
    if not exists(db):
        return []
    wanted = {
        "label = ?": description.label,
        "kind = ?": description.kind,
        "colours = ?": " ".join(description.colours),
        "model IS NOT ?": but,
        **_conditions(camera, since, until, None),
    }
    clauses, values = where(wanted)
    if description.label is None:
        clauses += " AND label IS NULL"
    query = f"SELECT {_COLUMNS} FROM appearances WHERE {clauses} ORDER BY time DESC LIMIT ?"  # noqa: S608
    return [_read(row) for row in db.execute(query, (*values, max(0, limit)))]


def _among(numbers: Collection[int] | None, condition: tuple[str, tuple[Value, ...]]) -> tuple[str, tuple[Value, ...]]:
    """The condition, for rows of these numbers alone."""
    if numbers is None:
        return condition
    clauses, values = condition
    among = tuple(numbers)[:_NUMBERS_MAX]
    return f"{clauses} AND seq IN ({', '.join('?' * len(among))})", (*values, *among)


def _conditions(camera: str | None, since: float | None, until: float | None, below: int | None) -> dict[str, Value]:
    return {"camera = ?": camera, "time >= ?": since, "time < ?": until, "seq < ?": below}


def _read(row: Sequence[Value]) -> StoredAppearance:
    """A row; words that rotted on the disk are left out."""
    seq, observation, camera, event, time, *words = row
    described = _description(*words)
    return StoredAppearance(
        seq=int(str(seq)),
        observation=str(observation),
        camera=str(camera),
        event=None if event is None else str(event),
        time=float(time) if isinstance(time, int | float) else 0.0,
        label=described.label,
        kind=described.kind,
        colours=described.colours,
    )


def _description(label: Value, kind: Value, colours: Value) -> Description:
    known = set(Colour)
    return Description(
        label=Label(label) if label in set(Label) else None,
        kind=str(kind),
        colours=tuple(Colour(each) for each in str(colours).split() if each in known),
    )
