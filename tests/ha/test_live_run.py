"""The live view in a real Home Assistant: a real node with the six visits before its camera, and a browser.

The tests share one household, in the order of the file; one that changes it mends it.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from broker import Broker
from card_stage import ALL
from headless import Chromium
from patience import PATIENCE
from ports import free_port
from real_ha import RealHomeAssistant, wait_for
from staging import BlikkRun

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.random_order(disabled=True),
    pytest.mark.skipif(
        not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="no chromium: scripts/test_env"
    ),
]

ROOT = Path(__file__).parents[2]
CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
CAMERA = "camera.front_door"
STREAM = f"/api/camera_proxy_stream/{CAMERA}"
VIEW, OTHER, CONTROL = "0123456789-view-token", "another-0123456789-token", "0123456789-control-token"
NODE = """\
node: {{id: hallway_pi, name: Hallway Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
http: {{port: {http}, tokens: {{view: {view}, control: {control}}}}}
cameras:
  front_door: {{source: {clip}}}
"""
CARD = f"{ALL}('blikk-camera-card')[0].shadowRoot"
LIVE = f"[...{CARD}.querySelectorAll('canvas.live')].some((live) => !live.hidden && live.width > 300)"


@dataclass
class Home:
    """Everything that runs."""

    ha: RealHomeAssistant
    node: BlikkRun
    http: int
    folder: Path
    config: dict[str, Any]

    def write(self, view: str) -> None:
        """Have this token in the node's configuration; it counts from its next start on."""
        (self.folder / "blikk.yaml").write_text(NODE.format(**self.config, view=view))

    def viewers(self) -> int:
        """How many look at the camera, as the node counts them."""
        asked = Request(f"http://127.0.0.1:{self.http}/v1/node", headers={"Authorization": f"Bearer {CONTROL}"})
        with urlopen(asked, timeout=20 * PATIENCE) as answer:
            count: int = json.load(answer)["cameras"][0]["viewers"]
            return count

    def until_viewers(self, count: int) -> None:
        wait_for(f"{count} look at the camera", lambda: self.viewers() == count, 30)

    def until_online(self) -> None:
        def there() -> bool:
            return self.ha.states().get(CAMERA, {}).get("state") not in (None, "unavailable")

        wait_for("the camera is there", there, 90)

    def give_token(self, token: str) -> dict[str, Any]:
        """Answer the flow that asks for the node's token."""
        flow = self.ha.found(source="reauth")
        assert flow is not None
        done: dict[str, Any] = self.ha.post(f"/api/config/config_entries/flow/{flow['flow_id']}", {"token": token})
        return done

    @contextmanager
    def browser(self, *, width_px: int, height_px: int, dark: bool = False, language: str = "en") -> Iterator[Chromium]:
        with Chromium(self.folder / f"chromium-{time.monotonic_ns()}", width_px=width_px, height_px=height_px) as made:
            made.remember(
                self.ha.url, hassTokens=self.ha.signed_in(), selectedLanguage=f'"{language}"',
                dockedSidebar='"always_hidden"', selectedTheme=json.dumps({"dark": dark, "theme": "default"}),
            )  # fmt: skip
            yield made


class Stream:
    """What a viewer of the entity's MJPEG gets."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer = answer

    def frame(self) -> "cv2.typing.MatLike":
        """The next picture."""
        length = 0
        while (line := self._answer.readline()) != b"\r\n" or not length:
            assert line, "the stream has ended"
            if line.startswith(b"Content-Length: "):
                length = int(line.split()[1])
        decoded = cv2.imdecode(np.frombuffer(self._answer.read(length), np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        return decoded


def is_empty(picture: "cv2.typing.MatLike") -> bool:
    """Whether it is of one grey."""
    return int(picture.max()) - int(picture.min()) < 8


@contextmanager
def watching(home: Home) -> Iterator[Stream]:
    token = home.ha.states()[CAMERA]["attributes"]["access_token"]
    with urlopen(f"{home.ha.url}{STREAM}?token={token}", timeout=60 * PATIENCE) as answer:
        yield Stream(answer)


@pytest.fixture(scope="module")
def home(ha_python: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A household whose node was given no token yet."""
    folder = tmp_path_factory.mktemp("live")
    copies = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
    with Broker(folder) as broker:
        http = free_port()
        given = {"port": broker.port, "folder": folder, "http": http, "clip": data / CLIP, "control": CONTROL}
        with (
            RealHomeAssistant(ha_python, folder, mqtt_port=broker.port, copies=copies) as ha,
            BlikkRun(folder, NODE.format(**given, view=VIEW), models=data / "models") as node,
        ):
            made = Home(ha, node, http, folder, given)
            ha.add_node()
            made.until_online()
            yield made


def test_who_watches_without_the_token_sees_stills_and_home_assistant_asks_for_it(home: Home) -> None:
    wait_for("a first picture", lambda: "entity_picture" in home.ha.states()[CAMERA]["attributes"])
    home.ha.call("button.press", "button.front_door_snapshot")
    wait_for("a still", lambda: len(home.ha.get(f"/api/camera_proxy/{CAMERA}")) > 1000)
    with watching(home) as stream:
        assert not is_empty(stream.frame())
        assert home.viewers() == 0
    flow = wait_for("Home Assistant asks for the token", lambda: home.ha.found(source="reauth"))
    texts = home.ha.command({"type": "frontend/get_translations", "language": "en", "category": "config",
                             "integration": "blikk"})["resources"]  # fmt: skip
    said = texts["component.blikk.config.step.reauth_confirm.description"].format(
        **flow["context"]["title_placeholders"]
    )
    assert said.startswith("The node Hallway Pi refuses the token for its pictures of past events and its live view.")
    refused = home.give_token(OTHER)
    assert refused["errors"] == {"base": "invalid_auth"}
    assert home.give_token(VIEW)["reason"] == "reauth_successful"
    home.until_online()


def test_two_viewers_get_frames_by_one_connection_which_ends_with_them(home: Home) -> None:
    with watching(home) as first, watching(home) as second:
        pictures = [first.frame() for _ in range(4)]
        assert not is_empty(second.frame())
        assert home.viewers() == 1
    assert all(picture.shape[0] >= 300 and not is_empty(picture) for picture in pictures)
    assert any((pictures[0] != picture).any() for picture in pictures[1:]), "the picture moves"
    home.until_viewers(0)


def test_a_node_that_restarts_under_a_viewer_shows_nothing_old_and_comes_back(home: Home) -> None:
    with watching(home) as stream:
        assert not is_empty(stream.frame())
        home.node.stop(30)
        while not is_empty(stream.frame()):
            pass
        home.node.start()
        while is_empty(stream.frame()):
            pass
    home.until_online()
    home.until_viewers(0)


def test_the_address_in_a_notification_opens_the_live_view(home: Home) -> None:
    with home.browser(width_px=412, height_px=915) as browser:
        browser.open(f"{home.ha.url}/?more-info-entity-id={CAMERA}", shows=[], settled=False)
        stream = f"{ALL}('img').find((image) => image.src.includes('{STREAM}'))"
        browser.until(f"{stream}?.naturalWidth > 300")
        home.until_viewers(1)
        keep(browser, "notification")
    home.until_viewers(0)


@pytest.mark.parametrize(
    ("device", "width_px", "height_px", "dark", "language"),
    [("phone", 360, 740, True, "de"), ("desk", 1200, 900, False, "en")],
)
def test_the_card_shows_the_live_picture_with_boxes_only_while_it_is_seen(
    home: Home, device: str, width_px: int, height_px: int, dark: bool, language: str
) -> None:
    dashboard(home, {"type": "custom:blikk-camera-card", "entity": CAMERA, "events": 2})
    with home.browser(width_px=width_px, height_px=height_px, dark=dark, language=language) as browser:
        browser.open(f"{home.ha.url}/card-live/0", shows=[], settled=False)
        browser.until(f"{ALL}('blikk-camera-card')[0]?.shadowRoot != null")
        browser.until(LIVE)
        home.until_viewers(1)
        # the six visits come round within two minutes
        browser.until(f"Number({CARD}.querySelector('canvas.live').dataset.tracks) > 0", 150)
        keep(browser, f"card-{device}")
        assert browser.evaluate(f"{CARD}.querySelector('.badge').textContent") == "Live"
        assert browser.evaluate(f"{CARD}.querySelector('.still img').hidden")
        assert browser.evaluate("document.scrollingElement.scrollWidth") <= width_px
        browser.evaluate(f"{CARD}.host.style.display = 'none'")
        home.until_viewers(0)
        browser.evaluate(f"{CARD}.host.style.display = ''")
        browser.until(LIVE)
        home.until_viewers(1)
        # as the component says it when the node could not blur: neither a live picture nor an old one
        browser.evaluate(
            f"(() => {{ const live = {CARD}.host._live; live._live = Symbol('no more frames');"
            " live._hear({trouble: 'blind'}, live._live); })()"
        )
        words = {"en": "the node could not blur faces", "de": "konnte Gesichter darin nicht unkenntlich machen"}[
            language
        ]
        browser.until(f"{CARD}.querySelector('.blank').textContent.includes({words!r})")
        assert browser.evaluate(f"{CARD}.querySelector('.blank').checkVisibility()")
        for picture in ("canvas.live", ".still img", ".badge"):
            assert not browser.evaluate(f"{CARD}.querySelector('{picture}').checkVisibility()"), picture
        keep(browser, f"card-blind-{device}")
    home.until_viewers(0)


def test_a_card_tells_of_a_token_that_is_wrong_and_shows_the_still_until_it_is_right(home: Home) -> None:
    dashboard(home, {"type": "custom:blikk-camera-card", "entity": CAMERA, "events": 0})
    with home.browser(width_px=800, height_px=800) as browser:
        browser.open(f"{home.ha.url}/card-live/0", shows=[], settled=False)
        browser.until(f"{ALL}('blikk-camera-card')[0]?.shadowRoot != null")
        browser.until(LIVE)
        home.node.stop(30)
        home.write(OTHER)
        home.node.start()
        home.until_online()
        browser.until(f"{CARD}.querySelector('.bar').textContent.includes('live view: wrong token')")
        assert browser.evaluate(f"{CARD}.querySelector('canvas.live').hidden")
        browser.until(f"{CARD}.querySelector('.still img').naturalWidth > 300")
        keep(browser, "card-token")
        assert home.give_token(OTHER)["reason"] == "reauth_successful"
        browser.until(LIVE)
    assert [line for line in home.ha.log if "ERROR" in line and "blikk" in line] == []
    assert VIEW not in "\n".join(home.ha.log)


def dashboard(home: Home, card: dict[str, Any]) -> None:
    """Have this card alone on the dashboard `/card-live/0`."""
    paths = {each["url_path"] for each in home.ha.command({"type": "lovelace/dashboards/list"})}
    if "card-live" not in paths:
        home.ha.command({"type": "lovelace/dashboards/create", "url_path": "card-live", "title": "Live"})
    view = {"type": "sections", "title": "Live", "max_columns": 2, "sections": [{"type": "grid", "cards": [card]}]}
    home.ha.command({"type": "lovelace/config/save", "url_path": "card-live", "config": {"views": [view]}})


def keep(browser: Chromium, name: str) -> None:
    """The page as it is seen, for whoever wants to look at it."""
    if (folder := ROOT / ".cache" / "screenshots").is_dir():
        (folder / f"live-{name}.png").write_bytes(browser.photograph())
