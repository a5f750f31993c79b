"""A headless Chromium, spoken to over its DevTools protocol: open a page, wait for it, photograph it."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect

# a loaded machine is slow; a quiet one waits for none of these
START_S = 240.0
ANSWER_S = 240.0
SHOWN_S = 120.0

# what a reader would see, through all shadow roots; what still loads; pictures that are not there yet
LOOK = """
(() => {
  const texts = [], waits = [];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) { texts.push(node.textContent.trim()); return; }
    if (["STYLE", "SCRIPT"].includes(node.tagName)) return;
    if (["HA-SPINNER", "HUI-CARD-SKELETON", "HASS-LOADING-SCREEN"].includes(node.tagName)) waits.push(node.tagName);
    const later = node.loading === "lazy" && node.getBoundingClientRect().top > innerHeight;
    if (node.tagName === "IMG" && node.src && !later && !(node.complete && node.naturalWidth)) waits.push(node.src);
    if (node.shadowRoot) node.shadowRoot.childNodes.forEach(walk);
    node.childNodes.forEach(walk);
  };
  walk(document);
  return JSON.stringify({text: texts.filter(Boolean).join(" | "), waits, fonts: document.fonts.status});
})()
"""


class Chromium:
    """One browser with one page, `width_px` wide; its profile lies in `folder` and is new.

    `flags` are further ones of its command line.
    """

    def __init__(self, folder: Path, *, width_px: int, height_px: int, flags: Sequence[str] = ()) -> None:
        self._flags = flags
        self._folder = folder
        self._size = {"width": width_px, "height": height_px, "deviceScaleFactor": 1, "mobile": False}
        self._number = 0

    def remember(self, origin: str, **values: str) -> None:
        """Have these values in the local storage of an origin before its pages start."""
        lines = "".join(f"localStorage.setItem({json.dumps(k)}, {json.dumps(v)});" for k, v in values.items())
        self.run_first(f"if (location.origin === {json.dumps(origin)}) {{ {lines} }}")

    def run_first(self, source: str) -> None:
        """Run this JavaScript in every document before its own."""
        self._do("Page.addScriptToEvaluateOnNewDocument", source=source)

    def resize(self, width_px: int, height_px: int, *, mobile: bool = False) -> None:
        """Be as large as that, on a phone's or a desk's screen."""
        size = {"width": width_px, "height": height_px, "deviceScaleFactor": 2 if mobile else 1, "mobile": mobile}
        self._do("Emulation.setDeviceMetricsOverride", **size)
        self._do("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def prefer(self, scheme: str) -> None:
        """Prefer the colours `light` or `dark`."""
        self._do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def live_in(self, zone: str) -> None:
        """Have the times of a time zone like `Europe/Berlin`."""
        self._do("Emulation.setTimezoneOverride", timezoneId=zone)

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """A mouse event there: `mousePressed`, `mouseMoved` or `mouseReleased`."""
        given = {"button": "left", "clickCount": 1, **more}
        self._do("Input.dispatchMouseEvent", type=kind, x=x, y=y, **given)

    def open(self, url: str, *, shows: list[str], settled: bool = True, limit_s: float = 90.0) -> None:
        """Go there; with `settled` wait until these texts are shown and nothing loads, for three seconds.

        Raises TimeoutError.
        """
        self._do("Page.navigate", url=url)
        if settled:
            self.settle(shows=shows, limit_s=limit_s)

    def settle(self, *, shows: list[str], limit_s: float = 90.0) -> None:
        """Wait until these texts are shown and nothing loads, for three seconds; raises TimeoutError."""
        end = time.monotonic() + limit_s
        calm = 0
        while calm < 3:
            seen = self._look()
            missing = [text for text in shows if text not in seen["text"]]
            calm = 0 if missing or seen["waits"] or seen["fonts"] != "loaded" else calm + 1
            if time.monotonic() > end:
                raise TimeoutError(f"after {limit_s:.0f} s: missing {missing}, waits {seen['waits']}: {seen['text']}")
            time.sleep(1)

    @contextmanager
    def hold(self, pattern: str) -> Iterator[None]:
        """Answer no request for such an address, `*` being any text, until the context ends."""
        self._do("Fetch.enable", patterns=[{"urlPattern": pattern}])
        try:
            yield
        finally:
            self._do("Fetch.disable")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of its promise; raises RuntimeError for what it throws."""
        answer = self._do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"in the page: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, expression: str, limit_s: float = SHOWN_S) -> Any:
        """The value of an expression once it is true; raises TimeoutError."""
        end = time.monotonic() + limit_s
        while not (value := self.evaluate(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {limit_s:.0f} s: {expression}; the page: {self._look()['text']}")
            time.sleep(0.1)
        return value

    def press(self, key: str, *held: str) -> None:
        """Press a key like `Enter`, `ArrowLeft` or `z`, and let it go, while `Control` or `Shift` are held."""
        codes = {"Enter": 13, "Tab": 9, " ": 32, "Escape": 27, "Backspace": 8, "Delete": 46, "Insert": 45}
        codes |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 and "Control" not in held else "")
        flags = sum({"Control": 2, "Shift": 8}[each] for each in held)
        code = codes.get(key, ord(key[0].upper()))
        given = {"key": key, "windowsVirtualKeyCode": code, "modifiers": flags}
        self._do("Input.dispatchKeyEvent", type="keyDown", text=text, **given)
        self._do("Input.dispatchKeyEvent", type="keyUp", **given)

    def write(self, text: str) -> None:
        """Put a text into what has the focus, as a keyboard would."""
        self._do("Input.insertText", text=text)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """A touch event there: `touchStart`, `touchMove`, or `touchEnd` without a point."""
        self._do("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y} for x, y in points])

    def accessibility(self) -> list[dict[str, str]]:
        """What a screen reader finds in the page: role and name of each part."""
        nodes = self._do("Accessibility.getFullAXTree")["nodes"]
        told = [node for node in nodes if not node["ignored"]]
        return [{key: node.get(key, {}).get("value", "") for key in ("role", "name")} for node in told]

    def photograph(self) -> bytes:
        """The page as it is seen, as PNG."""
        return base64.b64decode(self._do("Page.captureScreenshot", format="png")["data"])

    def __enter__(self) -> Self:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            raise FileNotFoundError("no chromium; scripts/screenshots installs it")
        flags = ["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--lang=en-US"]
        flags += ["--disable-quic"]
        flags += ["--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0"]
        flags += self._flags
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium refuses to start as root with it
        self._folder.mkdir()
        with (self._folder / "chromium.log").open("wb") as log:
            command = [program, *flags, f"--user-data-dir={self._folder}", "about:blank"]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._link = self._connect()
            self._do("Page.enable")
            self._do("Emulation.setDeviceMetricsOverride", **self._size)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()
        self._end()

    def _connect(self) -> ClientConnection:
        told = self._folder / "DevToolsActivePort"
        end = time.monotonic() + START_S
        while not (told.exists() and told.read_text().strip()):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"chromium did not start:\n{(self._folder / 'chromium.log').read_text()}")
            time.sleep(0.05)
        port = told.read_text().split()[0]
        new = Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        with urlopen(new, timeout=START_S) as answer:
            page = json.load(answer)
        return connect(page["webSocketDebuggerUrl"], max_size=None, open_timeout=START_S)

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _look(self) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(self.evaluate(LOOK))
        return seen

    def _do(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        self._link.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._link.recv(timeout=ANSWER_S))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
