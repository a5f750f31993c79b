"""Edge clients bring frames; whoever else knocks is reported why not, and disturbs nobody."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator

import cv2
import numpy as np
import pytest
from http_served import resident_mb, serving
from patience import PATIENCE
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.push_queue import Pushed, PushQueue
from blikk_edge.inputs.ingest import STRANGERS_MAX, Ingest, PushTarget
from blikk_edge.net.http.server import HttpServer
from blikk_edge.net.listening import STRANGERS_MAX as STRANGERS_OPEN
from blikk_edge.wire.push import MAX_MESSAGE_BYTES, frame_message, read_answer

TOKEN = "0123456789abcdef"
JPEG = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture
def push_queue() -> PushQueue:
    return PushQueue()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for strangers to close their side for longer than any test takes."""
    monkeypatch.setattr("blikk_edge.inputs.ingest.CLOSE_S", 3600.0)


@pytest.fixture
def ingest(push_queue: PushQueue) -> Ingest:
    return Ingest({"shed": PushTarget(push_queue=push_queue, token=TOKEN)}, clock=SystemClock())


@pytest.fixture
async def server(ingest: Ingest) -> AsyncIterator[HttpServer]:
    async with serving(ingest) as made:
        yield made


def client(server: HttpServer, camera: str = "shed", token: str = TOKEN) -> connect:
    return connect(
        f"ws://127.0.0.1:{server.port}/ingest/{camera}",
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
    )


def frame(seq: int) -> str:
    return frame_message(Pushed(seq=seq, time=1795262400.0 + seq, jpeg=JPEG))


async def closed(connection) -> tuple[int, str]:
    """How the server closed it."""
    async with asyncio.timeout(5 * PATIENCE):
        await connection.wait_closed()
    return connection.close_code, connection.close_reason


async def knock(server: HttpServer, token: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client of bare bytes, which never closes its side."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"GET /ingest/shed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        b"Authorization: Bearer " + token + b"\r\n\r\n"
    )
    async with asyncio.timeout(5 * PATIENCE):
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def refusal(reader: asyncio.StreamReader) -> int | None:
    """The close code in the first frame; None where the connection was cut off."""
    try:
        async with asyncio.timeout(5 * PATIENCE):
            return int.from_bytes((await reader.readexactly(4))[2:])
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None


async def test_a_frame_is_handed_on_and_acknowledged(server: HttpServer, push_queue: PushQueue) -> None:
    async with client(server) as connection:
        await connection.send(frame(3))
        assert read_answer(await connection.recv()) == (3, 0.0)
    assert push_queue.get(1.0) == Pushed(seq=3, time=1795262403.0, jpeg=JPEG)


async def test_a_client_is_slowed_down_while_nobody_takes_its_frames(server: HttpServer, push_queue: PushQueue) -> None:
    async with client(server) as connection:
        gaps = []
        for seq in range(9):
            await connection.send(frame(seq))
            gaps.append(read_answer(await connection.recv())[1])
        assert gaps == [0.0] * 5 + [1.0, 2.0, 4.0, 5.0]
        while push_queue.get(0.0):
            pass
        await connection.send(frame(10))
        assert read_answer(await connection.recv())[1] == 4.0


@pytest.mark.parametrize(("camera", "token"), [("shed", "wrong"), ("shed", ""), ("gate", TOKEN), ("", TOKEN)])
async def test_who_does_not_know_the_token_is_refused(server: HttpServer, camera: str, token: str) -> None:
    async with client(server, camera, token) as connection:
        code, reason = await closed(connection)
    assert code == 4401
    assert "token" in reason


async def test_a_token_that_is_no_text_is_a_wrong_token(server: HttpServer) -> None:
    reader, writer = await knock(server, b"\xff\xfe0123456789")
    assert await refusal(reader) == 4401
    writer.close()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("rubbish", 4400),
        (b"\x00\xff", 4400),
        ("[1]", 4400),
        (json.dumps({"v": 1, "seq": 1, "time": 1, "jpeg": "aGVsbG8="}), 4415),
        ("x" * (MAX_MESSAGE_BYTES + 1), 1009),
    ],
)
async def test_what_is_no_frame_is_refused_with_a_code(server: HttpServer, message: str | bytes, code: int) -> None:
    async with client(server) as good, client(server) as bad:
        # the newer one is the camera's client now
        assert (await closed(good))[0] == 4409
        with contextlib.suppress(ConnectionClosed):
            await bad.send(message)
        assert (await closed(bad))[0] == code


async def test_a_flood_is_refused(server: HttpServer) -> None:
    async with client(server) as connection:
        with contextlib.suppress(ConnectionClosed):
            for seq in range(40):
                await connection.send(frame(seq))
        assert (await closed(connection))[0] == 4429


async def test_a_hundred_half_open_sockets_disturb_nobody(server: HttpServer, push_queue: PushQueue) -> None:
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for each in sockets[:50]:
            each.sendall(b"GET /ingest/shed HTTP/1.1\r\nHost: localhost\r\n")
        async with client(server) as connection:
            await connection.send(frame(1))
            assert read_answer(await connection.recv())[0] == 1
    finally:
        for each in sockets:
            each.close()
    assert push_queue.get(1.0) is not None


