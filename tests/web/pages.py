"""The pages of a real node in a real browser: what the tests of all pages share."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

from broker import accepts
from headless import Chromium
from patience import PATIENCE
from ports import free_port
from staging import BLIKK, BlikkRun

ROOT = Path(__file__).parents[2]
AXE = Path(os.environ.get("BLIKK_AXE", ROOT / ".cache/axe/node_modules/axe-core/axe.min.js"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

DESKTOP = (1280, 800)
PHONE = (390, 844)

# what went wrong in a page: exceptions, errors on the console, what its own policy refused
ERRORS = """
window.__errors = [];
addEventListener("error", (event) => __errors.push(`${event.message} ${event.filename}:${event.lineno}`));
addEventListener("unhandledrejection", (event) => __errors.push(`rejected: ${event.reason}`));
addEventListener("securitypolicyviolation", (event) => __errors.push(`policy: ${event.violatedDirective}`));
const said = console.error;
console.error = (...words) => { __errors.push(words.join(" ")); said(...words); };
"""


class WebNode(BlikkRun):
    """`blikk run` with its pages on a free port: `url` ends with a slash. `http` are further keys below `http`."""

    def __init__(self, folder: Path, config: str, *, models: Path | None, http: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        super().__init__(folder, f"{config}\nhttp: {{port: {self.port}{http}}}\n", models=models)

    def until_up(self) -> None:
        """Wait until it can be asked."""
        end = time.monotonic() + 60 * PATIENCE
        while not accepts(self.port):
            assert time.monotonic() < end, "the node does not come up"
            time.sleep(0.05)


class Browser(Chromium):
    """A browser that keeps what goes wrong in its pages."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.run_first(ERRORS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)

    def until(self, expression: str, limit_s: float = 30.0) -> Any:
        return super().until(expression, limit_s * PATIENCE)

    def until_up(self, url: str, limit_s: float = 30.0) -> None:
        """Wait until a node answers there."""
        end = time.monotonic() + limit_s * PATIENCE
        while True:
            try:
                with urlopen(f"{url}v1/session", timeout=10):
                    return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def speak(self, url: str, tag: str) -> None:
        """Have the pages of the node at `url` in that language from now on, whichever page is open."""
        self.open(f"{url}static/icon.svg", shows=[], settled=False)
        self.until("location.pathname.endsWith('icon.svg')")
        self.evaluate(f"localStorage.setItem('blikk.language', '{tag}')")

    def errors(self) -> list[str]:
        """What went wrong since the page was opened."""
        found: list[str] = self.evaluate("window.__errors")
        return found

    def scrolls_sideways(self) -> bool:
        """Whether something is wider than the screen."""
        return bool(self.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def barriers(self) -> list[str]:
        """What keeps people out: axe-core's serious and critical findings; none where it is not here."""
        if not AXE.is_file():
            return []
        self.evaluate(AXE.read_text(encoding="utf-8") + ";0")
        found = self.evaluate(
            "axe.run({resultTypes: ['violations']}).then((r) => JSON.stringify(r.violations.filter((v) =>"
            " ['serious', 'critical'].includes(v.impact)).map((v) => [v.id, v.nodes.map((n) => n.html)])))"
        )
        return [f"{name}: {nodes[0][:200]}" for name, nodes in json.loads(found)]


@contextmanager
def browser(folder: Path, size: tuple[int, int] = DESKTOP, *, flags: Sequence[str] = ()) -> Iterator[Browser]:
    """A browser with a new profile in `folder`."""
    with Browser(folder / "browser", width_px=size[0], height_px=size[1], flags=flags) as opened:
        yield opened


@contextmanager
def debugging(clip: Path, models: Path | None, *more: str) -> Iterator[str]:
    """`blikk debug` of a clip; where its page is, without what comes after the `#`."""
    environ = os.environ | ({} if models is None else {"BLIKK_MODELS": str(models)})
    command = [str(BLIKK), "debug", str(clip), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.endswith("/#/debug/clip"), process.stderr and process.stderr.read()
            yield url.partition("#")[0]
        finally:
            process.terminate()
            assert process.wait(30 * PATIENCE) == 0
