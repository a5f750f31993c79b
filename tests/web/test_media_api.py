"""The picture API, asked over a real socket."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import jsonschema
import pytest
from broker import make_certificates

from blikk_edge.config.secrets import Secret
from blikk_edge.config.slow import MediaSettings
from blikk_edge.core.album import AlbumDay
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import BlikkError, StoreError
from blikk_edge.core.observation import Event, Kind, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.sinks.store import Store
from blikk_edge.sinks.trust import client_context
from blikk_edge.web import media
from blikk_edge.web.media import MediaApi

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
        reason=Kind.LEFT,
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
    (told,) = json.loads(body)["events"]
    assert status == 200
    assert told["summary"]["title"] == "One"
    (kept,) = told["pictures"]
    assert (await ask(api, f"/v1/pictures/{kept['id']}"))[1:] == (b"\xff\xd8x", "image/jpeg")
    jsonschema.validate(told, json.loads((SCHEMAS / "event.json").read_text()))


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
    told = json.loads((await ask(api, "/v1/events?camera=gate"))[1])["events"]
    assert [len(each["pictures"]) for each in told] == [0] * 21 + [1]
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


async def test_more_connections_than_it_takes_are_hung_up(api: MediaApi) -> None:
    held = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(32)]
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    for _, each in [*held, (reader, writer)]:
        each.close()
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while True:
            try:
                assert (await ask(api, "/v1/days"))[0] == 200
                break
            except aiohttp.ClientError:
                continue


async def test_with_tls_a_connection_counts_from_its_first_byte(
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
    held = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(33)]
    # The one too many is hung up at once, the silent ones when their handshake took too long.
    with suppress(ConnectionError):
        assert await asyncio.wait_for(held[32][0].read(), 1) == b""
    assert not any(reader.at_eof() for reader, _ in held[:32])
    for reader, _ in held[:32]:
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_context(made.ca))) as session,
        session.get(f"https://127.0.0.1:{api.port}/v1/days", headers={"Authorization": f"Bearer {TOKEN}"}) as answer,
    ):
        assert answer.status == 200
    for _, writer in held:
        writer.close()
    task.cancel()
    await asyncio.wait([task])


async def test_a_port_in_use_and_an_open_door_are_clear_errors(api: MediaApi, store: Store, tmp_path: Path) -> None:
    album = PictureAlbum(tmp_path, clock=VirtualClock(), max_bytes=1, keep_days=1)
    with pytest.raises(BlikkError, match=r"choose another `media\.port`"):
        await MediaApi(album, store, token=TOKEN, port=api.port).run()
    with pytest.raises(BlikkError, match="certificate"):
        await MediaApi(album, store, token=TOKEN, host="0.0.0.0", port=0).run()


@pytest.mark.parametrize(("host", "address"), [("::1", "http://[::1]:8428"), ("127.0.0.1", "http://127.0.0.1:8428")])
def test_the_address_of_an_ipv6_host_has_brackets(host: str, address: str) -> None:
    assert MediaSettings(token=Secret(TOKEN), host=host).address == address
