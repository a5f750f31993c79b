"""Set-up from nothing to the first event: a real browser, camera, broker and node."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from pages import CHROMIUM, PHONE, Browser, browser
from paho.mqtt import subscribe
from setup_run import SetupRun, fill, press_button, shown

from blikk_edge import config
from blikk_edge.cli.setup import _in_the_clear

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Iterator[SetupRun]:
    with SetupRun(tmp_path, data / "models") as started:
        yield started


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/test_env")
    with browser(tmp_path) as opened:
        yield opened


def fine(page: Browser) -> None:
    assert page.barriers() == []
    assert not page.scrolls_sideways()
    assert page.errors() == []


def enter(page: Browser, run: SetupRun) -> None:
    run.until_open()
    page.open(run.url, shows=[], settled=False)
    shown(page, "The console of the node shows a code")
    fine(page)
    fill(page, "token", run.code().lower())
    page.press("Enter")
    shown(page, "What is this node called?")


@pytest.mark.parametrize(
    ("host", "certificate", "warned"),
    [("0.0.0.0", None, True), ("0.0.0.0", Path("c.pem"), False), ("127.0.0.1", None, False), ("::1", None, False)],
)
def test_the_console_warns_where_others_could_read_what_is_typed(
    host: str, certificate: Path | None, warned: bool
) -> None:
    assert bool(_in_the_clear(host, certificate)) is warned


def test_from_nothing_to_the_first_event(run: SetupRun, page: Browser, data: Path, tmp_path: Path) -> None:
    page.resize(*PHONE, mobile=True)
    with Broker(tmp_path, password=("ann", "open sesame")) as broker:
        enter(page, run)
        fill(page, "node-name", 'Hallway "upstairs": <b>')
        fine(page)
        press_button(page, "Next")
        fill(page, "camera-0-source", "rtsp://user:hunter2@127.0.0.1:1/none")
        press_button(page, "Try it")
        shown(page, "nobody answers at this port")
        assert "hunter2" not in page.evaluate("document.body.textContent")
        fill(page, "camera-0-source", str(data / CLIP))
        press_button(page, "Try it")
        page.until("document.querySelector('figure img')?.naturalWidth > 0", limit_s=60)
        fine(page)
        press_button(page, "Next")
        fill(page, "host", "127.0.0.1")
        fill(page, "port", str(broker.port))
        fill(page, "username", "ann")
        fill(page, "password", "wrong")
        press_button(page, "Try to log in")
        shown(page, "refuses user or password")
        fill(page, "password", "open sesame")
        press_button(page, "Try to log in")
        shown(page, "The broker takes us.")
        fine(page)
        press_button(page, "Next")
        shown(page, "password: !secret mqtt_password")
        fine(page)
        assert not (tmp_path / "blikk.yaml").exists()
        press_button(page, "Write and start")
        shown(page, "This node is set up")
        fine(page)
        settings = config.load(tmp_path / "blikk.yaml", environ={})
        assert settings.media is not None
        assert settings.node.name == 'Hallway "upstairs": <b>'
        assert stat.S_IMODE((tmp_path / "secrets.yaml").stat().st_mode) == 0o600
        assert "open sesame" not in (tmp_path / "blikk.yaml").read_text()
        assert not (tmp_path / "code.txt").exists()
        heard = subscribe.simple(
            "blikk/+/front_door/event",
            hostname="127.0.0.1",
            port=broker.port,
            auth={"username": "ann", "password": "open sesame"},
        )
        assert json.loads(heard.payload)["label"] == "person"
        press_button(page, "Open the pages")
        page.until("document.querySelector('[data-camera=front_door]')?.dataset.frames === 'yes'", limit_s=60)
        assert run.process.poll() is None
