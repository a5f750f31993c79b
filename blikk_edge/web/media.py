"""The picture API: `contract/media.md`, served by aiohttp."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from blikk_edge.core.album import Album, Kept
from blikk_edge.core.clock import Clock, SystemClock
from blikk_edge.core.errors import BlikkError, StoreError
from blikk_edge.core.ports import History
from blikk_edge.core.sightings import Label
from blikk_edge.net.library_log import library_log
from blikk_edge.net.listening import BACKLOG, Connections, listen
from blikk_edge.net.tls import HANDSHAKE_S, server_tls
from blikk_edge.wire.bearer import knows
from blikk_edge.wire.messages import event_content
from blikk_edge.wire.texts import text_content
from blikk_edge.wire.values import Json, JsonObject, iso_time, json_bytes

if TYPE_CHECKING:
    from aiohttp import web

LOG = logging.getLogger("blikk.media")

LIMIT: Final = 100
LIMIT_MAX: Final = 500
LINE_BYTES: Final = 4096
HEADERS: Final = 64
RECEIVE_BYTES: Final = 8192
"""What the system holds of a connection's requests: all of it is parsed at once, into a hundred times as much."""


T = TypeVar("T")
Answer = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class BadParameterError(BlikkError):
    """A query parameter cannot be read."""


