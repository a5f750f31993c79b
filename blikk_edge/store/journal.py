"""The journal's table: records that some sink still waits for, and how far each sink has come."""

import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeAlias

from blikk_edge.core.errors import WireError
from blikk_edge.core.observation import Record
from blikk_edge.core.ports import Pending
from blikk_edge.store.conditions import Value
from blikk_edge.store.memory import remember
from blikk_edge.wire.messages import record_from_text

LOG = logging.getLogger("blikk.store")

Takes: TypeAlias = Collection[str] | None
"""The kinds of records that a sink takes, by their names on the wire (`event`, `ring`); None: all."""

FIRST: Final = "mqtt"
"""The one sink that a store of an earlier version had records for."""

_KEY: Final = "cursor/"
"""Before a sink's name, the key in the table `memory` under which its place is kept."""

EVERY: Final = f"{_KEY}*"
"""The place of each sink that has none of its own, in a store that was damaged."""

_KIND: Final = "CASE WHEN json_valid(text) THEN json_extract(text, '$.record') END"
_FIELD: Final = "CASE WHEN json_valid(text) THEN json_extract(text, ?) END"
_AMONG: Final = "IN (SELECT value FROM json_each(?))"

Apply: TypeAlias = Callable[[], None]
"""Takes over what a transaction did, once it is committed."""


@dataclass(slots=True)
class Place:
    """How far one sink has come. A settled record is one that was delivered or given up.

    Attributes:
        takes: The kinds of records that it takes, by their names on the wire; None: all.
        seq: Every record up to this number is settled.
        beyond: The numbers of those after it that are settled too.
        depth: How many records wait.
        lost: How many were given up by the journal since the start.
    """

    takes: frozenset[str] | None
    seq: int = 0
    beyond: frozenset[int] = frozenset()
    depth: int = 0
    lost: int = 0

    def wants(self, kind: str) -> bool:
        """Whether the sink takes records of this kind."""
        return self.takes is None or kind in self.takes

    def owed(self) -> tuple[str, list[Value]]:
        """The condition on rows that wait for this sink, and its values."""
        clause, values = "seq > ?", list[Value]([self.seq])
        if self.beyond:
            clause, values = f"{clause} AND seq NOT {_AMONG}", [*values, json.dumps(sorted(self.beyond))]
        if self.takes is not None:
            clause, values = f"{clause} AND coalesce({_KIND} {_AMONG}, 0)", [*values, json.dumps(sorted(self.takes))]
        return f"({clause})", values


