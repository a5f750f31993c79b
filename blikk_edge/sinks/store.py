"""The store: one SQLite file with the outbox, the history of events and small values that outlive the process."""

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import StoreError, WireError
from blikk_edge.core.observation import Event, Record
from blikk_edge.core.ports import Pending
from blikk_edge.sinks.reserve import Reserve
from blikk_edge.wire.messages import record_from_text, record_to_text

LOG = logging.getLogger("blikk.store")

LAYOUT: Final = 1
"""The layout below, kept in SQLite's `user_version`; a file with a higher one is from a newer blikk."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events
    (id TEXT PRIMARY KEY, camera TEXT NOT NULL, started REAL NOT NULL, text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_started ON events (started);
CREATE INDEX IF NOT EXISTS events_camera ON events (camera, started);
CREATE TABLE IF NOT EXISTS memory (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Store:
    """Outbox, event history and memory in the SQLite file at `path`. Does nothing before `open`.

    Blocking: call it off the event loop, from any thread. At most `outbox_records` records wait and `max_records`
    events are kept; the oldest go first, and a record that went undelivered is counted in `lost`. Every method raises
    StoreError (disk full, not writable, in use by another process). A damaged file is moved aside as `<name>.damaged`,
    what could still be read of outbox and memory is carried over, and this is told once as an error.

    A record is on the disk (fsync) when `put` returns: a doorbell's power is pulled without notice. Forgetting what
    was delivered is not synced: after a power cut it is at worst delivered twice, with the same id.
    """

    def __init__(self, path: Path, *, max_records: int = 100_000, outbox_records: int = 20_000) -> None:
        self.path = path
        self.lost = 0
        self._max_records = max_records
        self._outbox_records = outbox_records
        self._db: sqlite3.Connection | None = None
        # One connection, many threads: SQLite's own mutex guards single statements, this lock whole transactions.
        self._lock = threading.RLock()
        self._wanted = False
        self._reserve = Reserve(path.with_name(f"{path.name}.reserve"))
        self._outbox = 0
        self._events = 0
        self._last_seq = 0
        self._replayed_through = 0

    def open(self) -> None:
        """Open or make the file; what waits in it counts as replayed from now on.

        Where that fails (StoreError) every later call tries again, so a node may go on without its disk.
        """
        with self._lock:
            self._wanted = True
            self._open()
            self._replayed_through = self._last_seq
            if not self._reserve.keep():
                LOG.warning("%s: its disk is nearly full; free some space", self.path)

    def close(self) -> None:
        """Let go of the file; harmless when it is not open."""
        with self._lock:
            self._wanted = False
            self._disconnect()

    def put(self, record: Record) -> int:
        """Write one record durably, into the outbox and, an Event, into the history; its number in the outbox."""
        text = record_to_text(record)
        with self._lock:
            try:
                return self._put(record, text)
            except StoreError as error:
                if _code(error.__cause__) != sqlite3.SQLITE_FULL or not self._reserve.give():
                    raise
            self._shrink()
            return self._put(record, text)

    def pending(self, limit: int) -> Sequence[Pending]:
        """The oldest records that were not delivered, in order, at most `limit`."""
        with self._transaction("read", durable=False) as db:
            rows = db.execute("SELECT seq, text FROM outbox ORDER BY seq LIMIT ?", (limit,)).fetchall()
        found = [(seq, _readable(text)) for seq, text in rows]
        if unreadable := [seq for seq, record in found if record is None]:
            self.delivered(unreadable)
            self.lost += len(unreadable)
        return [
            Pending(seq=seq, record=record, replayed=seq <= self._replayed_through)
            for seq, record in found
            if record is not None
        ]

    def delivered(self, seqs: Sequence[int]) -> None:
        """Forget what the broker has acknowledged; numbers that are gone already are passed over."""
        with self._transaction("write", durable=False) as db:
            gone = sum(db.execute("DELETE FROM outbox WHERE seq = ?", (seq,)).rowcount for seq in seqs)
            db.execute("COMMIT")
            self._outbox -= gone

    def depth(self) -> int:
        """How many records wait, without touching the disk."""
        return self._outbox

    def events(
        self,
        *,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[Event]:
        """The newest revision of events that started in `since <= t < until` (seconds since 1970 UTC), newest first."""
        where, values = ["1"], list[str | float | int]()
        for clause, value in (("camera = ?", camera), ("started >= ?", since), ("started < ?", until)):
            if value is not None:
                where.append(clause)
                values.append(value)
        # Only the fixed clauses above are joined; every value is bound.
        query = f"SELECT text FROM events WHERE {' AND '.join(where)} ORDER BY started DESC LIMIT ?"  # noqa: S608
        with self._transaction("read", durable=False) as db:
            texts = [text for (text,) in db.execute(query, (*values, limit))]
        return [event for text in texts if isinstance(event := _readable(text), Event)]

    def recall(self, key: str) -> str | None:
        """The text kept under `key`, or None."""
        with self._transaction("read", durable=False) as db:
            row = db.execute("SELECT text FROM memory WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, key: str, text: str) -> None:
        """Keep `text` under `key`, durably; unchanged text is not written again."""
        with self._transaction("write", durable=True) as db:
            db.execute(
                "INSERT INTO memory VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET text = excluded.text"
                " WHERE text != excluded.text",
                (key, text),
            )

    def _put(self, record: Record, text: str) -> int:
        with self._transaction("write", durable=True) as db:
            seq = db.execute("INSERT INTO outbox (text) VALUES (?)", (text,)).lastrowid
            assert seq is not None  # an INSERT always has one
            added = _keep_event(db, record, text) if isinstance(record, Event) else 0
            forgotten = _oldest(db, "events", "started", self._events + added - self._max_records)
            given_up = _oldest(db, "outbox", "seq", self._outbox + 1 - self._outbox_records)
            db.execute("COMMIT")
            self._events += added - forgotten
            self._outbox += 1 - given_up
            self._last_seq = seq
            self._count_lost(given_up)
            return seq

    def _shrink(self) -> None:
        """On a full disk records go before history: forget the older half, and let it grow no more."""
        with self._transaction("write", durable=False) as db:
            forgotten = _oldest(db, "events", "started", self._events // 2)
            db.execute("COMMIT")
        self._events -= forgotten
        self._max_records = min(self._max_records, self._events)
        LOG.error(
            "%s: its disk is full; the reserve is used and %d old events are forgotten to keep new records; "
            "free some space and start again",
            *(self.path, forgotten),
        )

    def _count_lost(self, records: int) -> None:
        if records and not self.lost:
            LOG.error(
                "the outbox is full (%d records): the oldest undelivered ones are given up from now on; "
                "see why the broker is away, or raise store.outbox_records",
                self._outbox_records,
            )
        self.lost += records

    @contextmanager
    def _transaction(self, verb: str, *, durable: bool) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db is None:
                self._open()
            db = self._db
            assert db is not None  # _open has set it or raised
            try:
                db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                with db:
                    db.execute("BEGIN IMMEDIATE" if verb == "write" else "BEGIN")
                    yield db
            except sqlite3.Error as error:
                if _code(error) in _DAMAGE:
                    self._start_anew(error)
                    raise StoreError(f"store {self.path}: it was damaged; a new one has been started") from error
                raise self._error(verb, error) from error

    def _open(self) -> None:
        if not self._wanted:
            raise StoreError(f"store {self.path}: it is not open")
        try:
            self._connect()
        except sqlite3.Error as error:
            if _code(error) not in _DAMAGE:
                self._disconnect()
                raise self._error("open", error) from error
            self._start_anew(error)
        except OSError as error:
            raise StoreError(f"store {self.path}: cannot make its folder: {error.strerror}") from error
        except StoreError:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connect(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Only this class talks to the connection, under its lock, so it may be used from any thread.
        self._db = db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None, check_same_thread=False)
        # Exclusive: two nodes on one outbox would publish everything twice; the lock goes with the process.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        # 1 MB of log: on a disk that fills up, a long log would have taken the room the file needs to grow.
        db.execute("PRAGMA wal_autocheckpoint=256")
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        if layout > LAYOUT:
            raise StoreError(f"store {self.path}: written by a newer blikk; update, or name another store.path")
        # The small tables, on which delivery depends, are checked whole; the long history when it is used.
        for table in ("outbox", "memory"):
            (found,) = db.execute(f"PRAGMA quick_check({table})").fetchone() if layout else ("ok",)
            if found != "ok":
                raise _Damaged(found)
        db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={LAYOUT}; COMMIT;")
        (self._outbox,) = db.execute("SELECT count(*) FROM outbox").fetchone()
        (self._events,) = db.execute("SELECT count(*) FROM events").fetchone()
        (newest,) = db.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()
        self._last_seq = max(self._last_seq, newest)

    def _start_anew(self, damage: sqlite3.Error) -> None:
        """Move a damaged file aside and carry over what can be read of the outbox and the memory."""
        records = self._salvage("SELECT seq, text FROM outbox ORDER BY seq")
        kept = self._salvage("SELECT key, text FROM memory")
        self._disconnect()
        aside = self.path.with_name(f"{self.path.name}.damaged")
        try:
            self.path.replace(aside)
            wal = self.path.with_name(f"{self.path.name}-wal")
            if wal.exists():
                wal.replace(aside.with_name(f"{aside.name}-wal"))
            self._connect()
            assert self._db is not None  # _connect has just set it
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                # A number is never used twice, or a late acknowledgement would remove another record.
                db.execute("INSERT INTO outbox VALUES (?, '')", (self._last_seq,))
                db.execute("DELETE FROM outbox")
                db.executemany("INSERT INTO outbox VALUES (?, ?)", records)
                db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", kept)
            self._outbox = len(records)
            self._last_seq = max([self._last_seq, *(int(seq) for seq, _ in records)])
        except (OSError, sqlite3.Error) as error:
            self._disconnect()
            raise self._error("start anew", error) from error
        LOG.error(
            "%s is damaged (%s): moved to %s, a new one is started; carried over: %d waiting records, %d kept values",
            *(self.path, damage, aside.name, len(records), len(kept)),
        )

    def _salvage(self, query: str) -> list[tuple[str | int, str]]:
        rows: list[tuple[str | int, str]] = []
        if self._db is None:
            return rows
        try:
            # Row by row: those before the damaged page are good.
            for key, text in self._db.execute(query):
                if isinstance(text, str):
                    rows.append((key, text))
        except sqlite3.Error as error:
            LOG.warning("%s: reading stopped after %d rows: %s", self.path, len(rows), error)
        return rows

    def _error(self, verb: str, error: Exception) -> StoreError:
        return StoreError(f"store {self.path}: cannot {verb}: {error}{_HINTS.get(_code(error), '')}")


_HINTS: Final = {
    sqlite3.SQLITE_FULL: "; free some space on its disk",
    sqlite3.SQLITE_IOERR: "; is its disk full or failing?",
    sqlite3.SQLITE_BUSY: "; another process uses it: is a second blikk running?",
    sqlite3.SQLITE_LOCKED: "; another process uses it: is a second blikk running?",
    sqlite3.SQLITE_READONLY: "; make it writable for this user",
    sqlite3.SQLITE_CANTOPEN: "; make it and its folder writable for this user",
}


class _Damaged(sqlite3.DatabaseError):
    """SQLite's own check found damage."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def _code(error: BaseException | None) -> int:
    """SQLite's primary result code; 0 for other errors."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _keep_event(db: sqlite3.Connection, event: Event, text: str) -> int:
    """1 if the event is new in the history, 0 if it replaced an earlier revision."""
    replaced = db.execute("UPDATE events SET text = ? WHERE id = ?", (text, event.id)).rowcount
    if not replaced:
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (event.id, event.camera, event.started, text))
    return 1 - replaced


def _oldest(db: sqlite3.Connection, table: str, column: str, count: int) -> int:
    """Delete the `count` oldest rows; how many went."""
    if count <= 0:
        return 0
    # `table` and `column` are the fixed names of the callers above.
    query = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY {column} LIMIT ?)"  # noqa: S608
    return db.execute(query, (count,)).rowcount


def _readable(text: str) -> Record | None:
    try:
        return record_from_text(text)
    except WireError as error:
        LOG.warning("a record in the store cannot be read and is passed over: %s", error)
        return None
