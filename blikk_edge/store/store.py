"""The store: one SQLite file with the journal, the history and small values that outlive the process."""

import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from blikk_edge.core.appearance import Description, StoredAppearance
from blikk_edge.core.errors import StoreError
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Event, Observation, Record, Ring
from blikk_edge.core.paths import EventPath
from blikk_edge.core.ports import Pending
from blikk_edge.core.recordings import Segment
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary
from blikk_edge.core.timeline import Beside, Course, EventLine
from blikk_edge.store import appearances, course, lines, past, segments, unfinished
from blikk_edge.store.conditions import Value, where
from blikk_edge.store.file import StoreFile, is_damage, primary_code
from blikk_edge.store.forget import forget, newest
from blikk_edge.store.journal import JournalTable, Takes, readable, waiting
from blikk_edge.store.memory import recall, remember
from blikk_edge.store.reserve import Reserve
from blikk_edge.wire.messages import record_kind, record_to_text

LOG = logging.getLogger("blikk.store")

T = TypeVar("T", bound=Event | Ring | Summary)
R = TypeVar("R")

# Values by their order: Python 3.12.0 to 3.12.3 warns of ?1 and the like.
# A mark is the household's; who reports the event does not know it.
_REPLACE: Final = """
UPDATE events SET text = CASE WHEN json_valid(text) AND json_extract(text, '$.mark') IS NOT NULL
    THEN json_set(?, '$.mark', json_extract(text, '$.mark')) ELSE ? END WHERE id = ?
"""

NO_ROOM: Final = "its disk is nearly full, and history gives way to new records; free some space"

_HISTORY: Final = {"events": "started", "summaries": "since", "rings": "time", "appearances": "time"}
"""The tables of the history, and by which column each is old or new."""


