"""Brings every record to every durable sink: written once to the journal, sent in order, tried until it is taken."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Collection, Coroutine, Mapping, Sequence
from time import perf_counter
from typing import Any, Final, get_args

from blikk_edge.core.backoff import FIRST_S, Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.observation import Record
from blikk_edge.core.ports import DurableSink, Inbox, Item, Journal, Pending, Urgent
from blikk_edge.core.probe import Probe, SinkNote
from blikk_edge.core.trouble import Trouble
from blikk_edge.runtime.backlog import Backlog

LOG = logging.getLogger("blikk.delivery")

SWEEP_S: Final = 0.02
LEFT_S: Final = 0.8
"""For the records that wait at a stop; those that do not make it are sent after the next start."""

_RECORDS: Final = get_args(Record)


class Delivery:
    """Takes records from its inbox into the journal, and sends them to each of `sinks` by that sink's own cursor.

    A sink that is away, slow or broken holds up no other: what it has not had waits in the journal, within its bound.
    Records that waited through an outage or a restart are `replayed`. A sink's errors are logged once when they start
    and once when they end; `problems` are those of now. `writing` is whether a record is on its way into the journal.
    `probe` is notified of each record.
    """

    name = "delivery"

    def __init__(
        self,
        journal: Journal,
        sinks: Sequence[DurableSink],
        *,
        clock: Clock,
        rng: random.Random | None = None,
        probe: Probe | None = None,
    ) -> None:
        self._backlog = Backlog(journal, {sink.name: sink.takes for sink in sinks})
        self._lanes = [_Lane(sink, self._backlog, clock, rng, probe) for sink in sinks]
        self._probe = probe
        self.writing = False

    @property
    def outbox(self) -> int:
        """How many records wait for the sink that is furthest behind."""
        return max((self._backlog.depth(lane.name) for lane in self._lanes), default=0)

    @property
    def lost(self) -> int:
        """How many records some sink did not get and never will, since start."""
        return self._backlog.lost

    @property
    def unsaved(self) -> int:
        """How many records wait in memory only, because the disk refuses them."""
        return self._backlog.unsaved

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong now, by sink."""
        return {lane.name: lane.problem for lane in self._lanes if lane.problem is not None}

    def notes(self) -> tuple[SinkNote, ...]:
        """How each durable sink is doing now."""
        return tuple(
            SinkNote(name=lane.name, backlog=self._backlog.depth(lane.name), problem=lane.problem)
            for lane in self._lanes
        )

    async def save(self) -> None:
        """Try to bring to disk what waits in memory."""
        await self._backlog.save()

    async def run(self, inbox: Inbox[Item]) -> None:
        """Deliver until cancelled; then take what is left in the inbox, and send within LEFT_S what can be sent."""
        take = asyncio.ensure_future(self._take(inbox))
        lanes = [asyncio.ensure_future(lane.run()) for lane in self._lanes]
        try:
            await asyncio.wait((take, *lanes), return_when=asyncio.FIRST_COMPLETED)
        finally:
            take.cancel()
            await asyncio.wait((take,))
            await self._take_left(inbox)
            await self._send_left()
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(take, *lanes, return_exceptions=True)
        for task in (take, *lanes):
            task.result()  # they end by an error of ours only

    async def _take(self, inbox: Inbox[Item]) -> None:
        while True:
            item = await inbox.get()
            self.writing = True
            try:
                await _to_its_end(self._put(item))
            finally:
                self.writing = False

    async def _put(self, item: Item) -> None:
        if isinstance(item, _RECORDS):
            began = 0.0 if self._probe is None else perf_counter()
            await self._backlog.put(item)
            if self._probe is not None:
                self._probe.journaled(item, (began, perf_counter()))
            for lane in self._lanes:
                lane.wake()

    async def _take_left(self, inbox: Inbox[Item]) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(SWEEP_S):
                    item = await inbox.get()
                await self._put(item)

    async def _send_left(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEFT_S):
                for lane in self._lanes:
                    await lane.rests.wait()
        if self._backlog.unsaved:
            await self._backlog.save()
        for lane in self._lanes:
            if depth := self._backlog.depth(lane.name):
                LOG.info("%s: %d records wait for the next start", lane.name, depth)


