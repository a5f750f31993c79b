"""A worker: takes jobs from the queue of a site, and gives back what it could not finish."""

import asyncio
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic

from blikk_edge import __version__
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError, SinkError, WireError, quote
from blikk_edge.core.trouble import Trouble, place_of
from blikk_edge.fleet.jobs import KIND, Urgency, error_bytes, object_in, text_of
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.model_work import GRACE_S, wanted_s
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.site_budget import SiteBudget
from blikk_edge.fleet.stream_info import stream_info
from blikk_edge.fleet.turns import Turns
from blikk_edge.fleet.work import JobT, Work
from blikk_edge.fleet.work_queue import ASK_S, DELIVERED_MAX, bucket, make_queue, next_job
from blikk_edge.fleet.worker_figures import Outcome, WorkerFigures, WorkerNote, queue_of
from blikk_edge.fleet.worker_options import WorkerOptions
from blikk_edge.llm.port import AwayError, RefusedError
from blikk_edge.llm.queue.port import NotNowError

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue

LOG = logging.getLogger("blikk.worker")

BEAT_S: Final = 2.0
LOOK_S: Final = 2.0
"""How often an idle worker looks by itself: nobody calls for what another has lost."""
AGAIN_S: Final = 1.0
BUDGET_DAYS: Final = 4
GONE_AFTER_S: Final = 86_400.0
"""So long the site remembers a worker that is gone."""


@dataclass(frozen=True, slots=True)
class _Site:
    """What a worker uses of a connection."""

    client: "Client"
    jetstream: "JetStreamContext"
    budget: SiteBudget
    workers: "KeyValue"