class JournalTable:
    """The rows of `outbox`, which some sink still waits for, and the places of those sinks.

    At most `limit` rows wait; the oldest go first. Its methods work in the transaction of the connection that they are
    given; what they hand back is to be called when that is committed.
    """

    def __init__(self, limit: int) -> None:
        self.places: dict[str, Place] = {}
        self._sinks: Mapping[str, Takes] | None = None
        self._absent: Collection[str] = frozenset()
        self._limit = limit
        self._rows = 0

    @property
    def lost(self) -> int:
        """How many records were given up for one sink or another, because too many waited or one was unreadable."""
        return sum(place.lost for place in self.places.values())

    def follow(self, sinks: Mapping[str, Takes], absent: Collection[str] = ()) -> None:
        """From the next `load` on these are the sinks; of the `absent` ones those that have a place keep it."""
        self._sinks = sinks
        self._absent = frozenset(absent)
        self.places |= self._places(sinks.keys() - self.places.keys())  # the file may not be there to load from

    def _places(self, names: Iterable[str]) -> dict[str, Place]:
        """New places, at the beginning; what was lost for a sink since the start stays counted."""
        takes = {name: (self._sinks or {}).get(name) for name in names}
        lost = {name: place.lost for name, place in self.places.items()}
        return {
            name: Place(None if kinds is None else frozenset(kinds), lost=lost.get(name, 0))
            for name, kinds in takes.items()
        }

    def load(self, db: sqlite3.Connection, last_seq: int) -> None:
        """Find the places of all sinks; a new one begins at the end, one that is gone is waited for no more.

        Where it is not known yet who they are, those that have a place in the file keep it.
        """
        (newest,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        last_seq = max(last_seq, newest)
        kept = dict(db.execute(f"SELECT key, text FROM memory WHERE key GLOB '{_KEY}*'"))  # noqa: S608 - fixed text
        if self._sinks is None:
            sinks = [key.removeprefix(_KEY) for key in kept.keys() - {EVERY}] or [FIRST]
        else:
            sinks = [*self._sinks, *(name for name in self._absent if _KEY + name in kept)]
        self.places = self._places(sinks)
        for name, place in self.places.items():
            text = kept.get(_KEY + name, kept.get(EVERY))
            new = 0 if name == FIRST and not kept else last_seq
            seq, place.beyond = (new, frozenset()) if text is None else _place(text)
            place.seq = min(seq, last_seq)  # of a file that was damaged the newest numbers may be gone
        texts = {_KEY + name: _text(place.seq, place.beyond) for name, place in self.places.items()}
        if texts != kept:
            for key in kept.keys() - texts.keys():
                db.execute("DELETE FROM memory WHERE key = ?", (key,))
            for key, text in texts.items():
                remember(db, key, text)
            nobody, values = self._owed_by_none()
            left = db.execute(f"DELETE FROM outbox WHERE {nobody}", values).rowcount  # noqa: S608 - fixed clauses
            if left:
                LOG.warning("%d records waited for a sink that is gone from the configuration; they go too", left)
        self.count(db)

    def count(self, db: sqlite3.Connection) -> None:
        """Count what waits anew."""
        for place in self.places.values():
            clause, values = place.owed()
            (place.depth,) = db.execute(f"SELECT count(*) FROM outbox WHERE {clause}", values).fetchone()  # noqa: S608
        (self._rows,) = db.execute("SELECT count(*) FROM outbox").fetchone()

    def add(self, db: sqlite3.Connection, kind: str, text: str) -> tuple[int, Apply]:
        """Add a record for all who take its kind; its number, 0 where nobody does."""
        takers = [place for place in self.places.values() if place.wants(kind)]
        if not takers:
            return 0, lambda: None
        seq = db.execute("INSERT INTO outbox (text) VALUES (?)", (text,)).lastrowid
        assert seq is not None  # an INSERT always has one
        over = self._rows + 1 - self._limit
        given_up = self._give_up_oldest(db, over) if over > 0 else {}

        def apply() -> None:
            self._rows += 1 - max(0, over)
            for place in takers:
                place.depth += 1
            for name, lost in given_up.items():
                self._log_lost(name, lost)
                self.places[name].depth -= lost
                self.places[name].lost += lost

        return seq, apply

    def pending(self, db: sqlite3.Connection, sink: str, limit: int) -> list[tuple[int, str]]:
        """The oldest rows that wait for a sink."""
        clause, values = self.places[sink].owed()
        query = f"SELECT seq, text FROM outbox WHERE {clause} ORDER BY seq LIMIT ?"  # noqa: S608 - fixed clauses
        return db.execute(query, (*values, limit)).fetchall()

    def urgent(
        self, db: sqlite3.Connection, sink: str, among: Mapping[str, Mapping[str, str]], limit: int
    ) -> list[tuple[int, str]]:
        """The newest rows that wait for a sink and are of a kind in `among`, with the fields that it names."""
        clause, values = self.places[sink].owed()
        found = []
        for kind, fields in among.items():
            found.append(" AND ".join([f"{_KIND} = ?", *(f"{_FIELD} = ?" for _ in fields)]))
            values += [kind, *chain.from_iterable((f"$.{name}", value) for name, value in fields.items())]
        query = f"SELECT seq, text FROM outbox WHERE {clause} AND ({' OR '.join(found)}) ORDER BY seq DESC LIMIT ?"  # noqa: S608
        return db.execute(query, (*values, limit)).fetchall()

    def settle(self, db: sqlite3.Connection, sink: str, seqs: Collection[int], last_seq: int) -> Apply:
        """Note that these wait for this sink no more; numbers that do not are passed over."""
        place = self.places[sink]
        among = json.dumps(sorted(seqs))
        clause, values = place.owed()
        # Only fixed clauses are joined here and below; every value is bound.
        query = f"SELECT seq FROM outbox WHERE seq {_AMONG} AND {clause}"  # noqa: S608
        settled = {seq for (seq,) in db.execute(query, (among, *values))}
        nobody, of_nobody = self._owed_by_none(but=sink)
        query = f"DELETE FROM outbox WHERE seq {_AMONG} AND {nobody} RETURNING seq"  # noqa: S608
        gone = {seq for (seq,) in db.execute(query, (json.dumps(sorted(settled)), *of_nobody))}
        seq, beyond = self._advanced(db, place, settled - gone, last_seq)
        if (seq, beyond) != (place.seq, place.beyond):
            remember(db, _KEY + sink, _text(seq, beyond))

        def apply() -> None:
            self._rows -= len(gone)
            place.seq, place.beyond, place.depth = seq, beyond, place.depth - len(settled)
            for other in self.places.values():
                other.beyond -= gone

        return apply

    def _advanced(
        self, db: sqlite3.Connection, place: Place, settled: Collection[int], last_seq: int
    ) -> tuple[int, frozenset[int]]:
        """Where a sink is once these are settled too, of rows that others still wait for."""
        if not settled:
            return place.seq, place.beyond
        beyond = place.beyond | frozenset(settled)
        clause, values = Place(place.takes, place.seq, beyond).owed()
        (first,) = db.execute(f"SELECT min(seq) FROM outbox WHERE {clause}", values).fetchone()  # noqa: S608 - fixed
        seq = last_seq if first is None else first - 1
        return seq, frozenset(each for each in beyond if each > seq)

    def _owed_by_none(self, but: str | None = None) -> tuple[str, list[Value]]:
        """The condition on rows that nobody waits for, whatever one sink does."""
        clauses, values = ["1"], list[Value]()
        for name, place in self.places.items():
            if name != but:
                clause, of_clause = place.owed()
                clauses.append(f"NOT {clause}")
                values += of_clause
        return " AND ".join(clauses), values

    def _give_up_oldest(self, db: sqlite3.Connection, count: int) -> dict[str, int]:
        """Delete the oldest rows; how many of them each sink has not had."""
        oldest = "seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT ?)"
        lost: dict[str, int] = {}
        for name, place in self.places.items():
            clause, values = place.owed()
            query = f"SELECT count(*) FROM outbox WHERE {oldest} AND {clause}"  # noqa: S608 - fixed clauses
            (lost[name],) = db.execute(query, (count, *values)).fetchone()
        db.execute(f"DELETE FROM outbox WHERE {oldest}", (count,))  # noqa: S608 - fixed clauses
        return {name: number for name, number in lost.items() if number}

    def _log_lost(self, sink: str, lost: int) -> None:
        if lost and not self.places[sink].lost:
            LOG.error(
                "%s: the journal is full (%d records): the oldest undelivered ones are given up from now on; "
                "see why it is away, or raise store.outbox_records",
                sink,
                self._limit,
            )


def waiting(rows: Sequence[tuple[int, Record | None]], replayed_through: int) -> list[Pending]:
    """The rows that can be read, as they are handed out."""
    return [
        Pending(seq=seq, record=record, replayed=seq <= replayed_through) for seq, record in rows if record is not None
    ]


def readable(text: str) -> Record | None:
    """The record that a text in the store is; None, and a word in the log, where it is none."""
    try:
        return record_from_text(text)
    except WireError as error:
        LOG.warning("a record in the store cannot be read and is passed over: %s", error)
        return None


def _text(seq: int, beyond: Collection[int]) -> str:
    return json.dumps([seq, sorted(beyond)], separators=(",", ":"))


def _place(text: str) -> tuple[int, frozenset[int]]:
    """What `_text` wrote; the beginning where it is something else: twice is better than never."""
    try:
        seq, beyond = json.loads(text)
        return _number(seq), frozenset(_number(each) for each in beyond)
    except (ValueError, TypeError, RecursionError):
        return 0, frozenset()


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("not a number")
    return value
