"""What an earlier process left open in the store's tables: events without an end, and ends without a final summary."""

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from blikk_edge.core.errors import WireError
from blikk_edge.core.observation import Event
from blikk_edge.store.memory import recall, remember
from blikk_edge.wire.records import record_from_text

MOST: Final = 1000
"""Events that are ended at one start: a store that was never tidied may hold more, and they come at the next."""

NEAR_S: Final = 120.0
"""An event that ended so shortly before the last record may have been written about when the process ended."""

NEWEST: Final = 64
STARTS: Final = 5
"""At so many starts the final text of an event is tried; then it has none."""

SEEN_KEY: Final = "events.seen"
ENDING_KEY: Final = "events.ending"
FINAL: Final = 2

MEMBER: Final = "member"
"""The field of a stored text that names the member of the site that reported it; there is none where it is this one."""

_OURS: Final = f"CASE WHEN json_valid(text) THEN json_extract(text, '$.{MEMBER}') END IS NULL"

# The words of the index `events_open`.
IS_OPEN: Final = "CASE WHEN json_valid(text) THEN json_extract(text, '$.phase') END IN ('started', 'updated')"
OPEN: Final = (
    f"SELECT text FROM events INDEXED BY events_open WHERE {IS_OPEN}"  # noqa: S608 - fixed text
    f" AND {_OURS} ORDER BY rowid LIMIT ?"
)
# Where others' events are here too, ours may be far between: so many are looked through.
_NEWEST: Final = (
    "SELECT text FROM (SELECT rowid AS place, text FROM events ORDER BY rowid DESC LIMIT 2000)"  # noqa: S608 - fixed
    f" WHERE {_OURS} ORDER BY place DESC LIMIT ?"
)
_WRITTEN: Final = "SELECT 1 FROM summaries WHERE key = ? AND revision >= ?"


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier process left unfinished.

    Attributes:
        left: The ends of the events that were left open, to be published.
        owed: The events that have ended and whose final text is owed.
        ending: What to keep of both: by the id of each event, how many starts have tried to write its final text.
    """

    left: Sequence[Event] = ()
    owed: Sequence[Event] = ()
    ending: Mapping[str, float] = field(default_factory=dict)


def find(db: sqlite3.Connection) -> Found:
    """What an earlier process left, as the store stands now; only reads."""
    seen = _numbers(db, SEEN_KEY)
    left = [event.cut_off(seen.get(event.id)) for event in _events(db, OPEN, MOST)]
    tried = _numbers(db, ENDING_KEY)
    newest = [event for event in _events(db, _NEWEST, NEWEST) if event.ended is not None]
    last = newest[0].time if newest else 0.0
    near = {event.id: event for event in reversed(newest) if abs((event.ended or 0.0) - last) <= NEAR_S}
    for name in tried:
        near |= {event.id: event for event in _events(db, "SELECT text FROM events WHERE id = ?", name)}
    owed = {name: event for name, event in near.items() if event.ended is not None and not is_written(db, name)}
    again = {name: starts + 1 for name, starts in tried.items() if name in owed and starts < STARTS}
    ending = again | {event.id: 0.0 for event in left}
    return Found(
        left,
        [event for name, event in owed.items() if tried.get(name, 0.0) < STARTS],
        dict(list(ending.items())[-NEWEST:]),
    )


def keep(db: sqlite3.Connection, found: Found) -> None:
    """Keep whose final texts are owed from now on: the ends may be written and the texts not when this process ends."""
    if found.ending != _numbers(db, ENDING_KEY):
        _keep(db, ENDING_KEY, found.ending)


def note(db: sqlite3.Connection, seen: Mapping[str, float]) -> None:
    """Keep when the events that go on were last seen."""
    _keep(db, SEEN_KEY, seen)


def is_written(db: sqlite3.Connection, event: str) -> bool:
    """Whether an event has its final text."""
    return db.execute(_WRITTEN, (event, FINAL)).fetchone() is not None


def _events(db: sqlite3.Connection, query: str, *values: str | int) -> list[Event]:
    found: list[Event] = []
    for (text,) in db.execute(query, values):
        try:
            record = record_from_text(text)
        except WireError:
            continue  # whoever reads the history logs it
        if isinstance(record, Event):
            found.append(record)
    return found


def _numbers(db: sqlite3.Connection, key: str) -> dict[str, float]:
    try:
        kept: Any = json.loads(recall(db, key) or "{}")
    except (ValueError, RecursionError):
        return {}
    numbers = kept if isinstance(kept, dict) else {}
    return {name: float(n) for name, n in numbers.items() if isinstance(n, int | float) and math.isfinite(n)}


def _keep(db: sqlite3.Connection, key: str, numbers: Mapping[str, float]) -> None:
    remember(db, key, json.dumps(dict(numbers)))
