"""The HTTP hook rings for who may, answers what HTTP says, and is not held up or broken by anybody."""

import asyncio
import logging
import random
import time

import pytest

from blikk_edge.core.allowance import COMMANDS
from blikk_edge.core.commands import Command, Press
from blikk_edge.core.errors import BlikkError
from blikk_edge.inputs.http import HEAD_BYTES, RingHook

PRESS = Press(camera="front_door", via="http")


@pytest.fixture
def orders() -> list[Command]:
    return []


@pytest.fixture
async def hook(orders: list[Command], start, until) -> RingHook:
    hook = RingHook(["front_door"], 0, orders.append)
    start(hook)
    await until(lambda: hook.port)
    return hook


async def send(hook: RingHook, raw: bytes, *, end: bool = False) -> bytes:
    """The whole answer to raw bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hook.port)
    writer.write(raw)
    if end:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def status(hook: RingHook, method: str, path: str, *headers: str, host: str | None = None, body: str = "") -> int:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{hook.port}'}", *headers, "", body]
    answer = await send(hook, "\r\n".join(lines).encode())
    return int(answer.split(b" ")[1])


async def test_post_rings(hook: RingHook, orders: list[Command]) -> None:
    assert await status(hook, "POST", "/ring/front_door") == 204
    assert orders == [PRESS]


async def test_post_with_a_small_body_and_query_rings(hook: RingHook, orders: list[Command]) -> None:
    assert await status(hook, "POST", "/ring/front_door?x=1", "Content-Length: 5", body="hello") == 204
    assert orders == [PRESS]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_do_not_ring(hook: RingHook, orders: list[Command], method: str) -> None:
    assert await status(hook, method, "/ring/front_door") == 405
    assert orders == []


@pytest.mark.parametrize("path", ["/", "/ring", "/ring/", "/ring/nobody", "/ring/front_door/x", "/other/front_door"])
async def test_unknown_cameras_and_paths(hook: RingHook, orders: list[Command], path: str) -> None:
    assert await status(hook, "POST", path) == 404
    assert orders == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:8427"])
async def test_hosts_of_this_machine(hook: RingHook, host: str) -> None:
    assert await status(hook, "POST", "/ring/front_door", host=host) == 204


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"])
async def test_dns_rebinding_does_not_ring(hook: RingHook, orders: list[Command], host: str) -> None:
    assert await status(hook, "POST", "/ring/front_door", host=host) == 403
    assert orders == []


async def test_a_request_without_host_does_not_ring(hook: RingHook, orders: list[Command]) -> None:
    assert b" 403 " in await send(hook, b"POST /ring/front_door HTTP/1.0\r\n\r\n")
    assert orders == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
async def test_a_web_page_of_elsewhere_does_not_ring(hook: RingHook, orders: list[Command], origin: str) -> None:
    assert await status(hook, "POST", "/ring/front_door", f"Origin: {origin}") == 403
    assert orders == []


async def test_it_listens_on_loopback_only(hook: RingHook, start) -> None:
    import psutil

    listening = [c for c in psutil.Process().net_connections("inet") if c.laddr.port == hook.port and not c.raddr]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


async def test_oversized_heads_and_bodies_are_refused(hook: RingHook, orders: list[Command]) -> None:
    assert await status(hook, "POST", "/ring/front_door", "X: " + "x" * HEAD_BYTES) == 431
    assert await status(hook, "POST", "/ring/front_door", "Content-Length: 999999") == 413
    assert await status(hook, "POST", "/ring/front_door", "Content-Length: -1") == 413
    assert await status(hook, "POST", "/ring/front_door", "Transfer-Encoding: chunked") == 413
    assert orders == []


async def test_slow_requests_are_cut_off(hook: RingHook, orders: list[Command]) -> None:
    began = time.monotonic()
    assert b" 408 " in await send(hook, b"POST /ring/front_door HTTP/1.1\r\nHost: local")
    assert time.monotonic() - began < 5
    assert orders == []


async def test_slow_connections_do_not_keep_the_bell_from_ringing(hook: RingHook, orders: list[Command]) -> None:
    slow = []
    for _ in range(10):
        slow += [await asyncio.open_connection("127.0.0.1", hook.port) for _ in range(30)]
        assert await status(hook, "POST", "/ring/front_door") == 204
    assert orders == [PRESS] * 10
    for _, writer in slow:
        writer.transport.abort()


async def test_refused_requests_fill_no_log_and_are_not_repeated_in_it(
    hook: RingHook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="blikk")
    for number in range(50):
        assert await status(hook, "POST", f"/ring/nobody{number}?token=hunter2", "Authorization: Bearer hunter2") == 404
        assert b" 400 " in await send(hook, b"hunter2 /ring HTTP/1.1\r\n\r\n")
    assert len(caplog.records) == 1
    assert "hunter2" not in caplog.text


async def test_a_flood_of_rings_is_bounded(hook: RingHook, orders: list[Command]) -> None:
    answers = [await status(hook, "POST", "/ring/front_door") for _ in range(2 * COMMANDS)]
    assert answers[:COMMANDS] == [204] * COMMANDS
    assert 429 in answers
    assert len(orders) == answers.count(204)


async def test_garbage_is_refused_and_survived(hook: RingHook, orders: list[Command]) -> None:
    rng = random.Random(11)
    for _ in range(200):
        answer = await send(hook, rng.randbytes(rng.randrange(1, 6000)) + b"\r\n\r\n", end=True)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    for raw in (
        b"POST /ring/front_door HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"POST /ring/front_door HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST  /ring/front_door HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"POST /ring/front_door HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc",
    ):
        assert b" 400 " in await send(hook, raw, end=True)
    assert orders == []
    assert await status(hook, "POST", "/ring/front_door") == 204


async def test_a_taken_port_is_a_clear_error(hook: RingHook, orders: list[Command]) -> None:
    with pytest.raises(BlikkError, match=rf"127.0.0.1:{hook.port}.*set another ring_hook.port"):
        await RingHook(["front_door"], hook.port, orders.append).run()


async def test_the_port_is_free_after_a_stop(orders: list[Command], start, until) -> None:
    first = RingHook(["front_door"], 0, orders.append)
    task = start(first)
    await until(lambda: first.port)
    _, writer = await asyncio.open_connection("127.0.0.1", first.port)
    task.cancel()
    await asyncio.wait((task,))
    writer.close()
    second = RingHook(["front_door"], first.port, orders.append)
    start(second)

    async def rings() -> bool:
        try:
            return await status(second, "POST", "/ring/front_door") == 204
        except (ConnectionError, IndexError):
            return False

    end = time.monotonic() + 5
    while not await rings():
        assert time.monotonic() < end


async def test_press_to_order_takes_milliseconds(
    hook: RingHook, orders: list[Command], capsys: pytest.CaptureFixture[str]
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
    assert took[15] < 200
