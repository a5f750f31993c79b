"""The pages through Home Assistant's ingress: a real node as the app starts it, a stand-in of ingress, a browser."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headless import Chromium
from ingress_proxy import PREFIX, IngressProxy
from nowhere import NOWHERE
from patience import PATIENCE
from ports import free_port
from staging import write_clip

pytestmark = pytest.mark.timeout(300)

SUPERVISOR = "127.0.0.9"
START = """
import sys
from blikk_edge.net.http import ingress
ingress.SUPERVISOR = sys.argv.pop(1)
from blikk_edge.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""`blikk`, in a network where the Supervisor has another address: its own is in no network of a test machine."""
NODE = """\
node: {{id: home, name: Home}}
mqtt: false
store: {{path: {folder}/home.db}}
models: {{offline: true, cache: {folder}/models}}
http: {{port: {port}, tokens: {{view: "0123456789-view-token", control: "0123456789-control-token"}}}}
cameras:
  yard: {{source: {folder}/yard.mp4, name: Yard}}
"""
FROM_HA = {
    "X-Ingress-Path": PREFIX, "X-Hass-Source": "core.ingress", "X-Forwarded-For": "192.168.1.77",
    "X-Forwarded-Host": "ha.example:8123", "Host": "ha.example:8123",
}  # fmt: skip
SWITCH = "POST /v1/cameras/yard/set"
OFF = json.dumps({"detect": False})


def wait_for(what: str, look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30 * PATIENCE
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def clip(path: Path) -> None:
    pictures = []
    for number in range(40):
        picture = np.full((480, 640, 3), 120, np.uint8)
        picture[200:300, 10 * number : 10 * number + 80] = (30, 160, 230)
        pictures.append(picture)
    write_clip(path, pictures, crf=28)


class Node:
    """A node on loopback."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, what: str, headers: dict[str, str], *, body: str | None = None, source: str = SUPERVISOR
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a request like `GET /v1/node` from that address."""
        method, path = what.split()
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * PATIENCE, source_address=(source, 0))
        given = dict(headers)
        if body is not None:
            given["Content-Type"] = "application/json"
        link.putrequest(method, path, skip_host="Host" in given)
        for name, value in given.items():
            link.putheader(name, value)
        if body is not None:
            link.putheader("Content-Length", str(len(body)))
        link.endheaders(body.encode() if body is not None else None)
        with link.getresponse() as answer:
            content = answer.read() if answer.status != 101 else b""
            link.close()
            return answer.status, json.loads(content or b"{}")


def started(folder: Path, *, app: bool) -> Iterator[Node]:
    clip(folder / "yard.mp4")
    port = free_port()
    (folder / "blikk.yaml").write_text(NODE.format(folder=folder, port=port))
    environ = {**os.environ, **NOWHERE, "XDG_CACHE_HOME": str(folder / "cache")}
    environ.pop("BLIKK_APP", None)
    if app:
        environ["BLIKK_APP"] = "1"
    command = [sys.executable, "-c", START, SUPERVISOR, "run", "--config", str(folder / "blikk.yaml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            node = Node(port)
            wait_for("the node answers", lambda: answers(node) or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield node
        finally:
            process.terminate()
            process.wait(20 * PATIENCE)


def answers(node: Node) -> bool:
    try:
        return node.ask("GET /health", {}, source="127.0.0.1")[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that the app has started."""
    yield from started(tmp_path_factory.mktemp("app"), app=True)


# ---- who is let in


def test_who_home_assistant_has_let_in_may_see_and_change_all(node: Node) -> None:
    assert node.ask("GET /v1/session", FROM_HA)[1] | {"csrf": None} == {
        "scope": "control", "open": True, "csrf": None,
    }  # fmt: skip
    assert node.ask("GET /v1/node", FROM_HA)[1]["name"] == "Home"
    assert node.ask(SWITCH, FROM_HA | {"Origin": "http://ha.example:8123"}, body=OFF) == (202, {"ordered": 1})


@pytest.mark.parametrize("path", ["", "/", "/api/hassio_ingress/", f"{PREFIX}/..", "http://x" + PREFIX])
def test_the_supervisor_without_the_path_of_ingress_is_a_stranger(node: Node, path: str) -> None:
    headers = {**FROM_HA, "X-Ingress-Path": path, "Host": "127.0.0.1"}
    assert node.ask("GET /v1/node", headers)[0] == 401


