"""The picture API, asked over a real socket."""

import asyncio
import json
import logging
import resource
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import jsonschema
import pytest
from broker import make_certificates

from blikk_edge.core.album import AlbumDay
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import BlikkError, StoreError
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary
from blikk_edge.grammar.secrets import Secret
from blikk_edge.net import listening
from blikk_edge.net.listening import KNOWN, STRANGERS_MAX
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.sinks.trust import client_context
from blikk_edge.store.store import Store
from blikk_edge.web import media
from blikk_edge.web.media import MediaApi
from blikk_edge.web.media_kind import MediaSettings

T0 = 1795262400.25
TOKEN = "0123456789abcdef"
SCHEMAS = Path(__file__).parents[2] / "contract" / "schemas"


def event(number: int, camera: str = "gate", label: Label = Label.PERSON) -> Event:
    return Event(
        id=f"{camera}-{number}",
        camera=camera,
        phase=Phase.ENDED,
        revision=2,
        time=T0 + number,
        started=T0 + number,
        ended=T0 + number + 5,
        label=label,
        reason=Observed.LEFT,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "blikk.db")
    made.open()
    for record in (event(1), event(2, "door"), event(3, label=Label.VEHICLE)):
        made.put(record)
    made.put(
        Summary(
            id="s", camera="gate", event="gate-1", revision=2, time=T0, since=T0, until=T0, title="One", text="One."
        )
    )
    yield made
    made.close()


@pytest.fixture
async def api(tmp_path: Path, store: Store) -> AsyncIterator[MediaApi]:
    album = PictureAlbum(tmp_path / "album", clock=VirtualClock(T0), max_bytes=10**6, keep_days=9)
    album.keep(
        Picture(camera="gate", name="person", time=T0 + 1, jpeg=b"\xff\xd8x", width_px=8, height_px=8, event="gate-1")
    )
    made = MediaApi(album, store, token=TOKEN, port=0)
    task = asyncio.ensure_future(made.run())
    async with asyncio.timeout(10):
        while not made.port:
            await asyncio.sleep(0.01)
    yield made
    task.cancel()
    await asyncio.wait([task])


async def ask(api: MediaApi, path: str, *, token: str = TOKEN, method: str = "GET") -> tuple[int, bytes, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, f"http://127.0.0.1:{api.port}{path}", headers={"Authorization": f"Bearer {token}"}
        ) as answer,
    ):
        return answer.status, await answer.read(), answer.content_type


async def test_events_come_with_summary_and_pictures(api: MediaApi) -> None:
    status, body, _ = await ask(api, "/v1/events?camera=gate&label=person&since=2026-11-21T12:00:00Z")
    (reported,) = json.loads(body)["events"]
    assert status == 200
    assert reported["summary"]["title"] == "One"
    (kept,) = reported["pictures"]
    assert (await ask(api, f"/v1/pictures/{kept['id']}"))[1:] == (b"\xff\xd8x", "image/jpeg")
    jsonschema.validate(reported, json.loads((SCHEMAS / "event.json").read_text()))


async def test_days_and_pictures_are_listed(api: MediaApi) -> None:
    days = json.loads((await ask(api, "/v1/days"))[1])["days"]
    assert [(each["camera"], each["pictures"]) for each in days] == [("gate", 1)]
    pictures = json.loads((await ask(api, f"/v1/pictures?day={days[0]['day']}&event=gate-1"))[1])["pictures"]
    assert [(each["name"], each["bytes"]) for each in pictures] == [("person", 3)]
    assert json.loads((await ask(api, "/v1/pictures?camera=door"))[1])["pictures"] == []


async def test_nobody_gets_in_without_the_token(api: MediaApi) -> None:
    for path in ("/v1/days", "/v1/pictures/x", "/nothing"):
        assert (await ask(api, path, token="wrong"))[0] == 401
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{api.port}/v1/days") as answer:
        assert answer.status == 401
        assert "media.token" in (await answer.json())["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/pictures/..%2F..%2Fblikk.db", 404),
        ("/v1/pictures/gate.2026-11-21.none", 404),
        ("/v1/pictures?day=today", 400),
        ("/v1/pictures?limit=0", 400),
        ("/v1/pictures?limit=9999999999999", 400),
        ("/v1/pictures?limit=0000000019999", 400),
        ("/v1/pictures?limit=501", 400),
        ("/v1/events?since=yesterday", 400),
        ("/v1/events?label=ghost", 400),
        ("/v2/events", 404),
    ],
)
async def test_what_cannot_be_answered_says_why(api: MediaApi, path: str, status: int) -> None:
    got, body, kind = await ask(api, path)
    assert (got, kind) == (status, "application/json")
    assert json.loads(body)["error"]


