"""The live pages of a real node on a real clip, in a real Chromium; and what a program gets of them."""

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import cv2
import numpy as np
import pytest
from pages import CHROMIUM, DESKTOP, PHONE, Browser, WebNode, browser
from patience import PATIENCE

from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import AskQuestion, Forget, ListEvents
from blikk_edge.sinks.node_requests import NodeRequests

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
SHOWS = "document.querySelector('[data-camera=front_door]')?.dataset.frames === 'yes'"
CONFIG = """\
node: {{id: hallway, name: "Hallway <b>Pi</b>"}}
mqtt: false
store: {{path: {folder}/hallway.db}}
cameras:
  front_door:
    source: {clip}
    name: "<img src=x onerror=alert(1)>"
    zones: {{path: {{polygon: [[0.1, 0.5], [0.9, 0.5], [0.9, 1], [0.1, 1]]}}}}
  gate:
    source: rtsp://127.0.0.1:1/away
"""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def node(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebNode]:
    folder = tmp_path_factory.mktemp("node")
    config = CONFIG.format(folder=folder, clip=data / CLIP)
    with WebNode(folder, config, models=data / "models") as running:
        running.until_up()
        yield running


@pytest.fixture(scope="module")
def page(node: WebNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/test_env")
    with browser(tmp_path_factory.mktemp("page")) as opened:
        yield opened


async def frames(node: WebNode, count: int) -> list[tuple[dict[str, object], bytes]]:
    """So many frames of the live view, as a program gets them."""
    got: list[tuple[dict[str, object], bytes]] = []
    async with aiohttp.ClientSession() as session, asyncio.timeout(60 * PATIENCE):
        while True:
            try:
                async with session.ws_connect(f"{node.url}v1/cameras/front_door/live") as live:
                    while len(got) < count:
                        head = json.loads(await live.receive_str())
                        got.append((head, await live.receive_bytes() if head["picture"] else b""))
                    return got
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.1)  # it is starting


async def test_a_program_gets_each_frame_with_what_was_found_in_it(node: WebNode) -> None:
    got = await frames(node, 60)
    pictures = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for _, jpeg in got]
    assert {(p.shape[1], p.shape[0]) for p in pictures} == {(got[0][0]["picture"]["width"], 432)}
    times = [head["time"] for head, _ in got]
    assert times == sorted(set(times))
    tracked = [(head, picture) for (head, _), picture in zip(got, pictures, strict=True) if head["tracks"]]
    assert tracked
    assert all(track["label"] == "person" for head, _ in tracked for track in head["tracks"])
    assert any(head["picture"]["heads"] for head, _ in tracked)
    moving = [head["cells"] for head, _ in got if head["moving"]]
    assert moving
    assert all(any(base64.b64decode(cells["bits"])) for cells in moving if cells)
    assert any(cells for cells in moving)


def test_the_wall_shows_every_camera_and_says_which_is_away(node: WebNode, page: Browser) -> None:
    for size in (DESKTOP, PHONE):
        page.resize(*size, mobile=size is PHONE)
        page.open(node.url, shows=[], settled=False)
        page.until(SHOWS)
        page.until("document.querySelector('[data-camera=gate] .over')?.textContent.includes('connection refused')")
        assert not page.scrolls_sideways()
        assert page.errors() == []
    assert "Hallway <b>Pi</b>" in page.evaluate("document.querySelector('.brand').textContent")
    assert page.evaluate("document.querySelectorAll('main img').length") == 0  # a name is text


def test_a_visit_is_reported_beside_its_picture_as_it_happens(node: WebNode, page: Browser) -> None:
    page.resize(*DESKTOP)
    page.open(f"{node.url}#/camera/front_door", shows=[], settled=False)
    page.until(SHOWS)
    page.until("document.querySelectorAll('.report.person').length >= 1", limit_s=60)
    assert "Person" in page.evaluate("document.querySelector('.report.person').textContent")


