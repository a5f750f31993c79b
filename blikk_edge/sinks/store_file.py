"""The SQLite file under the store: its layout, its lock, and what happens when it is damaged."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import StoreBusyError, StoreError

LOG = logging.getLogger("blikk.store")

LAYOUT: Final = 2
"""The layout below, kept in SQLite's `user_version`; a file with a higher one is from a newer blikk."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events
    (id TEXT PRIMARY KEY, camera TEXT NOT NULL, started REAL NOT NULL, text TEXT NOT NULL, label TEXT);
CREATE INDEX IF NOT EXISTS events_started ON events (started);
CREATE INDEX IF NOT EXISTS events_camera ON events (camera, started);
CREATE INDEX IF NOT EXISTS events_open ON events (id)
    WHERE CASE WHEN json_valid(text) THEN json_extract(text, '$.phase') END IN ('started', 'updated');
CREATE TABLE IF NOT EXISTS summaries
    (key TEXT PRIMARY KEY, camera TEXT, event TEXT, revision INTEGER NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
     text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS summaries_since ON summaries (since);
CREATE INDEX IF NOT EXISTS summaries_event ON summaries (event);
CREATE TABLE IF NOT EXISTS rings (id TEXT PRIMARY KEY, camera TEXT NOT NULL, time REAL NOT NULL, text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS rings_time ON rings (time);
CREATE TABLE IF NOT EXISTS memory (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""
_FROM_1: Final = """
ALTER TABLE events ADD COLUMN label TEXT;
UPDATE events SET label = json_extract(text, '$.label') WHERE json_valid(text);
"""
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_HINTS: Final = {
    sqlite3.SQLITE_FULL: "; free some space on its disk",
    sqlite3.SQLITE_IOERR: "; is its disk full or failing?",
    sqlite3.SQLITE_BUSY: "; another process uses it: is a second blikk running?",
    sqlite3.SQLITE_LOCKED: "; another process uses it: is a second blikk running?",
    sqlite3.SQLITE_READONLY: "; make it writable for this user",
    sqlite3.SQLITE_CANTOPEN: "; make it and its folder writable for this user",
}


class StoreFile:
    """The file at `path`; does nothing before `open`. Calls from any thread; `lock` guards more than one transaction.

    `opened` is called with each new connection, before anybody else has it. `last_seq` is the highest number that the
    outbox has given; whoever puts a record raises it, and no file that replaces a damaged one gives a lower one. Every
    method raises StoreError, StoreBusyError where another process has the file. A damaged file is moved aside as
    `<name>.damaged`; what could still be read of outbox and memory is carried over, and this is told once as an error.
    """

    def __init__(self, path: Path, *, opened: Callable[[sqlite3.Connection], None]) -> None:
        self.path = path
        self.last_seq = 0
        # One connection, many threads: SQLite's own mutex guards single statements, this lock whole transactions.
        self.lock = threading.RLock()
        self._opened = opened
        self._db: sqlite3.Connection | None = None
        self._wanted = False

    def open(self) -> None:
        """Open or make the file. Where that fails every later transaction tries again, until `close`."""
        with self.lock:
            self._wanted = True
            self._open()

    def close(self) -> None:
        """Let go of the file; harmless when it is not open."""
        with self.lock:
            self._wanted = False
            self._disconnect()

    @contextmanager
    def transaction(self, verb: str, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """To `read` or to `write`; committed at the end, and on the disk (fsync) where `durable`."""
        with self.lock:
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
                if primary_code(error) in _DAMAGE:
                    self._start_anew(error)
                    raise StoreError(f"store {self.path}: it was damaged; a new one has been started") from error
                raise self._error(verb, error) from error

    def wipe_log(self) -> None:
        """Bring SQLite's log into the file and empty it: what was deleted shall not be readable there."""
        with self.lock:
            if self._db is None:
                return
            try:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise self._error("empty the log of", error) from error

    def _open(self) -> None:
        if not self._wanted:
            raise StoreError(f"store {self.path}: it is not open")
        try:
            self._connect()
        except sqlite3.Error as error:
            if primary_code(error) not in _DAMAGE:
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
        # Who was seen and is to be forgotten shall not be left in unused pages.
        db.execute("PRAGMA secure_delete=ON")
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        if layout > LAYOUT:
            raise StoreError(f"store {self.path}: written by a newer blikk; update, or name another store.path")
        # The small tables, on which delivery depends, are checked whole; the long history when it is used.
        for table in ("outbox", "memory"):
            (found,) = db.execute(f"PRAGMA quick_check({table})").fetchone() if layout else ("ok",)
            if found != "ok":
                raise _Damaged(found)
        migration = _FROM_1 if layout == 1 else ""
        db.executescript(f"BEGIN IMMEDIATE; {migration} {_TABLES} PRAGMA user_version={LAYOUT}; COMMIT;")
        (newest,) = db.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()
        self.last_seq = max(self.last_seq, newest)
        self._opened(db)

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
                db.execute("INSERT INTO outbox VALUES (?, '')", (self.last_seq,))
                db.execute("DELETE FROM outbox")
                db.executemany("INSERT INTO outbox VALUES (?, ?)", records)
                db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", kept)
            self.last_seq = max([self.last_seq, *(int(seq) for seq, _ in records)])
            self._opened(self._db)
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
        code = primary_code(error)
        kind = StoreBusyError if code in _BUSY else StoreError
        return kind(f"store {self.path}: cannot {verb}: {error}{_HINTS.get(code, '')}")


class _Damaged(sqlite3.DatabaseError):
    """SQLite's own check found damage."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says that the file is damaged, or none of its own."""
    return primary_code(error) in _DAMAGE


def primary_code(error: BaseException | None) -> int:
    """SQLite's primary result code; 0 for other errors."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
