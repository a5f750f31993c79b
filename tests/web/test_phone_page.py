"""A browser becomes a camera: the link of the command line, the page with one button, the picture in the node."""

import json
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from pages import CHROMIUM, PHONE, Browser, WebNode, browser
from patience import PATIENCE
from staging import BLIKK

CONFIG = """\
node: hallway
mqtt: false
store: {{path: {folder}/hallway.db}}
models: {{offline: true}}
cameras: {{shed: {{source: whip, name: Garden shed}}}}
"""
FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
STATUS = "document.querySelector('[role=status]')?.textContent"
BUTTON = "document.querySelector('button.primary')"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebNode]:
    folder = tmp_path_factory.mktemp("node")
    with WebNode(folder, CONFIG.format(folder=folder), models=None) as running:
        yield running


@pytest.fixture
def phone(node: WebNode, tmp_path: Path) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: scripts/test_env")
    with browser(tmp_path, PHONE, flags=FAKE) as opened:
        opened.until_up(node.url)
        yield opened


def link(node: WebNode, *more: str) -> dict:
    """What `blikk phone` answers."""
    command = [str(BLIKK), "phone", "shed", "--config", str(node.folder / "blikk.yaml"), "--json", *more]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE, check=True)
    return json.loads(ran.stdout)


def health(node: WebNode) -> int:
    try:
        with urlopen(f"{node.url}health", timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def until(node: WebNode, status: int) -> None:
    """Wait until the node says so: 200 where its camera is online."""
    end = time.monotonic() + 40 * PATIENCE
    while health(node) != status:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_phone_sends_after_one_press_and_ends_with_another(node: WebNode, phone: Browser) -> None:
    phone.open(link(node)["url"], shows=[], settled=False)
    phone.until(f"{BUTTON} && !{BUTTON}.disabled")
    assert phone.evaluate("location.hash") == ""
    assert phone.barriers() == []
    phone.evaluate(f"{BUTTON}.click()")
    phone.until(f"{STATUS} === 'Sending. Keep this page open.'")
    until(node, 200)
    assert not phone.scrolls_sideways()
    phone.evaluate(f"{BUTTON}.click()")
    phone.until(f"{STATUS} === 'Not sending'")
    until(node, 503)
    assert phone.errors() == []


def test_a_camera_that_is_not_allowed_is_said_so_and_a_used_link_too(node: WebNode, phone: Browser) -> None:
    url = link(node)["url"]
    phone.open(url, shows=[], settled=False)
    phone.until(f"{BUTTON} && !{BUTTON}.disabled")
    refused = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    phone.evaluate(f"{refused}; {BUTTON}.click()")
    phone.until("document.querySelector('[role=alert]')?.textContent === 'Camera not allowed'")
    phone.evaluate("localStorage.clear()")
    phone.speak(node.url, "de")
    phone.open(url, shows=[], settled=False)
    phone.until("document.querySelector('[role=alert]')?.textContent.startsWith('Der Link ist alt oder benutzt')")
    assert phone.evaluate(f"{BUTTON}.disabled")
    assert phone.errors() == []


def test_the_page_of_the_camera_shows_a_link_as_qr_code_once_it_is_asked_for(node: WebNode, phone: Browser) -> None:
    phone.open(f"{node.url}#/camera/shed", shows=[], settled=False)
    button = "[...document.querySelectorAll('button')].find((each) => each.textContent === 'Use a phone as camera')"
    phone.until(button)
    assert not phone.evaluate("document.querySelector('img[src^=data]')")
    phone.evaluate(f"{button}.click()")
    phone.until("document.querySelector('img[src^=data]')?.naturalWidth > 100")
    shown = phone.evaluate("document.querySelector('a[href*=phone]').href")
    assert shown.startswith(f"{node.url}phone#")
    token = shown.partition("#")[2]
    assert token not in node.log
    with urlopen(Request(f"{node.url}v1/phone", method="POST", headers={"Authorization": f"Bearer {token}"})) as answer:
        assert json.load(answer)["camera"] == "shed"
    assert phone.errors() == []


def refused(folder: Path, camera: str) -> tuple[int, str]:
    """Status and words of `blikk phone`."""
    command = [str(BLIKK), "phone", camera, "--config", str(folder / "blikk.yaml")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE, check=False)
    return ran.returncode, ran.stderr


def test_the_command_asks_a_node_with_its_own_certificate_and_says_what_is_wrong(tmp_path: Path) -> None:
    cert, key = tmp_path / "node.crt", tmp_path / "node.key"
    making = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hallway.local -keyout node.key -out node.crt"
    subprocess.run(making.split(), check=True, capture_output=True, cwd=tmp_path)
    tls = f"tls: {{certificate: {cert}, key: {key}}}"
    more = f", url: 'https://hallway.local:8428', {tls}, tokens: {{control: {'c' * 16}}}"
    made = WebNode(tmp_path, CONFIG.format(folder=tmp_path), models=None, http=more)
    status, words = refused(tmp_path, "shed")
    assert (status, "the node does not answer" in words) == (1, True)
    status, words = refused(tmp_path, "door")
    assert (status, f"{tmp_path / 'blikk.yaml'} has no camera 'door' with `source: whip`; it has shed" in words) == (
        2,
        True,
    )
    with made as running:
        end = time.monotonic() + 60 * PATIENCE
        while (status := refused(tmp_path, "shed")[0]) and time.monotonic() < end:
            time.sleep(0.2)
        found = link(running)
        assert (status, found["note"], found["url"].startswith("https://hallway.local:8428/phone#")) == (0, None, True)
        assert link(running, "--forget") == {"ok": True}