async def test_strangers_who_stay_on_keep_nobody_out_and_do_not_flood_the_log(
    patient: None, server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    knocking = [await knock(server, b"wrong") for _ in range(40)]
    # reported or cut off, none of them closes its side, and the server waits for that
    heard = [await refusal(reader) for reader, _ in knocking]
    async with client(server) as connection:
        await connection.send(frame(1))
        assert read_answer(await connection.recv())[0] == 1
    for _, writer in knocking:
        writer.close()
    assert heard == [4401] * STRANGERS_MAX + [None] * (40 - STRANGERS_MAX)
    assert len([record for record in caplog.records if "refused" in record.message]) == 1


def sent(opcode: int, payload: bytes = b"", *, fin: bool) -> bytes:
    """A masked frame, by RFC 6455, 5.2; the mask is 0."""
    return bytes([0x80 * fin | opcode, 0x80 | len(payload)]) + bytes(4) + payload


TEXT, CONTINUED, PING = 0x1, 0x0, 0x9


@pytest.mark.parametrize(
    ("first", "endless"),
    [
        (sent(TEXT, fin=False), sent(CONTINUED, fin=False)),
        (sent(TEXT, b"x", fin=False), sent(CONTINUED, b"y", fin=False)),
        (b"", sent(PING, fin=True)),
        (b"", sent(PING, b"z" * 125, fin=True)),
        (sent(TEXT, fin=False), sent(PING, b"z" * 125, fin=True) + sent(CONTINUED, fin=False)),
        (b"", sent(TEXT, b"{}", fin=True)),
    ],
    ids=["empty fragments", "small fragments", "pings", "long pings", "pings between fragments", "messages"],
)
async def test_a_client_that_floods_is_cut_off_and_takes_no_memory(
    server: HttpServer, first: bytes, endless: bytes, until, caplog: pytest.LogCaptureFixture
) -> None:
    async with client(server) as connection:
        await connection.send(frame(1))
        await connection.recv()
    before = resident_mb()
    reader, writer = await knock(server, TOKEN.encode())
    writer.write(first)
    flood = endless * (1_000_000 // len(endless))
    most = 0.0
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(30 * PATIENCE):
            for _ in range(100):  # 100 MB, if it were let
                writer.write(flood)
                await writer.drain()
                most = max(most, resident_mb() - before)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10 * PATIENCE):
            await reader.read()  # the end
    assert writer.transport.is_closing() or reader.at_eof()
    writer.transport.abort()
    assert most < 30

    def said() -> int:
        return len([r for r in caplog.records if "was cut off" in r.message or "was refused" in r.message])

    await until(said)
    assert said() == 1
    async with client(server) as connection:
        await connection.send(frame(2))
        assert read_answer(await connection.recv())[0] == 2


async def test_a_message_in_a_few_fragments_is_a_frame_like_any_other(
    server: HttpServer, push_queue: PushQueue
) -> None:
    text = frame(5)
    async with client(server) as connection:
        await connection.send([text[at : at + 50] for at in range(0, len(text), 50)])
        assert read_answer(await connection.recv())[0] == 5


@pytest.mark.parametrize("says", [b"", b"GET /ingest/shed HTTP/1.1\r\nHost: localhost\r\n"], ids=repr)
async def test_hundreds_of_half_open_connections_keep_no_client_out(server: HttpServer, says: bytes) -> None:
    held = []
    try:
        for seq in range(40):
            for _ in range(12):
                held.append(await asyncio.open_connection("127.0.0.1", server.port))
                held[-1][1].write(says)
            async with client(server) as connection:
                await connection.send(frame(seq))
                assert read_answer(await connection.recv())[0] == seq
        assert len(server._connections) < STRANGERS_OPEN + 20
    finally:
        for _, writer in held:
            writer.transport.abort()


@pytest.mark.parametrize(
    "raw",
    [
        f"GET /ingest/shed HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\x00\r\n\r\n",
        f"GET /ingest/shed HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer\r\n {TOKEN}\r\n\r\n",
        f"GET /ingest/shed HTTP/1.1\r\nHost: localhost\r\nUpgrade: {TOKEN}\r\nConnection: Upgrade\r\n\r\n",
        f"{TOKEN}\r\n\r\n",
        f"GET /{TOKEN} HTTP/1.1\r\n" + "X: y\r\n" * 5000 + "\r\n",
    ],
    ids=range(5),
)
async def test_no_handshake_however_malformed_shows_its_token_in_the_log_or_floods_it(
    server: HttpServer, raw: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(raw.encode("latin-1"))
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10 * PATIENCE)
        writer.transport.abort()
    formatter = logging.Formatter("%(message)s")
    assert TOKEN not in "\n".join(formatter.format(record) for record in caplog.records)
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) <= 1


async def test_clients_that_come_and_go_without_end_are_a_few_lines(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "blikk.ingest")
    for _ in range(50):
        async with client(server) as connection:
            await connection.send("{}")
            assert (await closed(connection))[0] == 4400
    said = [record.getMessage() for record in caplog.records]
    for words in ("brings frames", "was refused", "is gone"):
        assert sum(words in line for line in said) == 1


async def test_more_clients_than_cameras_can_have_are_sent_away(server: HttpServer, ingest: Ingest) -> None:
    ingest._open = 12
    with pytest.raises(InvalidStatus) as refused:
        await client(server)
    assert refused.value.response.status_code == 503


def test_the_token_shows_nowhere(push_queue: PushQueue) -> None:
    assert TOKEN not in repr(PushTarget(push_queue=push_queue, token=TOKEN))
