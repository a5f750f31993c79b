"""Records on their way to the broker, in order: on disk, and in memory for as long as the disk refuses them."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Record
from blikk_edge.core.ports import Outbox, Pending

LOG = logging.getLogger("blikk.mqtt")

MEMORY_RECORDS: Final = 2000
"""About 2 MB of records: hours of a busy door, while a full disk is made room on."""


class Backlog:
    """What was told and not yet acknowledged. Records in memory have numbers below 0; they are newer than all on disk.

    Raises nothing: a disk that fails is told once when it starts and once when it ends.
    """

    def __init__(self, outbox: Outbox, *, memory_records: int = MEMORY_RECORDS) -> None:
        self._outbox = outbox
        self._limit = memory_records
        self._memory: dict[int, Record] = {}
        self._kept = 0  # records ever kept in memory
        self._memory_read = False
        self._unforgotten: set[int] = set()
        self._last_seq = 0
        self._stale_seq = 0
        self._stale_kept = 0
        self._dropped = 0
        self._refused = 0
        self._problem: str | None = None
        self._turn = asyncio.Lock()

    @property
    def depth(self) -> int:
        """How many records wait."""
        return max(0, self._outbox.depth() - len(self._unforgotten)) + len(self._memory)

    @property
    def unsaved(self) -> int:
        """How many of them are in memory only: a power cut would cost them."""
        return len(self._memory)

    @property
    def lost(self) -> int:
        """How many records were given up since start."""
        return self._outbox.lost + self._dropped + self._refused

    async def put(self, record: Record) -> None:
        """Keep a record; when this returns it survives a power cut, unless the disk refuses it."""
        async with self._turn:
            try:
                await self._to_disk()
                if not self._memory:
                    self._last_seq = await asyncio.to_thread(self._outbox.put, record)
                    self._told(None)
                    return
            except StoreError as error:
                self._told(error)
            self._keep(record)

    async def save(self) -> None:
        """Try to bring to disk what memory holds; its next record may be long in coming."""
        async with self._turn:
            try:
                await self._to_disk()
            except StoreError as error:
                self._told(error)
            else:
                if not self._memory:
                    self._told(None)

    async def oldest(self, limit: int) -> Sequence[Pending]:
        """The records to publish next; to be followed by `delivered`, even if nothing was."""
        async with self._turn:
            await self._forget()
            try:
                waiting = await asyncio.to_thread(self._outbox.pending, limit + len(self._unforgotten))
            except StoreError as error:
                self._told(error)
                waiting = ()
            found = [self._dated(each) for each in waiting if each.seq not in self._unforgotten][:limit]
            if found:
                return found
            self._memory_read = bool(self._memory)
            return [
                Pending(seq=-number, record=record, replayed=number <= self._stale_kept)
                for number, record in list(self._memory.items())[:limit]
            ]

    async def delivered(self, seqs: Sequence[int]) -> None:
        """Forget these; the numbers are those of `oldest`."""
        async with self._turn:
            self._memory_read = False
            for seq in seqs:
                if seq < 0:
                    self._memory.pop(-seq, None)
                else:
                    self._unforgotten.add(seq)
            await self._forget()

    async def give_up(self, seqs: Sequence[int]) -> None:
        """Forget these though nobody took them; they count as lost."""
        self._refused += len(seqs)
        await self.delivered(seqs)

    def age(self) -> None:
        """An outage has ended: what waits now is replayed."""
        self._stale_seq = self._last_seq
        self._stale_kept = self._kept

    async def _to_disk(self) -> None:
        """Bring what memory holds to disk, oldest first, unless it is being published just now."""
        while self._memory and not self._memory_read:
            number, record = next(iter(self._memory.items()))
            self._last_seq = await asyncio.to_thread(self._outbox.put, record)
            if number <= self._stale_kept:
                self._stale_seq = self._last_seq
            del self._memory[number]

    async def _forget(self) -> None:
        """Forget on disk; the numbers are kept until it has, or a full disk would have them published for ever."""
        if not self._unforgotten:
            return
        try:
            await asyncio.to_thread(self._outbox.delivered, sorted(self._unforgotten))
        except StoreError as error:
            self._told(error)
        else:
            self._unforgotten.clear()

    def _keep(self, record: Record) -> None:
        self._kept += 1
        self._memory[self._kept] = record
        if len(self._memory) > self._limit:
            del self._memory[next(iter(self._memory))]
            self._dropped += 1
            if self._dropped == 1:
                LOG.error("the store refuses records and memory is full: the oldest are given up from now on")

    def _dated(self, pending: Pending) -> Pending:
        replayed = pending.replayed or pending.seq <= self._stale_seq
        return Pending(seq=pending.seq, record=pending.record, replayed=replayed)

    def _told(self, error: StoreError | None) -> None:
        if error is not None and self._problem is None:
            LOG.error("%s; records are kept in memory until it is mended", error)
        elif error is None and self._problem is not None:
            LOG.info("the store takes records again")
        self._problem = None if error is None else str(error)
