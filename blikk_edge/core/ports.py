"""Ports of everything that never sees a pixel: sinks, journal, history, memory."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from blikk_edge.core.appearance import Description, StoredAppearance
from blikk_edge.core.commands import Command
from blikk_edge.core.observation import Event, Record, Ring
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import Status
from blikk_edge.core.summary import Summary
from blikk_edge.core.timeline import Beside, Course, EventLine

Item: TypeAlias = Record | Picture | Status
"""What flows to a sink."""

T_co = TypeVar("T_co", covariant=True)


class Inbox(Protocol[T_co]):
    """A consumer's end of a mailbox."""

    async def get(self) -> T_co:
        """The next item; waits for one."""
        ...


class Sink(Protocol):
    """Where records go. Its constructor does nothing; `run` connects."""

    name: str

    async def run(self, inbox: Inbox[Item]) -> None:
        """Deliver for ever, until cancelled. Raises SinkError when that breaks; it is called again after a pause."""
        ...


@runtime_checkable
class Reporting(Protocol):
    """A part that goes on by itself when something is wrong, and says what it is."""

    @property
    def problem(self) -> str | None:
        """What is wrong now, in a sentence; None while all is well."""
        ...


Publish: TypeAlias = Callable[[Item], None]
"""How an enricher hands on what it found; safe from any thread, never blocks."""


class Enricher(Protocol):
    """The slow loop: Observations, Events and Pictures in, Summaries and Answers out by way of its `Publish`."""

    name: str

    async def run(self, inbox: Inbox[Item]) -> None:
        """Work for ever, until cancelled. Raises BlikkError when that breaks; it is called again after a pause."""
        ...


class Input(Protocol):
    """Brings commands, or frames, from outside to a node: a button, a hook, a server."""

    name: str

    async def run(self) -> None:
        """Work until cancelled. Raises BlikkError when that breaks; it is called again after a pause."""
        ...


class Looks(Protocol):
    """What was seen, as it is searched. Blocking; call it off the loop. Every method raises StoreError."""

    def event(self, id: str) -> Event | None:  # noqa: A002  # the glossary's word
        """The newest revision of one event, or None."""
        ...

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
        """Number and little endian float16 embedding of what appeared in `since <= t < until`, by this model.

        Newest first; `below` goes on where an earlier call ended: with lower numbers. Or those of these `numbers`.
        """
        ...

    def embedded(self, *, model: str, camera: str | None = None) -> Sequence[tuple[int, float]]:
        """Number and time of all that this model has embeddings of, in no order; quick, as no embedding is read.

        A number is given again after what had it has been removed; with its time it is unique.
        """
        ...

    def embedded_mark(self, *, model: str) -> object:
        """Equal for as long as `embedded` gives the same."""
        ...

    def descriptions(self) -> Sequence[Description]:
        """How what appeared is described, each once; quick."""
        ...

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
        """What appeared in `since <= t < until` and is described so, newest first, `but` what this model embedded."""
        ...

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
        """What appeared in `since <= t < until`; those of these `numbers`, or with lower ones than `below`."""
        ...


