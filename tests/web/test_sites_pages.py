"""The timeline of all sites: `blikk fleet web` as a process at a real PostgreSQL and NATS, in a real Chromium."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import daytime
import pytest
from centre_kit import Centre
from http_served import ask, serving
from nats_server import NatsServer
from pages import CHROMIUM, DESKTOP, PHONE, Browser, browser
from patience import PATIENCE
from postgres_server import PostgresServer
from sites_run import NOON, SitesWeb, fill, sending, visit
from staging import BLIKK

from blikk_edge.core.clock import SystemClock
from blikk_edge.fleet.centre import pages as pages_module
from blikk_edge.fleet.centre.pages import SitesPages
from blikk_edge.fleet.centre.past import SitesPast
from blikk_edge.fleet.centre.pictures import Pictures

pytestmark = pytest.mark.timeout(400)

YESTERDAY = daytime.now().date() - timedelta(days=1)
DAY = f"#/timeline?day={YESTERDAY}"
ROWS = "document.querySelectorAll('.event-row[data-event]')"


class Fleet:
    """The centre of both sites, and its pages: for who may read all, and for who may read `hall`."""

    def __init__(self, folder: Path, centre: Centre, nats: NatsServer) -> None:
        self.folder = folder
        self.centre = centre
        self.nats = nats
        self.all = SitesWeb(folder, centre, nats, user="reader_all")
        self.hall = SitesWeb(folder, centre, nats, user="reader_hall")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with NatsServer(tmp_path_factory.mktemp("nats")) as nats, PostgresServer() as server:
        centre = Centre(server)
        asyncio.run(_filled(centre, nats, folder))
        made = Fleet(folder, centre, nats)
        with made.all, made.hall:
            yield made


async def _filled(centre: Centre, nats: NatsServer, folder: Path) -> None:
    await centre.make()
    await fill(centre, nats, folder)


def answer(web: SitesWeb, path: str, **headers: str) -> tuple[int, bytes]:
    """Status and body."""
    try:
        with urlopen(Request(web.url + path, headers=headers), timeout=60 * PATIENCE) as found:
            return found.status, found.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def get(web: SitesWeb, path: str) -> Any:
    status, body = answer(web, path)
    assert status == HTTPStatus.OK, body
    return json.loads(body)


def ids(found: Any, kind: str = "events") -> list[str]:
    return [each["id"] for each in found[kind]]


def day(web: SitesWeb, query: str = "") -> Any:
    return get(web, f"v1/timeline?day={YESTERDAY}{query}")


def test_a_day_of_all_sites_newest_first_with_texts_and_pictures(fleet: Fleet) -> None:
    found = day(fleet.all)
    assert ids(found) == ["yard/guest", "hall/guest"] or ids(found)[2:] == ["yard/guest", "hall/guest"]
    assert ids(found)[:2] == ["hall/car", "yard/car"] or set(ids(found)[:2]) == {"hall/car", "yard/car"}
    assert len(ids(found)) == 4, "what an older lease has seen is not shown"
    assert sorted(ids(found, "rings")) == ["hall/rung", "yard/rung"]
    guest = found["events"][-1]
    assert guest["title"] == f"A guest at the {guest['id'].partition('/')[0]}"
    assert (guest["importance"], guest["zones"]) == ("high", ["path"])
    assert (found["before"], found["more"]) == ((YESTERDAY - timedelta(days=3)).isoformat(), False)
    for picture in (guest["picture"], found["rings"][0]["picture"]):
        status, jpeg = answer(fleet.all, f"v1/pictures/{quote(picture, safe='')}")
        assert (status, jpeg[:3], jpeg[-2:]) == (200, b"\xff\xd8\xff", b"\xff\xd9")
    node = get(fleet.all, "v1/node")
    assert (node["sites"], node["problems"]) == (["hall", "yard"], [])
    assert [each["id"] for each in node["cameras"]] == [
        f"{site}/{camera}" for site in ("hall", "yard") for camera in ("front_door", "gate")
    ]
    month = get(fleet.all, f"v1/timeline/days?month={YESTERDAY:%Y-%m}&site=yard")["days"]
    assert {"day": YESTERDAY.isoformat(), "events": 2} in month


@pytest.mark.parametrize(
    ("query", "events", "rings", "seen"),
    [
        ("&site=yard", 2, 1, 0),
        ("&camera=hall/gate", 1, 0, 0),
        ("&label=vehicle", 2, 0, 0),
        ("&zone=path", 4, 0, 0),
        ("&zone=nowhere", 0, 0, 0),
        ("&kind=event", 4, 0, 0),
        ("&kind=ring&site=hall", 0, 1, 0),
        ("&kind=observation", 0, 0, 6),
        ("&kind=observation&label=vehicle&site=hall", 0, 0, 1),
        ("&event=hall/car", 1, 0, 0),
        ("&from=12:05", 2, 0, 0),
        ("&to=12:05", 2, 2, 0),
        ("&from=12:03&to=12:04&camera=yard/front_door", 1, 0, 0),
        ("&site=hall&camera=yard/gate", 0, 0, 0),
        ("&until=2020-01-01T00:00:00Z", 0, 0, 0),
    ],
)
def test_filters_narrow_a_day(fleet: Fleet, query: str, events: int, rings: int, seen: int) -> None:
    found = day(fleet.all, query)
    assert [len(found[kind]) for kind in ("events", "rings", "observations")] == [events, rings, seen]


def test_words_find_texts_and_looks(fleet: Fleet) -> None:
    found = get(fleet.all, "v1/search?q=guest%20LENGTH&site=yard")["found"]
    assert [(each["id"], each["by"]) for each in found] == [("yard/guest", "words")]
    found = get(fleet.all, f"v1/search?q=red%20vehicle&day={YESTERDAY}")["found"]
    assert {(each["id"], each["by"]) for each in found} == {("hall/car", "words"), ("yard/car", "words")}
    found = get(fleet.all, "v1/search?q=cars&camera=hall/gate")["found"]
    assert [(each["id"], each["by"]) for each in found] == [("hall/car", "colour")]
    assert found[0]["picture"].startswith("hall/gate/car/")
    assert get(fleet.all, "v1/search?q=xyzzy")["found"] == []


def test_an_event_has_its_course_its_neighbours_and_an_export_that_replays(fleet: Fleet, tmp_path: Path) -> None:
    known = get(fleet.all, "v1/events/hall%2Fguest")
    assert known["event"]["camera"] == "hall/front_door"
    assert [each["record"] for each in known["course"]["records"]] == ["observation", "event"]
    assert known["summary"]["text"] == "A guest at the hall, said at length."
    assert ids(known, "rings") == ["hall/rung"]
    assert (known["before"]["id"], known["after"]) == ("hall/before", None)
    (picture,) = known["pictures"]
    assert picture["id"].startswith("hall/front_door/guest/")
    path = tmp_path / "event.zip"
    path.write_bytes(answer(fleet.all, "v1/events/hall%2Fguest/export")[1])
    command = [BLIKK, "replay", path, "--json", "--pictures", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60 * PATIENCE)
    assert {json.loads(line)["camera"] for line in done.stdout.splitlines()} == {"hall/front_door"}
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 1


def test_a_role_of_one_site_sees_nothing_of_the_other(fleet: Fleet) -> None:
    yard = day(fleet.all, "&site=yard")
    picture = quote(yard["events"][0]["picture"], safe="")
    assert answer(fleet.all, f"v1/pictures/{picture}")[0] == 200
    web = fleet.hall
    assert answer(web, f"v1/pictures/{picture}")[0] == 404
    for path in ("v1/events/yard%2Fguest", "v1/events/yard%2Fguest/export"):
        assert answer(web, path)[0] == 404
    said = [
        get(web, path)
        for path in (
            "v1/node",
            f"v1/timeline?day={YESTERDAY}",
            f"v1/timeline?day={YESTERDAY}&site=yard",
            f"v1/timeline?day={YESTERDAY}&camera=yard/gate",
            f"v1/timeline?day={YESTERDAY}&event=yard/guest",
            f"v1/timeline?day={YESTERDAY}&kind=observation",
            f"v1/timeline?day={YESTERDAY}&kind=ring",
            f"v1/timeline/days?month={YESTERDAY:%Y-%m}",
            "v1/search?q=guest",
            "v1/search?q=red%20car",
            "v1/events/hall%2Fguest",
        )
    ]
    assert "yard/" not in json.dumps(said)
    assert "at the yard" not in json.dumps(said)
    assert said[0]["sites"] == ["hall"]
    assert [len(ids(each)) for each in said[1:5]] == [2, 0, 0, 0]
    assert {"day": YESTERDAY.isoformat(), "events": 2} in said[7]["days"]
    assert [len(each["found"]) for each in said[8:10]] == [1, 1]
    hall = quote(said[1]["events"][0]["picture"], safe="")
    assert answer(web, f"v1/pictures/{hall}")[0] == 200


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("v1/timeline?day=yesterday", 400, "`day` must be like"),
        ("v1/timeline?site=Hall", 400, "`site` must be the id"),
        ("v1/timeline?camera=gate", 400, "`camera` must be like site/camera"),
        ("v1/timeline?camera=hall/gate/x", 400, "`camera` must be like site/camera"),
        ("v1/timeline?label=ghost", 400, "`label` must be one of"),
        ("v1/timeline?kind=summary", 400, "`kind` must be one of"),
        ("v1/timeline?from=8", 400, "`from` must be like 08:30"),
        ("v1/timeline?to=24:00", 400, "`to` must be like 08:30"),
        ("v1/timeline?until=now", 400, "`until` must be ISO 8601"),
        ("v1/timeline?until=0001-01-01T00:00:00Z", 200, "events"),
        ("v1/timeline?zone=a%00b", 400, "`zone` must be a text"),
        ("v1/timeline?event=" + "x" * 300, 400, "`event` must be a text"),
        ("v1/timeline/days?month=13", 400, "`month` must be like"),
        ("v1/search", 400, "`q` must have 1 to"),
        ("v1/search?q=%00", 400, "`q` must have 1 to"),
        ("v1/search?q=" + "x" * 501, 400, "`q` must have 1 to"),
        ("v1/search?q=car&limit=0", 400, "`limit` must be"),
        ("v1/search?q=%27%3B%20DROP%20TABLE%20records%3B--%20%7B0%7D%25", 200, "found"),
        ("v1/events/hall%2F%00", 404, "there is no such event"),
        ("v1/events/%27%20OR%20true--", 404, "there is no such event"),
        ("v1/pictures/hall%2F..%2F..%2Fetc%2Fpasswd", 404, "there is no such picture"),
        ("v1/pictures/hall%2F%00", 404, "there is no such picture"),
        ("v1/pictures/nowhere%2Fx.jpg", 404, "there is no such picture"),
        ("v1/cameras", 404, "Not Found"),
        ("phone", 404, "Not Found"),
        ("static/%2e%2e/site.py", 404, "no such page"),
    ],
)
def test_what_cannot_be_asked_is_refused(fleet: Fleet, path: str, status: int, says: str) -> None:
    found, body = answer(fleet.all, path)
    assert (found, says in body.decode()) == (status, True), body


def test_login_and_foreign_pages_are_as_on_a_node(fleet: Fleet) -> None:
    with SitesWeb(fleet.folder, fleet.centre, fleet.nats, user="blikk", more=", tokens: {view: !secret view}") as web:
        assert answer(web, "v1/timeline")[0] == 401
        assert answer(web, "v1/pictures/hall%2Fx")[0] == 401
        assert answer(web, "v1/timeline", Authorization=f"Bearer {'w' * 20}")[0] == 401
        assert answer(web, "v1/timeline", Authorization=f"Bearer {'v' * 20}")[0] == 200
        assert answer(web, "v1/session")[0] == 200
        assert answer(web, "health") == (200, b'{"status":"ok"}')
        with urlopen(web.url, timeout=60 * PATIENCE) as page:
            assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert "this user of the database may see every site" in web.log.read_text()
    assert (
        answer(fleet.all, "v1/timeline", Origin="https://elsewhere.example", **{"Sec-Fetch-Site": "cross-site"})[0]
        == 403
    )
    assert answer(fleet.all, "v1/timeline", Host="elsewhere.example")[0] == 421
    assert "may see every site" not in fleet.hall.log.read_text()


async def test_a_long_day_comes_in_parts_none_missing_and_none_twice(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "LINES_MAX", 3)  # two have the same time
    past = SitesPast(fleet.centre.postgres(username="reader_all"))
    past.attach()
    clock = SystemClock()
    parts = SitesPages(past, Pictures((), clock=clock), clock=clock, zone=daytime.now().tzinfo)
    async with serving(parts) as server:
        found: list[str] = []
        until = ""
        while True:
            path = f"/v1/timeline?day={YESTERDAY}&kind=observation{until}"
            status, body, _ = await ask(server, path)
            assert status == 200, body
            part = json.loads(body)
            found += [each for each in ids(part, "observations") if each not in found]
            if not part["more"] or until == f"&until={part['older']}":
                break
            until = f"&until={part['older']}"
    await parts.close()
    await past.close()
    assert len(found) == len(set(found)) == 6


# ---- in a browser


@pytest.fixture(scope="module")
def page(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/test_env")
    with browser(tmp_path_factory.mktemp("page")) as opened:
        yield opened


def show(page: Browser, web: SitesWeb, place: str, size: tuple[int, int] = DESKTOP) -> None:
    """Open a page anew."""
    page.resize(*size, mobile=size is PHONE)
    page.open(f"{web.url}?{show.count}{place}", shows=[], settled=False)  # type: ignore[attr-defined]
    show.count += 1  # type: ignore[attr-defined]


show.count = 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(("tag", "words"), [("de", "4 Ereignisse"), ("es", "4 eventos"), ("en", "4 events")])
def test_the_page_shows_the_day_in_three_languages(fleet: Fleet, page: Browser, tag: str, words: str) -> None:
    page.speak(fleet.all.url, tag)
    for size, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
        page.prefer(scheme)
        show(page, fleet.all, DAY, size)
        page.until(f"document.querySelector('.count')?.textContent.includes('{words}')")
        page.until("[...document.querySelectorAll('.event-row img')].filter(i => i.naturalWidth > 100).length === 6")
        assert page.evaluate("document.querySelectorAll('canvas[data-camera]').length") == 2  # a lane for each site
        assert not page.scrolls_sideways()
        assert page.barriers() == []
        assert page.errors() == []
    page.prefer("light")
    page.speak(fleet.all.url, "en")


def test_filters_and_an_event_of_the_page(fleet: Fleet, page: Browser) -> None:
    show(page, fleet.all, DAY)
    page.until(f"{ROWS}.length === 4")
    choose = (
        "(([what, to]) => {{ const s = [...document.querySelectorAll('.filters select')]"
        ".find(e => [...e.options].some(o => o.value === to)); s.value = to;"
        " s.dispatchEvent(new Event('change', {{bubbles: true}})) }})(['', '{}'])"
    )
    page.evaluate(choose.format("hall"))
    page.until(f"{ROWS}.length === 2")
    page.until("document.querySelectorAll('canvas[data-camera=\"hall/gate\"]').length === 1")  # a lane for each camera
    page.evaluate(choose.format("observation"))
    page.until("document.querySelector('.count')?.textContent === 'Observations: 3'")
    assert page.barriers() == []
    page.evaluate("document.querySelector('.event-row a').click()")
    page.until("document.querySelector('.summary .said')?.textContent.includes('said at length')")
    page.until("document.querySelector('.still img')?.naturalWidth > 100")
    assert (
        page.evaluate("document.querySelector('.facts-list a').getAttribute('href')") == "#/timeline?camera=hall/gate"
    )
    assert page.barriers() == []
    show(page, fleet.all, "#/timeline?q=red%20car", PHONE)
    page.until(f"{ROWS}.length === 2")
    assert page.errors() == []
    show(page, fleet.hall, DAY)
    page.until(f"{ROWS}.length === 2")
    assert page.evaluate("document.querySelector('.brand').textContent.trim()") == "hall"


def test_what_happens_comes_by_itself_and_what_is_away_is_said(fleet: Fleet, page: Browser) -> None:
    show(page, fleet.all, "#/timeline")
    page.until("document.querySelector('.timeline-heading .chip') !== null")
    page.until("document.querySelector('.empty') !== null || document.querySelector('.event-row') !== null")
    name = f"new_{show.count}"  # type: ignore[attr-defined]
    asyncio.run(_send(fleet, name))
    page.until(f"[...{ROWS}].some(row => row.dataset.event === 'yard/{name}')", 60)
    assert page.errors() == []

    fleet.nats.kill()
    picture = quote(day(fleet.all)["events"][0]["picture"], safe="")
    try:
        status, body = answer(fleet.all, f"v1/pictures/{picture}")
        assert status == 503
        assert b"nats" in body
        page.until("document.querySelector('.problems')?.textContent.includes('its pictures cannot be had')", 60)
    finally:
        fleet.nats.start()
    page.until("fetch('v1/pictures/" + picture + "').then(a => a.status === 200)", 60)
    page.until("document.querySelector('.problems') === null", 60)

    fleet.centre.server.kill()
    try:
        page.until("document.querySelector('.bar .chip.warn') !== null", 60)
        assert answer(fleet.all, "health")[0] == 503
        show(page, fleet.all, DAY, PHONE)
        page.until("document.querySelector('.problem')?.textContent.includes('nobody answers there')", 60)
        assert page.barriers() == []
    finally:
        fleet.centre.server.start()
    page.until(f"{ROWS}.length === 4", 90)  # without being loaded again
    page.until("document.querySelector('.bar .chip.warn') === null", 60)
    page.until("document.querySelector('.problems') === null", 60)


async def _send(fleet: Fleet, name: str) -> None:
    now = SystemClock().now()
    async with sending(fleet.centre, fleet.nats, fleet.folder) as boxes:
        boxes["yard"].put(visit(name, 0, noon=now - 90))


def test_noon_is_in_the_day_that_is_asked_for() -> None:
    assert YESTERDAY.isoformat() == f"{daytime.now().fromtimestamp(NOON, daytime.now().tzinfo):%Y-%m-%d}"
