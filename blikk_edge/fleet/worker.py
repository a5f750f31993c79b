"""A worker: takes language-model jobs from the queue of a site, and gives back what it could not finish."""

import asyncio
import json
import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from blikk_edge import __version__
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError, SinkError, WireError, quote
from blikk_edge.core.trouble import Trouble, place_of
from blikk_edge.fleet.jobs import (
    KIND,
    TAKEN,
    WORK_MAX_S,
    ModelJob,
    Urgency,
    completion_bytes,
    error_bytes,
    job_in,
    left_in,
)
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.site_budget import SiteBudget, SiteLimits
from blikk_edge.fleet.turns import Turns
from blikk_edge.llm.port import (
    AwayError,
    BusyError,
    Completion,
    Counting,
    GarbledError,
    LanguageModel,
    Prompt,
    RefusedError,
)
from blikk_edge.llm.queue.port import NotNowError
from blikk_edge.llm.tokens import prompt_tokens

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue

LOG = logging.getLogger("blikk.worker")

ACK_WAIT_S: Final = 6.0
"""A job whose worker has not been heard of for so long goes to another."""
BEAT_S: Final = 2.0
DELIVERED_MAX: Final = 4
"""A job that was given to workers so often, and came to nothing, is given up."""
LOOK_S: Final = 2.0
"""How often an idle worker looks by itself: nobody calls for what another has lost."""
ASK_S: Final = 3.0
AGAIN_S: Final = 1.0
QUEUE_BYTES: Final = 128 * 2**20
BUDGET_DAYS: Final = 4
GONE_AFTER_S: Final = 86_400.0
"""So long the site remembers a worker that is gone."""
GRACE_S: Final = 1.0
CONCURRENCY: Final = 1
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker does.

    Attributes:
        id: Its name within the site.
        concurrency: Jobs at the same time.
        timeout_s: The longest call of its model.
        limits: What the site may use in a day, all workers together.
    """

    id: str
    concurrency: int = CONCURRENCY
    timeout_s: float = TIMEOUT_S
    limits: SiteLimits = field(default_factory=SiteLimits)


@dataclass(frozen=True, slots=True)
class _Site:
    """What a worker uses of a connection."""

    client: "Client"
    jetstream: "JetStreamContext"
    budget: SiteBudget
    workers: "KeyValue"


class Worker:
    """Takes jobs as `turns` says, most important first, and has `model` do them. Works while `run` does.

    A job is acknowledged when its answer was sent; until then the queue hears of it every BEAT_S. Where the worker
    dies, another gets it after ACK_WAIT_S. Where its model is away, the job goes back at once, and the worker rests.
    """

    def __init__(self, options: WorkerOptions, link: Link, names: Names, *, model: LanguageModel, clock: Clock) -> None:
        self._options = options
        self._link = link
        self._names = names
        self._model = model
        self._clock = clock
        self._turns = Turns()
        self._since = clock.now()
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], Msg] = {}
        self._backoff = Backoff()
        self._rest_until = clock.monotonic()
        self._away = Trouble(LOG)
        self._ill = Trouble(LOG, "the model is not asked now: %s")
        self.counts: Counter[str] = Counter()
        """How many jobs were `done`, `refused`, given `back`, `unwanted`, and `dead`."""
        self.opened: Callable[[], None] = lambda: None
        """Called when it is ready to take jobs, each time after it connected."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong now."""
        return tuple(text for text in (self._away.now, self._ill.now) if text is not None)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. What is under way then is given back, and the next worker gets it at once."""
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    site = await self._open()
                    self._away.end(f"takes jobs of {self._names.site} again")
                    backoff.reset()
                    await self._work_at(site, stop)
                except (SinkError, OSError, TimeoutError) as error:
                    self._away.start(str(error))
                    await self._until(stop, within_s=backoff.next_s())
        finally:
            await self._give_back()
            await self._link.close()
            await self._model.close()

    # -- the site ------------------------------------------------------------------------------------------------------

    async def _open(self) -> _Site:
        """Everything that it needs there, made where it is the first; raises SinkError."""
        jetstream = await self._link.open()
        client = await self._link.client()
        names = self._names
        try:
            await _make_queue(jetstream, names)
            workers = await _bucket(jetstream, names.workers, ttl_s=GONE_AFTER_S)
            counters = await _bucket(jetstream, names.budget, ttl_s=BUDGET_DAYS * 86_400.0)
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
        LOG.info("takes jobs of site %s from %s, for %s", self._names.site, self._link, self._model.name)
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
                await site.workers.put(self._options.id, json.dumps(self.beat()).encode())
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
            "version": __version__,
            "model": self._model.name,
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
            elif (rest_s := self._rest_until - self._clock.monotonic()) > 0:
                await self._until(stop, within_s=rest_s)
            else:
                self._wake.clear()
                message = await self._next(site)
                if message is None:
                    await self._until(stop, self._wake, within_s=LOOK_S)
                else:
                    task = asyncio.create_task(self._do(site, message), name="worker.job")
                    self._running[task] = message
                    task.add_done_callback(lambda done: self._running.pop(done, None))

    async def _next(self, site: _Site) -> "Msg | None":
        """The job whose turn it is; None where there is none."""
        for place in self._turns.order():
            consumer = _consumer(place)
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._names.jobs}.{consumer}"
            # a job comes with the subject of the queue, which the library's newer way of asking does not expect
            message = await site.client.request(subject, b'{"batch":1,"no_wait":true}', timeout=ASK_S, old_style=True)
            status = (message.headers or {}).get("Status")
            if status not in {None, "404", "408"}:
                raise SinkError(f"{self._link}: the queue answers {status}: {quote(str(message.headers))}")
            self._turns.looked(place, taken=status is None)
            if status is None:
                return message
        return None

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
        try:
            job = job_in(message.data)
            if not job.answer_to.startswith(f"{self._names.answer(job.node)}."):
                raise WireError(f"its answer would not go to {quote(job.node)}, who asks")
        except WireError as error:
            LOG.warning("a job that cannot be read was thrown away: %s", error)
            self.counts["dead"] += 1
            await message.term()
            return
        left_s = await self._left_s(site, job)
        if left_s <= 0:
            if message.metadata.num_delivered == 1 and left_s < 0:
                # the asker's subscription may not have come round all servers yet
                await message.nak(delay=AGAIN_S)
            else:
                LOG.debug("nobody waits for a job of %s any more", job.node)
                self.counts["unwanted"] += 1
                await message.term()
            return
        try:
            completion = await self._completion(site, job, left_s)
        except (AwayError, RefusedError) as error:
            self._rest(error)
            await self._back(message)
        except LlmError as error:
            self.counts["refused"] += 1
            await site.client.publish(job.answer_to, error_bytes(error))
            await message.ack_sync(ASK_S)
        else:
            self._backoff.reset()
            self._ill.end("the model answers again")
            await site.client.publish(job.answer_to, completion_bytes(completion))
            await message.ack_sync(ASK_S)
            self.counts["done"] += 1

    async def _left_s(self, site: _Site, job: ModelJob) -> float:
        """For how long its asker wants it; 0 where it wants it no more, -1 where it is not there."""
        from nats.errors import NoRespondersError  # noqa: PLC0415  # see link
        from nats.errors import TimeoutError as NatsTimeoutError  # noqa: PLC0415

        try:
            answer = await site.client.request(job.answer_to, TAKEN, timeout=ASK_S)
            return left_in(answer.data)
        except (NoRespondersError, NatsTimeoutError):
            return -1.0
        except WireError as error:
            LOG.debug("%s: %s", job.node, error)
            return 0.0

    async def _completion(self, site: _Site, job: ModelJob, left_s: float) -> Completion:
        """The model's answer within the budget of the site; raises LlmError."""
        deadline_s = min(left_s, self._options.timeout_s)
        share = await site.budget.reserve(self._tokens(job.prompt))
        spent: int | None = None
        try:
            async with asyncio.timeout(deadline_s + GRACE_S):
                completion = await self._model.complete(job.prompt, deadline_s=deadline_s)
            spent = completion.input_tokens + completion.output_tokens
        except TimeoutError as error:
            spent = share.tokens
            raise AwayError(f"{self._model.name} did not answer within {deadline_s:g} s") from error
        except GarbledError as error:
            spent = share.tokens if error.spent is None else error.spent.input_tokens + error.spent.output_tokens
            raise
        except asyncio.CancelledError:
            spent = share.tokens
            raise
        finally:
            if spent != share.tokens:
                await site.budget.settle(share, spent)
        return completion

    def _tokens(self, prompt: Prompt) -> int:
        model = self._model
        sent = model.expected_tokens(prompt) if isinstance(model, Counting) else prompt_tokens(prompt)
        return sent + prompt.max_tokens

    def _rest(self, error: LlmError) -> None:
        """The model cannot be asked: let others do its work for a while."""
        rest_s = self._backoff.next_s()
        if isinstance(error, BusyError) and error.retry_after_s is not None:
            rest_s = max(rest_s, error.retry_after_s)
        self._rest_until = self._clock.monotonic() + rest_s
        self._ill.start(str(error))

    async def _back(self, message: "Msg", *, delay_s: float | None = None) -> None:
        self.counts["back"] += 1
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
            job = job_in(raw.data or b"")
            text = f"a job of {job.node} was given up: it came to nothing with {DELIVERED_MAX} workers or tries"
            LOG.error("%s", text)
            self.counts["dead"] += 1
            await site.client.publish(job.answer_to, error_bytes(NotNowError(text)))
        except Exception as error:  # noqa: BLE001 - another worker may have taken it out; or NATS is away
            LOG.warning("a job was given up, and cannot be looked at: %s", _said(self._described(error)))