async def test_a_token_that_is_no_text_is_a_wrong_one(api: MediaApi) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /v1/days HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\nConnection: close\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_the_pictures_of_many_events_are_looked_for_in_one_go(
    api: MediaApi, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10, 30):
        store.put(event(number))
    listed: list[Path] = []
    real = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    reported = json.loads((await ask(api, "/v1/events?camera=gate"))[1])["events"]
    assert [len(each["pictures"]) for each in reported] == [0] * 21 + [1]
    assert len(listed) == len(set(listed)) == 3  # the album, the camera, its day


async def test_one_look_at_a_time_takes_one_thread(
    api: MediaApi, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking: list[int] = []
    most = 0
    go = threading.Event()

    def slow(**_: object) -> list[Event]:
        nonlocal most
        looking.append(1)
        most = max(most, len(looking))
        go.wait(0.2)
        looking.pop()
        return []

    monkeypatch.setattr(store, "events", slow)
    answers = await asyncio.gather(*(ask(api, "/v1/events") for _ in range(4)))
    assert {status for status, _, _ in answers} == {200}
    assert most == 1


async def test_only_get_is_answered(api: MediaApi) -> None:
    assert (await ask(api, "/v1/days", method="POST"))[0] == 405


async def test_a_store_that_cannot_be_read_is_said(
    api: MediaApi, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> list[AlbumDay]:
        raise StoreError("store: cannot read; see its disk")

    monkeypatch.setattr(store, "events", broken)
    status, body, _ = await ask(api, "/v1/events")
    assert (status, json.loads(body)["error"]) == (503, "store: cannot read; see its disk")


class HalfOpen:
    """Sockets that say the beginning of a request, or nothing, and stay; who is hung up comes again."""

    def __init__(self, port: int, count: int, says: bytes = b"") -> None:
        self.hung_up = 0
        self._port, self._says = port, says
        self._tasks = [asyncio.ensure_future(self._stay()) for _ in range(count)]

    async def _stay(self) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(self._says)
                    await reader.read()
                    self.hung_up += 1
                finally:
                    writer.close()
            await asyncio.sleep(0.5)

    async def go(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


@pytest.mark.parametrize("says", [b"", b"GET /v1/days HTTP/1.1\r\nHost: x\r\nX-", b"\x16\x03\x01"], ids=repr)
async def test_five_hundred_half_open_connections_keep_nobody_out(api: MediaApi, says: bytes) -> None:
    assert (await ask(api, "/v1/days"))[0] == 200
    before = resident_mb()
    crowd = HalfOpen(api.port, 400, says)
    try:
        answers = [(await ask(api, "/v1/days"))[0] for _ in range(80)]
        assert answers == [200] * 80
        async with asyncio.timeout(20):
            while crowd.hung_up < 300:
                await asyncio.sleep(0.05)
        assert len(api._connections) <= STRANGERS_MAX + KNOWN
        assert [(await ask(api, "/v1/days"))[0] for _ in range(20)] == [200] * 20
        assert resident_mb() - before < 60
    finally:
        await crowd.go()


async def test_what_strangers_send_takes_little_memory(api: MediaApi) -> None:
    """Requests without end in one go, and headers without end."""
    assert (await ask(api, "/v1/days"))[0] == 200
    before, most = resident_mb(), 0.0
    for flood in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 80_000):
        senders = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(40)]
        for _, writer in senders:
            writer.write(flood)
        async with asyncio.timeout(20):
            for reader, _ in senders:
                with suppress(ConnectionError):
                    while await reader.read(65536):
                        most = max(most, resident_mb() - before)
        for _, writer in senders:
            writer.transport.abort()
    assert most < 120  # of which 25 are the flood itself, in 40 buffers of the sender


async def test_who_shows_no_token_in_time_is_hung_up(api: MediaApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "STRANGER_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /v1/days HTTP/1.1\r\nHost: x\r\n")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_who_has_shown_the_token_may_stay(api: MediaApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "STRANGER_S", 0.2)
    request = f"GET /v1/days HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    stranger, gone = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request)
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)).startswith(b"HTTP/1.1 200")
    assert await asyncio.wait_for(stranger.read(), 10) == b""  # by now its time is over
    writer.write(request)
    assert (await asyncio.wait_for(reader.readuntil(b"HTTP/1.1 200"), 5)).endswith(b"200")
    for each in (writer, gone):
        each.close()


