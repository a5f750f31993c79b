"""Records on their way to the durable sinks: in the journal, and in memory for as long as the disk refuses them."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Record
from blikk_edge.core.ports import Journal, Pending
from blikk_edge.core.trouble import Trouble
from blikk_edge.wire.messages import record_kind

LOG = logging.getLogger("blikk.delivery")

MEMORY_RECORDS: Final = 2000
"""About 2 MB of records: hours of a busy door, while a full disk is made room on."""


@dataclass(slots=True)
class _Reader:
    """One sink: what it takes, what the disk has yet to forget for it, and up to where its records are replayed."""

    takes: Collection[str] | None
    unforgotten: set[int] = field(default_factory=set)
    under_way: frozenset[int] = frozenset()
    """Numbers in memory of records that were handed out and not settled yet."""

    stale_seq: int = 0
    stale_number: int = 0

    def still_waiting(self, pending: Sequence[Pending]) -> list[Pending]:
        """Those that the disk has not yet to forget, with what is replayed."""
        return [
            Pending(seq=each.seq, record=each.record, replayed=each.replayed or each.seq <= self.stale_seq)
            for each in pending
            if each.seq not in self.unforgotten
        ]


@dataclass(frozen=True, slots=True)
class _Kept:
    record: Record
    owed: set[str]
    """The sinks that have not had it."""


class Backlog:
    """What some sink has not had yet. Records in memory have numbers below 0; they are newer than all on disk.

    `takes` names the sinks and the kinds of records that each takes. Raises nothing: a disk that fails is reported once
    when it starts and once when it ends.
    """

    def __init__(
        self, journal: Journal, takes: Mapping[str, Collection[str] | None], *, memory_records: int = MEMORY_RECORDS
    ) -> None:
        self._journal = journal
        self._readers = {name: _Reader(kinds) for name, kinds in takes.items()}
        self._limit = memory_records
        self._memory: dict[int, _Kept] = {}
        self._numbers = 0  # records ever kept in memory
        self._moved: dict[int, int] = {}  # from memory to disk, while they were under way
        self._last_seq = 0
        self._dropped = 0
        self._refused = 0
        self._trouble = Trouble(LOG, level=logging.ERROR)
        self._turn = asyncio.Lock()

    def depth(self, sink: str) -> int:
        """How many records wait for a sink."""
        on_disk = max(0, self._journal.depth(sink) - len(self._readers[sink].unforgotten))
        return on_disk + sum(sink in kept.owed for kept in self._memory.values())

    @property
    def unsaved(self) -> int:
        """How many records are in memory only: a power cut would cost them."""
        return len(self._memory)

    @property
    def lost(self) -> int:
        """How many records some sink did not get and never will, since start."""
        return self._journal.lost + self._dropped + self._refused

    async def put(self, record: Record) -> None:
        """Keep a record; when this returns it survives a power cut, unless the disk refuses it."""
        async with self._turn:
            try:
                await self._to_disk()
                if not self._memory:
                    await self._write(record)
                    self._report(None)
                    return
            except StoreError as error:
                self._report(error)
            self._keep(record)

    async def save(self) -> None:
        """Try to bring to disk what memory holds; its next record may be long in coming."""
        async with self._turn:
            try:
                await self._to_disk()
            except StoreError as error:
                self._report(error)
            else:
                self._report(None)

    async def oldest(self, sink: str, limit: int) -> Sequence[Pending]:
        """The records that a sink is to get next; to be followed by `settle`, even of none."""
        reader = self._readers[sink]
        async with self._turn:
            await self._forget(sink, reader)
            try:
                pending = await asyncio.to_thread(self._journal.pending, sink, limit + len(reader.unforgotten))
            except StoreError as error:
                self._report(error)
                pending = ()
            if found := reader.still_waiting(pending)[:limit]:
                return found
            numbers = [number for number, kept in self._memory.items() if sink in kept.owed][:limit]
            reader.under_way = frozenset(numbers)
            return [
                Pending(seq=-number, record=self._memory[number].record, replayed=number <= reader.stale_number)
                for number in numbers
            ]

    async def urgent(self, sink: str, among: Mapping[str, Mapping[str, str]], limit: int) -> Sequence[Pending]:
        """The newest of those on disk that a sink is to get before all others, the newest first; as `oldest`."""
        reader = self._readers[sink]
        async with self._turn:
            try:
                return reader.still_waiting(await asyncio.to_thread(self._journal.urgent, sink, among, limit))
            except StoreError as error:
                self._report(error)
                return ()

    async def settle(self, sink: str, seqs: Collection[int], *, refused: Collection[int] = ()) -> None:
        """These wait for a sink no more: it has them, or (`refused`) will never take them, and they count as lost.

        The numbers are those of `oldest`.
        """
        reader = self._readers[sink]
        async with self._turn:
            self._refused += len(refused)
            for seq in (*seqs, *refused):
                if seq > 0:
                    reader.unforgotten.add(seq)
                elif -seq in self._memory:
                    self._had(-seq, sink)
                elif self._moved.get(-seq):
                    reader.unforgotten.add(self._moved[-seq])
            reader.under_way = frozenset()
            self._moved = {number: seq for number, seq in self._moved.items() if self._is_under_way(number)}
            await self._forget(sink, reader)

    def age(self, sink: str) -> None:
        """An outage of a sink has ended: what waits for it now is replayed."""
        self._readers[sink].stale_seq = self._last_seq
        self._readers[sink].stale_number = self._numbers

    async def _write(self, record: Record) -> int:
        seq = await asyncio.to_thread(self._journal.put, record)
        self._last_seq = max(self._last_seq, seq)
        return seq

    async def _to_disk(self) -> None:
        """Bring what memory holds to disk, oldest first."""
        while self._memory:
            number, kept = next(iter(self._memory.items()))
            seq = await self._write(kept.record)
            for name, reader in self._readers.items():
                if number <= reader.stale_number:
                    reader.stale_seq = max(reader.stale_seq, seq)
                if seq and name not in kept.owed:
                    reader.unforgotten.add(seq)
            if self._is_under_way(number):
                self._moved[number] = seq
            del self._memory[number]

    async def _forget(self, sink: str, reader: _Reader) -> None:
        """Forget on disk; the numbers are kept until it has, or a full disk would have them delivered for ever."""
        if not reader.unforgotten:
            return
        try:
            await asyncio.to_thread(self._journal.delivered, sink, sorted(reader.unforgotten))
        except StoreError as error:
            self._report(error)
        else:
            reader.unforgotten.clear()

    def _keep(self, record: Record) -> None:
        kind = record_kind(record)
        owed = {name for name, reader in self._readers.items() if reader.takes is None or kind in reader.takes}
        self._numbers += 1
        # what nobody is owed waits too: the history wants it
        self._memory[self._numbers] = _Kept(record, owed)
        if len(self._memory) > self._limit:
            oldest = next(iter(self._memory))
            if not self._dropped:
                LOG.error("the store refuses records and memory is full: the oldest are given up from now on")
            self._dropped += max(1, len(self._memory[oldest].owed))
            del self._memory[oldest]

    def _had(self, number: int, sink: str) -> None:
        self._memory[number].owed.discard(sink)

    def _is_under_way(self, number: int) -> bool:
        return any(number in reader.under_way for reader in self._readers.values())

    def _report(self, error: StoreError | None) -> None:
        if error is None:
            self._trouble.end("the store takes records again")
        else:
            self._trouble.start(
                f"{error}; records are kept in memory until it is mended", quietly=self._trouble.now is not None
            )
