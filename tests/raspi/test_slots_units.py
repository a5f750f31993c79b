"""The units of an update: systemd understands them wholly, and they may do no more than they need."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

OVERLAY = Path(__file__).parents[2] / "raspi" / "rootfs"
UNITS = OVERLAY / "usr/lib/systemd/system"
SERVICES = ("blikk-update.service", "blikk-recover.service")

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with the units of an update, the program that they start, and the targets that they name."""
    root = tmp_path / "root"
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for path in UNITS.glob("blikk-[ru]*.*"):
        shutil.copy(path, units)
    program = root / "usr/lib/blikk/update"
    program.parent.mkdir()
    shutil.copy(OVERLAY / "usr/lib/blikk/update", program)
    python = root / "usr/bin/python3"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    names = ("basic", "sysinit", "shutdown", "network-online", "time-sync", "multi-user", "timers", "local-fs")
    for name in names:
        (units / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    for name in ("blikk-edge", "blikk-import"):
        (units / f"{name}.service").write_text("[Service]\nExecStart=/usr/lib/blikk/update\n")
    return root


@needs_systemd
@pytest.mark.parametrize("name", [*SERVICES, "blikk-update.timer"])
def test_systemd_understands_a_unit_wholly(tree: Path, name: str) -> None:
    command = ["systemd-analyze", "verify", f"--root={tree}", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_may_do_no_more_than_it_needs(tree: Path, name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--root={tree}", "--threshold=27", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:]


def test_an_update_that_was_cut_off_is_undone_before_the_node_starts() -> None:
    unit = (UNITS / "blikk-recover.service").read_text()
    assert "Before=blikk-import.service blikk-edge.service" in unit
    assert "ExecStart=/usr/lib/blikk/update recover --boot" in unit


def test_what_ends_an_update_leaves_no_version_on_trial() -> None:
    unit = (UNITS / "blikk-update.service").read_text()
    assert re.search(r"^ExecStopPost=/usr/lib/blikk/update recover$", unit, re.MULTILINE)
