"""`scripts/venv` says what it does while it takes minutes, and nothing when there is nothing to do."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_props import LIMIT_S

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose pip only says what it was asked to do."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "venv", tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    pip = tmp_path / ".venv" / "bin" / "pip"
    pip.parent.mkdir(parents=True)
    pip.write_text('#!/bin/sh\necho "pip $*"\n')
    pip.chmod(0o755)
    return tmp_path


def environ(term: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "TERM": term}


def test_in_a_pipe_there_is_one_line_for_what_takes_long(checkout: Path):
    command = [checkout / "scripts" / "venv", "demo"]
    first = subprocess.run(command, env=environ("xterm"), capture_output=True, text=True, check=True, timeout=LIMIT_S)
    assert first.stdout == ""
    assert "installing blikk-edge[demo] into .venv" in first.stderr
    assert "pip install --quiet" in first.stderr
    second = subprocess.run(command, env=environ("xterm"), capture_output=True, text=True, check=True, timeout=LIMIT_S)
    assert (second.stdout, second.stderr) == ("", "")


@pytest.mark.parametrize(("term", "bars"), [("xterm", True), ("dumb", False)])
def test_on_a_terminal_pip_shows_what_it_fetches(checkout: Path, term: str, bars: bool):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [checkout / "scripts" / "venv", "demo"], env=environ(term), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        sent = b""
        try:
            while chunk := os.read(ours, 65536):
                sent += chunk
        except OSError:  # Linux says so at the end
            pass
        os.close(ours)
        assert process.wait(LIMIT_S) == 0
    assert b"--quiet" not in sent
    assert (b"--progress-bar off" in sent) is not bars
    assert b"installed blikk-edge[demo]" in sent
