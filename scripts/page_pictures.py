"""Photographs the pages of a real node that watches the demo's clip, for the README and the guide.

    python scripts/page_pictures.py [PAGE...]

Needs Chromium (scripts/test_env installs it). With `BLIKK_TEST_DATA`, or models in the cache, the cat is found as well.
"""

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests", "tests/web", "tests/e2e", "scripts")]

from pages import DESKTOP, PHONE, Browser, WebNode, browser, debugging  # noqa: E402 (found in the folders above)
from rtsp_server import RtspServer  # noqa: E402
from setup_run import SetupRun, fill, press_button, shown  # noqa: E402
from staging import write_clip  # noqa: E402

from blikk_edge.demo import clip  # noqa: E402

FOLDER: Final = ROOT / "docs" / "images"
DATA: Final = Path(os.environ.get("BLIKK_TEST_DATA", ROOT.parent / "shared" / "data"))
NODE: Final = """\
node: {{id: hallway, name: Hallway}}
mqtt: false
store: {{path: {folder}/hallway.db}}
media: true
cameras:
  front_door:
    source: {clip}
    still_s: 4s
    zones: {{path: {{polygon: [[0.3, 0.62], [0.98, 0.55], [0.98, 0.99], [0.25, 0.99]], loiter_s: 30s}}}}
    private: [[[0, 0], [0.14, 0], [0.14, 0.2], [0, 0.2]]]
  garden:
    source: {clip}
"""
TOKENS: Final = f", tokens: {{view: {'v' * 24}, control: {'c' * 24}}}"
VISITOR: Final = "document.querySelector('.chip.person') !== null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A picture to take.

    Attributes:
        name: Of the file, without its ending.
        page: Behind the address of the node.
        until: A JavaScript expression that is tried until it is true: the page shows what is wanted.
        phone: Whether on a phone.
        dark: Whether in dark colours.
        does: What is done then, in JavaScript.
        then: What is true when that is to be seen.
        size: Of a desktop's window, in pixels.
    """

    name: str
    page: str
    until: str
    phone: bool = False
    dark: bool = False
    does: str = ""
    then: str = "true"
    size: tuple[int, int] = DESKTOP


LIVE: Final = (
    Photograph(name="web-wall", page="#/", until=VISITOR),
    Photograph(
        name="web-camera",
        page="#/camera/front_door",
        until=f"{VISITOR} && document.querySelectorAll('.report').length > 1",
    ),
    Photograph(name="web-camera-phone", page="#/camera/front_door", until=VISITOR, phone=True, dark=True),
)

SLIDE: Final = """
const slider = document.querySelector(".trial input");
slider.value = {};
slider.dispatchEvent(new Event("input", {{bubbles: true}}));
"""
KEY: Final = "document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}));"
DEBUG: Final = (
    Photograph(
        name="debug-node",
        page="#/debug",
        until="Number(document.querySelector('.trial')?.dataset.now) >= 12",
        does=KEY.format("ArrowLeft") + SLIDE.format(0.6),
        size=(1280, 1240),
    ),
)
CLIP: Final = (
    Photograph(
        name="debug-clip",
        page="#/debug/clip",
        until="document.querySelector('.heading [role=status]')?.textContent.includes('event')",
        does=KEY.format("n") + SLIDE.format(0.6),
        then="document.querySelector('.side .report') !== null",
        size=(1280, 860),
    ),
)
SEVERAL: Final = "document.querySelectorAll('.event-row img').length > 5"
CLOSER: Final = (
    f"{SEVERAL} && [1, 2, 3, 4, 5, 6, 7].map((n) => setTimeout(() => document.body.dispatchEvent("
    "new KeyboardEvent('keydown', {key: '+', bubbles: true})), 50 * n)).length > 0"
)
VISIT: Final = (
    "(() => { const rows = [...document.querySelectorAll('.event-row.person')].filter((row) => !row.querySelector("
    "'.chip.moving') && row.querySelector('img')); rows[0]?.querySelector('a').click(); return rows.length > 0 })()"
)
EVENT: Final = "document.querySelector('.still img')?.naturalWidth > 0 && document.querySelector('.course li') !== null"
PAST: Final = (
    Photograph(
        name="web-timeline",
        page="#/timeline",
        until=CLOSER,
        then="document.querySelector('.lanes-card .quiet').textContent !== ''",
    ),
    Photograph(name="web-event", page="#/timeline", until=VISIT, then=EVENT),
    Photograph(name="web-timeline-phone", page="#/timeline", until=SEVERAL, phone=True),
    Photograph(name="web-event-phone", page="#/timeline", until=VISIT, then=EVENT, phone=True, dark=True),
)

CHOOSE: Final = """
const area = document.querySelector("polygon[data-area=path]");
area.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
"""
SEEN: Final = "document.querySelector('.live:not(.dim)')?.dataset.frames === 'yes'"
ZONES: Final = tuple(
    Photograph(
        name=name,
        page="#/zones/front_door",
        until=f"{SEEN} && document.querySelector('polygon[data-area=path]') !== null",
        does=CHOOSE,
        then="document.querySelector('.zone-form') !== null && document.querySelector('.handles') !== null",
        phone=phone,
        size=(1280, 900),
    )
    for name, phone in (("web-zones", False), ("web-zones-phone", True))
)


DOOR: Final = (
    Photograph(name="web-login", page="#/", until="document.querySelector('form input') !== null", size=(900, 560)),
    Photograph(
        name="web-phone",
        page="phone",
        until="document.querySelector('main button') !== null",
        does="localStorage.setItem('blikk.phone', JSON.stringify({name: 'Shed'})); location.reload();",
        then="document.querySelector('main button')?.disabled === false",
        size=(420, 340),
    ),
)
"""What is seen before somebody has logged in."""


def keep(png: bytes, name: str) -> None:
    """Write it as WebP."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    path = FOLDER / f"{name}.webp"
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_WEBP_QUALITY, 82])
    print(path.relative_to(ROOT), path.stat().st_size // 1000, "kB")


def take(page: Browser, url: str, photograph: Photograph) -> None:
    """Open the page, wait, and keep what it looks like."""
    page.resize(*(PHONE if photograph.phone else photograph.size), mobile=photograph.phone)
    page.prefer("dark" if photograph.dark else "light")
    path, _, place = photograph.page.partition("#")
    page.open(f"{url}{path}?{photograph.name}#{place}", shows=[], settled=False)
    page.until(photograph.until, limit_s=180)
    if photograph.does:
        page.evaluate(photograph.does)
    page.until(photograph.then, limit_s=60)
    time.sleep(0.5)  # pictures fade in
    keep(page.photograph(), photograph.name)


def set_up(page: Browser, folder: Path, film: Path, models: Path | None) -> None:
    """Photograph the set-up page: the code, a camera that was tried, and what is written."""

    def kept(name: str, width_px: int, height_px: int, *, dark: bool = False) -> None:
        page.resize(width_px, height_px, mobile=width_px == PHONE[0])
        page.prefer("dark" if dark else "light")
        page.evaluate("scrollTo(0, 0)")
        time.sleep(0.5)
        keep(page.photograph(), name)

    folder.mkdir()
    door = folder / "door.mp4"  # a picture is taken of the first frames
    with av.open(str(film)) as container:
        write_clip(door, [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)][70:90] * 20, crf=20)
    with RtspServer(door) as server, SetupRun(folder, models or folder) as run:
        run.until_open()
        page.open(run.url, shows=[], settled=False)
        shown(page, "The console of the node shows a code")
        kept("web-setup-code-phone", PHONE[0], 560)
        fill(page, "token", run.code())
        page.press("Enter")
        fill(page, "node-name", "Hallway")
        press_button(page, "Next")
        fill(page, "camera-0-source", server.url)
        press_button(page, "Try it")
        page.until("document.querySelector('figure img')?.naturalWidth > 0", limit_s=60)
        kept("web-setup-camera", 900, 1130)
        press_button(page, "Next")
        shown(page, "Where is the MQTT broker?")
        page.evaluate("document.querySelector('.setup input[type=checkbox]').click()")
        press_button(page, "Next")
        shown(page, "!secret http_control")
        kept("web-setup-review-phone", *PHONE, dark=True)