class History(Looks, Protocol):
    """What was reported before, newest first. Blocking; call it off the loop. Every method raises StoreError."""

    def events(
        self,
        *,
        camera: str | None = None,
        label: Label | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[Event]:
        """The newest revision of events that started in `since <= t < until` (seconds since 1970 UTC)."""
        ...

    def mark(self, event: str, mark: str) -> Event | None:
        """Keep a mark with an event, also through its later revisions; the event with it, or None where it is not."""
        ...

    def mark_ring(self, ring: str, mark: str) -> Ring | None:
        """Keep a mark with a press of a doorbell; the ring with it, or None where it is not."""
        ...

    def summaries(
        self,
        *,
        camera: str | None = None,
        event: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[Summary]:
        """The newest revision of each Summary that is about a time from `since <= t < until` on."""
        ...

    def rings(
        self,
        *,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[Ring]:
        """Presses of doorbells in `since <= t < until`."""
        ...

    def ring(self, id: str) -> Ring | None:  # noqa: A002  # the glossary's word
        """One press of a doorbell, or None."""
        ...

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
        """Events of which any part lies in `since <= t < until`; one that is longer than a day only where it starts."""
        ...

    def counts(self, edges: Sequence[float], *, camera: str | None = None) -> Sequence[int]:
        """How many events started between each two of these times."""
        ...

    def beside(self, time: float, event: str = "", *, camera: str | None = None) -> tuple[Beside | None, Beside | None]:
        """The event before and the one after the one that started at this time, or before and after that time."""
        ...

    def course(self, event: str) -> Course:
        """How an event went; an empty one where that is not kept."""
        ...

    def newest(self) -> Sequence[Event | Ring | Summary]:
        """What each place shows that shows the newest.

        Of each camera and label the newest Event with a Picture and the newest without one; of each camera the newest
        Ring, and the Summaries of an event and of a period that were written last; of the node the last of a period.
        """
        ...

    def forget(
        self,
        *,
        camera: str | None = None,
        event: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> int:
        """Remove events, with their summaries, that match everything given; how many events went."""
        ...


Order: TypeAlias = Callable[[Command], None]
"""How a command from outside reaches the node; safe from any thread, never blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One record that waits in the journal.

    Attributes:
        seq: Its number, in the order in which records were put; from 1.
        record: What is to be delivered.
        replayed: Whether it waited through an outage.
    """

    seq: int
    record: Record
    replayed: bool = False


class Journal(Protocol):
    """Records on disk until each durable sink has had them. Blocking; call it off the loop.

    Every method but `depth` raises StoreError (disk full, unreadable).
    """

    def put(self, record: Record) -> int:
        """Write one record durably, and into the history; its number, 0 where no sink takes it."""
        ...

    def pending(self, sink: str, limit: int) -> Sequence[Pending]:
        """The oldest records that a sink has not had, in order, at most `limit`."""
        ...

    def urgent(self, sink: str, among: Mapping[str, Mapping[str, str]], limit: int) -> Sequence[Pending]:
        """The newest records that a sink has not had and that `among` says are urgent, the newest first (`Urgent`)."""
        ...

    def delivered(self, sink: str, seqs: Sequence[int]) -> None:
        """These wait for this sink no more."""
        ...

    def depth(self, sink: str) -> int:
        """How many records wait for a sink; does not touch the disk."""
        ...

    @property
    def lost(self) -> int:
        """How many records some sink never had and never will, since start."""
        ...


class DurableSink(Protocol):
    """A sink that gets every record it takes, in order, at least once; `runtime.delivery` sees to that."""

    name: str

    @property
    def takes(self) -> Collection[str] | None:
        """The kinds of records that it takes, by their names on the wire (`event`, `ring`); None: all."""
        ...

    @property
    def batch(self) -> int:
        """How many records it takes at once, at most."""
        ...

    async def open(self) -> None:
        """Get ready for `send`; waits for it where the sink knows itself when that is. Raises SinkError.

        Called again after each error.
        """
        ...

    async def send(self, batch: Sequence[Pending]) -> None:
        """Deliver some records, the oldest first.

        Raises SinkError where not all of them were taken: it says which were, which never will be, and when to come
        back.
        """
        ...

    async def close(self) -> None:
        """Let go of what `open` took; harmless before it."""
        ...


@runtime_checkable
class Urgent(Protocol):
    """A durable sink to which some records go first after an outage: before all that is older, the newest first.

    Attributes:
        urgent: Which they are: the kinds by their names on the wire, each with the fields that such a record has.
    """

    @property
    def urgent(self) -> Mapping[str, Mapping[str, str]]:
        """`{"ring": {}, "event": {"phase": "started"}}`."""
        ...


class Unfinished(Protocol):
    """What an earlier process left open. Blocking; call it off the loop. Every method raises StoreError."""

    def left_open(self) -> Sequence[Event]:
        """The last revision of each Event that went on when the earlier process ended; the same at every call."""
        ...

    def unwritten(self) -> Sequence[Event]:
        """Events that ended shortly before it did, or were ended for it, and have no final Summary yet."""
        ...

    def note_open(self, seen: Mapping[str, float]) -> None:
        """Note when the Events that go on, by id, were last seen; survives the process, not always a power cut."""
        ...


class Memory(Protocol):
    """Small JSON values that outlive the process: parked vehicles, switch positions. Blocking."""

    def recall(self, key: str) -> str | None:
        """The text kept under `key`, or None."""
        ...

    def remember(self, key: str, text: str) -> None:
        """Keep `text` under `key`; raises StoreError."""
        ...

    @property
    def problem(self) -> str | None:
        """What is wrong with it now, in a sentence; None while all is well."""
        ...
