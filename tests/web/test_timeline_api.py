"""The timeline, single events, their exports and search over HTTP, from a real store and album."""

import asyncio
import io
import json
import threading
import zipfile
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from patience import PATIENCE

from blikk_edge.app.asking import answerer
from blikk_edge.asking.forgetting import Forgetter
from blikk_edge.cli.program import program
from blikk_edge.core.appearance import Appearance, Colour
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.geometry import Box
from blikk_edge.core.locale import Locale
from blikk_edge.core.observation import Event, Observation, Observed, Phase, Ring, Sighting
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.paths import EventPath, PathPoint
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, NodeInfo
from blikk_edge.core.summary import Author, Checked, Summary
from blikk_edge.kinds.context import Context
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.server import HttpServer
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.store.store import Store
from blikk_edge.web.events import EXPORTS_MAX, events_of, why
from blikk_edge.web.looking import line_content
from blikk_edge.web.media import MediaApi
from blikk_edge.web.search import SearchPage
from blikk_edge.web.timeline import Timeline
from blikk_edge.wire.exports import jpeg_size
from blikk_edge.wire.records import record_to_text
from blikk_edge.wire.topics import Topics

BERLIN = ZoneInfo("Europe/Berlin")
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc00011080060008003012200021101031101ffd9")
"""A frame header of 128 x 96 px between start and end: what an export looks at."""


def at(text: str) -> float:
    """A time on the wall in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


NOW = at("2026-11-21 18:00")


def visit(
    name: str, started: str, *, camera: str = "gate", label: Label = Label.PERSON, lasts_s: float = 20.0
) -> Event:
    time = at(started)
    sighting = Sighting(
        track=1, label=label, sub_label=label.value, score=0.8, box=Box(0.1, 0.2, 0.4, 0.9), since=time, dwell_s=lasts_s
    )
    return Event(
        id=name,
        camera=camera,
        phase=Phase.ENDED,
        revision=2,
        time=time + lasts_s,
        started=time,
        ended=time + lasts_s,
        label=label,
        reason=Observed.LEFT,
        objects=(sighting,),
        zones=("path",) if camera == "gate" else (),
        picture=label.value,
    )


def course_of(event: Event) -> list[Observation | Event]:
    """Its records as they are reported."""
    first = replace(event, phase=Phase.STARTED, revision=1, time=event.started, ended=None, reason=Observed.APPEARED)
    seen = Observation(
        id=f"{event.id}-seen",
        camera=event.camera,
        kind=Observed.APPEARED,
        time=event.started,
        until=event.started,
        score=0.6,
        objects=event.objects,
        event=event.id,
    )
    return [first, seen, event, replace(seen, id=f"{event.id}-left", kind=Observed.LEFT)]


def text(event: Event, title: str, words: str) -> Summary:
    return Summary(
        id=f"{event.id}-s",
        camera=event.camera,
        event=event.id,
        revision=2,
        time=event.time,
        since=event.started,
        until=event.time,
        title=title,
        text=words,
    )


VISITOR = visit("visitor", "2026-11-21 12:00:10")
VAN = visit("van", "2026-11-21 09:30", camera="yard", label=Label.VEHICLE, lasts_s=600.0)
NIGHT = visit("night", "2026-11-20 23:59:30", lasts_s=90.0)
OLD = visit("old", "2026-11-03 08:00", camera="yard", label=Label.ANIMAL)
AUTUMN = visit("autumn", "2026-10-25 02:30")  # of the hour that comes twice the first


@dataclass
class Ask:
    """Asks the server; the answer's JSON, or its bytes."""

    server: HttpServer

    async def __call__(self, path: str, *, status: int = 200, **query: str) -> Any:
        got, content = await self.answered(path, **query)
        assert got == status, content
        return content

    async def answered(self, path: str, **query: str) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.server.port}/v1/{path}"
        async with aiohttp.ClientSession() as session, session.get(url, params=query) as reply:
            content = await reply.read()
            return reply.status, json.loads(content) if reply.content_type == "application/json" else content


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Ask]:
    store = Store(tmp_path / "blikk.db", courses=True)
    store.open()
    for event in (AUTUMN, OLD, NIGHT, VAN, VISITOR):
        for record in course_of(event):
            look = Appearance(track=1, label=event.label, kind=event.label.value, colours=(Colour("red"),))
            seen = isinstance(record, Observation) and event in (VAN, OLD) and record.kind is Observed.APPEARED
            store.put(replace(record, appearances=(look,)) if seen and isinstance(record, Observation) else record)
    store.put(text(VISITOR, "A visitor", "Jemand kam über den Weg."))
    store.put(text(VAN, "A van", "A van stopped."))
    store.put(Ring(id="ring-1", camera="gate", time=VISITOR.started + 5, via="http"))
    store.mark("old", "Nachbars Katze")
    points = tuple(PathPoint(time=VISITOR.started + n, track=1, box=Box(n / 10, 0.2, 0.5, 0.9)) for n in range(3))
    store.keep_path(EventPath(event="visitor", points=points))
    clock, locale = VirtualClock(NOW), Locale(timezone=BERLIN)
    album = PictureAlbum(tmp_path / "album", clock=clock, max_bytes=10**6, keep_days=99, locale=lambda: locale)
    for event, after in ((VISITOR, 1), (VISITOR, 2), (NIGHT, 40)):
        album.keep(
            Picture(
                camera=event.camera,
                name="person",
                time=event.started + after,
                jpeg=JPEG,
                width_px=128,
                height_px=96,
                event=event.id,
            )
        )
    cameras = (
        CameraInfo(id="gate", name="Gate", labels=tuple(Label), zones=("path",)),
        CameraInfo(id="yard", name="Yard", labels=tuple(Label)),
    )
    answer = answerer(
        history=store,
        cameras=cameras,
        clock=clock,
        states=tuple,
        forget=Forgetter(history=store, album=album, rememberers=(), publish=lambda _item: None).forget,
        album=album,
        locale=lambda: locale,
        searched=True,
    )
    context = Context(
        clock=clock,
        node=NodeInfo(id="house", name="House", version="1", cameras=cameras, searched=True),
        topics=Topics(prefix="blikk", node="house"),
        locale=lambda: locale,
        claimed=lambda _claim: None,
        order=lambda _command: None,
        history=store,
        album=album,
        ask=answer,
        states=tuple,
        publish=lambda _item: None,
    )
    access = Access(view=None, control=None, clock=clock)
    pages: Any = SimpleNamespace(node=context, recordings=None)  # of a PageContext these parts use no more
    server = HttpServer(
        [Timeline(pages), events_of(pages), SearchPage(pages), MediaApi(album, store)],
        access,
        clock=clock,
        port=0,
        in_the_clear=True,
    )
    task = asyncio.ensure_future(server.run())
    while not server.port:
        await asyncio.sleep(0.01)

    yield Ask(server)
    task.cancel()
    await asyncio.wait([task])
    store.close()


