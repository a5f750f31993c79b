"""Set-up from nothing to the first event: a real browser, camera, broker and node."""

import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker, accepts
from pages import CHROMIUM, PHONE, Browser, browser
from paho.mqtt import subscribe
from patience import PATIENCE
from ports import free_port
from staging import BLIKK

from blikk_edge import config

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
CODE = re.compile(r"enter this code: ([0-9A-Z]{4}-[0-9A-Z]{4})")

pytestmark = pytest.mark.timeout(300)


class SetupRun:
    """`blikk setup` in a process of its own, which becomes the node."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = folder / "setup.log"
        environ = os.environ | {"BLIKK_MODELS": str(models), "XDG_STATE_HOME": str(folder / "state")}
        command = [BLIKK, "setup", "--output", folder / "blikk.yaml", "--port", str(self.port)]
        command += ["--code-file", folder / "code.txt"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)

    def code(self) -> str:
        return CODE.findall(self.log.read_text())[-1]

    def __enter__(self) -> "SetupRun":
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            print(self.log.read_text())
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


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


def press_button(page: Browser, words: str) -> None:
    found = f"[...document.querySelectorAll('button')].find((b) => b.textContent.trim() === {json.dumps(words)})"
    page.until(f"{found} && !{found}.disabled")
    page.evaluate(f"{found}.scrollIntoView({{block: 'center'}})")
    # what is above it may still be loading
    page.until(f"(window.__top === (window.__top = {found}.getBoundingClientRect().top))")
    x, y = page.evaluate(
        f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])({found}.getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        page.mouse(kind, x, y)


def fill(page: Browser, field: str, text: str) -> None:
    page.until(f"document.getElementById({json.dumps(field)}) !== null")
    page.evaluate(f"document.getElementById({json.dumps(field)}).select()")
    page.evaluate(f"document.getElementById({json.dumps(field)}).focus()")
    page.write(text)


def shown(page: Browser, text: str, limit_s: float = 30.0) -> None:
    page.until(f"document.body?.textContent.includes({json.dumps(text)})", limit_s=limit_s)


def fine(page: Browser) -> None:
    assert page.barriers() == []
    assert not page.scrolls_sideways()
    assert page.errors() == []


def until_open(port: int) -> None:
    end = time.monotonic() + 60 * PATIENCE
    while not accepts(port):
        assert time.monotonic() < end
        time.sleep(0.05)


def enter(page: Browser, run: SetupRun) -> None:
    end = time.monotonic() + 60 * PATIENCE
    while not CODE.search(run.log.read_text()):
        assert time.monotonic() < end, run.log.read_text()
        assert run.process.poll() is None, run.log.read_text()
        time.sleep(0.05)
    until_open(run.port)
    page.open(run.url, shows=[], settled=False)
    shown(page, "The console of the node shows a code")
    fine(page)
    fill(page, "token", run.code().lower())
    page.press("Enter")
    shown(page, "What is this node called?")


def test_from_nothing_to_the_first_event(run: SetupRun, page: Browser, data: Path, tmp_path: Path) -> None:
    page.resize(*PHONE, mobile=True)
    with Broker(tmp_path, password=("ann", "open sesame")) as broker:
        enter(page, run)
        fill(page, "node-name", 'Hallway "upstairs": <b>')
        fine(page)
        press_button(page, "Next")
        fill(page, "camera-0-source", "rtsp://user:hunter2@127.0.0.1:1/none")
        press_button(page, "Try it")
        shown(page, "connection refused")
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
        shown(page, "mqtt.password")
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
