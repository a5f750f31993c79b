"""The picture API, asked over a real socket."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import jsonschema
import pytest
from http_served import VIEW, ask, serving

from blikk_edge.core.album import AlbumDay
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary
from blikk_edge.net.http.server import HttpServer
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.store.store import Store
from blikk_edge.web.media import MediaApi

T0 = 1795262400.25
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
async def api(tmp_path: Path, store: Store) -> AsyncIterator[HttpServer]:
    album = PictureAlbum(tmp_path / "album", clock=VirtualClock(T0), max_bytes=10**6, keep_days=9)
    album.keep(
        Picture(camera="gate", name="person", time=T0 + 1, jpeg=b"\xff\xd8x", width_px=8, height_px=8, event="gate-1")
    )
    async with serving(MediaApi(album, store)) as server:
        yield server


async def test_events_come_with_summary_and_pictures(api: HttpServer) -> None:
    status, body, _ = await ask(api, "/v1/events?camera=gate&label=person&since=2026-11-21T12:00:00Z")
    (reported,) = json.loads(body)["events"]
    assert status == 200
    assert reported["summary"]["title"] == "One"
    (kept,) = reported["pictures"]
    assert (await ask(api, f"/v1/pictures/{kept['id']}"))[1:] == (b"\xff\xd8x", "image/jpeg")
    jsonschema.validate(reported, json.loads((SCHEMAS / "event.json").read_text()))


async def test_days_and_pictures_are_listed(api: HttpServer) -> None:
    days = json.loads((await ask(api, "/v1/days"))[1])["days"]
    assert [(each["camera"], each["pictures"]) for each in days] == [("gate", 1)]
    pictures = json.loads((await ask(api, f"/v1/pictures?day={days[0]['day']}&event=gate-1"))[1])["pictures"]
    assert [(each["name"], each["bytes"]) for each in pictures] == [("person", 3)]
    assert json.loads((await ask(api, "/v1/pictures?camera=door"))[1])["pictures"] == []


async def test_nobody_sees_a_picture_without_the_token(api: HttpServer) -> None:
    for path in ("/v1/days", "/v1/pictures", "/v1/pictures/x", "/v1/events"):
        assert [(await ask(api, path, token=token))[0] for token in (None, "wrong")] == [401, 401]


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
async def test_what_cannot_be_answered_says_why(api: HttpServer, path: str, status: int) -> None:
    got, body, kind = await ask(api, path)
    assert (got, kind) == (status, "application/json")
    assert json.loads(body)["error"]


async def test_the_pictures_of_many_events_are_looked_for_in_one_go(
    api: HttpServer, store: Store, monkeypatch: pytest.MonkeyPatch
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
    api: HttpServer, store: Store, monkeypatch: pytest.MonkeyPatch
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


async def test_only_get_is_answered(api: HttpServer) -> None:
    assert (await ask(api, "/v1/days", method="POST"))[0] == 405


async def test_a_store_that_cannot_be_read_is_said(
    api: HttpServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> list[AlbumDay]:
        raise StoreError("store: cannot read; see its disk")

    monkeypatch.setattr(store, "events", broken)
    status, body, _ = await ask(api, "/v1/events")
    assert (status, json.loads(body)["error"]) == (503, "store: cannot read; see its disk")


async def test_a_fault_of_ours_is_reported_with_its_place_and_without_its_words(
    api: HttpServer, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> list[AlbumDay]:
        raise KeyError(VIEW)

    monkeypatch.setattr(store, "events", broken)
    assert (await ask(api, "/v1/events"))[0] == 500
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        f"a request failed: KeyError in {Path(__file__).name}:{broken.__code__.co_firstlineno + 1}"
    ]
    assert VIEW not in caplog.text
