"""What stands between a connection and the HTTP library: limits on WebSocket frames that the library leaves open."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from blikk_edge.net.listening import Connections

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.web_protocol import RequestHandler

    from blikk_edge.net.http.socket import ServedSocket

SLICE_BYTES: Final = 4096
"""Frames of six bytes are made into objects of two hundred: no more at once than of so much."""

FRAGMENTS: Final = 256
"""Of one message."""

CONTROLS: Final = 100
"""Pings, pongs and closes within a second."""

MESSAGES: Final = 100
"""Text and binary messages within a second."""

UNREAD_S: Final = 30.0
"""Who takes nothing of an answer for so long is hung up: a part of it may be megabytes that are held for nobody."""


class Connection(asyncio.Protocol):
    """One connection of a client; hands on to `inner` what comes, until that is more than the limits of this module.

    HTTP is bounded by the library, but for who reads nothing of an answer: he is cut off after UNREAD_S. `upgrading`
    says that WebSocket frames come from now on; who then sends more of them than he may is cut off too. `cut_off` says
    why.
    """

    def __init__(self, inner: "RequestHandler", connections: Connections) -> None:
        self.cut_off = ""
        self.socket: ServedSocket | None = None
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._frames: Frames | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here."""
        self._transport = cast("asyncio.Transport", transport)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._end_patience()
        self._inner.connection_lost(exc)

    def eof_received(self) -> None:
        """It says no more."""
        self._inner.eof_received()

    def pause_writing(self) -> None:
        """It does not read what it is sent."""
        self._inner.pause_writing()
        if self._frames is None:  # a WebSocket has limits of its own
            self._wait_for_reader()

    def resume_writing(self) -> None:
        """It reads again."""
        self._end_patience()
        self._inner.resume_writing()

    def data_received(self, data: bytes) -> None:
        """What has come."""
        if self._frames is None:
            self._inner.data_received(data)
            return
        for start in range(0, len(data), SLICE_BYTES):
            if self.cut_off:
                return
            part = data[start : start + SLICE_BYTES]
            if why := self._frames.too_many(part):
                self.cut(why)
            else:
                self._inner.data_received(part)

    def upgrading(self) -> None:
        """WebSocket frames come from now on; to be called before the library takes the handshake."""
        self._frames = Frames(asyncio.get_running_loop().time)
        early = self._inner._message_tail  # noqa: SLF001  # frames that came along with the handshake
        if why := self._frames.too_many(early):
            self.cut(why)

    def recognised(self) -> None:
        """The client has shown a token."""
        if self._transport is not None and (peer := self._transport.get_extra_info("peername")):
            self._connections.recognised(peer)

    def cut(self, why: str) -> None:
        """Hang up without a word."""
        self.cut_off = self.cut_off or why
        if self._transport is not None:
            self._transport.abort()

    def _wait_for_reader(self) -> None:
        if self._transport is not None:
            unread = self._transport.get_write_buffer_size()
            self._patience = asyncio.get_running_loop().call_later(UNREAD_S, self._look_at_reader, unread)

    def _look_at_reader(self, before: int) -> None:
        if self._transport is not None and self._transport.get_write_buffer_size() >= before:
            self.cut("it does not read what it is sent")
        else:
            self._wait_for_reader()

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def connection_of(request: "web.Request") -> Connection:
    """The connection that a request came by; raises ConnectionResetError where the client is gone."""
    transport: Any = request.transport
    connection = transport.get_protocol() if transport is not None else None
    if not isinstance(connection, Connection):
        raise ConnectionResetError("the client is gone")
    return connection


class Frames:
    """Counts the frames in what a client sends (RFC 6455, 5.2), whatever the parts in which it comes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._head = b""
        self._body_bytes = 0
        self._fragments = 0
        self._controls: deque[float] = deque(maxlen=CONTROLS)
        self._messages: deque[float] = deque(maxlen=MESSAGES)

    def too_many(self, data: bytes) -> str:
        """Why this is more than anybody may send; empty where it is not."""
        at = 0
        while at < len(data):
            if self._body_bytes:
                passed = min(self._body_bytes, len(data) - at)
                self._body_bytes -= passed
                at += passed
                continue
            self._head += data[at : at + 1]
            at += 1
            if len(self._head) >= 2 and len(self._head) == _head_bytes(self._head):
                head, self._head = self._head, b""
                self._body_bytes = _body_bytes(head)
                if why := self._too_many(head[0]):
                    return why
        return ""

    def _too_many(self, first: int) -> str:
        final, opcode = first & 0x80, first & 0x0F
        if opcode >= 0x8:
            return f"more than {CONTROLS} pings a second" if self._full(self._controls) else ""
        self._fragments = 0 if final else self._fragments + 1
        if self._fragments > FRAGMENTS:
            return f"a message of more than {FRAGMENTS} fragments"
        if final and self._full(self._messages):
            return f"more than {MESSAGES} messages a second"
        return ""

    def _full(self, times: deque[float]) -> bool:
        now = self._clock()
        full = len(times) == times.maxlen and now - times[0] < 1.0
        times.append(now)
        return full


def _head_bytes(head: bytes) -> int:
    length = {126: 2, 127: 8}.get(head[1] & 0x7F, 0)
    return 2 + length + (4 if head[1] & 0x80 else 0)


def _body_bytes(head: bytes) -> int:
    length = head[1] & 0x7F
    size = {126: 2, 127: 8}.get(length)
    return length if size is None else int.from_bytes(head[2 : 2 + size])
