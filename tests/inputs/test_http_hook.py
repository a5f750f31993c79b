"""The HTTP hook rings for who may, answers what HTTP says, and is not held up or broken by anybody."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator

import pytest
from http_served import CONTROL, VIEW, serving
from patience import PATIENCE, in_time

from blikk_edge.core.allowance import COMMANDS
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Command, Press
from blikk_edge.inputs.http import RingHook
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.server import HttpServer

PRESS = Press(camera="front_door", via="http")


@pytest.fixture
def orders() -> list[Command]:
    return []


def hook_of(orders: list[Command], access: Access) -> RingHook:
    return RingHook(["front_door"], orders.append, access, SystemClock())


@pytest.fixture(params=["tokens", "open"])
def access(request: pytest.FixtureRequest) -> Access:
    tokens = {"view": VIEW, "control": CONTROL} if request.param == "tokens" else {"view": None, "control": None}
    return Access(clock=SystemClock(), **tokens)


@pytest.fixture
async def hook(orders: list[Command], access: Access) -> AsyncIterator[HttpServer]:
    async with serving(hook_of(orders, access), access=access) as server:
        yield server


async def send(hook: HttpServer, raw: bytes, *, end: bool = False) -> bytes:
    """The whole answer to raw bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hook.port)
    writer.write(raw)
    if end:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 10 * PATIENCE)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def status(
    hook: HttpServer, method: str, path: str, *headers: str, host: str | None = None, body: str = ""
) -> int:
    named = f"Host: {host or f'127.0.0.1:{hook.port}'}"
    lines = [f"{method} {path} HTTP/1.1", named, "Connection: close", *headers, "", body]
    answer = await send(hook, "\r\n".join(lines).encode())
    return int(answer.split(b" ")[1])


async def test_post_rings(hook: HttpServer, orders: list[Command]) -> None:
    assert await status(hook, "POST", "/ring/front_door") == 204
    assert orders == [PRESS]


async def test_post_with_a_small_body_and_query_rings(hook: HttpServer, orders: list[Command]) -> None:
    assert await status(hook, "POST", "/ring/front_door?x=1", "Content-Length: 5", body="hello") == 204
    assert orders == [PRESS]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_do_not_ring(hook: HttpServer, orders: list[Command], method: str) -> None:
    assert await status(hook, method, "/ring/front_door") == 405
    assert orders == []


ENCODED = ["/ring/front_door%2Fx", "/ring/..%2Ffront_door", "/ring/%2e%2e%2fx"]


@pytest.mark.parametrize(
    "path", ["/", "/ring", "/ring/", "/ring/nobody", "/ring/front_door/x", "/other/front_door", *ENCODED]
)
async def test_unknown_cameras_and_paths(hook: HttpServer, orders: list[Command], path: str) -> None:
    assert await status(hook, "POST", path) == 404
    assert orders == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:8427"])
async def test_hosts_of_this_machine(hook: HttpServer, host: str) -> None:
    assert await status(hook, "POST", "/ring/front_door", host=host) == 204


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"])
async def test_dns_rebinding_does_not_ring(hook: HttpServer, orders: list[Command], host: str) -> None:
    assert await status(hook, "POST", "/ring/front_door", host=host) == 421
    assert orders == []


@pytest.mark.parametrize("access", ["tokens"], indirect=True)
async def test_from_elsewhere_it_takes_the_token_that_controls(hook: HttpServer, orders: list[Command]) -> None:
    for name in ("X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7", "Via: 1.1 proxy", "X-Real-IP: 192.0.2.7"):
        assert await status(hook, "POST", "/ring/front_door", name) == 401
    statuses = [
        await status(hook, "POST", "/ring/front_door", f"Authorization: Bearer {token}", host="10.0.0.1")
        for token in ("wrong", VIEW, CONTROL)
    ]
    assert statuses == [401, 401, 204]
    assert await status(hook, "POST", "/ring/front_door", host="10.0.0.1") == 401
    assert orders == [PRESS]


async def test_a_request_without_host_does_not_ring(hook: HttpServer, orders: list[Command]) -> None:
    assert b" 421 " in await send(hook, b"POST /ring/front_door HTTP/1.0\r\n\r\n")
    assert orders == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
async def test_a_web_page_of_elsewhere_does_not_ring(hook: HttpServer, orders: list[Command], origin: str) -> None:
    assert await status(hook, "POST", "/ring/front_door", f"Origin: {origin}") == 403
    assert orders == []


async def test_oversized_heads_and_bodies_are_refused(hook: HttpServer, orders: list[Command]) -> None:
    assert await status(hook, "POST", "/ring/front_door", "X: " + "x" * 5000) == 400
    assert await status(hook, "POST", "/ring/front_door", "Content-Length: 999999") == 413
    assert await status(hook, "POST", "/ring/front_door", "Content-Length: -1") == 400
    assert await status(hook, "POST", "/ring/front_door", "Transfer-Encoding: chunked") == 413
    assert orders == []


async def test_slow_connections_do_not_keep_the_bell_from_ringing(hook: HttpServer, orders: list[Command]) -> None:
    slow = []
    for _ in range(10):
        slow += [await asyncio.open_connection("127.0.0.1", hook.port) for _ in range(30)]
        assert await status(hook, "POST", "/ring/front_door") == 204
    assert orders == [PRESS] * 10
    for _, writer in slow:
        writer.transport.abort()


async def test_refused_requests_fill_no_log_and_are_not_repeated_in_it(
    hook: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="blikk")
    caplog.clear()
    for number in range(50):
        assert await status(hook, "POST", f"/ring/nobody{number}?token=hunter2", "Authorization: Bearer hunter2") == 404
        assert b" 400 " in await send(hook, b"hunter2 /ring HTTP/1.1\r\n\r\n")
    assert len(caplog.records) <= 1
    assert "hunter2" not in caplog.text


async def test_a_flood_of_rings_is_bounded(hook: HttpServer, orders: list[Command]) -> None:
    answers = [await status(hook, "POST", "/ring/front_door") for _ in range(2 * COMMANDS)]
    assert answers[:COMMANDS] == [204] * COMMANDS
    assert 429 in answers
    assert len(orders) == answers.count(204)


async def test_garbage_is_refused_and_survived(hook: HttpServer, orders: list[Command]) -> None:
    rng = random.Random(11)
    for _ in range(200):
        answer = await send(hook, rng.randbytes(rng.randrange(1, 6000)) + b"\r\n\r\n", end=True)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    for raw in (
        b"POST /ring/front_door HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"POST /ring/front_door HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST  /ring/front_door HTTP/1.1\r\n\r\n",
    ):
        assert await send(hook, raw, end=True) == b"" or b" 4" in await send(hook, raw, end=True)
    assert orders == []
    assert await status(hook, "POST", "/ring/front_door") == 204


@in_time
async def test_press_to_order_takes_milliseconds(
    hook: HttpServer, orders: list[Command], capsys: pytest.CaptureFixture[str]
) -> None:
    took = []
    for _ in range(30):
        began = time.perf_counter()
        assert await status(hook, "POST", "/ring/front_door") == 204
        took.append(1000 * (time.perf_counter() - began))
    took.sort()
    with capsys.disabled():
        print(f"\n[inputs] HTTP press to order and answer: p50 {took[15]:.1f} ms, max {took[-1]:.1f} ms")
    assert len(orders) == 30
    orders.clear()
    assert took[15] < 200
