"""The one HTTP server under attack: who may not, who lies, who floods, who never ends; and everybody else is served."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from broker import make_certificates
from http_served import CONTROL, VIEW, HalfOpen, ask, resident_mb, said, serving
from patience import PATIENCE
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import BlikkError
from blikk_edge.net import listening
from blikk_edge.net.http import connection
from blikk_edge.net.http import server as http_server
from blikk_edge.net.http.access import COOKIE, CSRF_HEADER, SESSION_S, Access
from blikk_edge.net.http.answers import json_answer, json_body
from blikk_edge.net.http.options import HttpSettings
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.net.http.server import KNOWN, HttpServer
from blikk_edge.net.http.socket import opened
from blikk_edge.net.listening import STRANGERS_MAX
from blikk_edge.net.tls import client_context

HOST = b"Host: 127.0.0.1\r\n"
AS_CONTROL = f"Authorization: Bearer {CONTROL}\r\n".encode()
HANDSHAKE = (
    "GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


class Probe:
    """Says who got through to it, on one route for each scope, and on a WebSocket."""

    name = "probe"

    def __init__(self) -> None:
        self.changed: list[Any] = []
        self.slow = False
        self.transports: list[asyncio.Transport] = []

    def routes(self) -> Sequence[Route]:
        return (
            *(
                Route(method="GET", path=f"/{scope}", handler=self._see, scope=scope, summary=".")
                for scope in (Scope.PUBLIC, Scope.VIEW, Scope.CONTROL)
            ),
            Route(method="POST", path="/change", handler=self._change, scope=Scope.CONTROL, summary=".", body={}),
            Route(method="GET", path="/socket", handler=self._socket, scope=Scope.VIEW, summary=".", answer=""),
            Route(method="GET", path="/large", handler=self._large, scope=Scope.VIEW, summary=".", answer="x/y"),
            Route(method="GET", path="/endless", handler=self._endless, scope=Scope.VIEW, summary=".", answer="x/y"),
        )

    async def _see(self, _request: Any) -> Any:
        return json_answer({"seen": True})

    async def _change(self, request: Any) -> Any:
        self.changed.append(await json_body(request))
        return json_answer({"changed": True})

    async def _socket(self, request: Any) -> Any:
        socket = await opened(request, message_bytes=4096, protocols=("blikk.v1",))
        with suppress(OSError):
            await socket.send("hello")
        async for _ in socket.messages():
            pass
        return socket.response

    async def _large(self, request: Any) -> Any:
        self.transports.append(request.transport)
        return aiohttp.web.Response(body=bytes(20_000_000))

    async def _endless(self, request: Any) -> Any:
        answer = aiohttp.web.StreamResponse()
        await answer.prepare(request)
        with suppress(OSError):
            while True:
                await answer.write(bytes(10_000))
        return answer


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
async def served(probe: Probe) -> AsyncIterator[HttpServer]:
    async with serving(probe) as server:
        yield server


@pytest.mark.parametrize(
    ("token", "statuses"),
    [
        (None, [200, 401, 401]),
        ("wrong", [200, 401, 401]),
        ("", [200, 401, 401]),
        (VIEW, [200, 200, 403]),
        (CONTROL, [200, 200, 200]),
        (VIEW + "\u00e9", [200, 401, 401]),
    ],
)
async def test_each_scope_needs_its_token(served: HttpServer, token: str | None, statuses: list[int]) -> None:
    answers = [await ask(served, path, token=token) for path in ("/public", "/view", "/control")]
    assert [status for status, _, _ in answers] == statuses
    assert all(json.loads(body).get("error") for status, body, _ in answers if status != 200)


async def test_a_token_that_is_no_text_is_a_wrong_one(served: HttpServer) -> None:
    raw = b"GET /view HTTP/1.1\r\n" + HOST + b"Authorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n"
    assert (await said(served, raw)).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("line", "headers", "body", "status"),
    [
        ("GET /view", b"Cookie: blikk_session=control.9\xff.a.b", b"", 401),
        ("POST /change", b"Cookie: blikk_session=\xff.a.b.c", b"{}", 401),
        ("POST /change", b"Origin: http://[", b"{}", 403),
        ("POST /change", "Origin: http://a\u2100b".encode(), b"{}", 403),
        ("POST /change", AS_CONTROL + b"Content-Encoding: gzip", b"not packed", 400),
        ("POST /change", AS_CONTROL + b"Content-Encoding: deflate", b"not packed", 400),
    ],
)
async def test_what_cannot_be_read_is_the_fault_of_who_sends_it(
    served: HttpServer, line: str, headers: bytes, body: bytes, status: int
) -> None:
    head = [f"{line} HTTP/1.1".encode(), HOST.strip(), headers, b"Connection: close"]
    if body:
        head += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    answer = await said(served, b"\r\n".join((*head, b"", body)))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


async def test_what_is_not_there_and_another_method_are_said_as_json(served: HttpServer) -> None:
    for path, method, status in (("/nothing", "GET", 404), ("/view", "DELETE", 405), ("/view/", "GET", 404)):
        got, body, kind = await ask(served, path, method=method)
        assert (got, kind, bool(json.loads(body)["error"])) == (status, "application/json", True)


async def test_every_answer_forbids_what_a_page_does_not_need(served: HttpServer) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/public", "/view", "/nothing"):
            async with session.get(f"http://127.0.0.1:{served.port}{path}") as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'self'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
                assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:80", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost@evil.example", 421),
        ("", 421),
        ("127.0.0.1, evil.example", 421),
        ("127.0.0.1", 200),
        ("[::1]:8428", 200),
        ("LOCALHOST:1", 200),
        ("hallway.example", 200),
    ],
)
async def test_a_page_that_rebinds_its_name_to_this_machine_is_refused(probe: Probe, host: str, status: int) -> None:
    for tokens in ({}, {"view": None, "control": None}):
        async with serving(probe, names=["Hallway.example"], **tokens) as server:
            assert (await ask(server, "/view", headers={"Host": host}))[0] == status


async def test_two_hosts_are_none(served: HttpServer) -> None:
    raw = b"GET /public HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\nConnection: close\r\n\r\n"
    assert (await said(served, raw)).split()[1] in {b"400", b"421"}
    assert (await said(served, b"GET /public HTTP/1.0\r\n\r\n")).split()[1] == b"421"


ELSEWHERE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
async def test_what_other_web_pages_send_changes_nothing(probe: Probe, headers: dict[str, str]) -> None:
    for tokens, token in (({}, CONTROL), ({"view": None, "control": None}, None)):
        async with serving(probe, **tokens) as server:
            status, _, _ = await ask(server, "/change", method="POST", token=token, headers=headers, json={"a": 1})
            assert status == 403
            if "Origin" in headers:
                with pytest.raises(InvalidStatus, match="403"):
                    await connect(
                        f"ws://127.0.0.1:{server.port}/socket",
                        additional_headers={**headers, **({"Authorization": f"Bearer {VIEW}"} if token else {})},
                        proxy=None,
                    )
    assert probe.changed == []


async def test_another_web_page_may_link_here_but_not_load_what_costs_work(probe: Probe) -> None:
    async with serving(probe, view=None, control=None) as server:
        for site, mode, status in (
            ("cross-site", "no-cors", 403),
            ("same-site", "no-cors", 403),
            ("cross-site", "navigate", 200),
            ("same-origin", "no-cors", 200),
            ("none", "navigate", 200),
        ):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
            assert (await ask(server, "/view", token=None, headers=headers))[0] == status, (site, mode)


async def test_a_page_of_ours_and_one_that_is_named_may_connect(probe: Probe) -> None:
    access = Access(view=VIEW, control=CONTROL, clock=SystemClock(), origins=["https://page.example"])
    async with serving(probe, access=access) as server:
        here = f"http://127.0.0.1:{server.port}"
        for origin in (here, "https://page.example"):
            status, _, _ = await ask(
                server, "/change", method="POST", token=CONTROL, headers={"Origin": origin}, json={"a": 1}
            )
            assert status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_what_a_form_of_a_page_can_send_is_no_json(served: HttpServer, probe: Probe, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    status, _, _ = await ask(served, "/change", method="POST", token=CONTROL, headers=headers, data=b'{"a": 1}')
    assert (status, probe.changed) == (415, [])


class At(SystemClock):
    """It is the time that the test says."""

    time = 1_795_262_400.0

    def now(self) -> float:
        return self.time


def cookie_of(access: Access, token: str = CONTROL) -> str:
    made = access.login(token)
    assert made is not None
    return made[0]


async def test_a_change_by_cookie_needs_what_only_our_page_knows(probe: Probe) -> None:
    access = Access(view=VIEW, control=CONTROL, clock=SystemClock())
    cookie, other = cookie_of(access), cookie_of(access)
    async with serving(probe, access=access) as server:

        async def change(**headers: str) -> int:
            given = {"Cookie": f"{COOKIE}={cookie}", **{name.replace("_", "-"): text for name, text in headers.items()}}
            return (await ask(server, "/change", method="POST", token=None, headers=given, json={"a": 1}))[0]

        class OfCookie:
            def __init__(self, value: str) -> None:
                self.cookies = {COOKIE: value}

        mine, theirs = (access.csrf(OfCookie(each)) for each in (cookie, other))  # type: ignore[arg-type]
        statuses = [await change(), *[await change(**{CSRF_HEADER: each}) for each in ("", "x", theirs, mine)]]
        assert statuses == [403, 403, 403, 403, 200]
        assert len(probe.changed) == 1
        assert (await ask(server, "/control", token=None, headers={"Cookie": f"{COOKIE}={cookie}"}))[0] == 200


async def test_a_cookie_that_is_forged_expired_or_of_an_old_token_is_none(probe: Probe) -> None:
    clock = At()
    access = Access(view=VIEW, control=CONTROL, clock=clock)
    fine = cookie_of(access, VIEW)
    scope, until, name, mac = fine.split(".")
    forged = [
        f"control.{until}.{name}.{mac}",
        f"{scope}.{int(until) + 9}.{name}.{mac}",
        f"{scope}.{until}.{name}.",
        f"{scope}.{until}.{name}.{mac[:-1]}0" if mac[-1] != "0" else f"{scope}.{until}.{name}.{mac[:-1]}1",
        "....",
        "x",
        "\u00e9",
        "view.x.y.z",
        cookie_of(Access(view=VIEW, control="another-control-token", clock=clock), VIEW),
    ]
    async with serving(probe, access=access) as server:

        async def see(cookie: str) -> int:
            return (await ask(server, "/view", token=None, headers={"Cookie": f"{COOKIE}={cookie}"}))[0]

        assert await see(fine) == 200
        assert [await see(each) for each in forged] == [401] * len(forged)
        clock.time += SESSION_S + 1
        assert await see(fine) == 401


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"]
)
async def test_without_tokens_a_proxy_that_sends_others_here_is_refused(probe: Probe, header: str) -> None:
    async with serving(probe, view=None, control=None) as server:
        assert (await ask(server, "/view", token=None))[0] == 200
        status, body, _ = await ask(server, "/view", token=None, headers={header: "192.0.2.7"})
        assert (status, "http.tokens" in json.loads(body)["error"]) == (403, True)


async def test_slow_headers_and_slow_bodies_end_in_time_and_keep_nobody_out(
    served: HttpServer, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "STRANGER_S", 0.2)
    monkeypatch.setattr("blikk_edge.net.http.answers.BODY_S", 0.2)
    slow = await said(served, b"GET /view HTTP/1.1\r\n" + HOST)
    assert slow == b""
    head = f"Authorization: Bearer {CONTROL}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"POST /change HTTP/1.1\r\n" + HOST + head.encode() + b'{"a":')
    async with asyncio.timeout(60 * PATIENCE):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.transport.abort()
    assert probe.changed == []


async def test_a_body_without_end_and_what_is_no_json_are_refused(served: HttpServer, probe: Probe) -> None:
    kind = {"Content-Type": "application/json"}
    for body, status in ((b"[" * 100_000, 400), (b"\xff", 400), (b"[1]", 400), (b" " * 300_000, 413), (b"", 400)):
        assert (await ask(served, "/change", method="POST", token=CONTROL, headers=kind, data=body))[0] == status
    assert probe.changed == []


@pytest.mark.parametrize("says", [b"", b"GET /view HTTP/1.1\r\nHost: x\r\nX-", b"\x16\x03\x01"], ids=repr)
async def test_a_thousand_half_open_connections_keep_nobody_out(served: HttpServer, says: bytes) -> None:
    assert (await ask(served, "/view"))[0] == 200
    before = resident_mb()
    crowd = HalfOpen(served.port, 1000, says)
    try:
        assert [(await ask(served, "/view"))[0] for _ in range(60)] == [200] * 60
        async with asyncio.timeout(60 * PATIENCE):
            # who was hung up is counted until both ends are closed
            while crowd.hung_up < 800 or len(served._connections) > STRANGERS_MAX + KNOWN:
                await asyncio.sleep(0.05)
        assert [(await ask(served, "/view"))[0] for _ in range(20)] == [200] * 20
        assert resident_mb() - before < 90  # both ends of all sockets
    finally:
        await crowd.go()


@pytest.mark.parametrize(
    "flood",
    [
        b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /view HTTP/1.1\r\n" + HOST + b"\r\n",
        b"X: y\r\n",
        b"GET /public HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
    ids=["answered", "refused", "headers", "upgrades"],
)
async def test_floods_in_one_go_of_who_reads_no_answer_take_little_memory(served: HttpServer, flood: bytes) -> None:
    assert (await ask(served, "/view"))[0] == 200
    start = b"GET /public HTTP/1.1\r\n" if flood.startswith(b"X") else b""
    many = flood * (400_000 // len(flood))
    before, most = resident_mb(), 0.0
    senders = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(40)]
    try:
        for _, writer in senders:
            writer.write(start)
        for _ in range(10):  # 160 MB, if it were let
            for _, writer in senders:
                if writer.transport.get_write_buffer_size() == 0:
                    writer.write(many)
            await asyncio.sleep(0.05)
            most = max(most, resident_mb() - before)
        assert (await ask(served, "/view"))[0] == 200
    finally:
        for _, writer in senders:
            writer.transport.abort()
    assert most < 120, f"{most:.0f} MB, of which 16 are what the senders have left"


async def test_who_shows_no_token_in_time_is_hung_up(served: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "STRANGER_S", 0.2)
    request = f"GET /view HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    stranger, gone = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(request)
    async with asyncio.timeout(60 * PATIENCE):
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        assert await stranger.read() == b""  # by now its time is over
        writer.write(request)
        await reader.readuntil(b"HTTP/1.1 200")
    for each in (writer, gone):
        each.close()


async def test_whoever_asks_for_what_is_public_is_counted_like_others(
    served: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = b"GET /public HTTP/1.1\r\n" + HOST
    strangers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    for _ in range(STRANGERS_MAX + 50):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        strangers.append((reader, writer))
        writer.write(asked + b"\r\n")
        with suppress(ConnectionError):
            await reader.readline()
        assert len(served._connections) <= STRANGERS_MAX + KNOWN
    reader, known = await asyncio.open_connection("127.0.0.1", served.port)
    known.write(asked + f"Authorization: Bearer {VIEW}\r\n\r\n".encode())
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    monkeypatch.setattr(listening, "STRANGER_S", 0.0)
    await asyncio.gather(*(reader.read() for reader, _ in strangers), return_exceptions=True)  # they are hung up
    assert len(served._connections) == 1
    known.write(asked + b"Connection: close\r\n\r\n")
    assert b"HTTP/1.1 200 OK\r\n" in await reader.read()
    for _, writer in strangers:
        writer.close()
    known.close()


async def test_more_who_know_the_token_than_are_served_at_once_lose_the_oldest(served: HttpServer) -> None:
    request = f"GET /view HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\r\n\r\n".encode()
    held = []
    async with asyncio.timeout(60 * PATIENCE):
        for _ in range(KNOWN + 1):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            held.append((reader, writer))
            writer.write(request)
            await reader.readuntil(b"}")
        assert await held[0][0].read() == b""
    assert not any(reader.at_eof() for reader, _ in held[1:])
    for _, writer in held:
        writer.transport.abort()


@pytest.mark.parametrize(
    "raw",
    [
        f"GET /view HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\x00\r\n\r\n",
        f"GET /view HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer\r\n {VIEW}\r\n\r\n",
        f"GET /view HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer {VIEW}\r\n\r\n",
        f"GET /view HTTP/1.1\r\nAuthorization: Bearer {VIEW}\r\nHost\r\n\r\n",
        f"GET /view?token={VIEW} HTTP/9\r\nHost: localhost\r\n\r\n",
        f"{VIEW} /view HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"GET /view HTTP/1.1\r\nHost: localhost\r\nX: {VIEW * 1000}\r\n\r\n",
        f"GET /{VIEW * 1000} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"POST /change HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\r\nContent-Length: x{VIEW}\r\n\r\n",
        f"POST /change HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{VIEW}\r\n",
        f"GET http://[{VIEW}/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\r\n\r\n",
        f"GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: {VIEW}\r\nConnection: Upgrade\r\n\r\n",
        f"{HANDSHAKE}Authorization: Bearer {VIEW}\r\nSec-WebSocket-Protocol: {VIEW}\r\n\r\n",
    ],
    ids=range(13),
)
async def test_no_request_however_malformed_shows_its_token_in_the_log_or_floods_it(
    served: HttpServer, raw: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(raw.encode("latin-1"))
        writer.write_eof()
        with suppress(ConnectionError):
            async with asyncio.timeout(60 * PATIENCE):
                await reader.read()
        writer.close()
    assert (await ask(served, "/view"))[0] == 200
    lines = [r for r in caplog.records if r.name.startswith(("blikk", "aiohttp")) or r.levelno >= logging.WARNING]
    formatter = logging.Formatter("%(message)s")
    assert VIEW not in "\n".join(formatter.format(record) for record in caplog.records)
    assert len(lines) <= 2


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A masked frame, by RFC 6455, 5.2; the mask is 0."""
    return bytes([0x80 * fin | opcode, 0x80 | len(payload)]) + bytes(4) + payload