def ids(content: Any, key: str = "events") -> list[str]:
    return [each["id"] for each in content[key]]


async def test_a_day_has_its_events_those_that_reach_into_it_and_its_rings(ask: Ask) -> None:
    found = await ask("timeline")
    assert found["day"] == "2026-11-21"
    assert found["today"]
    assert (found["since"], found["until"]) == ("2026-11-20T23:00:00.000Z", "2026-11-21T23:00:00.000Z")
    assert ids(found) == ["visitor", "van", "night"]
    first, _, last = found["events"]
    assert (first["title"], first["ended"], first["zones"]) == ("A visitor", "2026-11-21T11:00:30.000Z", ["path"])
    assert first["picture"].startswith("gate.2026-11-21.20261121T110012000.")  # the newest of two
    assert last["picture"].startswith("gate.2026-11-21.")
    assert ids(found, "rings") == ["ring-1"]
    assert (found["before"], found["after"]) == ("2026-11-20", None)
    assert ids(await ask("timeline", day="2026-11-20")) == ["night"]


def test_a_line_says_that_a_parcel_was_taken(tmp_path: Path) -> None:
    left = visit("left", "2026-11-21 12:00", label=Label.PACKAGE)
    with closing(Store(tmp_path / "blikk.db")) as store:
        store.open()
        store.put(replace(left, id="lies", phase=Phase.STARTED, ended=None, change=ParcelChange.LEFT_BEHIND))
        store.put(replace(left, id="taken", change=ParcelChange.TAKEN))
        store.put(left)
        lines = store.lines(since=NOW - 86_400, until=NOW, limit=9)
    assert {line.id: line_content(line, None).get("taken", False) for line in lines} == {
        "lies": False,
        "taken": True,
        "left": False,
    }