class _Lane:
    """One sink's way out of the journal."""

    def __init__(
        self, sink: DurableSink, backlog: Backlog, clock: Clock, rng: random.Random | None, probe: Probe | None
    ) -> None:
        self.name = sink.name
        self._trouble = Trouble(LOG)
        self.rests = asyncio.Event()
        """Set while nothing can be done: nothing waits, or the sink is away."""

        self._arrived = asyncio.Event()
        self._sink = sink
        self._backlog = backlog
        self._probe = probe
        self._clock = clock
        self._backoff = Backoff(rng=rng)
        self._again_at = clock.monotonic()
        self._is_open = False
        self._outage = False
        self._worked = False

    @property
    def problem(self) -> str | None:
        """What is wrong with the sink now, where it does not report that itself."""
        return self._trouble.now

    def wake(self) -> None:
        """There is a new record."""
        self._arrived.set()
        if self._is_open:
            self.rests.clear()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                await self._try()
        finally:
            await self._sink.close()

    async def _try(self) -> None:
        """Send as long as that works, then pause."""
        after_s: float | None = None
        try:
            await self._send_all()
        except SinkError as error:
            self._failed(str(error))
            after_s = error.after_s
        except Exception as error:  # a sink may be somebody else's: its fault must not cost the others
            LOG.exception("%s: it failed in a way that it should not", self.name)
            self._trouble.start(f"{type(error).__name__}: {error}", quietly=True)
        self._outage, self._is_open = True, False
        self.rests.set()
        if after_s == 0:
            await self._at_once()
        else:
            await self._clock.sleep(max(self._backoff.next_s(), after_s or 0.0))

    async def _at_once(self) -> None:
        """Leave the pause to the sink's `open`, but not more often than once in FIRST_S: it may not wait at all."""
        if (left_s := self._again_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(left_s)
        self._again_at = self._clock.monotonic() + FIRST_S

    async def _send_all(self) -> None:
        """Open the sink, and send whatever waits and comes. Raises SinkError."""
        self.rests.set()
        await self._sink.open()
        self._is_open = True
        if self._outage:
            self._outage = False
            self._backlog.age(self.name)
        first = await self._first()
        while True:
            self._arrived.clear()
            self.rests.clear()
            batch, first = first or await self._backlog.oldest(self.name, self._sink.batch), ()
            if not batch:
                self.rests.set()
                await self._arrived.wait()
                continue
            settled: Collection[int] = [pending.seq for pending in batch]
            refused: Collection[int] = ()
            began = 0.0 if self._probe is None else self._handed(self._probe, batch)
            try:
                await self._sink.send(batch)
            except SinkError as error:
                settled, refused = error.taken, error.refused
                if len(settled) + len(refused) < len(batch):
                    raise
                self._failed(str(error))
            except BaseException:
                settled = ()
                raise
            else:
                self._works()
            finally:
                # cancelled or not: what is known to have arrived is not sent again
                await _to_its_end(self._backlog.settle(self.name, settled, refused=refused))
                if self._probe is not None and settled:
                    taken = [each.record for each in batch if each.seq in settled and not each.replayed]
                    self._probe.acknowledged(self.name, taken, (began, perf_counter()))
            self._backoff.reset()

    async def _first(self) -> Sequence[Pending]:
        """What goes before all that is older, where more waits than goes at once and the sink minds that."""
        if isinstance(self._sink, Urgent) and self._backlog.depth(self.name) > self._sink.batch:
            return await self._backlog.urgent(self.name, self._sink.urgent, self._sink.batch)
        return ()

    def _handed(self, probe: Probe, batch: Sequence[Pending]) -> float:
        for each in batch:
            if not each.replayed:
                probe.handed(self.name, each.record)
        return perf_counter()

    def _failed(self, text: str) -> None:
        if text:  # else the sink reports it
            self._trouble.start(text)

    def _works(self) -> None:
        self._trouble.end(f"{self.name} works {'again' if self._worked else 'now'}")
        self._worked = True


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; a cancellation waits until it is done, so that no record falls between inbox and disk."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
