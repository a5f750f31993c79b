"""`blikk health` against a real node, without a broker, and against files as other states leave them."""

import fcntl
import signal
import time
from pathlib import Path

import pytest
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
    assert (status, content) == (1, {"ok": False, "nodes": [], "exit": 1})
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


def test_it_imports_no_large_library(blikk):
    done = blikk("health", RUNTIME_DIRECTORY=str(blikk.folder), PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "blikk_edge.core.runtime_folders" in imported
    assert not imported & {"numpy", "yaml", "voluptuous", "sqlite3", "asyncio", "ssl", "blikk_edge.config"}
