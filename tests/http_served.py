"""The one HTTP server of a node with the parts that a test gives it, on a free port of loopback."""

import asyncio
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from patience import PATIENCE

from blikk_edge.core.clock import SystemClock
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.route import Served
from blikk_edge.net.http.server import HttpServer

VIEW = "0123456789abcdef"
CONTROL = "fedcba9876543210"


@asynccontextmanager
async def serving(
    *parts: Served, view: str | None = VIEW, control: str | None = CONTROL, access: Access | None = None, **options: Any
) -> AsyncIterator[HttpServer]:
    """The server, while the context is open."""
    clock = SystemClock()
    made = HttpServer(
        parts, access or Access(view=view, control=control, clock=clock), clock=clock, **({"port": 0} | options)
    )
    task = asyncio.ensure_future(made.run())
    try:
        async with asyncio.timeout(60 * PATIENCE):
            while not made.port and not task.done():
                await asyncio.sleep(0.01)
        if task.done():
            await task
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ask(
    server: HttpServer,
    path: str,
    *,
    token: str | None = VIEW,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> tuple[int, bytes, str]:
    """Status, body and content type of an answer."""
    shown = {} if token is None else {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{server.port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers={**shown, **(headers or {})}, **more) as answer,
    ):
        return answer.status, await answer.read(), answer.content_type


async def said(server: HttpServer, raw: bytes) -> bytes:
    """All that the server answers to bytes, until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(raw)
        async with asyncio.timeout(60 * PATIENCE):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


class HalfOpen:
    """Sockets of another host that say the beginning of a request, or nothing, and stay; who is hung up comes again."""

    def __init__(self, port: int, count: int, says: bytes = b"") -> None:
        self.hung_up = 0
        self._port, self._says = port, says
        self._tasks = [asyncio.ensure_future(self._stay()) for _ in range(count)]

    async def _stay(self) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=("127.0.0.2", 0))
                try:
                    writer.write(self._says)
                    await reader.read()
                    self.hung_up += 1
                finally:
                    writer.close()
            await asyncio.sleep(1)

    async def go(self) -> None:
        """Leave, all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


def resident_mb() -> float:
    """The memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
