"""Carries over what a damaged store still holds, and counts what it does not."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blikk_edge.store import appearances, course
from blikk_edge.store.pages import TABLE_INNER, TABLE_LEAF, Pages, Row, Value

_INTO: Final = {
    "outbox": "INSERT OR IGNORE INTO outbox (seq, text) VALUES (?, ?)",
    "events": "INSERT OR IGNORE INTO events (rowid, id, camera, started, text, label) VALUES (?, ?, ?, ?, ?, ?)",
    "summaries": "INSERT OR IGNORE INTO summaries (rowid, key, camera, event, revision, since, until, text)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "rings": "INSERT OR IGNORE INTO rings (rowid, id, camera, time, text) VALUES (?, ?, ?, ?, ?)",
    "appearances": "INSERT OR IGNORE INTO appearances (seq, observation, camera, event, time, label, kind, colours,"
    " model, float16) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "course": "INSERT OR IGNORE INTO course (seq, event, packed) VALUES (?, ?, ?)",
    "memory": "INSERT OR IGNORE INTO memory (key, text) VALUES (?, ?)",
}
MOST_SEQ: Final = 1 << 40
"""No outbox has given so many numbers: it was damaged."""

HISTORY: Final = ("events", "summaries", "rings", "appearances", "course")

_MADE_LATER: Final = {"appearances": appearances.make, "course": course.make}
"""Tables that a store has once there is something to put into them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What was carried over, and what is lost.

    Attributes:
        rows: How many were carried over, by table.
        lost: How many records that waited are gone, by the numbers that are missing.
        unknown: Whether more may have waited of which nothing is left.
        last_seq: The highest number that the outbox is known to have given.
    """

    rows: dict[str, int]
    lost: int
    unknown: bool
    last_seq: int


def salvage(path: Path, into: sqlite3.Connection, *, last_seq: int = 0, history: bool = True) -> Salvaged:
    """Put every row that can be read of the store at `path` into the empty tables of another, in its transaction.

    `last_seq` is a number known from elsewhere; without `history` only what delivery depends on is carried over.
    Raises OSError where the file cannot be opened, sqlite3.Error where the other cannot be written.
    """
    counts = dict.fromkeys(_INTO, 0)
    roots: dict[str, int] = {}
    found: set[int] = set()
    counted = last_seq > 0  # whether it is known how far the numbers went
    with Pages(path) as pages:
        for table, row in _sorted(pages):
            if table == "schema":
                roots[str(row.values[1])] = int(str(row.values[3]))
            elif table == "sequence":
                last_seq, counted = max(last_seq, int(str(row.values[1]))), True
            elif history or table not in HISTORY:
                if table in _MADE_LATER and not counts[table]:
                    _MADE_LATER[table](into)
                counts[table] += into.execute(_INTO[table], _bound(table, row)).rowcount
                if table == "outbox":
                    found.add(row.rowid)
        last_seq = max([last_seq, *found])
        lost, unknown = _lost(pages, roots.get("outbox"), found, last_seq, counted=counted)
    return Salvaged(rows=counts, lost=lost, unknown=unknown, last_seq=last_seq)


def _sorted(pages: Pages) -> Iterator[tuple[str, Row]]:
    """The rows that are ours, each with its table; recognised by their shape, as the schema may be gone."""
    for row in pages.rows():
        if (table := _table(row)) is not None:
            yield table, row


def _table(row: Row) -> str | None:
    table: str | None = None
    match row.values:
        case (str(), str()) if row.index:
            table = "memory"
        case _ if row.index or row.rowid <= 0:
            pass
        case (None, str(text)) if _record(text) is not None:
            table = "outbox"
        case (None, str(), bytes()):
            table = "course"
        case ("outbox", int(seq)) if 0 < seq < MOST_SEQ:
            table = "sequence"
        case ("table", str(), str(), int(), _):
            table = "schema"
        case (str(), str(), int() | float(), str(text), *label) if len(label) <= 1:
            table = {"event": "events", "ring": "rings"}.get(str(_record(text)))
        case (None, str(), str(), str() | None, int() | float(), str() | None, str(), str(), model, raw):
            table = "appearances" if _is_look(model, raw) else None
        case (str(), _, _, int(), int() | float(), int() | float(), str(text)) if _record(text) == "summary":
            table = "summaries"
        case _:
            pass
    return table


def _is_look(model: Value, raw: Value) -> bool:
    return (model is None and raw is None) or (isinstance(model, str) and isinstance(raw, bytes))


def _record(text: str) -> str | None:
    """The kind of record that a text is; None where it is none."""
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kind = content.get("record") if isinstance(content, dict) else None
    return kind if isinstance(kind, str) else None


def _bound(table: str, row: Row) -> tuple[Value, ...]:
    """A row as its statement wants it."""
    if table == "memory":
        return row.values
    if table == "outbox":
        return row.rowid, row.values[1]
    if table == "events":
        values = row.values[:4]
        label = row.values[4] if len(row.values) > 4 else json.loads(str(row.values[3])).get("label")
        return (row.rowid, *values, label)
    if table in _MADE_LATER:
        return row.rowid, *row.values[1:]
    return row.rowid, *row.values


@dataclass(frozen=True, slots=True)
class _Gap:
    """A part of the outbox that cannot be read: numbers above `low` up to `high`; None where that is not known."""

    low: int | None
    high: int | None

    def holds(self, seq: int) -> bool:
        """Whether a number lies in it."""
        return (self.low is None or self.low < seq) and (self.high is None or seq <= self.high)


def _lost(pages: Pages, root: int | None, found: set[int], last_seq: int, *, counted: bool) -> tuple[int, bool]:
    """How many waiting records are missing, and whether more may be of which nothing is left.

    What waits goes oldest first: where an old one waits still, all newer ones did.
    """
    gaps, leaves = _gaps(pages, root, found) if root is not None else ([_Gap(None, None)], 0)
    lost, unknown = 0, False
    for gap in gaps:
        high = last_seq if gap.high is None else gap.high
        low = gap.low
        if low is None:
            low = min((seq for seq in found if seq <= high), default=None)
            low = None if low is None else low - 1
        # older ones may have waited there too, unless the very first is found
        unknown |= (gap.low is None and low != 0) or (gap.high is None and not counted)
        if low is None and gap.high is not None and leaves:
            low = max(0, gap.high - max(1, len(found) // leaves))  # as many as another page held
        if low is not None:
            lost += max(0, high - low - sum(low < seq <= high for seq in found))
    return lost, unknown


def _gaps(pages: Pages, root: int, found: set[int]) -> tuple[list[_Gap], int]:
    """The parts of the outbox's tree of which not all was found, and how many leaves can be read."""
    gaps: list[_Gap] = []
    leaves = 0
    seen: set[int] = set()
    waiting = [(root, _Gap(None, None))]
    while waiting:
        number, span = waiting.pop()
        page = pages.page(number) if number not in seen else None
        seen.add(number)
        if page is None or page.kind not in {TABLE_LEAF, TABLE_INNER} or (page.kind == TABLE_INNER and not page.whole):
            gaps.append(span)
        elif page.kind == TABLE_LEAF:
            leaves += 1
            if not (page.whole and all(row.rowid in found and span.holds(row.rowid) for row in page.rows)):
                gaps.append(span)
        else:
            bounds = [span.low, *page.keys, span.high]
            waiting += [(child, _Gap(bounds[n], bounds[n + 1])) for n, child in enumerate(page.children)]
    return gaps, leaves
