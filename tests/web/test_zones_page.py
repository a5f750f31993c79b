"""Zones drawn by mouse, touch and keyboard in a real Chromium, and what a real node then reports."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import accepts
from pages import CHROMIUM, DESKTOP, PHONE, Browser, WebNode, browser
from patience import PATIENCE

from blikk_edge import config

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
CONFIG = """\
# the hallway of Ann's house
node: hallway   # upstairs
mqtt: false
store: {{path: {folder}/hallway.db}}
cameras:
  front_door:
    source: {clip}   # a clip
    private:
      # the neighbours
      - [[0, 0], [0.12, 0], [0.12, 0.2], [0, 0.2]]
"""
SHOWS = "document.querySelector('[data-camera=front_door]')?.dataset.frames === 'yes'"
OVER_THE_PICTURE = (
    "['.live', '.draw'].map((each) => Object.values(document.querySelector(each).getBoundingClientRect().toJSON())"
    ".map(Math.round).join()).every((place, _, all) => place === all[0])"
)
YAML = "document.querySelector('.yaml')?.textContent ?? ''"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def node(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebNode]:
    folder = tmp_path_factory.mktemp("node")
    text = CONFIG.format(folder=folder, clip=data / CLIP)
    with WebNode(folder, text, models=data / "models") as running:
        end = time.monotonic() + 60 * PATIENCE
        while not accepts(running.port):
            assert time.monotonic() < end, running.log
            time.sleep(0.1)
        yield running


@pytest.fixture(scope="module")
def page(node: WebNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/test_env")
    with browser(tmp_path_factory.mktemp("page")) as opened:
        yield opened


def place(page: Browser, x: float, y: float) -> tuple[float, float]:
    """Where a place 0..1 of the picture is on the screen, scrolled to."""
    page.evaluate("document.querySelector('.draw').scrollIntoView({block: 'center'})")
    box = page.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.querySelector('.draw').getBoundingClientRect())"
    )
    return box[0] + x * box[2], box[1] + y * box[3]


def click(page: Browser, x: float, y: float) -> None:
    for kind in ("mousePressed", "mouseReleased"):
        page.mouse(kind, x, y)


def press_button(page: Browser, words: str) -> None:
    """Click on a button with these words, by the mouse."""
    found = f"[...document.querySelectorAll('button')].find((b) => b.textContent.trim() === {json.dumps(words)})"
    page.until(f"{found} && !{found}.disabled")
    page.evaluate(f"{found}.scrollIntoView({{block: 'center'}})")
    # what is above it may still be loading
    page.until(f"(window.__top === (window.__top = {found}.getBoundingClientRect().top))")
    box = page.evaluate(
        f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])({found}.getBoundingClientRect())"
    )
    click(page, *box)


def drag(page: Browser, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse("mousePressed", *place(page, *start))
    for share in (0.3, 0.6, 1.0):
        x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
        page.mouse("mouseMoved", *place(page, x, y))
    page.mouse("mouseReleased", *place(page, *end))


def polygon(page: Browser, name: str) -> list[list[float]]:
    """The corners of an area as shares of the picture."""
    text = page.evaluate(f"document.querySelector('[data-area=\"{name}\"]').getAttribute('points')")
    width, height = page.evaluate(
        "[document.querySelector('.draw').clientWidth, document.querySelector('.draw').clientHeight]"
    )
    corners = [pair.split(",") for pair in text.split()]
    return [[round(float(x) / width, 2), round(float(y) / height, 2)] for x, y in corners]


def draw_path(page: Browser) -> None:
    press_button(page, "New zone")
    for corner in ((0.2, 0.4), (0.8, 0.4), (0.8, 0.98), (0.2, 0.98), (0.2, 0.4)):
        click(page, *place(page, *corner))
    page.until("document.activeElement?.id === 'zone-name'")


def file_of(node: WebNode) -> Path:
    return node.folder / "blikk.yaml"


def nothing_to_lose(page: Browser) -> None:
    """Wait until the page knows that the drawing is that of the file; else it would ask before it is left."""
    page.until("document.querySelector('.zones .row .primary').parentElement.lastElementChild.disabled")


def opened(page: Browser, node: WebNode, query: str) -> None:
    page.open(f"{node.url}?{query}#/zones/front_door", shows=[], settled=False)
    page.until(SHOWS)
    page.until("document.querySelectorAll('.areas li').length >= 1")


def test_a_zone_that_is_drawn_and_saved_is_reported_after_a_restart(node: WebNode, page: Browser) -> None:
    page.resize(*DESKTOP)
    opened(page, node, "draw")
    before = file_of(node).read_text()
    page.resize(DESKTOP[0], 480)  # a low window: what is drawn must lie over the whole picture, and only there
    page.until(OVER_THE_PICTURE)
    page.resize(*DESKTOP)
    page.until(f"({YAML}).includes('the neighbours')")
    draw_path(page)
    page.write("path")
    page.press("Tab")
    page.until("document.querySelector('[data-area=path]') !== null")
    page.write("2")
    page.press("Tab")
    drag(page, (0.2, 0.98), (0.1, 0.9))  # a corner
    drag(page, (0.5, 0.4), (0.5, 0.3))  # the dot between two corners: a new one
    assert polygon(page, "path") == [[0.2, 0.4], [0.5, 0.3], [0.8, 0.4], [0.8, 0.98], [0.1, 0.9]]
    page.press("z", "Control")
    page.until("document.querySelectorAll('.corner').length === 4")
    page.press("Z", "Control", "Shift")
    page.until("document.querySelectorAll('.corner').length === 5")
    page.until(f"({YAML}).includes('+ zones:')")
    assert page.barriers() == []
    press_button(page, "Save …")
    page.until("document.querySelector('dialog')?.open")
    assert page.barriers() == []
    assert file_of(node).read_text() == before  # nothing is written before it is confirmed
    press_button(page, "Write")
    page.until("document.body.textContent.includes('The node reads its file when it starts')")
    after = file_of(node).read_text()
    (backup,) = node.folder.glob("blikk.yaml.bak-*")
    assert backup.read_text() == before
    kept = [line for line in after.splitlines() if line in before.splitlines()]
    assert kept == before.splitlines()
    zone = config.load(file_of(node), environ={}).cameras[0].zones[0]
    assert (zone.name, zone.loiter_s, len(zone.polygon.points)) == ("path", 2.0, 5)
    assert "source" not in page.evaluate(YAML)

    assert node.process is not None
    press_button(page, "Start again now")
    page.until("document.body.textContent.includes('The node watches with it now')", limit_s=90)
    assert node.process.poll() is None  # the same process, so whoever started it need not know
    page.evaluate("location.hash = '#/camera/front_door'")
    page.until(
        "[...document.querySelectorAll('.report.person')].some((e) => e.textContent.includes('path'))", limit_s=90
    )
    assert page.errors() == []


def test_a_private_area_is_drawn_and_moved_by_keys_alone(node: WebNode, page: Browser) -> None:
    page.resize(*DESKTOP)
    opened(page, node, "keys")
    button = "[...document.querySelectorAll('button')].find((b) => b.textContent.trim() === 'New private area')"
    page.evaluate(f"{button}.focus()")
    page.press("Enter")
    page.until("document.querySelectorAll('.corner').length === 4")
    name = page.evaluate("document.querySelector('.chosen polygon').dataset.area")
    page.evaluate("document.querySelector('.corner').focus()")
    before = polygon(page, name)
    page.press("ArrowLeft")
    page.press("ArrowUp")
    page.until(f"document.querySelector('[data-area=\"{name}\"]') !== null")
    after = polygon(page, name)
    assert after[1:] == before[1:]
    assert after[0] == [round(before[0][0] - 0.01, 2), round(before[0][1] - 0.01, 2)]
    page.press("+")
    page.until("document.querySelectorAll('.corner').length === 5")
    page.until("document.activeElement?.dataset.corner === '1'")
    page.press("Delete")
    page.until("document.querySelectorAll('.corner').length === 4")
    page.until(f"({YAML}).split('\\n').filter((line) => line.startsWith('+')).length === 1")
    page.press("Escape")
    page.until("document.querySelectorAll('.corner').length === 0")
    page.evaluate(f"document.querySelector('[data-area=\"{name}\"]').focus()")
    page.press("Delete")
    page.until(f"document.querySelector('[data-area=\"{name}\"]') === null")
    nothing_to_lose(page)
    assert page.errors() == []


def test_corners_are_set_and_dragged_by_touch_in_every_language_on_a_phone(node: WebNode, page: Browser) -> None:
    page.resize(*PHONE, mobile=True)
    opened(page, node, "phone")
    for tag, scheme, button in (("de", "dark", "Neue Zone"), ("es", "light", "Zona nueva")):
        page.prefer(scheme)
        page.speak(node.url, tag)
        opened(page, node, f"touch{tag}")
        press_button(page, button)
        page.until("document.querySelector('.draw.drawing') !== null")
        for corner in ((0.3, 0.3), (0.7, 0.3), (0.5, 0.8), (0.3, 0.3)):
            page.touch("touchStart", place(page, *corner))
            page.touch("touchEnd")
        page.until("document.querySelector('#zone-name') !== null")
        name = page.evaluate("document.querySelector('#zone-name').value")
        page.touch("touchStart", place(page, 0.5, 0.8))
        page.touch("touchMove", place(page, 0.6, 0.7))
        page.touch("touchMove", place(page, 0.6, 0.9))
        page.touch("touchEnd")
        page.until(f"document.querySelector('[data-area=\"{name}\"]') !== null")
        assert polygon(page, name) == [[0.3, 0.3], [0.7, 0.3], [0.6, 0.9]]
        page.until(f"({YAML}).includes('{name}:')")
        assert page.barriers() == []
        assert not page.scrolls_sideways()
        assert page.errors() == []
        page.press("z", "Control")
        page.evaluate("document.activeElement.blur()")
        page.press("z", "Control")
        page.press("z", "Control")
        page.until(f"document.querySelector('[data-area=\"{name}\"]') === null")
        nothing_to_lose(page)
    page.speak(node.url, "en")
