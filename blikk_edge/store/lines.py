"""The lines of a timeline, read from the store's tables without reading whole records."""

import json
import sqlite3
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Author, Importance
from blikk_edge.core.timeline import Beside, EventLine
from blikk_edge.store.conditions import Value, where

REACHES_S: Final = 86_400.0
"""How long before a period an event may have begun that reaches into it."""

_FIELDS: Final = ("ended", "zones", "peak", "loitering", "interrupted", "mark", "change")
_LINES: Final = """
SELECT e.id, e.camera, e.label, e.started,
    CASE WHEN json_valid(e.text) THEN json_extract(e.text, {}) END,
    CASE WHEN json_valid(s.text) THEN json_extract(s.text, '$.title', '$.importance', '$.source') END
FROM events e LEFT JOIN summaries s ON s.key = e.id AND s.event = e.id
WHERE {} ORDER BY e.started DESC, e.id DESC LIMIT ?
"""


def lines(
    db: sqlite3.Connection,
    *,
    since: float,
    until: float,
    camera: str | None,
    label: Label | None,
    zone: str | None,
    event: str | None,
    limit: int,
) -> list[EventLine]:
    """See `History.lines`."""
    conditions: dict[str, Value] = {
        "e.started >= ?": since - REACHES_S,
        "e.started < ?": until,
        "e.camera = ?": camera,
        "e.label = ?": label,
        "e.id = ?": event,
    }
    clauses, values = where(conditions)
    reaches = "CASE WHEN json_valid(e.text) THEN coalesce(json_extract(e.text, '$.ended'), 9e99) ELSE e.started END"
    clauses += f" AND (e.started >= ? OR {reaches} > ?)"
    values += (since, since)
    if zone is not None:
        clauses += " AND json_valid(e.text) AND EXISTS (SELECT 1 FROM json_each(e.text, '$.zones') z WHERE z.value = ?)"
        values += (zone,)
    # Only fixed clauses are joined; every value is bound.
    query = _LINES.format(", ".join(f"'$.{name}'" for name in _FIELDS), clauses)
    rows = db.execute(query, (*values, max(0, limit)))
    return [line for row in rows if (line := _line(row)) is not None]


def counts(db: sqlite3.Connection, edges: Sequence[float], camera: str | None) -> list[int]:
    """How many events started between each two of these times."""
    clauses, values = where({"camera = ?": camera})
    query = f"SELECT count(*) FROM events WHERE started >= ? AND started < ? AND {clauses}"  # noqa: S608 - fixed
    return [int(db.execute(query, (since, until, *values)).fetchone()[0]) for since, until in pairwise(edges)]


def beside(db: sqlite3.Connection, time: float, event: str, camera: str | None) -> tuple[Beside | None, Beside | None]:
    """See `History.beside`; of events that started together the ids decide."""
    clauses, values = where({"camera = ?": camera})
    found: list[Beside | None] = []
    for sign, order in (("<", "DESC"), (">", "ASC")):
        query = (
            f"SELECT id, started FROM events WHERE (started, id) {sign} (?, ?) AND {clauses} "  # noqa: S608 - fixed
            f"ORDER BY started {order}, id {order} LIMIT 1"
        )
        row = db.execute(query, (time, event, *values)).fetchone()
        found.append(None if row is None else (str(row[0]), float(row[1])))
    before, after = found
    return before, after


def _line(row: Sequence[Any]) -> EventLine | None:
    """A row; None where it rotted on the disk."""
    id_, camera, label, started, event, summary = row
    try:
        fields: dict[str, Any] = dict(zip(_FIELDS, json.loads(event), strict=True))
        title, importance, source = json.loads(summary) if summary else (None, None, None)
        return EventLine(
            id=str(id_),
            camera=str(camera),
            label=Label(label),
            started=float(started),
            ended=None if fields["ended"] is None else float(fields["ended"]),
            zones=tuple(map(str, fields["zones"] or ())),
            peak=int(fields["peak"] or 1),
            loitering=bool(fields["loitering"]),
            taken=fields["change"] == ParcelChange.TAKEN and fields["ended"] is not None,
            interrupted=bool(fields["interrupted"]),
            mark=str(fields["mark"] or ""),
            title=None if title is None else str(title),
            importance=None if importance is None else Importance(importance),
            source=None if source is None else Author(source),
        )
    except (ValueError, TypeError):
        return None
