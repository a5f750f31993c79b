"""The HTTP server of a node: one port for pages, API, media, live view, edge clients and the ring hook."""

import asyncio
import logging
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge import __version__
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError, StoreError
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.net.hosts import may_be_called, names_of_this_machine
from blikk_edge.net.http.access import Access, covers
from blikk_edge.net.http.answers import RefusedError, json_answer
from blikk_edge.net.http.connection import Connection, connection_of
from blikk_edge.net.http.openapi import document
from blikk_edge.net.http.route import Handler, Route, Scope, Served
from blikk_edge.net.http.socket import GOING_AWAY
from blikk_edge.net.library_log import library_log
from blikk_edge.net.listening import BACKLOG, Connections, listen
from blikk_edge.net.tls import HANDSHAKE_S, server_tls

if TYPE_CHECKING:
    from aiohttp import web

LOG = logging.getLogger("blikk.http")

LINE_BYTES: Final = 4096
HEADERS: Final = 64
BODY_BYTES: Final = 262_144
GOODBYE_S: Final = 1.0
LINGER_S: Final = 2.0
"""For which the rest of a body is read that nobody wanted."""

KNOWN: Final = 128
"""Connections of those who may ask: a browser opens six, and one more for each WebSocket."""

HEADERS_OF_ALL: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class HttpServer:
    """Serves the routes of several parts on `http(s)://host:port`.

    Each request is checked before anything else: that it calls this machine by a name of its own (421), that no other
    web page has made it (403), and that it may have what it asks for (401, 403). Every failure is JSON. Beyond loopback
    it needs a certificate, unless `in_the_clear`. Who shows no token keeps nobody out, and of those who do the newest
    `known` stay: `net.listening.Connections`.
    `serves` is what the log calls it, `section` where its keys stand. Port 0 takes a free one, found in `port` once it
    is `ready`.
    """

    name = "http"

    def __init__(
        self,
        parts: Sequence[Served],
        access: Access,
        *,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 8428,
        certificate: Path | None = None,
        key: Path | None = None,
        names: Sequence[str] = (),
        in_the_clear: bool = False,
        known: int = KNOWN,
        serves: str = "pages and API are",
        section: str = "http",
    ) -> None:
        self.port = port
        self.ready = asyncio.Event()
        self._parts = parts
        self._access = access
        self._clock = clock
        self._host = host
        self._certificate = certificate
        self._key = key
        self._names = names_of_this_machine() | {name.lower() for name in names}
        self._in_the_clear = in_the_clear
        self._serves = serves
        self._section = section
        self._connections = Connections(LOG, clock, known=known)
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._routes: dict[object, Route] = {}
        self._refusals = RateLimitedLog(clock)

    def routes(self) -> Sequence[Route]:
        """All that is served, the OpenAPI document included."""
        return (
            *(route for part in self._parts for route in part.routes()),
            Route(
                method="GET",
                path="/v1/openapi.json",
                handler=self._document,
                scope=Scope.VIEW,
                summary="This document.",
            ),
        )

    async def run(self) -> None:
        """Serve until cancelled; raises BlikkError where the port or the certificate cannot be used."""
        # 15 MB that only a node with this server needs
        from aiohttp import web  # noqa: PLC0415
        from aiohttp.http import HttpProcessingError  # noqa: PLC0415

        tls = None
        if self._certificate is not None or not self._in_the_clear:
            tls = server_tls(self._section, self._host, self._certificate, self._key)
        app = web.Application(middlewares=[self._guard()], client_max_size=BODY_BYTES)
        app.on_response_prepare.append(_add_headers)
        for route in self.routes():
            added = app.router.add_route(route.method, route.path, route.handler)
            self._routes[added] = route
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=library_log("blikk.http.aiohttp", LOG, self._clock, bad_requests=(HttpProcessingError,)),
            keepalive_timeout=15.0,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=HEADERS,
            shutdown_timeout=1.0,
            lingering_time=LINGER_S,
        )
        await runner.setup()
        made = runner.server
        assert made is not None  # setup made it

        def connected() -> Connection:
            connection = Connection(made(), self._connections)
            self._open.add(connection)
            return connection

        listening: list[asyncio.Server] = []
        try:
            for listener in await listen(self._host, self.port, self._connections):
                server = await asyncio.get_running_loop().create_server(
                    connected,
                    sock=listener,
                    ssl=tls,
                    ssl_handshake_timeout=HANDSHAKE_S if tls else None,
                    backlog=BACKLOG,
                )
                listening.append(server)
            self.port = listening[0].sockets[0].getsockname()[1]
            self.ready.set()
            LOG.info("%s served on %s:%d", self._serves, self._host, self.port)
            await self._connections.watch()
        except OSError as error:
            reason = error.strerror or str(error)
            raise BlikkError(
                f"{self._section} on {self._host}:{self.port}: {reason}; choose another `{self._section}.port`, or see "
                "who uses it"
            ) from error
        finally:
            self.ready.clear()
            await self._connections.refuse()
            await self._say_goodbye()
            await self._connections.end()
            for each in listening:
                each.close()
            await runner.cleanup()

    async def _say_goodbye(self) -> None:
        """Close the open WebSockets, as long as that takes no time."""
        sockets = [connection.socket for connection in self._open if connection.socket is not None]
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await asyncio.gather(*(each.close(GOING_AWAY, "the node stops") for each in sockets))

    def _guard(self) -> Any:
        """Checks each request before its handler, and turns every failure into JSON."""
        from aiohttp import web  # noqa: PLC0415  # see run

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                self._admit(request)
                return await handler(request)
            except web.HTTPRequestEntityTooLarge:
                return json_answer({"error": f"a body of more than {BODY_BYTES} bytes"}, status=413)
            except web.HTTPException as refused:
                answer = json_answer({"error": refused.reason}, status=refused.status)
                if "Allow" in refused.headers:
                    answer.headers["Allow"] = refused.headers["Allow"]
                return answer
            except RefusedError as refused:
                answer = json_answer({"error": str(refused)}, status=refused.status)
                if refused.status in {401, 403, 421}:
                    answer.force_close()
                    if (more := self._refusals.turn(refused.status)) is not None:
                        LOG.info("a request was refused: %s%s", refused, more)
                return answer
            except StoreError as error:
                return json_answer({"error": str(error)}, status=503)
            except ConnectionError:  # nobody is there to be answered
                return json_answer({"error": "the connection is gone"}, status=400)

        return guard

    def _admit(self, request: "web.Request") -> None:
        hosts = request.headers.getall("Host", [])
        if self._access.of_ingress(request):
            connection_of(request).recognised()  # also for what is public: it is used for many requests
        elif len(hosts) != 1 or not may_be_called(hosts[0], self._names):
            raise RefusedError(421, f"this server is not called so; add the name to `{self._section}.names`")
        self._access.check_origin(request)
        route = self._routes.get(request.match_info.route)
        if route is None or route.scope in {Scope.PUBLIC, Scope.OWN}:  # what is not there needs no token
            if covers(self._access.scope_or_public(request), Scope.VIEW):
                connection_of(request).recognised()  # files of the pages come by the same connections as what they show
            return
        given = self._access.scope(request)
        if not covers(given, route.scope):
            if given is Scope.PUBLIC:
                tokens = f"{self._section}.tokens"
                raise RefusedError(401, f"send `Authorization: Bearer` with one of `{tokens}`, or log in")
            raise RefusedError(403, f"this needs the token `{self._section}.tokens.control`")
        connection_of(request).recognised()

    async def _document(self, _request: "web.Request") -> "web.StreamResponse":
        return json_answer(document(self.routes(), __version__))


async def _add_headers(_request: "web.Request", response: "web.StreamResponse") -> None:
    for name, value in HEADERS_OF_ALL.items():
        response.headers.setdefault(name, value)