def test_the_headers_of_ingress_from_any_other_peer_count_for_nothing(node: Node) -> None:
    assert node.ask("GET /v1/node", FROM_HA, source="127.0.0.1")[0] == 421
    by_address = FROM_HA | {"Host": "127.0.0.1"}
    assert node.ask("GET /v1/node", by_address, source="127.0.0.1")[0] == 401
    assert node.ask("GET /v1/session", by_address, source="127.0.0.1")[1]["scope"] == "public"


def test_outside_the_app_nobody_is_let_in_by_ingress(tmp_path: Path) -> None:
    for other in started(tmp_path, app=False):
        assert other.ask("GET /v1/node", FROM_HA | {"Host": "127.0.0.1"})[0] == 401
        assert other.ask("GET /v1/node", FROM_HA)[0] == 421


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://ha.example:8123", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_a_page_of_elsewhere_sends_through_ingress_is_refused(node: Node, sent: dict[str, str]) -> None:
    assert node.ask(SWITCH, FROM_HA | sent, body=OFF)[0] == 403
    upgrade = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    assert node.ask("GET /v1/feed", FROM_HA | upgrade | sent)[0] == 403
    assert node.ask("GET /v1/feed", FROM_HA | upgrade | {"Origin": "http://ha.example:8123"})[0] == 101


def test_a_proxy_before_home_assistant_may_call_it_otherwise_than_the_browser(node: Node) -> None:
    sent = {"Origin": "https://home.example", "Sec-Fetch-Site": "same-origin"}
    assert node.ask(SWITCH, FROM_HA | sent, body=OFF)[0] == 202


# ---- the pages


@pytest.mark.skipif(
    not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="no chromium: scripts/test_env"
)
@pytest.mark.parametrize(("device", "width_px", "height_px"), [("phone", 360, 740), ("desk", 1200, 800)])
def test_the_pages_live_in_the_frame_of_home_assistant(
    node: Node, tmp_path: Path, device: str, width_px: int, height_px: int
) -> None:
    # while it loads, or shows an error of the browser, there is none
    frame = "(document.querySelector('iframe')?.contentDocument ?? new Document())"
    with (
        IngressProxy(node.port, SUPERVISOR) as proxy,
        Chromium(tmp_path / "chromium", width_px=width_px, height_px=height_px) as browser,
    ):
        browser.open(f"{proxy.url}/app/blikk", shows=[], settled=False)
        browser.until(f"{frame}.querySelector('[data-camera=yard]')?.dataset.frames === 'yes'")
        assert browser.evaluate(f"{frame}.querySelector('.brand').textContent") == "Home"
        words = browser.evaluate(f"{frame}.body.innerText")
        assert "Log out" not in words
        for page, asks in (
            ("timeline?camera=yard", "/v1/timeline"),
            ("debug", "/v1/debug"),
            ("zones/yard", "/v1/cameras/yard/zones"),
        ):
            browser.evaluate(f"{frame}.defaultView.location.hash = '#/{page}', true")
            wait_for(f"{page} asks for its content", lambda asks=asks: any(asks in line for line in proxy.passed))
            browser.until(f"{frame}.querySelector('main h1, main h2, main canvas, main .filters') !== null")
        browser.evaluate(f"{frame}.defaultView.location.hash = '#/camera/yard', true")
        browser.until(f"{frame}.querySelectorAll('[data-camera]').length === 1")
        browser.until(f"{frame}.querySelector('[data-camera=yard]')?.dataset.frames === 'yes'")
        switched = browser.evaluate(
            f"{frame}.defaultView.fetch('v1/cameras/yard/set', {{method: 'POST', body: '{{\"detect\": true}}',"
            " headers: {'Content-Type': 'application/json'}}).then((answer) => answer.status)"
        )
        assert switched == 202
        folder = Path(__file__).parents[2] / ".cache" / "screenshots"
        if folder.is_dir():
            (folder / f"ingress-{device}.png").write_bytes(browser.photograph())
        asked = {line.split("?")[0] for line in proxy.passed}
        assert {"GET /", "GET /static/app.js", "GET /v1/node", "GET /v1/feed", "GET /v1/cameras/yard/live"} <= asked
        assert set(proxy.outside) <= {"/favicon.ico"}  # of Home Assistant's own page
