"""The timeline and the page of an event in a real Chromium: the six visits of a clip that a real node has watched."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import daytime
import pytest
from pages import CHROMIUM, DESKTOP, PHONE, Browser, WebNode, browser
from patience import PATIENCE
from ports import free_port
from staging import BLIKK

from blikk_edge import config
from blikk_edge.app.clips import Clip
from blikk_edge.app.wiring import build
from blikk_edge.core.clock import ClipClock

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
YESTERDAY = daytime.now().date() - timedelta(days=1)
NOON = (daytime.now() - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0).timestamp()
CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: false
timezone: {zone}
store: {{path: {folder}/hallway.db}}
media: {{folder: {folder}/album}}
search: colours
cameras:
  front_door:
    source: {source}
    name: Front door
    zones: {{path: {{polygon: [[0.1, 0.5], [0.9, 0.5], [0.9, 1], [0.1, 1]]}}}}
  yard:
    source: rtsp://127.0.0.1:1/away
"""
ROWS = "document.querySelectorAll('.event-row[data-event]')"

pytestmark = pytest.mark.timeout(400)


async def watch(folder: Path, settings: Path, models: Path) -> None:
    """Have a node watch the clip as if it were yesterday's noon, as fast as it can."""
    clip = Clip(ClipClock(NOON))
    environ = {"BLIKK_MODELS": str(models), "XDG_CACHE_HOME": str(folder / "cache")}
    app = build(config.load(settings, environ=environ), environ=environ, clock=clip.clock, play_once=True, clip=clip)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def handed_on() -> bool:
        asyncio.run_coroutine_threadsafe(app.settle(), loop).result(60 * PATIENCE)
        return False

    clip.crowded = handed_on
    running = asyncio.ensure_future(app.run(stop))
    async with asyncio.timeout(200 * PATIENCE):
        await app.finish()
        await app.settle()
    stop.set()
    await running


@pytest.fixture(scope="module")
def node(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebNode]:
    """A node that has watched six visits yesterday, and watches the same clip now."""
    folder = tmp_path_factory.mktemp("node")
    clip = data / CLIP
    one = CONFIG[: CONFIG.index("  yard:")].format(folder=folder, source=clip, zone=daytime.MORNING)
    (folder / "then.yaml").write_text(f"{one}\nhttp: {{port: {free_port()}}}\n")
    asyncio.run(watch(folder, folder / "then.yaml", data / "models"))
    now = CONFIG.format(folder=folder, source=clip, zone=daytime.MORNING)
    with WebNode(folder, now, models=data / "models") as running:
        yield running


