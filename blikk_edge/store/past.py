"""What other members of a site saw, taken into the store's tables: as past only, never into the journal."""

import json
import logging
import math
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from blikk_edge.core.errors import WireError, quote
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Event, Observation, Ring
from blikk_edge.core.summary import Summary
from blikk_edge.store import appearances
from blikk_edge.store.conditions import where
from blikk_edge.store.forget import drop_gone, find_gone
from blikk_edge.store.memory import recall, remember
from blikk_edge.store.unfinished import IS_OPEN, MEMBER
from blikk_edge.wire.records import record_from_text, record_kind, record_to_text

LOG = logging.getLogger("blikk.past")

Past: TypeAlias = Event | Ring | Summary | Observation
"""What the past is made of; of an Observation what it looked like."""

SINK: Final = "past"
"""The sink of the journal that tells the site what this member saw; without it nothing is noted for the site."""

PLACE: Final = "past/place"
"""Under which name of the memory it is kept up to where the stream of the site was read."""

FORGOTTEN: Final = "past/forgotten"
"""Under which name of the memory it is kept what was forgotten here, until the site knows it."""

DOUBLE_S: Final = 86_400.0
"""For so long at most a camera is taken to have been watched by two members at once."""

MARKED: Final = "past/marked"
"""Likewise, which marks were given here: the mark by the id of the event or ring."""

EARLY: Final = "past/early"
"""Likewise, marks of what was not told yet: the newest EARLY_MAX."""

EARLY_MAX: Final = 200

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