async def test_a_day_on_which_clocks_change_has_23_or_25_hours(ask: Ask) -> None:
    found = await ask("timeline", day="2026-10-25")
    assert [each["hour"] for each in found["hours"]] == [0, 1, 2, 2, *range(3, 24)]
    assert ids(found) == ["autumn"]
    assert (found["before"], found["after"]) == (None, "2026-11-03")
    spring = await ask("timeline", day="2027-03-28")
    assert [each["hour"] for each in spring["hours"]] == [0, 1, *range(3, 24)]
    assert len((await ask("timeline", day="2026-11-22"))["hours"]) == 24


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"camera": "yard"}, ["van"]),
        ({"label": "person"}, ["visitor", "night"]),
        ({"zone": "path"}, ["visitor", "night"]),
        ({"camera": "yard", "zone": "path"}, []),
        ({"event": "van"}, ["van"]),
        ({"zone": "no such"}, []),
    ],
)
async def test_a_day_can_be_filtered(ask: Ask, query: dict[str, str], found: list[str]) -> None:
    assert ids(await ask("timeline", **query)) == found


@pytest.mark.parametrize(
    ("path", "query", "status", "says"),
    [
        ("timeline", {"day": "yesterday"}, 400, "`day` must be like 2026-11-21"),
        ("timeline", {"day": "0001-01-01"}, 400, "`day` must be like"),
        ("timeline", {"label": "ghost"}, 400, "`label` must be one of person, vehicle"),
        ("timeline", {"camera": "nowhere"}, 404, "no camera 'nowhere'"),
        ("timeline/days", {"month": "2026-13"}, 400, "`month` must be like 2026-11"),
        ("search", {}, 400, "`q` must have 1 to 500"),
        ("search", {"q": "x", "limit": "0"}, 400, "`limit` must be"),
        ("events/nothing", {}, 404, "no such event"),
        ("events/nothing/export", {}, 404, "no such event"),
        ("pictures/..%2F..%2Fblikk.db", {}, 404, "no such picture"),
    ],
)
async def test_what_cannot_be_had_is_said_in_words(
    ask: Ask, path: str, query: dict[str, str], status: int, says: str
) -> None:
    assert says in (await ask(path, status=status, **query))["error"]


async def test_a_month_says_which_days_have_events(ask: Ask) -> None:
    found = await ask("timeline/days")
    assert found["month"] == "2026-11"
    assert [(each["day"][-2:], each["events"]) for each in found["days"]] == [("03", 1), ("20", 1), ("21", 2)]
    yard = await ask("timeline/days", camera="yard")
    assert [(each["day"][-2:], each["events"]) for each in yard["days"]] == [("03", 1), ("21", 1)]
    assert (await ask("timeline/days", month="2026-10"))["days"] == [{"day": "2026-10-25", "events": 1}]


async def test_all_that_is_known_of_an_event_is_had_at_once(ask: Ask) -> None:
    found = await ask("events/visitor")
    assert found["event"]["revision"] == 2
    assert found["course"]["whole"]
    kinds = [each.get("kind") or each["phase"] for each in found["course"]["records"]]
    assert kinds == ["started", "appeared", "ended", "left"]
    assert found["path"] == {
        "since": "2026-11-21T11:00:10.000Z",
        "tracks": [{"track": 1, "points": [[0, 0, 0.2, 0.5, 0.9], [1, 0.1, 0.2, 0.5, 0.9], [2, 0.2, 0.2, 0.5, 0.9]]}],
    }
    assert (found["summary"]["text"], found["summary"]["why"]) == ("Jemand kam über den Weg.", "unasked")
    assert ids(found, "rings") == ["ring-1"]
    assert len(found["pictures"]) == 2
    assert await ask(f"pictures/{found['pictures'][0]['id']}") == JPEG
    assert (found["before"]["id"], found["after"]) == ("night", None)


def test_why_a_text_is_as_it_is_follows_from_who_wrote_it_and_what_it_cost() -> None:
    by_template = text(VISITOR, "A", "B")
    by_model = replace(by_template, source=Author.LLM, model="m", input_tokens=9)
    assert [
        why(each)
        for each in (
            by_template,
            replace(by_template, input_tokens=9),
            by_model,
            replace(by_model, checked=Checked.PARTLY),
        )
    ] == ["unasked", "refused", "model", "model_partly"]


