"""How each Event went, its Observations, revisions and path, in the store's table of that name."""

import logging
import sqlite3
import zlib
from dataclasses import replace
from typing import Final

from blikk_edge.core.errors import WireError
from blikk_edge.core.observation import Event, Observation, Phase
from blikk_edge.core.paths import EventPath
from blikk_edge.core.timeline import Course
from blikk_edge.wire.paths import KIND, path_from_text, path_to_text
from blikk_edge.wire.records import record_from_text, record_to_text

LOG = logging.getLogger("blikk.store")

RECORDS_MAX: Final = 500
"""Records of one event: who sways at the door all day has no more."""

PER_EVENT: Final = 20
"""Rows for each event that may be kept, on average; then the oldest go first."""

TIDIED: Final = 10_000
"""Rows that are looked at when the store is opened."""

TEXT_MAX: Final = 1_000_000
"""A longer text is not one of ours, but damage."""

# Made with the first row: a node without pages does not have it. The number of the layout stays: an earlier version of
# this program opens the file too, and forgets how an event went with it, as SQLite runs the trigger.
_MADE: Final = (
    "CREATE TABLE IF NOT EXISTS course (seq INTEGER PRIMARY KEY, event TEXT NOT NULL, packed BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS course_event ON course (event)",
    """CREATE TRIGGER IF NOT EXISTS course_of_event AFTER DELETE ON events
    BEGIN DELETE FROM course WHERE event = OLD.id; END""",
)

# What nearly every record holds. It belongs to the format: rows that were packed with it cannot be read without it.
_DICTIONARY: Final = (
    b'{"record":"path","event":","since":,"points":[[0,'
    b"vehicleanimalpackagestillmovingloiteringentered_zoneleft_zonerecountscenemotionupdatedtrue"
    b'{"record":"observation","id":","camera":","kind":"left","time":17,"until":17,"score":0.,'
    b'"objects":[{"track":1,"label":"person","sub_label":"person","score":0.8,"box":{"x1":0.,"y1":0.,"x2":0.,"y2":1.0},'
    b'"since":17,"dwell_s":0.,"still":false,"zones":[]}],"zones":[],"event":","folded":1,"embedding":null}'
    b'{"record":"event","id":","camera":","phase":"ended","revision":1,"time":17,"started":17,"label":"person",'
    b'"reason":"appeared","objects":[{"track":1,"label":"person","sub_label":"person","score":0.7,"box":{"x1":0.,'
    b'"y1":0.,"x2":0.,"y2":1.0},"since":17,"dwell_s":0.,"still":false,"zones":[]}],"peak":1,"zones":[],'
    b'"loitering":false,"ended":null,"picture":"person"}'
)


def pack(text: str) -> bytes:
    """A record's text, small."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS, zdict=_DICTIONARY)
    return packer.compress(text.encode()) + packer.flush()


def unpack(packed: bytes) -> str:
    """What `pack` was given. Raises WireError."""
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=_DICTIONARY)
    try:
        text = unpacker.decompress(packed, TEXT_MAX)
        if not unpacker.eof:
            raise WireError("not a record: it does not end")
        return text.decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise WireError(f"not a record: {error}") from error


def make(db: sqlite3.Connection) -> None:
    """Have the table, in the open transaction."""
    for statement in _MADE:
        db.execute(statement)


def exists(db: sqlite3.Connection) -> bool:
    """Whether there is a table."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'course'").fetchone() is not None


def tidy(db: sqlite3.Connection) -> None:
    """Remove what belongs to no event: one that was forgotten while the last of it was on its way.

    Looks at the newest rows alone: all of them would take seconds at every start of a small machine.
    """
    if exists(db):
        db.execute(
            "DELETE FROM course WHERE seq > (SELECT max(seq) FROM course) - ? AND event NOT IN (SELECT id FROM events)",
            (TIDIED,),
        )


def keep(db: sqlite3.Connection, record: Observation | Event, *, most: int) -> None:
    """Write a record of an event; of the whole table `most` rows are kept, the newest.

    What it looked like is kept elsewhere (`store.appearances`), where it is searched for.
    """
    event = record.id if isinstance(record, Event) else record.event
    if event is None:
        return
    make(db)
    ends = isinstance(record, Event) and record.phase is Phase.ENDED
    if not ends and _count(db, event) >= RECORDS_MAX:
        return
    if isinstance(record, Observation):
        record = replace(record, embedding=None, appearances=())
    _insert(db, event, pack(record_to_text(record)), most)


def keep_path(db: sqlite3.Connection, path: EventPath, *, most: int) -> None:
    """Write where the members of an event went."""
    make(db)
    _insert(db, path.event, pack(path_to_text(path)), most)


def of_event(db: sqlite3.Connection, event: str) -> Course:
    """How an event went; what cannot be read is left out."""
    if not exists(db):
        return Course()
    records: list[Observation | Event] = []
    path: EventPath | None = None
    readable = True
    for (packed,) in db.execute("SELECT packed FROM course WHERE event = ? ORDER BY seq", (event,)):
        try:
            text = unpack(packed)
            if text.startswith(f'{{"record":"{KIND}"'):
                path = path_from_text(text)
            elif isinstance(record := record_from_text(text), Observation | Event):
                records.append(record)
        except WireError as error:
            readable = False
            LOG.warning("how %s went is not whole in the store: %s", event, error)
    revisions = [record.revision for record in records if isinstance(record, Event)]
    whole = readable and len(records) < RECORDS_MAX and revisions == list(range(1, len(revisions) + 1))
    return Course(records=tuple(records), path=path, whole=whole and bool(revisions))


def forget_with_oldest(db: sqlite3.Connection, events: int, order: str) -> None:
    """Delete how the oldest `events` in an order went, before they are deleted."""
    if events > 0 and exists(db):
        oldest = f"SELECT id FROM events ORDER BY {order}, rowid LIMIT ?"  # noqa: S608 - fixed text
        db.execute(f"DELETE FROM course WHERE event IN ({oldest})", (events,))  # noqa: S608 - fixed text


def _insert(db: sqlite3.Connection, event: str, packed: bytes, most: int) -> None:
    seq = db.execute("INSERT INTO course (event, packed) VALUES (?, ?)", (event, packed)).lastrowid
    db.execute("DELETE FROM course WHERE seq <= ?", ((seq or 0) - most,))


def _count(db: sqlite3.Connection, event: str) -> int:
    (count,) = db.execute("SELECT count(*) FROM course WHERE event = ?", (event,)).fetchone()
    return int(count)
