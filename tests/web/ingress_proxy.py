"""A stand-in of Home Assistant's ingress: its core and its Supervisor as one reverse proxy on loopback.

What it does to requests is what `homeassistant/components/hassio/ingress.py` and the Supervisor's `api/ingress.py` do.
"""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from patience import PATIENCE

TOKEN = "KFpJ0q8Yz5bN-x_1"
SESSION = "0123456789abcdef"
PREFIX = f"/api/hassio_ingress/{TOKEN}"
DROPPED = {
    "content-length", "content-encoding", "transfer-encoding", "accept-encoding", "sec-websocket-extensions",
    "sec-websocket-protocol", "sec-websocket-version", "sec-websocket-key",
}  # fmt: skip
PAGE = f"""<!doctype html><title>Home Assistant</title><body style="margin:0">
<iframe src="{PREFIX}/" style="border:0;width:100vw;height:100vh"></iframe>"""


@dataclass
class IngressProxy:
    """Passes what is asked below PREFIX by who has the session on to a port of loopback, from the address `supervisor`.

    At `/app/blikk` is the page in which Home Assistant shows an app. `outside` are all other paths that were asked for.
    """

    port: int
    supervisor: str
    outside: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()

        async def serve() -> None:
            connector = aiohttp.TCPConnector(local_addr=(self.supervisor, 0))
            async with aiohttp.ClientSession(connector=connector) as self._client:
                app = web.Application()
                app.router.add_route("*", "/{path:.*}", self._answer)
                runner = web.AppRunner(app, shutdown_timeout=1.0)
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
                started.set()
                await self._ended.wait()
                await runner.cleanup()

        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(serve(),))
        self._thread.start()
        assert started.wait(20 * PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(20)
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/app/blikk":
            answer = web.Response(text=PAGE, content_type="text/html")
            answer.set_cookie("ingress_session", SESSION, path="/api/hassio_ingress/", samesite="Strict")
            return answer
        if not request.path.startswith(f"{PREFIX}/"):
            self.outside.append(request.path)
            raise web.HTTPNotFound
        if request.cookies.get("ingress_session") != SESSION:
            raise web.HTTPUnauthorized
        path = request.path_qs.removeprefix(PREFIX)
        self.passed.append(f"{request.method} {path}")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in DROPPED}
        headers |= {
            "X-Hass-Source": "core.ingress",
            "X-Ingress-Path": PREFIX,
            "X-Forwarded-For": "192.168.1.77, 172.30.32.1",
            "X-Forwarded-Host": request.headers.get("X-Forwarded-Host", request.host),
            "X-Forwarded-Proto": request.scheme,
            "X-Remote-User-Id": "6f2a",
            "X-Remote-User-Name": "anna",
            "X-Remote-User-Display-Name": "Anna",
        }
        url = f"http://127.0.0.1:{self.port}{path}"
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request, url, headers)
        body = await request.read() if request.method != "GET" else None
        async with self._client.request(
            request.method, url, headers=headers, data=body, allow_redirects=False, skip_auto_headers=["Content-Type"]
        ) as found:
            kept = {
                name: value
                for name, value in found.headers.items()
                if name.lower() not in {"transfer-encoding", "content-length", "content-encoding"}
            }
            answer = web.StreamResponse(status=found.status, headers=kept)
            with suppress(ConnectionError):
                await answer.prepare(request)
                async for data in found.content.iter_any():
                    await answer.write(data)
            return answer

    async def _socket(self, request: web.Request, url: str, headers: dict[str, str]) -> web.StreamResponse:
        try:
            there = await self._client.ws_connect(url, headers=headers, autoclose=False, autoping=False, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as error:
            return web.Response(status=error.status)
        here = web.WebSocketResponse(autoclose=False, autoping=False, max_msg_size=0)
        try:
            await here.prepare(request)
        except ConnectionError:  # the browser has gone meanwhile
            await there.close()
            return web.Response(status=502)

        async def forward(
            one: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
            other: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
        ) -> None:
            async for message in one:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await other.send_str(message.data)
                elif message.type is aiohttp.WSMsgType.BINARY:
                    await other.send_bytes(message.data)
                elif message.type is aiohttp.WSMsgType.PING:
                    await other.ping(message.data)
                elif message.type is aiohttp.WSMsgType.PONG:
                    await other.pong(message.data)
                else:
                    await other.close()

        tasks = [asyncio.ensure_future(forward(here, there)), asyncio.ensure_future(forward(there, here))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await there.close()
        return here
