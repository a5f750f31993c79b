"""Records as they come out of a site's stream: asked for in good time, taken in batches, acknowledged when stored."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import quote
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.pull import Pull
from blikk_edge.fleet.records import CONSUMER, make_records
from blikk_edge.fleet.stream_info import Waiting, waiting

if TYPE_CHECKING:
    from nats.aio.msg import Msg

SAY_S: Final = 3.0


class Intake:
    """The consumer of one site's stream; by way of the `domain` of a leaf node, or directly."""

    def __init__(
        self, link: Link, names: Names, *, domain: str | None = None, log: logging.Logger | None = None
    ) -> None:
        self._log = log or logging.getLogger("blikk.collect")
        self._link = link
        self._names = names
        self._domain = domain
        self._api = "$JS.API" if domain is None else f"$JS.{domain}.API"
        self._pull = Pull(link, names.records, CONSUMER, api=self._api)

    @property
    def connected(self) -> bool:
        """Whether there is a connection to NATS now."""
        return self._link.connected

    @property
    def problem(self) -> str | None:
        """What is wrong with the connection now; None while nothing is."""
        return self._link.problem

    async def waiting(self, clock: Clock) -> Waiting | None:
        """What waits in the stream; None where NATS does not say so within SAY_S."""
        if not self._link.connected:
            return None
        try:
            async with asyncio.timeout(SAY_S):
                client = await self._link.client()
                return await waiting(client, self._link, self._names, clock, api=self._api)
        except Exception as error:  # noqa: BLE001 - whatever the library raises: it is asked again by who wants to know
            self._log.debug("%s", quote(str(error)))
            return None

    async def open(self) -> None:
        """Connect, and have the stream and the consumer. Raises SinkError."""
        client = await self._link.client()
        try:
            jetstream = client.jetstream(domain=self._domain) if self._domain else client.jetstream()
            # how many servers a site behind a leaf node has is not known here
            await make_records(jetstream, self._names, copies=1 if self._domain else self._link.copies)
            await self._pull.open()
        except Exception as error:
            raise self._link.error(error) from error

    async def rest(self) -> None:
        """Give back what was not taken yet, and ask for no more, until it is opened again."""
        left: list[Msg] = []
        try:
            left = await self._pull.rest()
        except Exception as error:  # noqa: BLE001 - whatever the library raises: they come again by themselves
            self._log.debug("%s", quote(str(error)))
        await self.give_back(left)

    async def close(self) -> None:
        """Give back what was not taken yet, and let go of the connection."""
        await self.rest()
        await self._link.close()

    async def take(self, most: int) -> "list[Msg]":
        """The next records, in their order, at least one unless EXPIRES_S pass without any. Raises SinkError."""
        return await self._pull.take(most)

    async def stored(self, batch: "Sequence[Msg]") -> None:
        """These are committed, and leave the stream. Raises SinkError; they come again then."""
        try:
            for message in batch:
                await message.ack()
        except Exception as error:
            raise self._link.error(error) from error

    async def give_back(self, batch: "Sequence[Msg]") -> None:
        """These could not be stored. As far as that goes: what stays here comes again by itself, after ACK_WAIT_S."""
        try:
            for message in batch:
                await message.nak()
        except Exception as error:  # noqa: BLE001 - whatever the library raises
            self._log.debug("%s", quote(str(error)))
