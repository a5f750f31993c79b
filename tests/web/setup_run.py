"""`blikk setup` in a process of its own, and what is done on its page."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

from broker import accepts
from pages import Browser
from patience import PATIENCE
from ports import free_port
from staging import BLIKK

CODE = re.compile(r"enter this code: ([0-9A-Z]{4}-[0-9A-Z]{4})")


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

    def until_open(self) -> None:
        """Wait until it has told the code, and is served."""
        end = time.monotonic() + 60 * PATIENCE
        while not (CODE.search(self.log.read_text()) and accepts(self.port)):
            assert time.monotonic() < end, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def __enter__(self) -> "SetupRun":
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            print(self.log.read_text())
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10 * PATIENCE)


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