def _said(error: BaseException) -> str:
    """An expected error in its words; of another only where it came from: its words may quote a prompt."""
    return quote(str(error)) if isinstance(error, LlmError | SinkError | WireError) else place_of(error)


def _consumer(place: Urgency) -> str:
    return f"{KIND}_{place}"


async def _make_queue(jetstream: "JetStreamContext", names: Names) -> None:
    """The queue of the site and what is read from it, where they are not there."""
    from nats.js import api  # noqa: PLC0415  # see link
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        await jetstream.stream_info(names.jobs)
    except NotFoundError:
        await jetstream.add_stream(
            api.StreamConfig(
                name=names.jobs,
                subjects=[names.job("*", "*")],
                retention=api.RetentionPolicy.WORK_QUEUE,
                discard=api.DiscardPolicy.NEW,  # who asks hears that it is full, and helps itself
                max_age=WORK_MAX_S,
                max_bytes=QUEUE_BYTES,
            )
        )
    for place in Urgency:
        await jetstream.add_consumer(
            names.jobs,
            api.ConsumerConfig(
                durable_name=_consumer(place),
                filter_subject=names.job(KIND, place),
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_deliver=DELIVERED_MAX,
            ),
        )


async def _bucket(jetstream: "JetStreamContext", name: str, *, ttl_s: float) -> "KeyValue":
    from nats.js import api  # noqa: PLC0415  # see link
    from nats.js.errors import BucketNotFoundError  # noqa: PLC0415

    try:
        return await jetstream.key_value(name)
    except BucketNotFoundError:
        return await jetstream.create_key_value(api.KeyValueConfig(bucket=name, history=1, ttl=ttl_s))
