"""The site of the documentation in a real Chromium, as wide as a phone: it asks no third party, and every page fits."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from headless import Chromium  # noqa: E402

pytestmark = [
    pytest.mark.skipif(
        not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="no chromium: scripts/test_env"
    ),
]
PHONE_PX = 390
ASKED = "performance.getEntriesByType('resource').map(asked => asked.name)"
BROKEN = "[...document.images].filter(image => !image.naturalWidth).map(image => image.src)"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line on standard error for each."""

    def log_message(self, *args: object) -> None: ...


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly."""
    pytest.importorskip("mkdocs", reason="no mkdocs: scripts/venv docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("phone") / "profile", width_px=PHONE_PX, height_px=800) as browser:
        yield browser


def test_every_page_fits_a_phone_and_asks_no_third_party(site: Path, address: str, phone: Chromium):
    pages = sorted(page.relative_to(site).parent.as_posix() for page in site.rglob("index.html"))
    assert {".", "guide/home-assistant", "ref/api", "contract/topics", "CONTRIBUTING"} <= set(pages)
    faults = {}
    for page in pages:
        phone.open(f"{address}/{page}/", shows=[], settled=False)
        phone.until("document.readyState === 'complete' && document.querySelector('h1') !== null")
        phone.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
        # the theme's own script has run once the search has its index
        phone.until(f"{ASKED}.some(name => name.endsWith('search_index.json'))")
        others = [name for name in phone.evaluate(ASKED) if not name.startswith(address)]
        wide_px = phone.evaluate("document.documentElement.scrollWidth")
        broken = phone.evaluate(
            f"Promise.all([...document.images].map(i => i.decode().catch(() => 0))).then(() => {BROKEN})"
        )
        if others or broken or wide_px > PHONE_PX:
            faults[page] = (others, broken, wide_px)
    assert faults == {}


def test_a_search_finds_a_key_of_the_configuration(address: str, phone: Chromium):
    phone.open(f"{address}/?q=loiter_s", shows=[], settled=False)
    found = phone.until("[...document.querySelectorAll('.md-search-result__link')].map(link => link.href)")
    assert any("/ref/config/" in link for link in found)
