"""The edge client's link: what it sends, what it refuses, and how it comes back."""

import asyncio
import logging

import cv2
import numpy as np
import pytest
from ports import free_port
from websockets.asyncio.server import serve

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.push_queue import Pushed
from blikk_edge.sinks.edge import EdgeLink
from blikk_edge.wire.push import answer_message, read_frame

JPEG = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
TOKEN = "0123456789abcdef"


async def newest(seq: int) -> Pushed:
    return Pushed(seq=seq, time=1795262400.0, jpeg=JPEG)


def link(port: int, **options: object) -> EdgeLink:
    return EdgeLink(
        f"ws://127.0.0.1:{port}/ingest/shed", TOKEN, newest=newest, moving=lambda: True, clock=SystemClock(), **options
    )


async def running(link: EdgeLink, fact, within_s: float = 15.0) -> None:
    task = asyncio.ensure_future(link.run())
    try:
        async with asyncio.timeout(within_s):
            while not fact():
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize(
    "to",
    ["http://127.0.0.1/ingest/x", "ws://node.local/ingest/x", "wss://", "wss://a:b@h/x", "wss://h:0/x", "wss://[/x"],
)
def test_an_address_that_would_not_work_or_shows_the_token_is_refused(to: str) -> None:
    with pytest.raises(SinkError):
        EdgeLink(to, TOKEN, newest=newest, moving=lambda: True, clock=SystemClock())


async def test_it_sends_one_frame_at_a_time_with_its_token_and_comes_back_after_an_outage() -> None:
    heard: list[bytes] = []
    tokens: list[str] = []

    async def node(connection) -> None:
        tokens.append(connection.request.headers["Authorization"])
        pushed = read_frame(await connection.recv())
        heard.append(pushed.jpeg)
        await connection.send(answer_message(pushed.seq, 0.0))
        await connection.close(1012, "restarting")

    async with serve(node, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await running(link(port), lambda: len(heard) >= 2)
    assert set(heard) == {JPEG}
    assert set(tokens) == {f"Bearer {TOKEN}"}


async def test_no_redirect_is_followed() -> None:
    elsewhere: list[bytes] = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        elsewhere.append(await reader.read(100))
        writer.close()

    trap = await asyncio.start_server(other, "127.0.0.1", 0)
    target = trap.sockets[0].getsockname()[1]
    asked = asyncio.Event()

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 307 x\r\nLocation: ws://127.0.0.1:{target}/\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        asked.set()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    made = link(server.sockets[0].getsockname()[1])
    await running(made, lambda: made.problem)
    server.close()
    trap.close()
    assert asked.is_set()
    assert elsewhere == []


async def test_its_library_logs_no_token_even_when_debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def node(connection) -> None:
        await connection.send(answer_message(read_frame(await connection.recv()).seq, 0.0))

    async with serve(node, "127.0.0.1", 0) as server:
        made = link(next(iter(server.sockets)).getsockname()[1])
        await running(made, lambda: made.sent > 1)
    # the server of this test has a logger of its own, which shows what it has received
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert TOKEN not in "\n".join(record.getMessage() for record in ours)
    assert TOKEN in caplog.text


async def test_a_node_that_is_away_is_reported_once_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    made = link(free_port())
    with caplog.at_level(logging.INFO, "blikk.push"):
        tries = 0
        original = made._connection

        async def counted() -> None:
            nonlocal tries
            tries += 1
            await original()

        made._connection = counted
        await running(made, lambda: tries >= 2)
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
    assert TOKEN not in caplog.text + repr(made)


async def test_an_answer_that_is_none_ends_the_connection() -> None:
    async def node(connection) -> None:
        await connection.recv()
        await connection.send("hello")
        await connection.wait_closed()

    async with serve(node, "127.0.0.1", 0) as server:
        made = link(server.sockets[0].getsockname()[1])
        await running(made, lambda: made.problem)
    assert "no JSON" in made.problem
