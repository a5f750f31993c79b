"""A WebSocket of the HTTP server: opened, read, sent and closed within limits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.connection import Connection, connection_of

if TYPE_CHECKING:
    from aiohttp import WSMessage, web

HEARTBEAT_S: Final = 20.0
"""A client that says nothing for so long is pinged, and hung up where no answer comes within half of it."""

ANSWER_S: Final = 10.0
CLOSE_S: Final = 2.0
UNREAD_BYTES: Final = 65_536
"""Of what is sent and not read; then `send` waits."""

PROTOCOL_NAME: Final = "blikk.v1"
"""What a browser offers along with its token (contract/websocket.md)."""

GOING_AWAY: Final = 1001
NEVER_CLOSED: Final = 1006


class ServedSocket:
    """One WebSocket, made by `opened`."""

    def __init__(self, response: "web.WebSocketResponse", connection: Connection, close_s: float) -> None:
        self.response = response
        """What a handler returns when it is done."""

        self._connection = connection
        self._close_s = close_s
        self._receiving: asyncio.Future[WSMessage] | None = None
        self._closing = False
        self._closed = asyncio.Event()

    @property
    def cut_off(self) -> str:
        """Why it was cut off for what it sent; empty where it was not."""
        return self._connection.cut_off

    def recognised(self) -> None:
        """The client has shown a token."""
        self._connection.recognised()

    async def messages(self) -> AsyncIterator[str | bytes]:
        """What the client says, until one of both ends. Answers its pings."""
        from aiohttp import WSMsgType  # noqa: PLC0415  # 15 MB that only a node with this server needs

        while True:
            message = await self._received()
            if message is None or self.cut_off:
                return
            if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                yield message.data
            elif message.type is WSMsgType.PING:
                await self._in_time(self.response.pong(message.data))
            elif message.type is not WSMsgType.PONG:
                return

    async def send(self, message: str | bytes, *, text: bool = True) -> None:
        """Send a message; waits while the client does not read. Raises OSError where it is gone."""
        from aiohttp import WSMsgType  # noqa: PLC0415  # see messages

        content = message.encode() if isinstance(message, str) else message
        await self.response.send_frame(content, WSMsgType.TEXT if text else WSMsgType.BINARY)

    async def answer(self, message: str | bytes) -> None:
        """Send what the client waits for; who does not read it in time is hung up."""
        await self._in_time(self.send(message))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, in 123 bytes at most, and wait for the client to do so; then hang up. From any task."""
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        try:
            if self._receiving is not None:
                self._receiving.cancel()
                await asyncio.wait([self._receiving])
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._close_s + 1.0):
                    await self.response.close(code=code, message=reason.encode()[:123].decode(errors="ignore").encode())
        finally:
            if self.response.close_code in {None, NEVER_CLOSED}:
                self.abort()
            self._closed.set()

    def abort(self, why: str = "") -> None:
        """Hang up without a word."""
        self._connection.cut(why)

    async def _received(self) -> "WSMessage | None":
        """The next message; None where this side closes."""
        if not self._closing:
            self._receiving = asyncio.ensure_future(self.response.receive())
            try:
                return await self._receiving
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not self._closing or (task is not None and task.cancelling()):
                    raise
            finally:
                self._receiving = None
        await self._closed.wait()  # the library hangs up as soon as the handler is done
        return None

    async def _in_time(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await sending
        except TimeoutError:
            self.abort("it does not read what it is sent")
        except OSError:
            pass  # it is gone, as the next message says


async def opened(
    request: "web.Request",
    *,
    message_bytes: int,
    protocols: Collection[str] = (),
    heartbeat_s: float = HEARTBEAT_S,
    close_s: float = CLOSE_S,
) -> ServedSocket:
    """The WebSocket that a request asks for, whose messages have at most `message_bytes`.

    Raises RefusedError where it asks for none, or for none of `protocols`, those that are spoken here.
    """
    from aiohttp import web  # noqa: PLC0415  # see ServedSocket.messages

    offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if each.strip()]
    if offered and not set(offered) & set(protocols):  # the library would log what is offered, which may be a token
        raise RefusedError(400, f"that protocol is not spoken here; offer {' or '.join(protocols) or 'none'}")
    connection = connection_of(request)
    response = web.WebSocketResponse(
        timeout=close_s,
        autoping=False,
        heartbeat=heartbeat_s,
        protocols=tuple(protocols),
        compress=False,
        max_msg_size=message_bytes,
    )
    if not response.can_prepare(request).ok:
        raise RefusedError(426, "this is a WebSocket: send `Upgrade: websocket` and what belongs to it")
    connection.upgrading()
    await response.prepare(request)
    connection.socket = socket = ServedSocket(response, connection, close_s)
    if request.transport is not None:
        request.transport.set_write_buffer_limits(high=UNREAD_BYTES)
    return socket
