"""The HTTP hook of doorbells, on loopback: `POST /ring/<camera>`."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from blikk_edge.core.allowance import COMMANDS, COMMANDS_PER_S, Allowance
from blikk_edge.core.clock import Clock, SystemClock
from blikk_edge.core.commands import Press
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.ports import Order
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.net.listening import BACKLOG, Connections, listen

LOG = logging.getLogger("blikk.ring_hook")

HOST: Final = "127.0.0.1"
HEAD_BYTES: Final = 4096
BODY_BYTES: Final = 1024
REQUEST_S: Final = 2.0

_REQUEST_LINE: Final = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]", re.ASCII)
_HERE: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
_LENGTH: Final = re.compile(r"\d{1,9}", re.ASCII)


class _RefusedError(Exception):
    """This request gets `status` and nothing else."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]


class RingHook:
    """Rings for a camera when a program on this machine posts to `http://127.0.0.1:<port>/ring/<camera>`.

    Answers 204, or 404 for an unknown camera, 405 for another method, 403 when the request comes by way of a web page
    (Host or Origin of elsewhere: DNS rebinding, cross-site requests), 429 in a flood, 4xx for what is no small HTTP
    request. A request has 2 s and 4 KB; who sends none keeps nobody out (`net.listening.Connections`). Port 0 takes a
    free one, found in `port` while it runs.
    """

    name = "ring_hook"

    def __init__(self, cameras: Collection[str], port: int, order: Order, *, clock: Clock | None = None) -> None:
        self.port = port
        self._cameras = frozenset(cameras)
        self._order = order
        clock = clock or SystemClock()
        self._connections = Connections(LOG, clock)
        self._refusals = RateLimitedLog(clock)
        self._allowance = Allowance(clock, at_once=COMMANDS, per_s=COMMANDS_PER_S)

    async def run(self) -> None:
        """Listen until cancelled. Raises BlikkError where the port is taken."""
        try:
            (listener,) = await listen(HOST, self.port, self._connections)
            server = await asyncio.start_server(self._serve, sock=listener, limit=HEAD_BYTES, backlog=BACKLOG)
        except OSError as error:
            raise BlikkError(
                f"ring hook: cannot listen on {HOST}:{self.port}: {error.strerror}; set another ring_hook.port"
            ) from error
        self.port = int(server.sockets[0].getsockname()[1])
        try:
            await self._connections.watch()
        finally:
            await self._connections.end()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # The peer may be gone, or read nothing, at any point.
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2 * REQUEST_S):
                    status = await self._answer(reader)
                    writer.write(_response(status))
                    await writer.drain()
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> HTTPStatus:
        try:
            async with asyncio.timeout(REQUEST_S):
                request = await _read(reader)
            self._press(request)
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT
        except _RefusedError as refused:
            if (more := self._refusals.turn()) is not None:
                LOG.info("refused: %s%s", refused, more)
            return refused.status
        return HTTPStatus.NO_CONTENT

    def _press(self, request: _Request) -> None:
        if not _HERE.fullmatch(request.headers.get("host", "")):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "the Host is not this machine")
        origin = request.headers.get("origin")
        if origin is not None and not _HERE.fullmatch(origin.partition("://")[2]):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "sent by a web page of elsewhere")
        root, _, camera = request.path.partition("?")[0].removeprefix("/").partition("/")
        if root != "ring" or camera not in self._cameras:
            known = ", ".join(sorted(self._cameras))
            raise _RefusedError(HTTPStatus.NOT_FOUND, f"there is no such camera with a bell here; it has {known}")
        if request.method != "POST":
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} does not ring; use POST")
        if not self._allowance.take(camera):
            raise _RefusedError(HTTPStatus.TOO_MANY_REQUESTS, f"more than {COMMANDS_PER_S:.0f} rings a second")
        self._order(Press(camera=camera, via="http"))


async def _read(reader: asyncio.StreamReader) -> _Request:
    """One request with its body, which is thrown away; raises _RefusedError."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {HEAD_BYTES} bytes") from None
    except asyncio.IncompleteReadError:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the request broke off") from None
    line, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    matched = _REQUEST_LINE.fullmatch(line)
    if matched is None:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "no HTTP request")
    headers: dict[str, str] = {}
    for field in fields:
        name, colon, value = field.partition(":")
        if not colon or name.lower() in headers:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "a header is malformed or given twice")
        headers[name.lower()] = value.strip()
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not _LENGTH.fullmatch(length) or int(length) > BODY_BYTES:
        raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of more than {BODY_BYTES} bytes")
    try:
        await reader.readexactly(int(length))
    except asyncio.IncompleteReadError:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body broke off") from None
    return _Request(method=matched[1], path=matched[2], headers=headers)


def _response(status: HTTPStatus) -> bytes:
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Connection: close"]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: POST")
    if status is not HTTPStatus.NO_CONTENT:
        lines.append("Content-Length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