@pytest.fixture(scope="module")
def page(node: WebNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/test_env")
    with browser(tmp_path_factory.mktemp("page")) as opened:
        yield opened


def show(page: Browser, node: WebNode, place: str, size: tuple[int, int] = DESKTOP) -> None:
    """Open a page anew; the shell of the pages is loaded again."""
    page.resize(*size, mobile=size is PHONE)
    page.open(f"{node.url}?{show.count}{place}", shows=[], settled=False)  # type: ignore[attr-defined]
    show.count += 1  # type: ignore[attr-defined]


show.count = 0  # type: ignore[attr-defined]


def press(page: Browser, key: str, *, shift: bool = False) -> None:
    made = json.dumps({"key": key, "shiftKey": shift, "bubbles": True, "cancelable": True})
    page.evaluate(f"(document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', {made}))")


def rows(page: Browser) -> list[str]:
    found: list[str] = page.evaluate(f"[...{ROWS}].map(row => row.dataset.event)")
    return found


def api(page: Browser, path: str) -> Any:
    return page.evaluate(f"fetch({path!r}).then(answer => answer.json())")


DAY = f"#/timeline?day={YESTERDAY}"


def test_a_day_shows_its_six_visits_with_pictures(node: WebNode, page: Browser) -> None:
    for size in (DESKTOP, PHONE):
        show(page, node, DAY, size)
        page.until(f"{ROWS}.length === 6", 90)
        assert page.evaluate("document.querySelector('canvas[data-camera=front_door]').dataset.bars") == "6"
        assert page.evaluate("document.querySelector('.count').textContent").strip() == "6 events"
        page.until("[...document.querySelectorAll('.event-row img')].some(image => image.naturalWidth > 100)")
        assert not page.scrolls_sideways()
        assert page.barriers() == []
        assert page.errors() == []
    drawn = (
        "(() => { const c = document.querySelector('canvas[data-camera=front_door]');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " const p = getComputedStyle(c).getPropertyValue('--person').trim().match(/\\w\\w/g).map(x => parseInt(x, 16));"
        " let n = 0; for (let i = 0; i < d.length; i += 4) n += p.every((v, k) => Math.abs(v - d[i + k]) < 3);"
        " return n })()"
    )
    assert page.evaluate(drawn) > 20


def test_filters_narrow_the_day_and_can_be_taken_away(node: WebNode, page: Browser) -> None:
    show(page, node, f"{DAY}&label=vehicle")
    page.until("document.querySelector('.empty') !== null")
    assert page.evaluate("document.querySelector('.filters [aria-pressed=true]').textContent") == "Vehicle"
    page.evaluate("document.querySelector('.empty button').click()")
    page.until(f"{ROWS}.length === 6")
    assert page.evaluate("location.hash") == DAY
    page.evaluate(
        "const s = document.querySelector('.filters select'); s.value = 'yard';"
        " s.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    page.until("document.querySelector('.empty') !== null")
    assert page.evaluate("document.querySelectorAll('canvas[data-camera]').length") == 1


def test_zooming_shows_fewer_events_and_the_whole_day_all(node: WebNode, page: Browser) -> None:
    show(page, node, DAY)
    page.until(f"{ROWS}.length === 6")
    page.evaluate(
        "(() => { const c = document.querySelector('canvas[data-camera=front_door]'), r = c.getBoundingClientRect();"
        " for (let n = 0; n < 40; n++) c.dispatchEvent(new WheelEvent('wheel', {deltaY: -300, bubbles: true,"
        " cancelable: true, clientX: r.left + r.width / 4, clientY: r.top + 5})); })()"
    )
    page.until("document.querySelector('.empty') !== null")  # six in the morning
    press(page, "0")
    page.until(f"{ROWS}.length === 6")
    for _ in range(9):
        press(page, "+")  # about noon, when the visits were
    page.until(f"{ROWS}.length > 0 && {ROWS}.length <= 6")
    assert page.evaluate("document.querySelector('.lanes-card .tools .quiet').textContent").count(":") == 2


def test_two_fingers_show_less_time_and_one_moves_it(node: WebNode, page: Browser) -> None:
    shown = "document.querySelector('.lanes-card .tools .quiet').textContent"
    show(page, node, DAY, PHONE)
    page.until(f"{ROWS}.length === 6")
    assert page.evaluate(shown) == ""
    x, y, wide = page.evaluate(
        "(() => { const c = document.querySelector('canvas[data-camera=yard]'); c.scrollIntoView({block: 'center'});"
        " const r = c.getBoundingClientRect(); return [r.left, r.top + 10, r.width] })()"
    )
    page.touch("touchStart", (x + wide * 0.45, y), (x + wide * 0.55, y))
    page.touch("touchMove", (x + wide * 0.2, y), (x + wide * 0.8, y))
    page.touch("touchEnd")
    page.until(f"{shown} !== ''")
    before = page.evaluate(shown)
    page.touch("touchStart", (x + wide * 0.5, y))
    page.touch("touchMove", (x + wide * 0.8, y))
    page.touch("touchEnd")
    page.until(f"{shown} !== {before!r}")


def test_arrows_choose_events_and_days(node: WebNode, page: Browser) -> None:
    show(page, node, DAY)
    page.until(f"{ROWS}.length === 6")
    listed = rows(page)
    for expected in (listed[0], listed[1], listed[2]):
        press(page, "ArrowLeft")
        page.until(f"document.activeElement.closest('.event-row')?.dataset.event === {expected!r}")
    press(page, "ArrowRight")
    page.until(f"document.activeElement.closest('.event-row')?.dataset.event === {listed[1]!r}")
    press(page, "ArrowLeft", shift=True)
    page.until(f"location.hash === '#/timeline?day={YESTERDAY - timedelta(days=1)}'")
    page.until("document.querySelector('.empty') !== null")
    press(page, "c")
    page.until("document.querySelectorAll('.calendar .day:enabled').length >= 1")
    press(page, "Escape")
    page.until("document.querySelector('.calendar') === null")


def test_what_happens_today_comes_by_itself(node: WebNode, page: Browser) -> None:
    show(page, node, "#/timeline")
    page.until("document.querySelector('.timeline-heading .chip') !== null")
    page.until(f"{ROWS}.length >= 1", 120)
    before = len(rows(page))
    page.until(f"{ROWS}.length > {before}", 120)
    assert page.errors() == []


def test_an_event_has_its_picture_its_path_and_how_it_went(node: WebNode, page: Browser) -> None:
    show(page, node, DAY)
    page.until(f"{ROWS}.length === 6")
    third = rows(page)[2]
    page.evaluate(f"document.querySelector('[data-event={third}] a').click()")
    page.until("document.querySelector('.still img')?.naturalWidth > 100")
    for size in (DESKTOP, PHONE):
        page.resize(*size, mobile=size is PHONE)
        known = api(page, f"v1/events/{third}")
        assert known["path"]["tracks"][0]["points"]
        assert known["course"]["whole"]
        assert page.evaluate("document.querySelectorAll('.course li').length") == len(known["course"]["records"])
        assert page.evaluate("document.querySelector('.summary .said').textContent") == known["summary"]["text"]
        inked = (
            "(() => { const c = document.querySelector('.still canvas');"
            " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0) })()"
        )
        page.until(inked)
        assert not page.scrolls_sideways()
        assert page.barriers() == []
        assert page.errors() == []
    earlier = known["before"]["id"]
    press(page, "ArrowLeft")
    page.until(f"location.hash === '#/event/{earlier}'")
    page.until(f"document.querySelector('.facts-list code')?.textContent === {earlier!r}")
    press(page, "Escape")
    page.until(f"{ROWS}.length === 6")


def test_an_event_is_exported_from_its_page_and_replays(node: WebNode, page: Browser, tmp_path: Path) -> None:
    show(page, node, DAY)
    page.until(f"{ROWS}.length === 6")
    event = rows(page)[0]
    show(page, node, f"#/event/{event}")
    page.until("document.querySelector('a[download]') !== null")
    link = page.evaluate("document.querySelector('a[download]').href")
    content = page.evaluate(
        f"fetch({link!r}).then(a => a.blob()).then(b => new Promise(done => {{ const r = new FileReader();"
        " r.onload = () => done(r.result.split(',')[1]); r.readAsDataURL(b) }))"
    )
    path = tmp_path / "event.zip"
    path.write_bytes(
        bytes.fromhex(
            page.evaluate(f"[...atob({content!r})].map(c => c.charCodeAt(0).toString(16).padStart(2, '0')).join('')")
        )
    )
    done = subprocess.run(
        [BLIKK, "replay", path, "--json"], capture_output=True, text=True, check=True, timeout=60 * PATIENCE
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["phase"] for each in records if each["record"] == "event"][-1] == "ended"
    assert {each["id"] if each["record"] == "event" else each["event"] for each in records} == {event}


def test_a_picture_that_is_gone_and_an_event_that_is_gone_are_said(node: WebNode, page: Browser) -> None:
    show(page, node, DAY)
    page.until(f"{ROWS}.length === 6")
    event = rows(page)[5]
    for path in (node.folder / "album").rglob(f"*.{event}.jpg"):
        path.unlink()
    show(page, node, f"#/event/{event}")
    page.until("document.querySelector('.still .over')?.textContent.includes('not kept')")
    assert page.barriers() == []
    show(page, node, "#/event/nobody")
    page.until("document.querySelector('.empty')?.textContent.includes('not kept any more')")


@pytest.mark.parametrize(("tag", "words"), [("de", "6 Ereignisse"), ("es", "6 eventos"), ("en", "6 events")])
def test_it_speaks_three_languages_in_both_colours(node: WebNode, page: Browser, tag: str, words: str) -> None:
    page.speak(node.url, tag)
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        show(page, node, DAY, PHONE)
        page.until(f"document.querySelector('.count')?.textContent.includes('{words}')")
        assert page.barriers() == []
        assert not page.scrolls_sideways()
    page.prefer("light")
    page.speak(node.url, "en")


def test_search_finds_the_visits_by_words_and_time(node: WebNode, page: Browser) -> None:
    show(page, node, "#/timeline?q=person%20yesterday")
    page.until(f"{ROWS}.length === 6")
    assert page.errors() == []
    show(page, node, "#/timeline?q=xyzzy")
    page.until("document.querySelector('.empty')?.textContent.includes('xyzzy')")