class Store:
    """Journal, history and memory in the SQLite file at `path`. Does nothing before `open`.

    Blocking: call it off the event loop, from any thread. The journal holds what a durable sink waits for (`follow`),
    at most `outbox_records`; of events, summaries, rings and appearances at most `max_records` each are kept. The
    oldest go first, and a record that a sink never got is counted in `lost`. With `courses` it also keeps how each
    event went, for as long as the event (`store.course`). Every method raises StoreError (disk full, not writable),
    StoreBusyError where another process has the file. Damage: see `StoreFile`.

    A record is on the disk (fsync) when `put` returns: a doorbell's power is pulled without notice. Forgetting what
    was delivered is not synced: after a power cut it is at worst delivered twice, with the same id.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_records: int = 100_000,
        outbox_records: int = 20_000,
        courses: bool = False,
    ) -> None:
        self.path = path
        self._courses = courses
        self._damage_lost = 0
        self._most_records = self._max_records = max_records
        reserve = path.with_name(f"{path.name}.reserve")
        self._file = StoreFile(path, opened=self._load, lost=self._count_damage, reserve=reserve)
        self._reserve = Reserve(reserve)
        self._journal = JournalTable(outbox_records)
        self._kept = dict.fromkeys(_HISTORY, 0)
        self._replayed_through = 0
        self._unfinished: unfinished.Found | None = None
        self._has_room = True
        self._gives_way = False  # the reserve was used, and history is to make room with the next record

    def open(self) -> None:
        """Open or make the file; what waits in it counts as replayed from now on.

        Where that fails (StoreError) every later call tries again, so a node may go on without its disk.
        """
        with self._file.lock:
            self._with_reserve(self._file.open)
            self._replayed_through = self._file.last_seq
            self._has_room = self._reserve.keep()
            self._gives_way &= not self._has_room
            if not self._has_room:
                LOG.warning("%s: %s", self.path, NO_ROOM)

    @property
    def problem(self) -> str | None:
        """What is wrong with it now, in a sentence; None where all is well."""
        return self._file.problem or (None if self._has_room else NO_ROOM)

    def close(self) -> None:
        """Let go of the file; harmless when it is not open."""
        self._file.close()
        self._unfinished = None

    @property
    def lost(self) -> int:
        """How many records a sink never got and never will: too many waited, or the file was damaged."""
        return self._damage_lost + self._journal.lost

    def follow(self, sinks: Mapping[str, Takes], *, absent: Collection[str] = ()) -> None:
        """Say who the durable sinks are, by name, and which kinds of records (None: all) each takes.

        A new one begins with the next record; for one that is not named any more nothing waits.
        Those that are `absent`, because they cannot be had now, keep what waits for them.
        """
        self._journal.follow(sinks, absent)
        self._with_reserve(self._load_anew)

    def _load_anew(self) -> None:
        with self._file.transaction("write", durable=True) as db:
            self._journal.load(db, self._file.last_seq)

    def put(self, record: Record) -> int:
        """Write one record durably, into the journal and, where it belongs there, the history.

        Its number in the journal; 0 where no sink takes it.
        """
        text = record_to_text(record)
        with self._file.lock:
            self._regain()
            seq = self._with_reserve(lambda: self._put(record, text))
            if self._gives_way:
                self._gives_way = False
                self._shrink()
            return seq

    def pending(self, sink: str, limit: int) -> Sequence[Pending]:
        """The oldest records that this sink has not had, in order, at most `limit`."""
        with self._file.transaction("read", durable=False) as db:
            rows = self._journal.pending(db, sink, limit)
        return self._readable(sink, rows)

    def urgent(self, sink: str, among: Mapping[str, Mapping[str, str]], limit: int) -> Sequence[Pending]:
        """The newest records that this sink has not had and that are among the urgent ones, the newest first."""
        with self._file.transaction("read", durable=False) as db:
            rows = self._journal.urgent(db, sink, among, limit)
        return self._readable(sink, rows)

    def _readable(self, sink: str, rows: Sequence[tuple[int, str]]) -> Sequence[Pending]:
        """The records of rows; those that cannot be read are lost."""
        found = [(seq, readable(text)) for seq, text in rows]
        if unreadable := [seq for seq, record in found if record is None]:
            self.delivered(sink, unreadable)
            self._journal.places[sink].lost += len(unreadable)
        return waiting(found, self._replayed_through)

    def delivered(self, sink: str, seqs: Sequence[int]) -> None:
        """These wait for this sink no more; numbers that are gone already are passed over."""
        self._with_reserve(lambda: self._delivered(sink, seqs))

    def _delivered(self, sink: str, seqs: Sequence[int]) -> None:
        with self._file.transaction("write", durable=False) as db:
            apply = self._journal.settle(db, sink, seqs, self._file.last_seq)
            db.execute("COMMIT")
            apply()

    def depth(self, sink: str) -> int:
        """How many records wait for this sink, without touching the disk."""
        return self._journal.places[sink].depth

    def events(
        self,
        *,
        camera: str | None = None,
        label: Label | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[Event]:
        """The newest revision of events that started in `since <= t < until` (seconds since 1970 UTC), newest first."""
        conditions = {"camera = ?": camera, "label = ?": label, "started >= ?": since, "started < ?": until}
        return self._select(Event, "events", conditions, limit)

    def event(self, id: str) -> Event | None:  # noqa: A002  # the glossary's word
        """The newest revision of one event, or None."""
        found = self._select(Event, "events", {"id = ?": id}, 1)
        return found[0] if found else None

    def summaries(
        self,
        *,
        camera: str | None = None,
        event: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[Summary]:
        """The newest revision of Summaries that are about a time from `since <= t < until` on, newest first."""
        conditions = {"camera = ?": camera, "event = ?": event, "since >= ?": since, "since < ?": until}
        return self._select(Summary, "summaries", conditions, limit)

    def rings(
        self,
        *,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[Ring]:
        """Presses of doorbells in `since <= t < until`, newest first."""
        return self._select(Ring, "rings", {"camera = ?": camera, "time >= ?": since, "time < ?": until}, limit)

    def ring(self, id: str) -> Ring | None:  # noqa: A002  # the glossary's word
        """One press of a doorbell, or None."""
        found = self._select(Ring, "rings", {"id = ?": id}, 1)
        return found[0] if found else None

    def embeddings(
        self,
        *,
        model: str,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        below: int | None = None,
        numbers: Collection[int] | None = None,
        limit: int = 4096,
    ) -> Sequence[tuple[int, bytes]]:
        """Number and embedding of what appeared, newest first; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return appearances.embeddings(
                db, model=model, camera=camera, since=since, until=until, below=below, numbers=numbers, limit=limit
            )

    def embedded(self, *, model: str, camera: str | None = None) -> Sequence[tuple[int, float]]:
        """Number and time of all that this model has embeddings of; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return appearances.embedded(db, model=model, camera=camera)

    def embedded_mark(self, *, model: str) -> object:
        """Equal for as long as `embedded` gives the same; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return appearances.embedded_mark(db, model=model)

    def descriptions(self) -> Sequence[Description]:
        """How what appeared is described; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return appearances.descriptions(db)

    def described(
        self,
        description: Description,
        *,
        but: str | None = None,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[StoredAppearance]:
        """What appeared and is described so, newest first; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return appearances.described(db, description, but=but, camera=camera, since=since, until=until, limit=limit)

    def appearances(
        self,
        *,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        below: int | None = None,
        numbers: Collection[int] | None = None,
        limit: int = 4096,
    ) -> Sequence[StoredAppearance]:
        """What appeared, newest first; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return appearances.appearances(
                db, camera=camera, since=since, until=until, below=below, numbers=numbers, limit=limit
            )

    def lines(
        self,
        *,
        since: float,
        until: float,
        camera: str | None = None,
        label: Label | None = None,
        zone: str | None = None,
        event: str | None = None,
        limit: int = 5000,
    ) -> Sequence[EventLine]:
        """The events of a period, newest first; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return lines.lines(
                db, since=since, until=until, camera=camera, label=label, zone=zone, event=event, limit=limit
            )

    def counts(self, edges: Sequence[float], *, camera: str | None = None) -> Sequence[int]:
        """How many events started between each two of these times."""
        with self._file.transaction("read", durable=False) as db:
            return lines.counts(db, edges, camera)

    def beside(self, time: float, event: str = "", *, camera: str | None = None) -> tuple[Beside | None, Beside | None]:
        """The event before and the one after; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return lines.beside(db, time, event, camera)

    def course(self, event: str) -> Course:
        """How an event went; see `History`."""
        with self._file.transaction("read", durable=False) as db:
            return course.of_event(db, event)

    def keep_path(self, path: EventPath) -> None:
        """Keep where the members of an event went, for as long as the event; after a power cut it may be missing."""
        with self._file.transaction("write", durable=False) as db:
            course.keep_path(db, path, most=self._most_course)

    def keep_segments(self, kept: Sequence[Segment]) -> None:
        """List recordings; one with the path of another takes its place. After a power cut they may be missing."""
        with self._file.transaction("write", durable=False) as db:
            segments.keep(db, kept)

    def drop_segments(self, paths: Sequence[str]) -> None:
        """List these recordings no more."""
        with self._file.transaction("write", durable=False) as db:
            segments.drop(db, paths)

    def segments(
        self, camera: str, *, since: float | None = None, until: float | None = None, limit: int = 1_000_000
    ) -> Sequence[Segment]:
        """The oldest recordings of which any part lies in `since <= t < until`, in their order."""
        with self._file.transaction("read", durable=False) as db:
            return segments.select(db, camera, since, until, limit)

    def segment_bytes(self, camera: str) -> int:
        """How much the recordings of a camera take."""
        with self._file.transaction("read", durable=False) as db:
            return segments.total(db, camera)

    def mark(self, event: str, mark: str) -> Event | None:
        """Keep a mark with an event, also through its later revisions; the event with it, or None where it is not."""
        self._with_reserve(lambda: self._mark("events", event, mark))
        return self.event(event)

    def mark_ring(self, ring: str, mark: str) -> Ring | None:
        """Keep a mark with a press of a doorbell; the ring with it, or None where it is not."""
        self._with_reserve(lambda: self._mark("rings", ring, mark))
        return self.ring(ring)

    def _mark(self, table: str, id: str, mark: str) -> None:  # noqa: A002  # the glossary's word
        with self._file.transaction("write", durable=True) as db:
            there = db.execute(past.MARK_OF[table], (mark, mark, id)).rowcount
            if there and past.SINK in self._journal.places:
                past.note_marked(db, id, mark)

    def newest(self) -> Sequence[Event | Ring | Summary]:
        """What each place shows that shows the newest; see `History`. Looks through the whole history."""
        with self._file.transaction("read", durable=False) as db:
            found = [readable(text) for text in newest(db)]
        return [record for record in found if isinstance(record, Event | Ring | Summary)]

    def forget(
        self,
        *,
        camera: str | None = None,
        event: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> int:
        """Remove events that started in `since <= t < until` and match everything given; how many went.

        With them go their summaries, the texts about a time in which one of them began, or about a moment at which one
        was there, and, of the same camera and time, rings (where no `event` is given) and whatever waits in the outbox,
        but for what takes back what was shown. No trace is left in the file. An event that goes on comes back with its
        next revision.
        """
        with self._file.transaction("write", durable=True) as db:
            count = forget(db, camera=camera, event=event, since=since, until=until)
            past.drop_marks(db, event)
            db.execute("COMMIT")
            self._count(db)
        self._file.wipe_log()
        return count

    def take(
        self,
        told: Sequence[past.Told],
        *,
        place: str,
        after: str | None,
        marks: Mapping[str, str] | None = None,
        lately: Sequence[Forget] = (),
    ) -> None:
        """Put what other members of the site saw into the history alone (`store.past`), and up to where that was read.

        With them `marks` that were given elsewhere, by the id of the event or ring; `lately` was forgotten. All or
        none. After a power cut all may be missing. StoreError where the place that is kept is not `after`: the file was
        started anew.
        """
        self._with_reserve(lambda: self._take(told, place, after, marks or {}, lately))

    def _take(
        self,
        told: Sequence[past.Told],
        place: str,
        after: str | None,
        marks: Mapping[str, str],
        lately: Sequence[Forget],
    ) -> None:
        with self._file.transaction("write", durable=False) as db:
            if recall(db, past.PLACE) != after:
                raise StoreError(f"store {self.path}: it was started anew; what other nodes saw is read again")
            grown = past.take(db, told, lately)
            past.take_marks(db, marks)
            kept = {table: count + grown.get(table, 0) for table, count in self._kept.items()}
            kept = self._trimmed(db, kept)
            remember(db, past.PLACE, place)
            db.execute("COMMIT")
            self._kept = kept

    def still_there(self, records: Sequence[past.Past]) -> Sequence[past.Past]:
        """Those of these records that were not forgotten since they were put; not of which a later revision is here."""
        with self._file.transaction("read", durable=False) as db:
            return past.still_there(db, records)

    def open_elsewhere(self) -> Sequence[Event]:
        """Events of other members of which no end was told."""
        with self._file.transaction("read", durable=False) as db:
            return past.open_elsewhere(db)

    def cut_off(self, events: Sequence[str]) -> None:
        """End these events of other members: they were not seen to end. An end that is told later takes its place."""
        with self._file.transaction("write", durable=False) as db:
            past.cut_off(db, events)

    def marks(self) -> Mapping[str, str]:
        """The marks that were given here and the site does not know yet, by the id of the event or ring."""
        with self._file.transaction("read", durable=False) as db:
            return past.marks(db)

    def told_marked(self, told: Mapping[str, str]) -> None:
        """The site knows these."""
        with self._file.transaction("write", durable=False) as db:
            past.told_marked(db, told)

    def note_forgotten(self, request: Forget, now: float) -> None:
        """Note what is about to be forgotten `now`, durably, until it was told to the site (`told_forgotten`)."""
        with self._file.transaction("write", durable=True) as db:
            past.note_forgotten(db, request, now)

    def forgotten(self) -> Sequence[past.Forgotten]:
        """What was forgotten here and the site does not know yet, the oldest first."""
        with self._file.transaction("read", durable=False) as db:
            return past.forgotten(db)

    def told_forgotten(self, told: Sequence[past.Forgotten]) -> None:
        """The site knows these."""
        with self._file.transaction("write", durable=False) as db:
            past.told_forgotten(db, told)

    def recall(self, key: str) -> str | None:
        """The text kept under `key`, or None."""
        self._regain()  # a node asks for something now and then while the store has a problem
        with self._file.transaction("read", durable=False) as db:
            return recall(db, key)

    def remember(self, key: str, text: str) -> None:
        """Keep `text` under `key`, durably; unchanged text is not written again."""
        with self._file.transaction("write", durable=True) as db:
            remember(db, key, text)

    def left_open(self) -> Sequence[Event]:
        """The ends of the events that an earlier process left open, to be put; see `Unfinished`."""
        return self._with_reserve(self._left_open)

    def _left_open(self) -> Sequence[Event]:
        with self._file.transaction("write", durable=True) as db:
            found = self._find_unfinished(db)
            unfinished.keep(db, found)
            return found.left

    def unwritten(self) -> Sequence[Event]:
        """Events of an earlier process whose final text is still owed; see `Unfinished`."""
        with self._file.transaction("read", durable=False) as db:
            owed = self._find_unfinished(db).owed
            return [event for event in owed if not unfinished.is_written(db, event.id)]

    def note_open(self, seen: Mapping[str, float]) -> None:
        """Note when the events that go on were last seen; in the file when the process is killed, not synced."""
        with self._file.transaction("write", durable=False) as db:
            unfinished.note(db, seen)

    def _select(self, kind: type[T], table: str, conditions: Mapping[str, Value], limit: int) -> list[T]:
        clauses, values = where(conditions)
        # Only the fixed clauses of the callers are joined; every value is bound.
        query = f"SELECT text FROM {table} WHERE {clauses} ORDER BY {_HISTORY[table]} DESC LIMIT ?"  # noqa: S608
        with self._file.transaction("read", durable=False) as db:
            texts = [text for (text,) in db.execute(query, (*values, max(0, limit)))]
        return [record for text in texts if isinstance(record := readable(text), kind)]

    def _load(self, db: sqlite3.Connection) -> None:
        with db:
            db.execute("BEGIN IMMEDIATE")
            self._journal.load(db, self._file.last_seq)
            if appearances.exists(db):
                appearances.make(db)  # an earlier version made fewer indexes
            course.tidy(db)
        self._count(db)

    @property
    def _most_course(self) -> int:
        return course.PER_EVENT * self._max_records

    def _count(self, db: sqlite3.Connection) -> None:
        self._kept = _counted(db)
        self._journal.count(db)
        if self._unfinished is None:  # the first look, before anybody has put anything
            try:
                self._find_unfinished(db)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise  # else the history is damaged, which must not cost the outbox: it is mended when it is used

    def _find_unfinished(self, db: sqlite3.Connection) -> unfinished.Found:
        if self._unfinished is None:
            self._unfinished = unfinished.find(db)
        return self._unfinished

    def _put(self, record: Record, text: str) -> int:
        with self._file.transaction("write", durable=True) as db:
            seq, apply = self._journal.add(db, record_kind(record), text)
            added = _keep(db, record, text)
            if self._courses and isinstance(record, Observation | Event):
                course.keep(db, record, most=self._most_course)
            kept = {table: self._kept[table] + added.get(table, 0) for table in _HISTORY}
            kept = self._trimmed(db, kept)
            db.execute("COMMIT")
            self._kept = kept
            self._file.last_seq = max(self._file.last_seq, seq)
            apply()
            return seq

    def _trimmed(self, db: sqlite3.Connection, kept: Mapping[str, int]) -> dict[str, int]:
        """Forget the oldest of what is more than may be kept; how many are kept of each table."""
        trimmed: dict[str, int] = {}
        with_events = 0  # appearances that went with their events
        for table, count in kept.items():
            here = count - with_events if table == "appearances" else count
            if table == "events":
                course.forget_with_oldest(db, here - self._max_records, self._order("events"))
            before = db.total_changes
            gone = _oldest(db, table, here - self._max_records, self._order(table))
            with_events += db.total_changes - before - gone
            trimmed[table] = here - gone
        return trimmed

    def _order(self, table: str) -> str:
        """The order in which rows are old.

        That of writing, as times may be from before the clock was set; by time where what others saw is here too: that
        may be old and come late.
        """
        return _HISTORY[table] if past.SINK in self._journal.places else "rowid"

    def _with_reserve(self, write: Callable[[], R]) -> R:
        """Write; on a full disk with the room that was set aside."""
        with self._file.lock:
            try:
                return write()
            except StoreError as error:
                if primary_code(error.__cause__) != sqlite3.SQLITE_FULL or not self._reserve.give():
                    raise
            self._has_room, self._gives_way = False, True
            LOG.error("%s: its disk is full, and the reserve is used; free some space", self.path)
            return write()

    def _regain(self) -> None:
        """Set room aside again where there is some, and let history grow."""
        with self._file.lock:
            if not self._has_room and self._reserve.regain():
                self._has_room, self._max_records = True, self._most_records
                LOG.info("%s: its disk has room again", self.path)

    def _shrink(self) -> None:
        """On a full disk records go before history: forget the older half, and let it grow no more."""
        with self._file.transaction("write", durable=False) as db:
            forgotten = {
                table: _oldest(db, table, count // 2, self._order(table)) for table, count in self._kept.items()
            }
            kept = _counted(db)
            db.execute("COMMIT")
        self._kept = kept
        self._max_records = min(self._max_records, self._kept["events"])
        LOG.warning("%s: %d old events are forgotten to keep new records", self.path, forgotten["events"])

    def _count_damage(self, records: int) -> None:
        self._damage_lost += records


def _keep(db: sqlite3.Connection, record: Record, text: str) -> Mapping[str, int]:
    """Write a record into its table of the history, if it has one; which table grew, and by how many rows."""
    match record:
        case Event():
            replaced = db.execute(_REPLACE, (text, text, record.id)).rowcount
            if not replaced:
                db.execute(
                    "INSERT INTO events (id, camera, started, text, label) VALUES (?, ?, ?, ?, ?)",
                    (record.id, record.camera, record.started, text, record.label),
                )
            return {"events": 1 - replaced}
        case Summary():
            key = record.event or record.id  # an event has one text, whatever its revisions are called
            before = _rows(db, "summaries WHERE key = ?", key)
            db.execute(
                "INSERT INTO summaries VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
                " revision = excluded.revision, since = excluded.since, until = excluded.until, text = excluded.text"
                " WHERE excluded.revision >= revision",
                (key, record.camera, record.event, record.revision, record.since, record.until, text),
            )
            return {"summaries": 1 - before}
        case Ring():
            ring = (record.id, record.camera, record.time, text)
            return {"rings": db.execute("INSERT OR IGNORE INTO rings VALUES (?, ?, ?, ?)", ring).rowcount}
        case Observation():
            return {"appearances": appearances.keep(db, record)}
        case _:
            return {}


def _counted(db: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table of the history has."""
    there = [table for table in _HISTORY if table != "appearances" or appearances.exists(db)]
    return {**dict.fromkeys(_HISTORY, 0), **{table: _rows(db, table) for table in there}}


def _rows(db: sqlite3.Connection, source: str, *values: str) -> int:
    (count,) = db.execute(f"SELECT count(*) FROM {source}", values).fetchone()  # noqa: S608 - `source` is fixed
    return int(count)


def _oldest(db: sqlite3.Connection, table: str, count: int, order: str) -> int:
    """Delete the `count` oldest rows in an order; how many went."""
    if count <= 0:
        return 0
    # `table` and `order` are fixed; `seq` is the rowid where there is one.
    oldest = f"SELECT rowid FROM {table} ORDER BY {order}, rowid LIMIT ?"  # noqa: S608
    return db.execute(f"DELETE FROM {table} WHERE rowid IN ({oldest})", (count,)).rowcount  # noqa: S608