class MediaApi:
    """Serves kept Pictures and their events on `http(s)://host:port` to who sends `Authorization: Bearer <token>`.

    Beyond loopback it needs a certificate, unless `in_the_clear`. Who shows no token keeps nobody out: see
    `net.listening.Connections`. Port 0 takes a free one, found in `port` while it runs.
    """

    name = "media"

    def __init__(
        self,
        album: Album,
        history: History,
        *,
        token: str,
        host: str = "127.0.0.1",
        port: int = 8428,
        certificate: Path | None = None,
        key: Path | None = None,
        clock: Clock | None = None,
        in_the_clear: bool = False,
    ) -> None:
        self.port = port
        self._clock = clock or SystemClock()
        self._connections = Connections(LOG, self._clock)
        self._album = album
        self._history = history
        self._token = token
        self._host = host
        self._certificate = certificate
        self._key = key
        self._in_the_clear = in_the_clear
        # One look at the disk at a time: many would take every thread of the process, and hold up its stop.
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Serve until cancelled; raises BlikkError where the port or the certificate cannot be used."""
        # 15 MB that only a node with this API needs
        from aiohttp import web  # noqa: PLC0415
        from aiohttp.http import HttpProcessingError  # noqa: PLC0415

        tls = None
        if self._certificate is not None or not self._in_the_clear:
            tls = server_tls("media", self._host, self._certificate, self._key)
        app = web.Application(middlewares=[self._guard()], client_max_size=1024)
        app.router.add_get("/v1/days", self._days, allow_head=False)
        app.router.add_get("/v1/pictures", self._pictures, allow_head=False)
        app.router.add_get("/v1/pictures/{id}", self._picture, allow_head=False)
        app.router.add_get("/v1/events", self._events, allow_head=False)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=library_log("blikk.media.aiohttp", LOG, self._clock, bad_requests=(HttpProcessingError,)),
            keepalive_timeout=15.0,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=HEADERS,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        assert runner.server is not None  # setup made it
        listening: list[asyncio.Server] = []
        try:
            for listener in await listen(self._host, self.port, self._connections, RECEIVE_BYTES):
                server = await asyncio.get_running_loop().create_server(
                    runner.server,
                    sock=listener,
                    ssl=tls,
                    ssl_handshake_timeout=HANDSHAKE_S if tls else None,
                    backlog=BACKLOG,
                )
                listening.append(server)
            self.port = listening[0].sockets[0].getsockname()[1]
            LOG.info("pictures are served on %s:%d", self._host, self.port)
            await self._connections.watch()
        except OSError as error:
            reason = error.strerror or str(error)
            raise BlikkError(
                f"media on {self._host}:{self.port}: {reason}; choose another `media.port`, or see who uses it"
            ) from error
        finally:
            await self._connections.end()
            for each in listening:
                each.close()
            await runner.cleanup()

    def _guard(self) -> Any:
        """Checks the token before anything else, and turns every failure into JSON."""
        from aiohttp import web  # noqa: PLC0415  # see run

        @web.middleware
        async def guard(request: web.Request, handler: Answer) -> web.StreamResponse:
            if not knows(request.headers.get("Authorization", ""), self._token):
                refusal = _json({"error": "send `Authorization: Bearer` with the node's `media.token`"}, status=401)
                refusal.force_close()
                return refusal
            if request.transport is not None:
                self._connections.recognised(request.transport.get_extra_info("peername"))
            try:
                return await handler(request)
            except web.HTTPException as refused:
                return _json({"error": refused.reason}, status=refused.status)
            except BadParameterError as error:
                return _json({"error": str(error)}, status=400)
            except StoreError as error:
                return _json({"error": str(error)}, status=503)

        return guard

    async def _days(self, request: "web.Request") -> "web.StreamResponse":
        days = await self._look(lambda: self._album.days(camera=request.query.get("camera")))
        return _json(
            {
                "v": 1,
                "days": [
                    {"day": each.day.isoformat(), "camera": each.camera, "pictures": each.pictures} for each in days
                ],
            }
        )

    async def _pictures(self, request: "web.Request") -> "web.StreamResponse":
        query = request.query
        day, limit = _day(query), _limit(query)
        kept = await self._look(
            lambda: self._album.pictures(camera=query.get("camera"), day=day, event=query.get("event"), limit=limit)
        )
        return _json({"v": 1, "pictures": [_picture(each) for each in kept]})

    async def _picture(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # see run

        jpeg = await self._look(lambda: self._album.jpeg(request.match_info["id"]))
        if jpeg is None:
            return _json({"error": "there is no such picture (any more)"}, status=404)
        return web.Response(body=jpeg, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})

    async def _events(self, request: "web.Request") -> "web.StreamResponse":
        query = request.query
        since, until, limit, label = _time(query, "since"), _time(query, "until"), _limit(query), _label(query)
        listed = await self._look(lambda: self._listed(query.get("camera"), label, since, until, limit))
        return _json({"v": 1, "events": listed})

    async def _look(self, look: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(look)

    def _listed(
        self, camera: str | None, label: Label | None, since: float | None, until: float | None, limit: int
    ) -> list[Json]:
        listed: list[Json] = []
        events = self._history.events(camera=camera, label=label, since=since, until=until, limit=limit)
        pictures = self._album.by_event(events)
        for event in events:
            summary = next(iter(self._history.summaries(event=event.id, limit=1)), None)
            listed.append(
                {
                    **event_content(event),
                    "summary": None if summary is None else text_content(summary),
                    "pictures": [_picture(each) for each in pictures.get(event.id, ())],
                }
            )
        return listed


def _json(content: JsonObject, *, status: int = 200) -> "web.StreamResponse":
    from aiohttp import web  # noqa: PLC0415  # see run

    return web.Response(body=json_bytes(content), status=status, content_type="application/json")


def _picture(kept: Kept) -> JsonObject:
    return {
        "id": kept.id,
        "camera": kept.camera,
        "event": kept.event,
        "name": kept.name,
        "time": iso_time(kept.time),
        "bytes": kept.size_bytes,
    }


def _day(query: Mapping[str, str]) -> date | None:
    try:
        return date.fromisoformat(query["day"]) if "day" in query else None
    except ValueError:
        raise BadParameterError("`day` must be like 2026-11-21") from None


def _time(query: Mapping[str, str], name: str) -> float | None:
    try:
        return datetime.fromisoformat(query[name]).timestamp() if name in query else None
    except (ValueError, OverflowError):
        raise BadParameterError(f"`{name}` must be ISO 8601, like 2026-11-21T12:00:00Z") from None


def _label(query: Mapping[str, str]) -> Label | None:
    try:
        return Label(query["label"]) if "label" in query else None
    except ValueError:
        raise BadParameterError(f"`label` must be one of {', '.join(Label)}") from None


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(LIMIT))
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= LIMIT_MAX:
        raise BadParameterError(f"`limit` must be a whole number from 1 to {LIMIT_MAX}")
    return int(text)