async def test_an_exported_event_is_replayed_as_it_was_reported(
    ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "visitor.zip"
    path.write_bytes(await ask("events/visitor/export"))
    assert path.read_bytes() == await ask("events/visitor/export")  # the same bytes every time
    assert program(["replay", str(path), "--pictures", str(tmp_path / "pictures")]) == 0
    assert capsys.readouterr().out.splitlines() == [record_to_text(record) for record in course_of(VISITOR)]
    kept = sorted((tmp_path / "pictures").iterdir())
    assert [each.name for each in kept] == ["20261121T110011.000-person.jpg", "20261121T110012.000-person.jpg"]
    assert kept[0].read_bytes() == JPEG
    assert program(["replay", str(path), "--table"]) == 0
    assert "1 event in 2 messages" in capsys.readouterr().out
    with zipfile.ZipFile(path) as file:
        about = json.loads(file.read("event.json"))
    assert (about["format"], about["summary"]["title"]) == (1, "A visitor")


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return made.getvalue()


RECORD = record_to_text(VISITOR).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped(other=b"x"), "a zip without records.jsonl is no export"),
        (zipped(records_dot_jsonl=b"{}"), "records.jsonl, line 1: not a record"),
        (zipped(records_dot_jsonl=b""), "holds no event"),
        (zipped(records_dot_jsonl=RECORD, event_dot_json=b'{"format": 2}'), "written by a newer blikk"),
        (zipped(records_dot_jsonl=RECORD, event_dot_json=b"["), "event.json is not JSON"),
        (zipped(records_dot_jsonl=b" " * 9_000_000), "is larger than"),
        (zipped(records_dot_jsonl=RECORD, **{"pictures__..__x_dot_jpg": JPEG}), "is no picture of an export"),
        (zipped(records_dot_jsonl=RECORD, **{"pictures__20261121T110011000Z-person_dot_jpg": b"MZ"}), "is no picture"),
        (zipped(records_dot_jsonl=RECORD)[:60], "no zip that can be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # a zip holds the time at which it was made
)
def test_a_file_that_is_no_export_is_refused_in_words(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "event.zip"
    path.write_bytes(content)
    assert program(["replay", str(path)]) != 0
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""


async def test_exports_that_nobody_reads_are_few(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.web.events.write_export", lambda *_: bytes(20_000_000))
    request = b"GET /v1/events/visitor/export HTTP/1.1\r\nHost: localhost\r\n\r\n"
    held = [await asyncio.open_connection("127.0.0.1", ask.server.port, limit=1024) for _ in range(EXPORTS_MAX)]
    for reader, writer in held:
        writer.write(request)
        await reader.readline()
    assert "try again" in (await ask("events/visitor/export", status=503))["error"]
    held[0][1].transport.abort()
    async with asyncio.timeout(60 * PATIENCE):
        while (await ask.answered("events/visitor/export"))[0] != 200:
            await asyncio.sleep(0.05)
    for _, writer in held:
        writer.transport.abort()


async def test_nothing_is_looked_up_for_who_has_gone(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    may_go, looked = threading.Event(), list[str]()
    real = Store.lines

    def slow(store: Store, **query: Any) -> Any:
        looked.append(query["zone"])
        may_go.wait(60)
        return real(store, **query)

    monkeypatch.setattr(Store, "lines", slow)
    asked = []
    for number in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", ask.server.port)
        writer.write(f"GET /v1/timeline?zone=z{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        asked.append(writer)
        while not looked:
            await asyncio.sleep(0.01)
    for writer in asked:
        writer.transport.abort()
    while len(ask.server._connections):
        await asyncio.sleep(0.01)
    last = asyncio.ensure_future(ask("timeline", zone="last"))
    may_go.set()
    await last
    assert looked == ["z0", "last"]


def test_an_export_is_not_looked_at_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "event.zip"
    path.write_bytes(zipped(records_dot_jsonl=RECORD))
    assert program(["replay", str(path), "--camera", "gate"]) != 0
    assert "leave out --config and --camera" in capsys.readouterr().err


def test_the_size_of_a_jpeg_is_read_from_its_frame_header() -> None:
    assert jpeg_size(JPEG) == (128, 96)
    assert [jpeg_size(each) for each in (b"", b"\xff\xd8", JPEG[:20], b"\xff\xd8\xff\xe0\x00\x00")] == [None] * 4


async def test_search_finds_words_of_texts_marks_and_places(ask: Ask) -> None:
    async def found(q: str, **query: str) -> list[tuple[str, str]]:
        return [(each["id"], each["by"]) for each in (await ask("search", q=q, **query))["found"]]

    assert (await found("ÜBER weg"))[0] == ("visitor", "words")
    assert ("old", "words") in await found("nachbars katze")
    assert await found("nachbars katze", day="2026-11-21") == []
    assert {each for each, _ in await found("gate")} >= {"visitor", "night", "autumn"}


async def test_search_understands_who_where_and_when_and_colours_without_a_model(ask: Ask) -> None:
    understood = await ask("search", q="vehicles today")
    assert understood["understood"]["labels"] == ["vehicle"]
    assert ("van", "meaning") in [(each["id"], each["by"]) for each in understood["found"]]
    red = await ask("search", q="red vehicle")
    assert ("van", "colour") in [(each["id"], each["by"]) for each in red["found"]]
    assert "old" not in ids(red, "found")
    assert red["looks"]
    nothing = await ask("search", q="xyzzy plugh")
    assert nothing["found"] == []
