"""The debugger in a real Chromium: a clip frame by frame, and a running node."""

import json
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from clips import SIX_VISITS, part
from pages import CHROMIUM, DESKTOP, PHONE, Browser, WebNode, browser, debugging
from patience import PATIENCE

from blikk_edge.core.observation import Observed, Phase
from blikk_edge.core.probe import FrameNote, Outcome, Stage, Why, runs
from blikk_edge.core.sightings import View
from blikk_edge.core.status import LlmPhase

pytestmark = pytest.mark.timeout(300)

ANSWER_S = 30 * PATIENCE
CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: false
store: {{path: {folder}/hallway.db}}
cameras:
  front_door:
    source: {clip}
    zones: {{path: {{polygon: [[0.1, 0.5], [0.9, 0.5], [0.9, 1], [0.1, 1]]}}}}
"""
PLACE = "Number(document.querySelector('[data-place]')?.dataset.place ?? -1)"
SHOWN = "document.querySelector('.live')?.dataset.frame"
PRESS = "document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', shiftKey: {}, bubbles: true}}))"
SLIDE = """
(() => {{
  const slider = document.querySelector('.trial input');
  slider.value = {};
  slider.dispatchEvent(new Event('input', {{bubbles: true}}));
}})()
"""
THEN = "document.querySelector('.trial').dataset.then"


@pytest.fixture(scope="module")
def clip(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return part(data / SIX_VISITS, tmp_path_factory.mktemp("clip") / "visit <b>.mp4", 22.0)


def ask(url: str, **change: Any) -> Any:
    body = json.dumps(change).encode() if change else None
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=ANSWER_S) as answer:
        return json.load(answer)


def press(page: Browser, key: str, *, shift: bool = False) -> None:
    page.evaluate(PRESS.format(key, "true" if shift else "false"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/test_env")
    with browser(tmp_path_factory.mktemp("page")) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(clip: Path, data: Path) -> Iterator[str]:
    with debugging(clip, data / "models") as address:
        yield address


@pytest.fixture(scope="module")
def node(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebNode]:
    folder = tmp_path_factory.mktemp("node")
    config = CONFIG.format(folder=folder, clip=data / SIX_VISITS)
    with WebNode(folder, config, models=data / "models") as running:
        yield running


def opened(page: Browser, url: str) -> None:
    """The page of the clip, once all of it is known."""
    page.open(f"{url}?{os.urandom(4).hex()}#/debug/clip", shows=[], settled=False)
    page.until("document.querySelector('.heading [role=status]')?.textContent.match(/1 (event|Ereignis|evento)/)", 90)
    page.until(f"{SHOWN} === '0'")


def test_keys_step_jump_and_play(page: Browser, url: str) -> None:
    page.resize(*DESKTOP)
    opened(page, url)
    event = ask(f"{url}v1/debug/clip")["events"][0]
    for key, shift, place in (
        ("ArrowRight", False, 1),
        ("ArrowRight", False, 2),
        ("ArrowLeft", False, 1),
        ("ArrowRight", True, 6),  # five frames a second
        ("ArrowLeft", True, 1),
        ("n", False, event["first"]),
        ("End", False, 109),
        ("p", False, event["first"]),
        ("Home", False, 0),
    ):
        press(page, key, shift=shift)
        page.until(f"{PLACE} === {place}")
    press(page, "e")
    page.until(f"{PLACE} > 0 && {SHOWN} === String({PLACE})")
    looked = page.evaluate(PLACE)
    assert ask(f"{url}v1/debug/clip/frames/{looked}")["outcome"] == "looked"
    assert "Looked at." in page.evaluate("document.querySelector('.verdict').textContent")
    press(page, " ")
    page.until(f"{PLACE} > {looked} + 3")
    press(page, " ")
    assert "visit <b>.mp4" in page.evaluate("document.querySelector('h1').textContent")
    assert page.errors() == []


def test_a_click_into_the_strip_goes_there(page: Browser, url: str) -> None:
    page.resize(*DESKTOP)
    opened(page, url)
    box = page.evaluate("(() => { const b = document.querySelector('.strip').getBoundingClientRect();"
                        " return [b.x, b.y, b.width, b.height] })()")  # fmt: skip
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    page.mouse("mousePressed", x, y)
    page.mouse("mouseReleased", x, y)
    page.until(f"Math.abs({PLACE} - 55) <= 2")


def test_another_threshold_shows_at_once_what_the_selectors_rule_says_and_can_be_run(page: Browser, url: str) -> None:
    page.resize(*PHONE, mobile=True)
    opened(page, url)
    known = ask(f"{url}v1/debug/clip/scores")
    notes = [
        FrameNote(seq=n, time=at, view=View(view), score=s, threshold=0.3, why=Why.QUIET, outcome=Outcome.SPARED)
        for n, (at, view, s) in enumerate(zip(known["at"], known["view"], known["score"], strict=True))
    ]
    for threshold in (0.02, 0.6, 0.97, 1.0):
        page.evaluate(SLIDE.format(threshold))
        page.until(f"{THEN} === '{len(runs(notes, threshold))}'")
    assert len(runs(notes, 0.02)) > len(runs(notes, 1.0))
    page.evaluate("document.querySelector('.trial .primary').click()")
    page.until("document.querySelectorAll('.compared li').length === 2", 60)
    state = ask(f"{url}v1/debug/clip")
    assert (state["run"], state["threshold"], state["before"]["threshold"]) == (2, 1, 0.3)
    ask(f"{url}v1/debug/clip/runs", threshold=0.3)
    page.until("document.querySelector('.trial output').textContent === '0.30'")


def test_the_clips_page_keeps_nobody_out(page: Browser, url: str) -> None:
    for size in (PHONE, DESKTOP):
        page.resize(*size, mobile=size is PHONE)
        for tag, scheme in (("de", "light"), ("es", "dark"), ("en", "dark")):
            page.prefer(scheme)
            page.speak(url, tag)
            opened(page, url)
            press(page, "n")
            page.until(f"{SHOWN} !== '0' && document.querySelectorAll('.report').length > 0")
            assert page.barriers() == []
            assert not page.scrolls_sideways()
            assert page.errors() == []


def test_a_running_node_shows_its_stages_and_its_last_minutes(page: Browser, node: WebNode) -> None:
    for size, scheme in ((PHONE, "light"), (DESKTOP, "dark")):
        page.resize(*size, mobile=size is PHONE)
        page.prefer(scheme)
        page.open(f"{node.url}?{scheme}#/debug", shows=[], settled=False)
        page.until("document.querySelector('[data-stage=detect] b') !== null", 60)
        page.until("document.querySelector('[data-sink=pages]') !== null")
        page.until("Number(document.querySelector('.trial')?.dataset.now) >= 1", 60)
        press(page, "ArrowLeft")
        page.until("document.querySelector('.minutes .verdict') !== null")
        assert page.barriers() == []
        assert not page.scrolls_sideways()
        assert page.errors() == []


def test_the_slider_of_a_running_node_sets_its_threshold(page: Browser, node: WebNode) -> None:
    page.resize(*DESKTOP)
    page.open(f"{node.url}?set#/debug", shows=[], settled=False)
    page.until("document.querySelector('.trial .primary') !== null", 60)
    page.evaluate(SLIDE.format(0.45))
    page.evaluate("document.querySelector('.trial .primary').click()")
    page.until("document.querySelector('.trial output').textContent === '0.45' && "
               "document.querySelector('.trial .primary').disabled")  # fmt: skip
    assert ask(f"{node.url}v1/debug")["cameras"][0]["threshold"] == 0.45
    frames = ask(f"{node.url}v1/debug/cameras/front_door/scores")
    assert len(frames["at"]) == len(frames["why"]) == len(frames["threshold"]) > 0
    assert frames["at"] == sorted(frames["at"])


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_there_are_words_for_all_that_can_be_said(language: str) -> None:
    path = files("blikk_edge.web").joinpath(f"static/words/{language}.json")
    words = json.loads(path.read_text(encoding="utf-8"))
    sayings = (
        ("why", Why),
        ("reason", Why),
        ("outcome", Outcome),
        ("stage", Stage),
        ("observed", Observed),
        ("phase", Phase),
        ("view", View),
        ("llm", LlmPhase),
    )
    assert [f"{kind}.{value}" for kind, of in sayings for value in of if f"{kind}.{value}" not in words] == []
