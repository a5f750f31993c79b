"""What other members of a site saw, taken into the store's tables: as past only, never into the journal."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from blikk_edge.core.errors import WireError
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Event, Observation, Ring
from blikk_edge.core.summary import Summary
from blikk_edge.store import appearances
from blikk_edge.store.conditions import where
from blikk_edge.store.forget import drop_gone, find_gone
from blikk_edge.store.memory import remember
from blikk_edge.store.unfinished import IS_OPEN, MEMBER
from blikk_edge.wire.records import record_from_text, record_kind, record_to_text

Past: TypeAlias = Event | Ring | Summary | Observation
"""What the past is made of; of an Observation what it looked like."""

SINK: Final = "past"
"""The sink of the journal that tells the site what this member saw; without it nothing is noted for the site."""

FORGOTTEN: Final = "past/forgotten"
"""Under which name of the memory it is kept what was forgotten here, until the site knows it."""

DOUBLE_S: Final = 86_400.0
"""For so long at most a camera is taken to have been watched by two members at once."""

MARKED: Final = "past/marked"
"""Likewise, which marks were given here: the mark by the id of the event or ring."""

MARK_OF: Final = {
    table: f"UPDATE {table} SET text = CASE ? WHEN '' THEN json_remove(text, '$.mark')"  # noqa: S608 - fixed text
    " ELSE json_set(text, '$.mark', ?) END WHERE id = ? AND json_valid(text)"
    for table in ("events", "rings")
}

_FENCE: Final = "CASE WHEN json_valid(text) THEN json_extract(text, '$.fence') END"
# What is stale is not kept, so the last ones before it tell; but for those of this member, which keeps its own.
_STALE: Final = (
    "SELECT 1 FROM (SELECT text FROM events WHERE camera = ? AND started BETWEEN ? AND ?"  # noqa: S608 - fixed text
    f" ORDER BY started DESC LIMIT 20) WHERE {_FENCE} > ? LIMIT 1"
)
_SUPERSEDED: Final = (
    "SELECT id FROM events WHERE camera = ? AND started > ? AND started <= ?"  # noqa: S608 - fixed text
    f" AND {_FENCE} < ? AND json_extract(text, '$.{MEMBER}') IS NOT NULL"
)
_OPEN: Final = (
    f"SELECT text FROM events INDEXED BY events_open WHERE {IS_OPEN}"  # noqa: S608 - fixed text
    f" AND json_extract(text, '$.{MEMBER}') IS NOT NULL"
)

_KEPT: Final = {
    "event": "SELECT 1 FROM events WHERE id = ?",
    "summary": "SELECT 1 FROM summaries WHERE key = ?",
    "ring": "SELECT 1 FROM rings WHERE id = ?",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A record that was told to the site.

    Attributes:
        record: What was told.
        member: The id of the member that did; None: this one, before it lost its store.
    """

    record: Past
    member: str | None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten here.

    Attributes:
        request: What was to be forgotten; its `until` is no later than when that was.
        gone: Kind and key of each record that went: of a Summary of an event the event's id.
    """

    request: Forget
    gone: tuple[tuple[str, str], ...]


def key_of(record: Past) -> str:
    """By what the history knows a record, whatever its revision."""
    return (record.event or record.id) if isinstance(record, Summary) else record.id


def take(db: sqlite3.Connection, told: Sequence[Told]) -> Mapping[str, int]:
    """Put records into their tables, in the open transaction; by how many rows each table grew.

    Of an Event or a Summary the highest revision stays. What comes twice changes nothing. What was seen under a lease
    after a later one of the same camera had begun, as far as events tell, is left out. What is to be forgotten, and the
    site does not know yet, is left out as well.
    """
    hidden = [each.request for each in forgotten(db)]
    grown: Counter[str] = Counter()
    for each in told:
        record = each.record
        if _hidden(record, hidden) or _is_stale(db, record):
            continue
        match record:
            case Event():
                grown["events"] += _take_event(db, record, each.member)
                grown.subtract(_drop_superseded(db, record))
            case Ring():
                row = (record.id, record.camera, record.time, _text(record, each.member))
                grown["rings"] += db.execute("INSERT OR IGNORE INTO rings VALUES (?, ?, ?, ?)", row).rowcount
            case Summary():
                grown["summaries"] += _take_summary(db, record, each.member)
            case Observation():
                if record.appearances and not has_looks(db, record):
                    grown["appearances"] += appearances.keep(db, record)
    return grown


def is_kept(db: sqlite3.Connection, kind: str, key: str) -> bool:
    """Whether the history has an `event`, a `summary` or a `ring`, by its key."""
    return db.execute(_KEPT[kind], (key,)).fetchone() is not None


def has_looks(db: sqlite3.Connection, observation: Observation) -> bool:
    """Whether the history has what came with it."""
    query = "SELECT 1 FROM appearances WHERE time = ? AND observation = ?"
    return appearances.exists(db) and db.execute(query, (observation.time, observation.id)).fetchone() is not None


def still_there(db: sqlite3.Connection, records: Sequence[Past]) -> list[Past]:
    """Those of these records that were not forgotten since they were put."""
    return [
        each
        for each in records
        if (has_looks(db, each) if isinstance(each, Observation) else is_kept(db, record_kind(each), key_of(each)))
    ]


def open_elsewhere(db: sqlite3.Connection) -> list[Event]:
    """Events of other members of which no end was told."""
    found = [_event(text) for (text,) in db.execute(_OPEN)]
    return [event for event in found if event is not None]


def cut_off(db: sqlite3.Connection, ids: Sequence[str]) -> None:
    """End these events of other members: they were not seen to end. An end that is told later takes its place."""
    for id_ in ids:
        row = db.execute("SELECT text FROM events WHERE id = ?", (id_,)).fetchone()
        event = None if row is None else _event(row[0])
        if row is not None and event is not None and event.ended is None:
            ended = replace(event.cut_off(), revision=event.revision)
            text = _text(ended, json.loads(row[0]).get(MEMBER))
            db.execute("UPDATE events SET text = ? WHERE id = ?", (text, id_))


def take_mark(db: sqlite3.Connection, id_: str, mark: str) -> bool:
    """Keep a mark that was given elsewhere; whether there is an event or a ring of this id."""
    if id_ in marks(db):
        return True  # a newer one was given here, which the others do not know yet
    return any(db.execute(MARK_OF[table], (mark, mark, id_)).rowcount for table in ("events", "rings"))


def note_marked(db: sqlite3.Connection, id_: str, mark: str) -> None:
    """Note a mark, until it was told to the site (`told_marked`)."""
    _keep_marks(db, {**marks(db), id_: mark})


def told_marked(db: sqlite3.Connection, told: Mapping[str, str]) -> None:
    """The site knows these."""
    _keep_marks(db, {id_: mark for id_, mark in marks(db).items() if told.get(id_) != mark})


def marks(db: sqlite3.Connection) -> dict[str, str]:
    """The marks that were given here and the site does not know yet, by the id of the event or ring."""
    row = db.execute("SELECT text FROM memory WHERE key = ?", (MARKED,)).fetchone()
    try:
        return {str(id_): str(mark) for id_, mark in json.loads(row[0] if row else "{}").items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _keep_marks(db: sqlite3.Connection, marks: Mapping[str, str]) -> None:
    if marks:
        remember(db, MARKED, json.dumps(marks))
    else:
        db.execute("DELETE FROM memory WHERE key = ?", (MARKED,))


def note_forgotten(db: sqlite3.Connection, request: Forget) -> None:
    """Note what is about to be forgotten, until it was told to the site (`told_forgotten`)."""
    camera, event, since, until = request.camera, request.event, request.since, request.until
    find_gone(db, camera=camera, event=event, since=since, until=until)
    gone = [("event", id_) for (id_,) in db.execute("SELECT id FROM gone")]
    gone += [("summary", id_) for (id_,) in db.execute("SELECT id FROM gone_texts")]
    drop_gone(db)
    of_time = {"camera = ?": camera, "time >= ?": since, "time < ?": until}
    if event is None:
        clauses, values = where(of_time)
        gone += [("ring", id_) for (id_,) in db.execute(f"SELECT id FROM rings WHERE {clauses}", values)]  # noqa: S608
    if appearances.exists(db):
        clauses, values = where({**of_time, "event = ?": event})
        query = f"SELECT DISTINCT observation FROM appearances WHERE {clauses}"  # noqa: S608 - fixed clauses
        gone += [("observation", id_) for (id_,) in db.execute(query, values)]
    _keep_forgotten(db, [*forgotten(db), Forgotten(request, tuple(gone))])


def told_forgotten(db: sqlite3.Connection, told: Sequence[Forgotten]) -> None:
    """The site knows these."""
    _keep_forgotten(db, [each for each in forgotten(db) if each not in told])


def forgotten(db: sqlite3.Connection) -> list[Forgotten]:
    """What was forgotten here and the site does not know yet, the oldest first."""
    row = db.execute("SELECT text FROM memory WHERE key = ?", (FORGOTTEN,)).fetchone()
    try:
        return [
            Forgotten(Forget(**each["request"]), tuple((str(kind), str(key)) for kind, key in each["gone"]))
            for each in json.loads(row[0] if row else "[]")
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def _keep_forgotten(db: sqlite3.Connection, those: Sequence[Forgotten]) -> None:
    if not those:
        db.execute("DELETE FROM memory WHERE key = ?", (FORGOTTEN,))
        return
    content = [
        {
            "request": {name: getattr(each.request, name) for name in ("camera", "event", "since", "until")},
            "gone": each.gone,
        }
        for each in those
    ]
    remember(db, FORGOTTEN, json.dumps(content))


def _take_event(db: sqlite3.Connection, event: Event, member: str | None) -> int:
    row = db.execute("SELECT text FROM events WHERE id = ?", (event.id,)).fetchone()
    text = _text(event, member)
    if row is None:
        db.execute(
            "INSERT INTO events (id, camera, started, text, label) VALUES (?, ?, ?, ?, ?)",
            (event.id, event.camera, event.started, text, event.label),
        )
        return 1
    known = _event(row[0])
    if known is None or known.revision < event.revision:
        if known is not None and known.mark:
            text = _text(replace(event, mark=known.mark), member)
        db.execute("UPDATE events SET text = ? WHERE id = ?", (text, event.id))
    return 0


def _take_summary(db: sqlite3.Connection, summary: Summary, member: str | None) -> int:
    key = key_of(summary)
    row = db.execute("SELECT revision FROM summaries WHERE key = ?", (key,)).fetchone()
    if row is None or row[0] < summary.revision:
        db.execute(
            "INSERT INTO summaries VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
            " revision = excluded.revision, since = excluded.since, until = excluded.until, text = excluded.text",
            (
                *(key, summary.camera, summary.event, summary.revision, summary.since, summary.until),
                _text(summary, member),
            ),
        )
    return 1 if row is None else 0


def _is_stale(db: sqlite3.Connection, record: Past) -> bool:
    """Whether a later lease of its camera had begun by then, as far as the events tell that are here."""
    if record.fence is None or record.camera is None:
        return False
    if isinstance(record, Summary) and record.event is not None and is_kept(db, "event", record.event):
        return False
    at = _at(record)
    return db.execute(_STALE, (record.camera, at - DOUBLE_S, at, record.fence)).fetchone() is not None


def _drop_superseded(db: sqlite3.Connection, event: Event) -> Mapping[str, int]:
    """Drop what another member reported under an earlier lease from when this one's event began; how many rows."""
    if event.fence is None:
        return {}
    ends = event.started + DOUBLE_S
    ids = [id_ for (id_,) in db.execute(_SUPERSEDED, (event.camera, event.started, ends, event.fence))]
    texts = sum(db.execute("DELETE FROM summaries WHERE event = ?", (id_,)).rowcount for id_ in ids)
    for id_ in ids:
        db.execute("DELETE FROM events WHERE id = ?", (id_,))
    return {"events": len(ids), "summaries": texts}


def _hidden(record: Past, requests: Sequence[Forget]) -> bool:
    event = record.id if isinstance(record, Event) else getattr(record, "event", None)
    return any(request.covers(record.camera or "", event, _at(record)) for request in requests)


def _at(record: Past) -> float:
    """The time by which a record is old or new; no revision changes it."""
    match record:
        case Event():
            return record.started
        case Summary():
            return record.since
        case _:
            return record.time


def _event(text: str) -> Event | None:
    try:
        record = record_from_text(text)
    except WireError:
        return None
    return record if isinstance(record, Event) else None


def _text(record: Past, member: str | None) -> str:
    text = record_to_text(record)
    return text if member is None else f"{text[:-1]},{json.dumps(MEMBER)}:{json.dumps(member)}}}"