class Worker(Generic[JobT]):
    """Takes jobs of one kind as `turns` says, most important first, and has `work` do them. Works while `run` does.

    A job is acknowledged when its answer was sent; until then the queue hears of it every BEAT_S. Where the worker
    dies, another gets it after ACK_WAIT_S. Where its model is away, the job goes back at once, and the worker rests.
    """

    def __init__(self, options: WorkerOptions, link: Link, names: Names, *, work: Work[JobT], clock: Clock) -> None:
        self._options = options
        self._link = link
        self._names = names
        self._work = work
        # one process may do work of several kinds
        self._key = options.id if work.kind == KIND else f"{options.id}.{work.kind}"
        self._clock = clock
        self._turns = Turns()
        self._since = clock.now()
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], Msg] = {}
        self._away = Trouble(LOG)
        self._site: _Site | None = None
        self.figures = WorkerFigures()
        self.opened: Callable[[], None] = lambda: None
        """Called when it is ready to take jobs, each time after it connected."""

    @property
    def counts(self) -> Counter[str]:
        """How many jobs were `done`, `refused`, given `back`, `unwanted`, and `dead`."""
        return self.figures.counts

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong now."""
        return tuple(text for text in (self._away.now, self._work.problem) if text is not None)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. What is under way then is given back, and the next worker gets it at once."""
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    self._site = site = await self._open()
                    self._away.end(f"takes jobs of {self._names.site} again")
                    backoff.reset()
                    await self._work_at(site, stop)
                except (SinkError, OSError, TimeoutError) as error:
                    self._away.start(str(error))
                    await self._until(stop, within_s=backoff.next_s())
        finally:
            self._site = None
            await self._give_back()
            await self._link.close()
            await self._work.close()

    async def note(self) -> WorkerNote:
        """How it is doing now. What NATS does not say within ASK_S is left out."""
        site, spent, queued = self._site, None, None
        if site is not None and self._link.connected:
            try:
                async with asyncio.timeout(ASK_S):
                    spent, queued = await asyncio.gather(site.budget.today(), self._queued(site))
            except Exception as error:  # noqa: BLE001 - whatever the library raises, all else is said
                LOG.debug("%s", quote(str(self._described(error))))
        return WorkerNote(
            site=self._names.site,
            kind=self._work.kind,
            connected=self._link.connected,
            model_up=self._work.problem is None,
            running=len(self._running),
            concurrency=self._options.concurrency,
            problems=len(self.problems),
            limits=self._options.limits,
            spent=spent,
            queued=queued,
        )

    async def _queued(self, site: _Site) -> Mapping[Urgency, int]:
        """Jobs that wait or are being done, by queue."""
        names = self._names
        info = await stream_info(site.client, self._link, names.jobs, subjects=names.job(self._work.kind, "*"))
        found: Mapping[str, int] = {} if info is None else info["state"].get("subjects") or {}
        return {queue: found.get(names.job(self._work.kind, queue), 0) for queue in Urgency}

    # -- the site ------------------------------------------------------------------------------------------------------

    async def _open(self) -> _Site:
        """Everything that it needs there, made where it is the first; raises SinkError."""
        jetstream = await self._link.open()
        client = await self._link.client()
        names, copies = self._names, self._link.copies
        try:
            await make_queue(jetstream, names, self._work.kind, copies=copies)
            workers = await bucket(jetstream, names.workers, ttl_s=GONE_AFTER_S, copies=copies)
            counters = await bucket(jetstream, names.budget, ttl_s=BUDGET_DAYS * 86_400.0, copies=copies)
        except Exception as error:
            raise self._link.error(error) from error
        return _Site(client, jetstream, SiteBudget(counters, self._options.limits, self._clock), workers)

    async def _work_at(self, site: _Site, stop: asyncio.Event) -> None:
        async def heard(_message: "Msg") -> None:
            self._wake.set()

        async def lost(message: "Msg") -> None:
            await self._dead(site, message.data)

        advisory = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{self._names.jobs}.*"
        subscriptions = [
            await site.client.subscribe(self._names.wake, cb=heard),
            await site.client.subscribe(advisory, queue="workers", cb=lost),
        ]
        beating = asyncio.ensure_future(self._beat(site))
        self.opened()
        LOG.info("takes jobs of site %s from %s, for %s", self._names.site, self._link, self._work.name)
        try:
            await self._take(site, stop)
        except Exception as error:
            raise self._link.error(error) from error
        finally:
            beating.cancel()
            await asyncio.wait((beating,))
            for each in subscriptions:
                if not site.client.is_closed:
                    await each.unsubscribe()

    async def _beat(self, site: _Site) -> None:
        """Say every BEAT_S that it is there, and how it does. What cannot be sent is sent the next time."""
        while True:
            try:
                await site.workers.put(self._key, json.dumps(self.beat()).encode())
            except Exception as error:  # noqa: BLE001 - whatever the library raises, the work goes on
                LOG.debug("%s", quote(str(self._described(error))))
            await self._clock.sleep(BEAT_S)

    def _described(self, error: Exception) -> BaseException:
        try:
            return self._link.error(error)
        except Exception as other:  # noqa: BLE001 - none of the library's
            return other

    def beat(self) -> dict[str, Any]:
        """What its heartbeat says."""
        return {
            "node": self._options.id,
            "kind": self._work.kind,
            "version": __version__,
            "model": self._work.name,
            "model_up": self._work.problem is None,
            "since": round(self._since, 3),
            "load": round(os.getloadavg()[0] / (os.cpu_count() or 1), 2),
            "running": len(self._running),
            "concurrency": self._options.concurrency,
            "counts": dict(self.counts),
            "problems": list(self.problems),
        }

    # -- whose turn it is ----------------------------------------------------------------------------------------------

    async def _take(self, site: _Site, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if len(self._running) >= self._options.concurrency:
                await self._until(stop, *self._running, within_s=LOOK_S)
            elif (rest_s := self._work.rest_s) > 0:
                await self._until(stop, within_s=rest_s)
            else:
                self._wake.clear()
                message = await next_job(site.client, self._link, self._names, self._work.kind, self._turns)
                if message is None:
                    await self._until(stop, self._wake, within_s=LOOK_S)
                else:
                    task = asyncio.create_task(self._do(site, message), name="worker.job")
                    self._running[task] = message
                    task.add_done_callback(lambda done: self._running.pop(done, None))

    async def _until(self, *events: "asyncio.Event | asyncio.Task[None]", within_s: float) -> None:
        waiting = [each if isinstance(each, asyncio.Task) else asyncio.ensure_future(each.wait()) for each in events]
        timer = asyncio.ensure_future(self._clock.sleep(within_s))
        try:
            await asyncio.wait((*waiting, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            for each, event in zip(waiting, events, strict=True):
                if each is not event:
                    each.cancel()

    # -- one job -------------------------------------------------------------------------------------------------------

    async def _do(self, site: _Site, message: "Msg") -> None:
        beating = asyncio.ensure_future(self._keep(message))
        try:
            await self._answered(site, message)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise what it likes; and NATS may go
            LOG.warning("a job goes back into the queue: %s", _said(self._described(error)))
            await self._back(message, delay_s=AGAIN_S)
        finally:
            beating.cancel()
            await asyncio.wait((beating,))

    async def _keep(self, message: "Msg") -> None:
        """Tell the queue that the job is worked on."""
        while True:
            await self._clock.sleep(BEAT_S)
            try:
                await message.in_progress()
            except Exception as error:  # noqa: BLE001 - whatever the library raises: it may be there at the next beat
                LOG.debug("%s", quote(str(error)))

    async def _answered(self, site: _Site, message: "Msg") -> None:
        queue, began = queue_of(message.subject), self._clock.monotonic()
        try:
            job = self._work.read(message.data)
            if not job.answer_to.startswith(f"{self._names.answer(job.node)}."):
                raise WireError(f"its answer would not go to {quote(job.node)}, who asks")
        except WireError as error:
            LOG.warning("a job that cannot be read was thrown away: %s", error)
            self.figures.jobs[queue, Outcome.DEAD] += 1
            await message.term()
            return
        left_s = await wanted_s(site.client, job)
        if left_s <= 0:
            if message.metadata.num_delivered == 1 and left_s < 0:
                # the asker's subscription may not have come round all servers yet
                await message.nak(delay=AGAIN_S)
            else:
                LOG.debug("nobody waits for a job of %s any more", job.node)
                self.figures.jobs[queue, Outcome.UNWANTED] += 1
                await message.term()
            return
        try:
            done = await self._work.do(job, site.budget, left_s=left_s)
        except (AwayError, RefusedError) as error:
            self._work.rest(error)
            await self._back(message)
            return
        if not done.failed:
            self._work.well()
        if done.spent is not None:
            self.figures.spent(done.spent)
        await site.client.publish(job.answer_to, done.answer)
        await message.ack_sync(ASK_S)
        self.figures.jobs[queue, Outcome.REFUSED if done.failed else Outcome.DONE] += 1
        if not done.failed:
            self.figures.seconds[queue].add(self._clock.monotonic() - began)

    async def _back(self, message: "Msg", *, delay_s: float | None = None) -> None:
        self.figures.jobs[queue_of(message.subject), Outcome.BACK] += 1
        try:
            if not message.is_acked:
                await message.nak(delay=delay_s)
        except Exception as error:  # noqa: BLE001 - without NATS it goes back by itself after ACK_WAIT_S
            LOG.debug("%s", quote(str(error)))

    async def _give_back(self) -> None:
        """What is under way is broken off, and goes to another worker at once."""
        running = dict(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=GRACE_S)
        for message in running.values():
            await self._back(message)

    async def _dead(self, site: _Site, advisory: bytes) -> None:
        """A job that no worker could finish: say so, tell its asker, and take it out of the queue."""
        try:
            seq = int(json.loads(advisory)["stream_seq"])
            raw = await site.jetstream.get_msg(self._names.jobs, seq)
            await site.jetstream.delete_msg(self._names.jobs, seq)
            job = object_in(raw.data or b"")
            node, answer_to = text_of(job["node"]), text_of(job["answer_to"])
            text = f"a job of {quote(node)} was given up: it came to nothing with {DELIVERED_MAX} workers or tries"
            LOG.error("%s", text)
            self.figures.jobs[queue_of(raw.subject or ""), Outcome.DEAD] += 1
            if answer_to.startswith(f"{self._names.answer(node)}."):
                await site.client.publish(answer_to, error_bytes(NotNowError(text)))
        except Exception as error:  # noqa: BLE001 - another worker may have taken it out; or NATS is away
            LOG.warning("a job was given up, and cannot be looked at: %s", _said(self._described(error)))


def _said(error: BaseException) -> str:
    """An expected error in its words; of another only where it came from: its words may quote a prompt."""
    return quote(str(error)) if isinstance(error, LlmError | SinkError | WireError) else place_of(error)
