"""How the MCP server is reached: standard input and output, or HTTP on loopback with a token."""

import asyncio
import contextlib
import hmac
import socket
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from blikk_edge.agents.mcp_server import BlikkServer
from blikk_edge.core.errors import BlikkError


class _Bearer:
    """Lets pass only who shows the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = PlainTextResponse("the token is missing or wrong", 401, {"WWW-Authenticate": "Bearer"})
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def serve_stdio(server: BlikkServer, stop: asyncio.Event) -> None:
    """Serve one client on standard input and output, until it leaves or `stop`."""

    async def serve() -> None:
        serving, stopping = asyncio.create_task(server.run_stdio_async()), asyncio.create_task(stop.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if serving.done():
            serving.result()  # else it waits in a read that nobody can end; the process does

    await _beside(server, serve())


async def serve_http(
    server: BlikkServer, stop: asyncio.Event, *, port: int, token: str, ready: Callable[[int], None]
) -> None:
    """Serve clients that have the token on loopback, until `stop`; `ready` gets the port. Raises BlikkError."""
    app = _Bearer(server.streamable_http_app(host="127.0.0.1"), token)
    try:
        listening = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise BlikkError(f"127.0.0.1:{port}: nothing can listen there: {error.strerror}; name another port") from error
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1)
    web = _Web(config, lambda: ready(listening.getsockname()[1]))

    async def serve() -> None:
        serving = asyncio.create_task(web.serve(sockets=[listening]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        web.should_exit = True
        await serving

    with listening:
        await _beside(server, serve())


class _Web(uvicorn.Server):
    """Says when it serves, and leaves signals to the command line."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


async def _beside(server: BlikkServer, serving: Coroutine[Any, Any, None]) -> None:
    notifying = asyncio.create_task(server.notify())
    try:
        await serving
    finally:
        notifying.cancel()
        await asyncio.gather(notifying, return_exceptions=True)
