"""The SQLite file under the store: its layout, its lock, and what happens when it is damaged."""

import contextlib
import errno
import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import StoreBusyError, StoreError
from blikk_edge.store.journal import EVERY
from blikk_edge.store.pages import read_log
from blikk_edge.store.past import PLACE
from blikk_edge.store.private_files import keep_private, make_folder
from blikk_edge.store.salvage import HISTORY, Salvaged, salvage

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
IN_USE: Final = 0xB11CC
"""SQLite's `application_id` of a store that was not closed: it has a log, or somebody took that away."""

_LOG_GONE: Final = (
    "its log (-wal) was taken away; what was written last is lost, how much cannot be known; "
    "a copy of a store needs that file too"
)
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LOCK_START: Final = 0x40000002
_LOCK_BYTES: Final = 510
"""The bytes that SQLite locks (`os_unix.c`): whoever reads or writes holds one of them, we hold all."""

_HINTS: Final = {
    sqlite3.SQLITE_FULL: "; free some space on its disk",
    sqlite3.SQLITE_IOERR: "; is its disk full or failing?",
    sqlite3.SQLITE_BUSY: "; another process uses it: is a second blikk running?",
    sqlite3.SQLITE_LOCKED: "; another process uses it: is a second blikk running?",
    sqlite3.SQLITE_READONLY: "; make it writable for this user",
    sqlite3.SQLITE_CANTOPEN: "; make it and its folder writable for this user",
}
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class StoreFile:
    """The file at `path`; does nothing before `open`. Calls from any thread; `lock` guards more than one transaction.

    `opened` is called with each new connection, before anybody else has it. `last_seq` is the highest number that the
    outbox has given; whoever puts a record raises it, and no file that replaces a damaged one gives a lower one. Every
    method raises StoreError, StoreBusyError where another process has the file; `problem` says it as long as it is so.
    A damaged file is moved aside as `<name>.damaged` (one is kept); what its pages still hold is carried over, this is
    logged once as an error, and `lost` is called with the number of waiting records that are gone. A file of nothing
    where `reserve` lies was damaged too. The files are for this user alone.
    """

    def __init__(
        self,
        path: Path,
        *,
        opened: Callable[[sqlite3.Connection], None],
        lost: Callable[[int], None],
        reserve: Path,
    ) -> None:
        self.path = path
        self.last_seq = 0
        # One connection, many threads: SQLite's own mutex guards single statements, this lock whole transactions.
        self.lock = threading.RLock()
        self._opened = opened
        self._lost = lost
        self._reserve = reserve
        self._trouble: str | None = None
        self._damage: str | None = None
        self._log_gone = False
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
            self._mark(0)
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
                raise self._failed(verb, error) from error
            if verb == "write":
                self._trouble = None

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
                raise self._failed("open", error) from error
            self._start_anew(error)
        except OSError as error:
            self._disconnect()
            raise self._failed("make", error) from error
        except StoreError as error:
            self._disconnect()
            self._trouble = str(error)
            raise
        self._trouble = None

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connect(self) -> None:
        make_folder(self.path.parent)
        if self.path.is_dir():
            raise StoreError(f"store {self.path}: it is a folder; remove it, or name another store.path")
        self._finish_salvage()
        self._look_at_log()
        has_log = self._beside(self.path)[0].exists()
        keep_private(self.path, create=True)
        for beside in self._beside(self.path):
            keep_private(beside)
        # Only this class talks to the connection, under its lock, so it may be used from any thread.
        self._db = db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None, check_same_thread=False)
        # A letter that rotted on the disk costs its record, which is then none, and not every query that meets it.
        db.text_factory = lambda text: text.decode(errors="replace")
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
        (mark,) = db.execute("PRAGMA application_id").fetchone()
        if mark == IN_USE and not has_log:
            self._log_gone = True
            LOG.error("%s: %s", self.path, _LOG_GONE)
        self._mark(IN_USE)
        self._opened(db)

    def _mark(self, mark: int) -> None:
        """Say in the file itself whether it is in use; a full or unwritable disk is logged by others."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute(f"PRAGMA application_id={mark}")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _look_at_log(self) -> None:
        """What SQLite would pass over without a word: a log with a damaged frame, a file that has lost all it held."""
        if not self.path.exists():
            return  # nobody's: SQLite removes a log that was left behind
        log = self._beside(self.path)[0]
        logged = _size(log) > 0
        empty = _size(self.path) == 0 and (logged or self._reserve.exists())
        if (empty or (logged and read_log(log).damaged)) and not _is_in_use(self.path):
            raise _Damaged("it is empty" if empty else "its log is damaged")

    def _start_anew(self, damage: sqlite3.Error) -> None:
        """Carry over what can be read into a new file, and move the damaged one aside.

        A kill at any moment leaves either the damaged file or the whole new one, `_finish_salvage` moves it in place.
        """
        self._disconnect()
        try:
            try:
                salvaged = self._salvage(history=True)
            except sqlite3.Error as error:
                if primary_code(error) != sqlite3.SQLITE_FULL:
                    raise
                salvaged = self._salvage(history=False)
            self._finish_salvage()
            self.last_seq = max(self.last_seq, salvaged.last_seq)
            self._connect()
        except (OSError, sqlite3.Error) as error:
            self._disconnect()
            raise self._failed("start anew", error) from error
        self._log_damage(damage, salvaged)

    def _salvage(self, *, history: bool) -> Salvaged:
        making = self._named(".salvage")
        for old in (making, *self._beside(making)):
            old.unlink(missing_ok=True)
        keep_private(making, create=True)
        db = sqlite3.connect(making, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_TABLES)
            with db:
                db.execute("BEGIN IMMEDIATE")
                salvaged = salvage(self.path, db, last_seq=self.last_seq, history=history)
                # A number is never used twice, or a late acknowledgement would remove another record.
                db.execute("INSERT OR IGNORE INTO outbox VALUES (?, '')", (salvaged.last_seq,))
                db.execute("DELETE FROM outbox WHERE text = ''")
                # A sink whose place is gone has everything once more, rather than not at all.
                db.execute("INSERT INTO memory VALUES (?, '')", (EVERY,))
                # What is gone of what others of the site saw is read once more.
                db.execute("DELETE FROM memory WHERE key = ?", (PLACE,))
                db.execute(f"PRAGMA user_version={LAYOUT}")
        finally:
            db.close()
        making.replace(self._named(".salvaged"))
        return salvaged

    def _finish_salvage(self) -> None:
        """Put the new file in place of the damaged one, which stays beside it, one at most."""
        ready, aside = self._named(".salvaged"), self._named(".damaged")
        if not ready.exists():
            return
        log, aside_log = self._beside(self.path)[0], self._beside(aside)[0]
        if self.path.exists() or log.exists():
            aside_log.unlink(missing_ok=True)
            if log.exists():
                log.replace(aside_log)
        if self.path.exists():
            self.path.replace(aside)
        for file in (aside, aside_log):
            keep_private(file)
        ready.replace(self.path)

    def _log_damage(self, damage: sqlite3.Error, salvaged: Salvaged) -> None:
        rows = salvaged.rows
        lost = f"{'at least ' if salvaged.unknown and salvaged.lost else ''}{salvaged.lost} that waited are lost"
        if salvaged.unknown and not salvaged.lost:
            lost = "how many that waited are lost cannot be known"
        aside = self._named(".damaged").name
        self._lost(salvaged.lost)
        self._damage = (
            f"it was damaged ({damage}); {rows['outbox']} waiting records were carried over, {lost}; "
            f"remove {aside} when you have seen this"
        )
        LOG.error(
            "%s is damaged (%s): moved to %s, a new one is started; "
            "carried over: %d waiting records, %d kept values, %d events, %d texts, %d rings, %d looks, %d moments; %s",
            *(self.path, damage, aside, rows["outbox"], rows["memory"]),
            *(*(rows[table] for table in HISTORY), lost),
        )

    @property
    def problem(self) -> str | None:
        """What is wrong with it now, in a sentence: it fails, or it was damaged and the rest of it still lies there."""
        if self._trouble is None and self._damage is not None and self._named(".damaged").exists():
            return self._damage
        return self._trouble or (_LOG_GONE if self._log_gone else None)

    def _named(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}{ending}")

    @staticmethod
    def _beside(path: Path) -> tuple[Path, Path, Path]:
        """The files that SQLite makes beside its own: first the log."""
        log, shared, journal = (path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm", "-journal"))
        return log, shared, journal

    def _failed(self, verb: str, error: Exception) -> StoreError:
        """The error, which is also what is wrong from now on."""
        made = self._error(verb, error)
        self._trouble = str(made)
        return made

    def _error(self, verb: str, error: Exception) -> StoreError:
        if isinstance(error, OSError):
            what = "its folder" if verb == "make" else f"`{error.filename}`"
            hint = "free some space on its disk" if error.errno in _NO_ROOM else "make it writable for this user"
            return StoreError(f"store {self.path}: cannot {verb} {what}: {error.strerror}; {hint}")
        code = primary_code(error)
        kind = StoreBusyError if code in _BUSY else StoreError
        return kind(f"store {self.path}: cannot {verb}: {error}{_HINTS.get(code, '')}")


class _Damaged(sqlite3.DatabaseError):
    """SQLite's own check found damage."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def _is_in_use(path: Path) -> bool:
    """Whether another process has the database open: its log may be seen half written."""
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _LOCK_START)
        except OSError:
            return True
        return False


def _size(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says that the file is damaged, or none of its own."""
    return primary_code(error) in _DAMAGE


def primary_code(error: BaseException | None) -> int:
    """SQLite's primary result code; 0 for other errors."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
