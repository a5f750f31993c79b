"""WebSockets to pages: how many there may be, and what becomes of those who do not read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.socket import PROTOCOL_NAME, ServedSocket, opened

if TYPE_CHECKING:
    from aiohttp import web

SOCKETS_MAX: Final = 64
HEARTBEAT_S: Final = 15.0
SEND_S: Final = 20.0
"""Who has not taken a message within this time has fallen asleep, and is hung up; its page connects again."""


class Sockets:
    """The open WebSockets of all pages together, and endless answers like MJPEG: at most SOCKETS_MAX."""

    def __init__(self) -> None:
        self._open = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place for one more, while the context is open; raises RefusedError."""
        if self._open >= SOCKETS_MAX:
            raise RefusedError(503, "too many pages are open; close one")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def serve(
        self, request: "web.Request", send_all: Callable[[ServedSocket], Awaitable[None]]
    ) -> "web.WebSocketResponse":
        """Open a WebSocket and run `send_all` until it or the page ends. What the page says is passed over."""
        async with self.place():
            socket = await opened(request, message_bytes=4096, protocols=(PROTOCOL_NAME,), heartbeat_s=HEARTBEAT_S)
            sending = asyncio.ensure_future(send_all(socket))
            listening = asyncio.ensure_future(_listen(socket))
            try:
                await asyncio.wait((sending, listening), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, listening):
                    task.cancel()
                results = await asyncio.gather(sending, listening, return_exceptions=True)
                if any(isinstance(each, TimeoutError) for each in results):
                    socket.abort("it does not read what it is sent")
            for each in results:
                if isinstance(each, Exception) and not isinstance(each, OSError):
                    raise each
            await socket.close()
            return socket.response


async def send(socket: ServedSocket, message: bytes, *, binary: bool = False) -> None:
    """Send a message; raises TimeoutError where the page does not take it, OSError where it is gone."""
    async with asyncio.timeout(SEND_S):
        await socket.send(message, text=not binary)


async def _listen(socket: ServedSocket) -> None:
    """Until the page goes. More than a hundred messages are none of ours."""
    count = 0
    async for _ in socket.messages():
        count += 1
        if count > 100:
            return