async def test_more_who_know_the_token_than_it_serves_at_once_lose_the_oldest(api: MediaApi) -> None:
    request = f"GET /v1/days HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    held = []
    for _ in range(KNOWN + 1):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        held.append((reader, writer))
        writer.write(request)
        await asyncio.wait_for(reader.readuntil(b"]}"), 5)
    assert await asyncio.wait_for(held[0][0].read(), 5) == b""
    assert not any(reader.at_eof() for reader, _ in held[1:])
    for _, writer in held:
        writer.close()


async def test_unfinished_handshakes_keep_nobody_out(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "HANDSHAKE_S", 2.0)
    made = make_certificates(tmp_path)
    album = PictureAlbum(tmp_path / "album", clock=VirtualClock(T0), max_bytes=1, keep_days=1)
    api = MediaApi(album, store, token=TOKEN, port=0, certificate=made.server, key=made.server_key)
    task = asyncio.ensure_future(api.run())
    async with asyncio.timeout(10):
        while not api.port:
            await asyncio.sleep(0.01)
    crowd = HalfOpen(api.port, 300)
    trust = client_context(made.ca)
    try:
        request = f"GET /v1/days HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=trust)
            writer.write(request.encode())
            assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200")
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), 10)
        async with asyncio.timeout(20):
            while crowd.hung_up < 300:  # the silent ones, when their handshake took too long
                await asyncio.sleep(0.05)
    finally:
        await crowd.go()
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize(
    "raw",
    [
        f"GET /v1/days HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\x00\r\n\r\n",
        f"GET /v1/days HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\r\n {TOKEN}\r\n\r\n",
        f"GET /v1/days HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {TOKEN}\r\n\r\n",
        f"GET /v1/days HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nHost\r\n\r\n",
        f"GET /v1/days?token={TOKEN} HTTP/9\r\nHost: x\r\n\r\n",
        f"{TOKEN} /v1/days HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /v1/days HTTP/1.1\r\nHost: x\r\nX: {TOKEN * 1000}\r\n\r\n",
        f"GET /{TOKEN * 1000} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"POST /v1/days HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: x{TOKEN}\r\n\r\n",
        f"POST /v1/days HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n",
        f"GET http://[{TOKEN}/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: {TOKEN}\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
    ],
    ids=range(12),
)
async def test_no_request_however_malformed_shows_its_token_in_the_log_or_floods_it(
    api: MediaApi, raw: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(raw.encode("latin-1"))
        writer.write_eof()
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert (await ask(api, "/v1/days"))[0] == 200
    lines = [r for r in caplog.records if r.name.startswith(("blikk", "aiohttp")) or r.levelno >= logging.WARNING]
    formatter = logging.Formatter("%(message)s")
    assert TOKEN not in "\n".join(formatter.format(record) for record in caplog.records)
    assert len(lines) <= 2


async def test_a_fault_of_ours_is_reported_with_its_place_and_without_its_words(
    api: MediaApi, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> list[AlbumDay]:
        raise KeyError(TOKEN)

    monkeypatch.setattr(store, "events", broken)
    assert (await ask(api, "/v1/events"))[0] == 500
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        f"a request failed: KeyError in {Path(__file__).name}:{broken.__code__.co_firstlineno + 1}"
    ]
    assert TOKEN not in caplog.text


async def test_a_port_in_use_and_an_open_door_are_clear_errors(api: MediaApi, store: Store, tmp_path: Path) -> None:
    album = PictureAlbum(tmp_path, clock=VirtualClock(), max_bytes=1, keep_days=1)
    with pytest.raises(BlikkError, match=r"choose another `media\.port`"):
        await MediaApi(album, store, token=TOKEN, port=api.port).run()
    with pytest.raises(BlikkError, match="certificate"):
        await MediaApi(album, store, token=TOKEN, host="0.0.0.0", port=0).run()


async def test_where_the_settings_say_in_the_clear_no_certificate_is_needed(store: Store, tmp_path: Path) -> None:
    album = PictureAlbum(tmp_path, clock=VirtualClock(), max_bytes=1, keep_days=1)
    api = MediaApi(album, store, token=TOKEN, host="0.0.0.0", port=0, in_the_clear=True)
    task = asyncio.ensure_future(api.run())
    try:
        async with asyncio.timeout(10):
            while not api.port:
                await asyncio.sleep(0.01)
        status, _, _ = await ask(api, "/v1/days")
        assert status == 200
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(("host", "address"), [("::1", "http://[::1]:8428"), ("127.0.0.1", "http://127.0.0.1:8428")])
def test_the_address_of_an_ipv6_host_has_brackets(host: str, address: str) -> None:
    assert MediaSettings(token=Secret(TOKEN), host=host).address == address