def test_what_the_pages_say_can_be_had_in_three_languages_and_both_colours(node: WebNode, page: Browser) -> None:
    page.resize(*PHONE, mobile=True)
    for tag, words in (("de", "Gesichter werden"), ("es", "Las caras se"), ("en", "Faces are")):
        for scheme in ("light", "dark"):
            page.prefer(scheme)
            page.speak(node.url, tag)
            page.open(f"{node.url}?{tag}{scheme}#/camera/front_door", shows=[], settled=False)
            page.until(SHOWS)
            page.until(f"document.querySelector('.camera')?.textContent.includes('{words}')")
            assert page.barriers() == []
            assert not page.scrolls_sideways()


@pytest.mark.parametrize(
    ("browser_is", "page_is", "says"),
    [("en-US", "en", "01:05 PM"), ("en-GB", "en", "13:05"), ("de-DE", "en", "13:05"), ("de-DE", "de", "13:05")],
)
def test_hours_are_counted_as_in_the_region_of_the_browser(
    node: WebNode, page: Browser, browser_is: str, page_is: str, says: str
) -> None:
    page.open(f"{node.url}static/icon.svg", shows=[], settled=False)
    page.until("location.pathname.endsWith('icon.svg')")
    said = page.evaluate(
        f"(async () => {{ for (const [name, value] of [['language', {browser_is!r}], ['languages', [{browser_is!r}]]])"
        " Object.defineProperty(navigator, name, {value, configurable: true});"
        f" localStorage.setItem('blikk.language', {page_is!r});"
        f" const words = await import('./words.js?{browser_is}{page_is}'); await words.load();"
        " localStorage.removeItem('blikk.language');"
        " return words.clock('2026-11-21T13:05:00Z', 'UTC', false).replace(/\\s/g, ' '); })()"
    )
    assert said == says


def test_keys_switch_what_is_drawn_and_go_back_to_the_wall(node: WebNode, page: Browser) -> None:
    page.resize(*DESKTOP)
    page.open(f"{node.url}?keys#/camera/front_door", shows=[], settled=False)
    page.until(SHOWS)
    pressed = "document.querySelector('.tools button').getAttribute('aria-pressed')"
    before = page.evaluate(pressed)
    key = "dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}))"
    page.evaluate(f"document.body.{key.format('b')}")
    page.until(f"{pressed} !== '{before}'")
    page.evaluate(f"document.body.{key.format('Escape')}")
    page.until("document.querySelectorAll('.tile').length === 2")


def test_a_viewer_that_falls_asleep_does_not_hold_up_the_others(node: WebNode) -> None:
    with socket.create_connection(("127.0.0.1", node.port)) as asleep:
        asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asleep.sendall(b"GET /v1/cameras/front_door/live.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = asyncio.run(frames(node, 40))
    assert len({head["time"] for head, _ in got}) == 40


def test_pages_go_on_when_the_node_has_started_again(node: WebNode, page: Browser) -> None:
    page.resize(*DESKTOP)
    page.open(f"{node.url}?again#/camera/front_door", shows=[], settled=False)
    page.until(SHOWS)
    node.stop(within_s=30)
    page.until("document.querySelector('[data-camera=front_door] .over') !== null")
    node.start()
    page.until("document.querySelector('[data-camera=front_door] .over') === null", limit_s=60)
    page.until("document.querySelector('.bar .chip.warn') === null")


async def test_a_program_asks_and_gets_a_picture_over_http(node: WebNode) -> None:
    requests = NodeRequests(node.url.rstrip("/"), "none-is-needed-here", None)
    assert (await requests.frame("front_door")).startswith(b"\xff\xd8\xff")
    asked = await requests.ask(AskQuestion(question="How many people came today?"))
    assert asked["ok"]
    with pytest.raises(SinkError, match=r"there is no such camera; there is front_door, gate \(404\)"):
        await requests.frame("shed")
    with pytest.raises(SinkError, match=r"ask for the rest by MQTT \(403\)"):
        await requests.ask(Forget(until=1.0))
    with pytest.raises(SinkError, match=r"no camera 'shed' on this node; .* \(400\)"):
        await requests.ask(ListEvents(camera="shed"))
