"""`blikk health` against a real node, without a broker, and against files as other states leave them."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli_props import BLIKK
from test_stopping import ended, until


def test_a_node_is_healthy_without_a_broker_while_it_runs_and_not_after(blikk, config: Path):
    folder = blikk.folder / "run"
    where = {"XDG_RUNTIME_DIR": str(folder)}
    assert blikk("health", **where).returncode == 1
    with blikk.start("run", **where) as process:
        until(lambda: bool(list(folder.rglob("hallway.alive"))) and blikk("health", **where).returncode == 0, process)
        status, content = blikk.json("health", "--json", **where)
        assert (status, content["ok"]) == (0, True)
        (node,) = content["nodes"]
        assert set(node) == {"node", "ok", "heartbeat_age_s"}
        assert (node["node"], node["ok"]) == ("hallway", True)
        assert "hallway: fine" in blikk("health", **where).stdout
        process.kill()
        process.wait()
    assert list(folder.rglob("hallway.alive"))  # killed: the file is left, and counts for nothing
    status, content = blikk.json("health", "--json", **where)
    assert (status, content) == (1, {"ok": False, "nodes": [], "closed": [], "exit": 1})
    assert blikk("health", **where).stdout == "no node runs here\n"
    with blikk.start("run", **where) as process:
        until(lambda: blikk("health", **where).returncode == 0, process)
        assert ended(process, signal.SIGTERM) == 0
    assert not list(folder.rglob("*.alive"))


@pytest.mark.parametrize("late_s", [31.0, 1e6])
def test_a_node_whose_loop_hangs_is_not_healthy(blikk, late_s: float):
    path = blikk.folder / "blikk" / "hallway.alive"
    path.parent.mkdir()
    path.write_text(f"{time.monotonic() - late_s:.3f}\n")
    with path.open("rb") as node:
        fcntl.flock(node, fcntl.LOCK_EX)
        done = blikk("health", RUNTIME_DIRECTORY=str(path.parent))
    assert done.returncode == 1
    assert "hallway: hangs" in done.stdout


UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()
"""What binds root to the rights of files, as other users are."""


@pytest.mark.skipif(bool(UNPRIVILEGED) and shutil.which("setpriv") is None, reason="no setpriv")
@pytest.mark.parametrize("closed", ["private", "private/blikk", "private/blikk/hallway.alive"])
def test_a_node_of_another_user_is_not_called_absent(blikk, closed: str):
    """The file of another user, or its folder, or where that really lies, as systemd has folders of made-up users."""
    file = blikk.folder / "private/blikk/hallway.alive"
    file.parent.mkdir(parents=True)
    file.write_text(f"{time.monotonic():.3f}\n")
    folder = blikk.folder / "run"
    folder.symlink_to("private/blikk")
    environ = {**blikk.environ, "RUNTIME_DIRECTORY": str(folder)}
    with file.open("rb") as node:
        fcntl.flock(node, fcntl.LOCK_EX)
        (blikk.folder / closed).chmod(0)
        try:
            command = [*UNPRIVILEGED, BLIKK, "health"]
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        finally:
            (blikk.folder / closed).chmod(0o700)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.startswith("a service runs as another user")
        assert "sudo blikk health" in done.stdout
        assert blikk("health", RUNTIME_DIRECTORY=str(folder)).stdout.startswith("hallway: fine")


def test_it_imports_no_large_library(blikk):
    done = blikk("health", RUNTIME_DIRECTORY=str(blikk.folder), PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "blikk_edge.core.runtime_folders" in imported
    assert not imported & {"numpy", "yaml", "voluptuous", "sqlite3", "asyncio", "ssl", "blikk_edge.config"}