def locked(folder: Path) -> tuple[Path, str]:
    """The folder and the configuration of a node that asks who is there, and has a phone as camera."""
    folder.mkdir()
    config = f"node: {{id: hallway, name: Hallway}}\nmqtt: false\nstore: {{path: {folder}/hallway.db}}\n"
    return folder, config + "cameras: {phone: whip}\n"


def main() -> int:
    """Take them all, or those whose names begin with one of the arguments."""
    wanted = tuple(sys.argv[1:]) or ("",)
    with ExitStack() as stage:
        folder = Path(stage.enter_context(tempfile.TemporaryDirectory()))
        film = folder / "visit.mp4"
        clip.make(film)
        models = DATA / "models" if DATA.is_dir() else None
        config = NODE.format(folder=folder, clip=film)
        page = stage.enter_context(browser(folder))
        node = stage.enter_context(WebNode(folder, config, models=models))
        page.until_up(node.url)
        clip_url = stage.enter_context(debugging(film, models, "--config", str(folder / "blikk.yaml")))
        for url, photographs in ((node.url, (*LIVE, *ZONES, *PAST)), (clip_url, CLIP), (node.url, DEBUG)):
            for photograph in photographs:
                if photograph.name.startswith(wanted):
                    take(page, url, photograph)
        doors = [photograph for photograph in DOOR if photograph.name.startswith(wanted)]
        if doors:
            asking = stage.enter_context(WebNode(*locked(folder / "locked"), models=models, http=TOKENS))
            page.until_up(asking.url)
            for photograph in doors:
                take(page, asking.url, photograph)
        if any("web-setup".startswith(each) or each.startswith("web-setup") for each in wanted):
            set_up(page, folder / "setup", film, models)
    return 0


if __name__ == "__main__":
    sys.exit(main())
