"""A language model that is the workers of a site; the node's own stands in where none of them answers."""

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError, WireError
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.jobs import KIND, TAKEN, ModelJob, answer_in, left_bytes, urgency_of
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.llm.port import AwayError, Completion, LanguageModel, Prompt
from blikk_edge.llm.queue.port import Job, NotNowError, Priority

if TYPE_CHECKING:
    from nats.aio.msg import Msg

LOG = logging.getLogger("blikk.fleet")

UNTAKEN_MAX: Final = 2
"""After so many jobs in a row that no worker took, the next are not offered for a while."""
REST_FIRST_S: Final = 15.0
REST_LAST_S: Final = 240.0
OWN_SHARE: Final = 0.5
"""The part of a call's time that is kept for the node's own model."""


class SharedModel:
    """Puts each prompt into the queue of the site, and waits `wait_s` at most for a worker that takes it.

    `own` is asked where no worker answers in time, the budget of the site is used up, or there is no NATS; without it
    that raises AwayError or NotNowError. `node` is who asks.
    """

    name = "fleet"

    def __init__(
        self, link: Link, names: Names, *, node: str, wait_s: float, clock: Clock, own: LanguageModel | None = None
    ) -> None:
        self.sees = True
        self._link = link
        self._names = names
        self._node = node
        self._wait_s = wait_s
        self._clock = clock
        self._own = own
        self._untaken = 0
        self._rest_until = clock.monotonic()
        self._trouble = Trouble(LOG, "the workers of the site are not used: %s")

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        """The answer of a worker, or of the node's own model; raises LlmError."""
        job = Job(key=None, camera=None, priority=Priority.PERSON, prompt=prompt)
        return await self.complete_job(job, deadline_s=deadline_s)

    async def complete_job(self, job: Job, *, deadline_s: float) -> Completion:
        """As `complete`, in the queue for its priority."""
        until = self._clock.monotonic() + deadline_s
        own = self._own
        shared_s = deadline_s if own is None else deadline_s * OWN_SHARE
        try:
            return await self._shared(job, shared_s)
        except (AwayError, NotNowError) as error:
            if own is None or (job.prompt.pictures and not own.sees):
                raise
            LOG.debug("the node's own model is asked: %s", error)
        return await own.complete(job.prompt, deadline_s=max(0.0, until - self._clock.monotonic()))

    async def close(self) -> None:
        """Let go of the connection, and of the node's own model."""
        await self._link.close()
        if self._own is not None:
            await self._own.close()

    async def _shared(self, job: Job, within_s: float) -> Completion:
        if (rest_s := self._rest_until - self._clock.monotonic()) > 0:
            raise AwayError(f"{self._trouble.now or 'no worker answered'}; asked again in {rest_s:.0f} s")
        try:
            async with asyncio.timeout(within_s):
                done = await self._asked(job, within_s)
        except TimeoutError as error:
            raise AwayError(f"no worker of {self._names.site} had finished within {within_s:g} s") from error
        except SinkError as error:
            self._rest(str(error))
            raise AwayError(str(error)) from error
        except WireError as error:
            raise AwayError(f"a worker of {self._names.site} answered with what is no answer: {error}") from error
        self._untaken = 0
        return done

    async def _asked(self, job: Job, within_s: float) -> Completion:
        client = await self._link.client()
        if not self._link.connected:
            raise SinkError(self._link.problem or f"{self._link}: not connected")
        until = self._clock.monotonic() + within_s
        subject = f"{self._names.answer(self._node)}.{secrets.token_hex(12)}"
        data = ModelJob(node=self._node, camera=job.camera, answer_to=subject, prompt=job.prompt).to_bytes()
        if len(data) > client.max_payload:
            raise AwayError(f"a job of {len(data)} bytes, and {self._link} takes {client.max_payload}")
        taken = asyncio.Event()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def heard(message: "Msg") -> None:
            if message.data == TAKEN:
                taken.set()
                await client.publish(message.reply, left_bytes(until - self._clock.monotonic()))
            elif not answer.done():
                answer.set_result(message.data)

        listening = await client.subscribe(subject, cb=heard)
        try:
            await self._offer(self._names.job(KIND, urgency_of(job.priority)), data)
            await self._taken(taken, answer)
            return answer_in(await answer)
        finally:
            # from now on a worker that asks hears that nobody wants it
            await listening.unsubscribe()

    async def _offer(self, subject: str, data: bytes) -> None:
        from nats.js.errors import NoStreamResponseError  # noqa: PLC0415  # see link

        jetstream = await self._link.open()
        try:
            await jetstream.publish(subject, data, stream=self._names.jobs)
            await (await self._link.client()).publish(self._names.wake)
        except NoStreamResponseError as error:
            raise SinkError(
                f"{self._link}: site {self._names.site} has never had a worker; start `blikk worker`"
            ) from error
        except Exception as error:
            raise self._link.error(error) from error

    async def _taken(self, taken: asyncio.Event, answer: "asyncio.Future[Any]") -> None:
        """Wait until a worker has taken it, or has failed at once; raises AwayError where none does in time."""
        waiting = asyncio.ensure_future(taken.wait())
        try:
            await asyncio.wait((waiting, answer), timeout=self._wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if taken.is_set() or answer.done():
            self._trouble.end("a worker of the site answers again")
            return
        self._untaken += 1
        text = f"no worker of {self._names.site} took it within {self._wait_s:g} s"
        if self._untaken >= UNTAKEN_MAX:
            self._rest(text)
        raise AwayError(text)

    def _rest(self, why: str) -> None:
        self._untaken += 1
        self._trouble.start(why)
        rest_s = min(REST_LAST_S, REST_FIRST_S * 2.0 ** min(10, self._untaken - 1))
        self._rest_until = self._clock.monotonic() + rest_s