_REVISION: Final = "coalesce(CASE WHEN json_valid(text) THEN json_extract(text, '$.revision') END, 0)"
_KEPT: Final = {
    "event": f"SELECT {_REVISION} FROM events WHERE id = ?",  # noqa: S608 - fixed text
    "summary": "SELECT revision FROM summaries WHERE key = ?",
    "ring": "SELECT 0 FROM rings WHERE id = ?",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A record that was told to the site.

    Attributes:
        record: What was told.
        member: The id of the member that did; this one too, for what it told before it lost its store.
    """

    record: Past
    member: str


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


def take(db: sqlite3.Connection, told: Sequence[Told], lately: Sequence[Forget] = ()) -> Mapping[str, int]:
    """Put records into their tables, in the open transaction; by how many rows each table grew.

    Of an Event or a Summary the highest revision stays. What comes twice changes nothing. What was seen under a lease
    after a later one of the same camera had begun, as far as events tell, is left out. What is to be forgotten, and the
    site does not know yet, is left out as well; and of what was forgotten `lately` what was said before.
    """
    hidden = [each.request for each in forgotten(db)]
    grown: Counter[str] = Counter()
    for each in told:
        try:
            gone = any(_covered(each.record, request) for request in hidden) or _was_forgotten(db, each.record, lately)
            if not gone and not _is_stale(db, each.record):
                grown.update(_take_one(db, each.record, each.member))
        except (OverflowError, UnicodeEncodeError, sqlite3.IntegrityError) as error:
            LOG.warning("what %s tells has no place in the store and is passed over: %s", quote(each.member), error)
    return grown


def _take_one(db: sqlite3.Connection, record: Past, member: str) -> Mapping[str, int]:
    """Put it into its table; by how many rows each grew."""
    match record:
        case Event():
            grown = Counter({"events": _take_event(db, record, member)})
            grown.update(_drop_superseded(db, record))
            return grown
        case Ring():
            row = (record.id, record.camera, record.time, _text(record, member))
            return {"rings": db.execute("INSERT OR IGNORE INTO rings VALUES (?, ?, ?, ?)", row).rowcount}
        case Summary():
            return {"summaries": _take_summary(db, record, member)}
        case Observation():
            known = not record.appearances or has_looks(db, record)
            return {} if known else {"appearances": appearances.keep(db, record)}


def kept_revision(db: sqlite3.Connection, kind: str, key: str) -> int | None:
    """The revision that is here of an `event` or a `summary`, 0 of a `ring`, by its key; None of what is not."""
    row = db.execute(_KEPT[kind], (key,)).fetchone()
    return None if row is None else int(row[0])


def has_looks(db: sqlite3.Connection, observation: Observation) -> bool:
    """Whether the history has what came with it."""
    query = "SELECT 1 FROM appearances WHERE time = ? AND observation = ?"
    return appearances.exists(db) and db.execute(query, (observation.time, observation.id)).fetchone() is not None


def still_there(db: sqlite3.Connection, records: Sequence[Past]) -> list[Past]:
    """Those of these records that were not forgotten since they were put, and of which no later revision is here.

    That one is told itself, or was told, where an older store was put back.
    """
    return [each for each in records if _is_there(db, each)]


def _is_there(db: sqlite3.Connection, record: Past) -> bool:
    if isinstance(record, Observation):
        return has_looks(db, record)
    kept = kept_revision(db, record_kind(record), key_of(record))
    return kept is not None and kept <= getattr(record, "revision", 0)


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


def take_marks(db: sqlite3.Connection, told: Mapping[str, str]) -> None:
    """Keep marks that were given elsewhere, by the id of the event or ring; those of what is not here yet wait."""
    early = _texts(db, EARLY)
    if not told and not early:
        return
    untold = marks(db)  # newer ones were given here, which the others do not know yet
    left = {id_: mark for id_, mark in {**early, **told}.items() if id_ not in untold and not _marked(db, id_, mark)}
    _keep(db, EARLY, dict(list(left.items())[-EARLY_MAX:]))


def _marked(db: sqlite3.Connection, id_: str, mark: str) -> bool:
    """Mark an event or ring; whether it is here."""
    try:
        return any(db.execute(MARK_OF[table], (mark, mark, id_)).rowcount for table in ("events", "rings"))
    except UnicodeEncodeError:
        return True  # half a letter: nothing has such an id


def drop_marks(db: sqlite3.Connection, event: str | None) -> None:
    """Keep no mark of what was forgotten: of this event, and of all that is not here any more."""
    if early := _texts(db, EARLY):
        _keep(db, EARLY, {id_: mark for id_, mark in early.items() if id_ != event})
    if untold := marks(db):
        there = {id_: mark for id_, mark in untold.items() if _has(db, id_)}
        _keep(db, MARKED, there)


def _has(db: sqlite3.Connection, id_: str) -> bool:
    return any(kept_revision(db, kind, id_) is not None for kind in ("event", "ring"))


def note_marked(db: sqlite3.Connection, id_: str, mark: str) -> None:
    """Note a mark, until it was told to the site (`told_marked`)."""
    _keep(db, MARKED, {**marks(db), id_: mark})


def told_marked(db: sqlite3.Connection, told: Mapping[str, str]) -> None:
    """The site knows these."""
    _keep(db, MARKED, {id_: mark for id_, mark in marks(db).items() if told.get(id_) != mark})


def marks(db: sqlite3.Connection) -> dict[str, str]:
    """The marks that were given here and the site does not know yet, by the id of the event or ring."""
    return _texts(db, MARKED)


def _texts(db: sqlite3.Connection, name: str) -> dict[str, str]:
    try:
        return {str(key): str(text) for key, text in json.loads(recall(db, name) or "{}").items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _keep(db: sqlite3.Connection, name: str, content: Mapping[str, str] | Sequence[Mapping[str, Any]]) -> None:
    """Keep it in the memory; nothing where it is empty."""
    if content:
        remember(db, name, json.dumps(content))
    else:
        db.execute("DELETE FROM memory WHERE key = ?", (name,))


def note_forgotten(db: sqlite3.Connection, request: Forget, now: float) -> None:
    """Note what is about to be forgotten, until it was told to the site (`told_forgotten`).

    It is bounded by `now`, for who hears of it later. What is here and younger, as another's clock is ahead, is named.
    """
    camera, event, since = request.camera, request.event, request.since
    until = now if request.until is None else min(request.until, now)
    find_gone(db, camera=camera, event=event, since=since, until=request.until)
    events = db.execute("SELECT id, camera, started FROM gone").fetchall()
    texts = [("summary", id_) for (id_,) in db.execute("SELECT id FROM gone_texts")]
    drop_gone(db)
    of_time = {"camera = ?": camera, "time >= ?": since, "time < ?": request.until}
    rings, looks = list[tuple[str, str, float]](), list[tuple[str, str, float]]()
    if event is None:
        clauses, values = where(of_time)
        rings = db.execute(f"SELECT id, camera, time FROM rings WHERE {clauses}", values).fetchall()  # noqa: S608
    if appearances.exists(db):
        clauses, values = where({**of_time, "event = ?": event})
        query = f"SELECT DISTINCT observation, camera, time FROM appearances WHERE {clauses}"  # noqa: S608 - fixed clauses
        looks = db.execute(query, values).fetchall()
    marked = {event} if event else set[str]()
    for table, rows in {"events": events, "rings": rings}.items():
        marked |= {id_ for id_, _, _ in rows if _is_marked(db, table, id_)}
    kinds = {"event": events, "ring": rings, "observation": looks}
    gone = [*((kind, id_) for kind, rows in kinds.items() for id_, _, _ in rows), *texts]
    gone += [("mark", id_) for id_ in sorted(marked)]
    later = [
        Forget(camera=of, event=id_ if kind == "event" else event, since=time, until=math.nextafter(time, math.inf))
        for kind, rows in kinds.items()
        for id_, of, time in rows
        if time >= until
    ]
    noted = [Forgotten(replace(request, until=until), tuple(gone)), *(Forgotten(each, ()) for each in later)]
    _keep_forgotten(db, [*forgotten(db), *noted])


def _is_marked(db: sqlite3.Connection, table: str, id_: str) -> bool:
    query = f"SELECT json_valid(text) AND json_extract(text, '$.mark') IS NOT NULL FROM {table} WHERE id = ?"  # noqa: S608
    return any(marked for (marked,) in db.execute(query, (id_,)))


def told_forgotten(db: sqlite3.Connection, told: Sequence[Forgotten]) -> None:
    """The site knows these."""
    _keep_forgotten(db, [each for each in forgotten(db) if each not in told])


def forgotten(db: sqlite3.Connection) -> list[Forgotten]:
    """What was forgotten here and the site does not know yet, the oldest first."""
    try:
        return [
            Forgotten(Forget(**each["request"]), tuple((str(kind), str(key)) for kind, key in each["gone"]))
            for each in json.loads(recall(db, FORGOTTEN) or "[]")
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def _keep_forgotten(db: sqlite3.Connection, those: Sequence[Forgotten]) -> None:
    content = [
        {
            "request": {name: getattr(each.request, name) for name in ("camera", "event", "since", "until")},
            "gone": each.gone,
        }
        for each in those
    ]
    _keep(db, FORGOTTEN, content)


def _take_event(db: sqlite3.Connection, event: Event, member: str) -> int:
    row = db.execute("SELECT text FROM events WHERE id = ?", (event.id,)).fetchone()
    if row is None:
        db.execute(
            "INSERT INTO events (id, camera, started, text, label) VALUES (?, ?, ?, ?, ?)",
            (event.id, event.camera, event.started, _text(event, member), event.label),
        )
        return 1
    known = _event(row[0])
    if known is None or known.revision < event.revision:
        whose = member if known is None else json.loads(row[0]).get(MEMBER)
        marked = event if known is None or not known.mark else replace(event, mark=known.mark)
        db.execute("UPDATE events SET text = ? WHERE id = ?", (_text(marked, whose), event.id))
    return 0


def _take_summary(db: sqlite3.Connection, summary: Summary, member: str) -> int:
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
    if (
        isinstance(record, Summary)
        and record.event is not None
        and kept_revision(db, "event", record.event) is not None
    ):
        return False
    at = _at(record)
    return db.execute(_STALE, (record.camera, at - DOUBLE_S, at, record.fence)).fetchone() is not None


def _drop_superseded(db: sqlite3.Connection, event: Event) -> Mapping[str, int]:
    """Drop what another member reported under an earlier lease from when this one's event began; how tables grew."""
    if event.fence is None:
        return {}
    ends = event.started + DOUBLE_S
    ids = [id_ for (id_,) in db.execute(_SUPERSEDED, (event.camera, event.started, ends, event.fence))]
    texts = sum(db.execute("DELETE FROM summaries WHERE event = ?", (id_,)).rowcount for id_ in ids)
    looks = 0
    if ids and appearances.exists(db):
        looks = sum(db.execute("DELETE FROM appearances WHERE event = ?", (id_,)).rowcount for id_ in ids)
    for id_ in ids:
        db.execute("DELETE FROM events WHERE id = ?", (id_,))
    return {"events": -len(ids), "summaries": -texts, "appearances": -looks}


def _covered(record: Past, request: Forget) -> bool:
    """Whether it is to be forgotten."""
    event = record.id if isinstance(record, Event) else getattr(record, "event", None)
    return request.covers(record.camera or "", event, _at(record))


def _was_forgotten(db: sqlite3.Connection, record: Past, lately: Sequence[Forget]) -> bool:
    """Whether it was to be forgotten when it was said, or its event was: who tells it could not know that yet."""
    requests = [request for request in lately if _covered(record, request)]
    if isinstance(record, Summary) and record.event is not None and requests:
        return kept_revision(db, "event", record.event) is None
    return any(record.time < (request.until or 0.0) for request in requests)


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