TEXT, CONTINUED, PING = 0x1, 0x0, 0x9


@pytest.mark.parametrize(
    ("first", "endless"),
    [
        (frame(TEXT, fin=False), frame(CONTINUED, fin=False)),
        (b"", frame(PING)),
        (b"", frame(PING, b"z" * 125)),
        (frame(TEXT, fin=False), frame(PING, b"z" * 125) + frame(CONTINUED, fin=False)),
        (b"", frame(TEXT, b"{}")),
    ],
    ids=["fragments", "pings", "long pings", "pings between fragments", "messages"],
)
@pytest.mark.parametrize("early", [False, True], ids=["after", "with the handshake"])
async def test_a_flood_of_frames_is_cut_off(served: HttpServer, first: bytes, endless: bytes, early: bool) -> None:
    handshake = f"{HANDSHAKE}Authorization: Bearer {VIEW}\r\n\r\n".encode()
    flood = first + endless * (300_000 // len(endless))
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    async with asyncio.timeout(60 * PATIENCE):
        if early:
            writer.write(handshake + flood)
        else:
            writer.write(handshake)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(flood)
        with suppress(ConnectionError):
            while await reader.read(65536):
                pass
    writer.transport.abort()
    async with connect(
        f"ws://127.0.0.1:{served.port}/socket", additional_headers={"Authorization": f"Bearer {VIEW}"}, proxy=None
    ) as one:
        assert await one.recv() == "hello"


async def test_a_thousand_web_sockets_are_no_more_than_may_be(served: HttpServer) -> None:
    headers = {"Authorization": f"Bearer {VIEW}"}
    url = f"ws://127.0.0.1:{served.port}/socket"
    async with asyncio.timeout(120):
        held = []
        for _ in range(10):
            held += await asyncio.gather(
                *(connect(url, additional_headers=headers, proxy=None, open_timeout=60) for _ in range(100)),
                return_exceptions=True,
            )
        assert len(served._connections) <= STRANGERS_MAX + KNOWN
        async with connect(url, additional_headers=headers, proxy=None) as one:
            assert await one.recv() == "hello"
        for each in held:
            if not isinstance(each, BaseException):
                each.transport.abort()


async def test_who_reads_an_endless_answer_slowly_takes_no_memory(served: HttpServer) -> None:
    before = resident_mb()
    request = f"GET /endless HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\r\n\r\n".encode()
    held = [await asyncio.open_connection("127.0.0.1", served.port, limit=1024) for _ in range(30)]
    for reader, writer in held:
        writer.write(request)
        await reader.readline()
    for _ in range(20):
        assert (await ask(served, "/view"))[0] == 200
    assert resident_mb() - before < 60
    for _, writer in held:
        writer.transport.abort()


async def test_who_reads_nothing_of_a_large_answer_is_hung_up(
    served: HttpServer, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len((await ask(served, "/large"))[1]) == 20_000_000
    monkeypatch.setattr(connection, "UNREAD_S", 0.3)
    request = f"GET /large HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\r\n\r\n".encode()
    _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    writer.write(request)
    async with asyncio.timeout(60 * PATIENCE):
        while len(probe.transports) < 2 or not probe.transports[-1].is_closing():
            await asyncio.sleep(0.02)
    writer.transport.abort()


async def test_who_reads_slowly_is_not_hung_up(served: HttpServer, probe: Probe) -> None:
    request = f"GET /large HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    writer.write(request)
    async with asyncio.timeout(60 * PATIENCE):
        while not probe.transports or not (unread := probe.transports[0].get_write_buffer_size()):
            await asyncio.sleep(0.02)
        made: Any = probe.transports[0].get_protocol()
        await reader.readexactly(15_000_000)
    made._look_at_reader(unread)
    assert not probe.transports[0].is_closing()
    made._look_at_reader(probe.transports[0].get_write_buffer_size())
    assert probe.transports[0].is_closing()
    writer.transport.abort()


async def test_web_sockets_are_told_that_the_node_stops(probe: Probe) -> None:
    async with serving(probe) as server:
        one = await connect(
            f"ws://127.0.0.1:{server.port}/socket", additional_headers={"Authorization": f"Bearer {VIEW}"}, proxy=None
        )
        assert await one.recv() == "hello"
    with pytest.raises(ConnectionClosed):
        await one.recv()
    assert one.close_code == 1001


async def test_tls_serves_while_hundreds_never_finish_their_handshake(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HANDSHAKE_S", 2.0)
    made = make_certificates(tmp_path)
    async with serving(probe, certificate=made.server, key=made.server_key) as server:
        crowd = HalfOpen(server.port, 300)
        trust = client_context(made.ca)
        request = f"GET /view HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {VIEW}\r\n\r\n"
        try:
            for _ in range(20):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
                writer.write(request.encode())
                async with asyncio.timeout(60 * PATIENCE):
                    assert (await reader.read()).startswith(b"HTTP/1.1 200")
                    writer.close()
                    await writer.wait_closed()
            async with connect(
                f"wss://127.0.0.1:{server.port}/socket",
                ssl=trust,
                additional_headers={"Authorization": f"Bearer {VIEW}"},
                proxy=None,
            ) as one:
                assert await one.recv() == "hello"
            async with asyncio.timeout(60 * PATIENCE):
                while crowd.hung_up < 300:  # the silent ones, when their handshake took too long
                    await asyncio.sleep(0.05)
        finally:
            await crowd.go()


async def test_a_port_in_use_bad_certificates_and_an_open_door_are_clear_errors(
    served: HttpServer, probe: Probe, tmp_path: Path
) -> None:
    made = make_certificates(tmp_path)
    for options, words in (
        ({"port": served.port}, r"choose another `http\.port`"),
        ({"host": "0.0.0.0"}, "`http.tls` with a certificate"),
        ({"certificate": made.ca, "key": made.server_key}, "both must be PEM files"),
    ):
        access = Access(view=VIEW, control=None, clock=SystemClock())
        server = HttpServer([probe], access, clock=SystemClock(), **({"port": 0} | options))
        with pytest.raises(BlikkError, match=words):
            await server.run()


async def test_where_the_settings_say_in_the_clear_no_certificate_is_needed(probe: Probe) -> None:
    async with serving(probe, host="0.0.0.0", in_the_clear=True) as server:
        assert (await ask(server, "/view"))[0] == 200


@pytest.mark.parametrize(("host", "address"), [("::1", "http://[::1]:8428"), ("127.0.0.1", "http://127.0.0.1:8428")])
def test_the_address_of_an_ipv6_host_has_brackets(host: str, address: str) -> None:
    assert HttpSettings(host=host).address == address
