"""The index of recordings, in the store's table of that name."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from blikk_edge.core.recordings import Segment
from blikk_edge.store.conditions import where

# Made with the first row: a node that records nothing does not have it. The number of the layout stays: an earlier
# version of this program opens the file too; what it does not list, this one finds in the folder.
_MADE: Final = (
    """CREATE TABLE IF NOT EXISTS segments
    (path TEXT PRIMARY KEY, camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL, bytes INTEGER NOT NULL,
     codec TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS segments_camera ON segments (camera, since, until, bytes)",
)
_LONGEST_S: Final = 3600.0
"""No segment is longer: one that began earlier need not be looked for."""


def keep(db: sqlite3.Connection, segments: Sequence[Segment]) -> None:
    """Write some, in the open transaction."""
    for statement in _MADE:
        db.execute(statement)
    db.executemany(
        "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?)",
        [(each.path, each.camera, each.since, each.until, each.size_bytes, each.codec) for each in segments],
    )


def exists(db: sqlite3.Connection) -> bool:
    """Whether there is a table."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'segments'").fetchone() is not None


def drop(db: sqlite3.Connection, paths: Sequence[str]) -> None:
    """Remove some, in the open transaction."""
    if exists(db):
        db.executemany("DELETE FROM segments WHERE path = ?", [(path,) for path in paths])


def select(db: sqlite3.Connection, camera: str, since: float | None, until: float | None, limit: int) -> list[Segment]:
    """One camera's segments that have a part in `since <= t < until`, the oldest first."""
    if not exists(db):
        return []
    earliest = None if since is None else since - _LONGEST_S
    clauses, values = where({"camera = ?": camera, "since >= ?": earliest, "until > ?": since, "since < ?": until})
    # Only fixed clauses are joined; every value is bound.
    query = f"SELECT camera, since, until, path, bytes, codec FROM segments WHERE {clauses} ORDER BY since LIMIT ?"  # noqa: S608
    return [
        Segment(camera=of, since=begin, until=end, path=path, size_bytes=size, codec=codec)
        for of, begin, end, path, size, codec in db.execute(query, (*values, limit))
    ]


def total(db: sqlite3.Connection, camera: str) -> int:
    """How many bytes one camera's segments take."""
    if not exists(db):
        return 0
    (count,) = db.execute("SELECT coalesce(sum(bytes), 0) FROM segments WHERE camera = ?", (camera,)).fetchone()
    return int(count)
