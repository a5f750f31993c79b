"""SIGTERM and SIGINT end every command at once and with the right status, whatever the moment."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_props import BLIKK, CONFIG, LIMIT_S

from blikk_edge.transforms.models.registry import REGISTRY

QUICK_S = 10.0
"""A container is killed after this time. Much less is expected, on a machine that is not loaded."""


def until(state: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not state():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def handles(pid: int) -> bool:
    """Whether the process has set a handler for SIGTERM, after that for SIGINT; Python itself sets none."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


IMPORTS_TOLD = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Has Python tell on standard error what it has imported: what is mapped only root may see."""

LOG = Path(".local/state/blikk/hallway.db-wal")
"""The log of the store, which is there while the store is open; in the home folder."""

STATES = (
    "handled",
    "imports argparse",
    "imports asyncio",
    "imports yaml",
    "imports blikk_edge.config.loading",
    "imports aiomqtt",
    "imports sqlite3",
    "imports numpy",
    "imports cv2",
    "imports av",
    "imports blikk_edge.app.wiring",
    "store open",
    "wired",
    "running",
)
"""Of a start, in this order."""


def imported(log: Path, library: str) -> bool:
    """Whether it was, or a part of it, where IMPORTS_TOLD."""
    return any(f" {library}{end}" in log.read_text() for end in (".", "\n"))


def reached(state: str, folder: Path, pid: int) -> bool:
    """Whether a start has come so far; its standard error is the file `stderr`."""
    log = folder / "stderr"
    match state:
        case "handled":
            return handles(pid)
        case "store open":
            return (folder / LOG).exists()
        case "wired":
            return "detector" in log.read_text()
        case "running":
            return "blikk.camera.front_door" in log.read_text()
    return imported(log, state.removeprefix("imports "))


def ended(process: subprocess.Popen[bytes], number: int, pid: int | None = None) -> int:
    os.kill(pid or process.pid, number)
    return process.wait(QUICK_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("state", STATES)
def test_run_that_is_stopped_ends_well_whatever_its_state(blikk, config: Path, state: str, number: int):
    log = blikk.folder / "stderr"
    with blikk.start("run", **IMPORTS_TOLD) as process:
        until(lambda: reached(state, blikk.folder, process.pid), process)
        assert ended(process, number) == 0
    assert "Traceback" not in log.read_text()
    assert not (blikk.folder / LOG).exists(), "the store was not closed"


def test_who_sees_warnings_alone_is_reported_once_what_cannot_be_found(blikk, config: Path):
    log = blikk.folder / "stderr"
    with blikk.start("run", "--log-level", "warning") as process:
        until(lambda: "blikk.camera.front_door" in log.read_text(), process)
        assert ended(process, signal.SIGTERM) == 0
    (line,) = (line for line in log.read_text().splitlines() if "find vehicles, animals, parcels" in line)
    assert " WARNING blikk.node: " in line
    assert "whole persons are blurred" in line


@pytest.mark.parametrize("state", ["handled", "imports cv2", "store open"])
def test_process_1_of_a_container_is_stopped_too(blikk, config: Path, state: str):
    inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*inside, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no unshare that this user may use")
    with (
        (blikk.folder / "stderr").open("wb") as reported,
        subprocess.Popen(
            [*inside, BLIKK, "run"], env=blikk.environ | IMPORTS_TOLD, cwd=blikk.folder, stderr=reported
        ) as it,
    ):
        children = Path(f"/proc/{it.pid}/task/{it.pid}/children")
        until(lambda: bool(children.read_text()), it)
        pid = int(children.read_text())
        until(lambda: handles(pid) and reached(state, blikk.folder, pid), it)
        assert ended(it, signal.SIGTERM, pid) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_download_that_is_stopped_says_so_and_keeps_what_has_come(
    blikk, models: Path, mirror, number: int, status: int
):
    entry = REGISTRY["yunet"]
    content = next(p for p in models.rglob("*") if p.is_file() and p.stat().st_size == entry.size_bytes).read_bytes()
    served = mirror(content)
    cache = blikk.folder / "cache"
    (blikk.folder / "blikk.yaml").write_text(CONFIG + f"models: {{cache: {cache}, mirror: '{served.url}'}}\n")
    with blikk.start("models", "pull", "yunet", "--config", "blikk.yaml") as process:
        assert served.half_sent.wait(LIMIT_S)
        (part,) = until_there(cache, process)
        assert ended(process, number) == status
    kept = part.stat().st_size
    served.go.set()
    assert 0 < kept < len(content)
    assert blikk("models", "pull", "yunet", "--config", "blikk.yaml").returncode == 0
    assert (cache / entry.cache_name).read_bytes() == content


def until_there(folder: Path, process: subprocess.Popen[bytes]) -> list[Path]:
    found: list[Path] = []

    def there() -> bool:
        found[:] = [path for path in folder.glob("*.part") if path.stat().st_size > 0]
        return bool(found)

    until(there, process)
    return found


def test_a_second_signal_ends_what_does_not_end_by_itself(blikk, config: Path):
    code = (
        "import asyncio, sys\n"
        "from blikk_edge.cli import stopping\n"
        "stopping.arm(['run'])\n"
        "from blikk_edge.cli.services import serve\n"
        "async def run(stop):\n"
        "    print('ready', flush=True)\n"
        "    await stop.wait()\n"
        "    print('stopping', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "serve(run)\n"
    )
    python = BLIKK.with_name("python")
    with subprocess.Popen([python, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.stdout.readline() == b"stopping\n"
        process.terminate()
        assert process.wait(QUICK_S) == 143


def test_what_does_not_end_by_itself_is_ended_within_five_seconds(blikk):
    code = (
        "import asyncio, threading\n"
        "from blikk_edge.cli import stopping\n"
        "stopping.arm(['run'])\n"
        "from blikk_edge.cli.services import serve\n"
        "async def run(stop):\n"
        "    threading.Thread(target=threading.Event().wait).start()\n"  # as a name look-up that hangs
        "    print('ready', flush=True)\n"
        "    await stop.wait()\n"
        "serve(run)\n"
    )
    with subprocess.Popen([BLIKK.with_name("python"), "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize(("left", "said"), [(True, b"done"), (False, b"donetaken down")])
def test_interpreter_is_not_taken_down_under_a_thread_that_is_left_in_a_library(left: bool, said: bytes) -> None:
    code = (
        "import atexit, sys, threading\n"
        "from blikk_edge.cli import stopping\n"
        "from blikk_edge.core.loose_thread import LooseThread\n"
        "release = threading.Event()\n"
        "thread = LooseThread('camera.door', release.wait)\n"
        "thread.start()\n"
        f"{left} or (release.set(), thread.join())\n"
        "atexit.register(lambda: print('taken down', end=''))\n"
        "print('done', end='')\n"
        "sys.exit(stopping.leave(7))\n"
    )
    ended = subprocess.run([BLIKK.with_name("python"), "-c", code], capture_output=True, timeout=LIMIT_S, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, said, b"")
