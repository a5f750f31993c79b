"""What is stored while pages are open: the database is looked at once for all of them, and not at all without any."""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.fleet.centre.past import Change, SitesPast
from blikk_edge.fleet.centre.pictures import Pictures
from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.net.http.socket import ServedSocket
from blikk_edge.web.sockets import Sockets, send
from blikk_edge.wire.values import Json, JsonObject, json_bytes

if TYPE_CHECKING:
    from aiohttp import web

LOOK_S: Final = 3.0
LATE: Final = timedelta(seconds=15)
"""So long a batch may take from its beginning, which is when it was stored, to its commit."""

KNOWN: Final = 2000


class Changes:
    """A WebSocket on which pages hear what was stored, in the envelopes of a node's feed, with ids alone.

    It is refused, and ends, while the database is away: a page then says so, and connects again.
    """

    def __init__(self, past: SitesPast, pictures: Pictures, *, clock: Clock) -> None:
        self._past = past
        self._pictures = pictures
        self._clock = clock
        self._sockets = Sockets()
        self._pages: set[asyncio.Queue[bytes | None]] = set()
        self._looking: asyncio.Task[None] | None = None

    def route(self) -> Route:
        """What it serves."""
        return Route(
            method="GET",
            path="/v1/feed",
            handler=self._feed,
            scope=Scope.VIEW,
            summary="What was stored of the last two days, as it comes: envelopes of contract/websocket.md that name "
            "events, and what is wrong.",
            answer="",
        )

    async def _feed(self, request: "web.Request") -> "web.StreamResponse":
        try:
            since = await asyncio.to_thread(self._past.now)
        except StoreError as error:
            raise RefusedError(503, str(error)) from error

        async def messages(socket: ServedSocket) -> None:
            waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
            self._pages.add(waiting)
            waiting.put_nowait(self._health())
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(self._look(since))
            try:
                while (message := await waiting.get()) is not None:
                    await send(socket, message)
            finally:
                self._pages.discard(waiting)

        return await self._sockets.serve(request, messages)

    async def _look(self, since: datetime) -> None:
        """Look while pages are open."""
        try:
            with suppress(StoreError):  # who loads the page again hears why
                await self._look_on(since)
        finally:
            # a page that hears nothing any more connects anew
            for page in self._pages:
                page.put_nowait(None)

    async def _look_on(self, since: datetime) -> None:
        known: OrderedDict[str, None] = OrderedDict()
        health = self._health()
        first = True
        while self._pages:
            now = await asyncio.to_thread(self._past.now)
            changes = await asyncio.to_thread(self._past.changes, since - LATE)
            await self._pictures.check()
            fresh = [change for change in changes if change.mark not in known]
            known.update(dict.fromkeys(change.mark for change in fresh))
            while len(known) > KNOWN:
                known.popitem(last=False)
            said = [] if first else [json_bytes(_envelope(change)) for change in reversed(fresh)]
            if self._health() != health:
                health = self._health()
                said.append(health)
            for page in self._pages:
                for message in said:
                    page.put_nowait(message)
            since, first = now, False
            await self._clock.sleep(LOOK_S)

    def _health(self) -> bytes:
        problems: list[Json] = list(self._pictures.problems)
        return json_bytes({"v": 1, "kind": "health", "camera": None, "content": {"problems": problems}})

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)


def _envelope(change: Change) -> JsonObject:
    content: JsonObject = {"id": change.event} if change.kind == "event" else {"event": change.event}
    kind = "summary" if change.kind == "picture" else change.kind
    return {"v": 1, "kind": kind, "camera": change.camera, "content": content}
