"""Puts jobs into the queue of a site, and waits for a worker that takes one and for what it answers."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.jobs import TAKEN, Urgency, left_bytes
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names

if TYPE_CHECKING:
    from nats.aio.msg import Msg

LOG = logging.getLogger("blikk.fleet")

UNTAKEN_MAX: Final = 2
"""After so many jobs in a row that no worker took, the next are not offered for a while."""
REST_FIRST_S: Final = 15.0
REST_LAST_S: Final = 240.0


class Asker:
    """Has workers of the site do jobs, and waits `wait_s` at most for one that takes a job.

    `node` is who asks. Where nobody takes jobs they are not offered for a while, longer each time. In a running loop.
    """

    def __init__(self, link: Link, names: Names, *, node: str, wait_s: float, clock: Clock) -> None:
        self._link = link
        self._names = names
        self._node = node
        self._wait_s = wait_s
        self._clock = clock
        self._untaken = 0
        self._rests = 0
        self._rest_until = clock.monotonic()
        self._trouble = Trouble(LOG, "the workers of the site are not used: %s")

    @property
    def rest_s(self) -> float:
        """For how long no job is offered."""
        return max(0.0, self._rest_until - self._clock.monotonic())

    @property
    def problem(self) -> str | None:
        """Why none is asked now; None while they answer."""
        return self._trouble.now

    async def ask(self, kind: str, urgency: Urgency, job: Callable[[str], bytes], *, within_s: float) -> bytes:
        """What a worker answers to a job of a kind, which is made for the subject on which the answer comes.

        Raises SinkError where none has answered within that time, or none is asked for now.
        """
        if (rest_s := self.rest_s) > 0:
            raise SinkError(f"{self._trouble.now or 'no worker answered'}; asked again in {rest_s:.0f} s")
        try:
            async with asyncio.timeout(within_s):
                answer = await self._asked(kind, urgency, job, within_s)
        except TimeoutError as error:
            if not self._link.connected:
                text = f"{self._link}: no connection within {within_s:g} s"
                self._rest(text)
                raise SinkError(text) from error
            raise SinkError(f"no worker of {self._names.site} had finished within {within_s:g} s") from error
        except SinkError:
            raise
        except Exception as error:
            raise self._link.error(error) from error
        self._untaken = self._rests = 0
        return answer

    async def close(self) -> None:
        """Let go of the connection."""
        await self._link.close()

    async def _asked(self, kind: str, urgency: Urgency, job: Callable[[str], bytes], within_s: float) -> bytes:
        try:
            client = await self._link.client()
            if not self._link.connected:
                raise SinkError(self._link.problem or f"{self._link}: not connected")
        except SinkError as error:
            self._rest(str(error))
            raise
        until = self._clock.monotonic() + within_s
        subject = f"{self._names.answer(self._node)}.{secrets.token_hex(12)}"
        data = job(subject)
        if len(data) > client.max_payload:
            raise SinkError(f"a job of {len(data)} bytes, and {self._link} takes {client.max_payload}")
        from nats.errors import Error  # noqa: PLC0415  # see link

        taken = asyncio.Event()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def heard(message: "Msg") -> None:
            if message.data == TAKEN:
                taken.set()
                if message.reply:
                    await client.publish(message.reply, left_bytes(until - self._clock.monotonic()))
            elif not answer.done():
                answer.set_result(message.data)

        listening = await client.subscribe(subject, cb=heard)
        try:
            await self._offer(self._names.job(kind, urgency), data)
            await self._taken(kind, taken, answer)
            return await answer
        finally:
            # from now on a worker that asks hears that nobody wants it
            with suppress(Error):  # the connection may be closed by now
                await listening.unsubscribe()

    async def _offer(self, subject: str, data: bytes) -> None:
        from nats.js.errors import NoStreamResponseError  # noqa: PLC0415  # see link

        try:
            jetstream = await self._link.open()
            await jetstream.publish(subject, data, stream=self._names.jobs)
            await (await self._link.client()).publish(self._names.wake)
        except NoStreamResponseError as error:
            text = f"{self._link}: site {self._names.site} has never had a worker; start `blikk worker`"
            self._rest(text)
            raise SinkError(text) from error
        except SinkError as error:
            self._rest(str(error))
            raise
        except Exception as error:
            described = self._link.error(error)
            self._rest(str(described))
            raise described from error

    async def _taken(self, kind: str, taken: asyncio.Event, answer: "asyncio.Future[Any]") -> None:
        """Wait until a worker has taken it, or has failed at once; raises SinkError where none does in time."""
        waiting = asyncio.ensure_future(taken.wait())
        try:
            await asyncio.wait((waiting, answer), timeout=self._wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if taken.is_set() or answer.done():
            self._trouble.end("a worker of the site answers again")
            return
        self._untaken += 1
        text = f"no worker of {self._names.site} took a job of kind {kind} within {self._wait_s:g} s"
        if self._untaken >= UNTAKEN_MAX:
            self._rest(text)
        raise SinkError(text)

    def _rest(self, why: str) -> None:
        if self.rest_s > 0:
            return  # of several that wait at once the first has seen to it
        self._trouble.start(why)
        rest_s = min(REST_LAST_S, REST_FIRST_S * 2.0 ** min(10, self._rests))
        self._rests += 1
        self._rest_until = self._clock.monotonic() + rest_s
