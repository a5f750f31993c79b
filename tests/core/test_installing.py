"""What a message says to type."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from blikk_edge.core.installing import pip_install

ROOM = Path(__file__).parents[2] / "blikk_edge"


def test_it_is_the_pip_of_this_python() -> None:
    words = shlex.split(pip_install("blikk-edge[demo]"))
    assert words == [sys.executable, "-m", "pip", "install", "blikk-edge[demo]"]
    assert subprocess.run([words[0], "-c", ""], check=False).returncode == 0


def test_a_shell_takes_it_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/my programs/python")
    assert pip_install("blikk-edge[demo]") == "'/my programs/python' -m pip install 'blikk-edge[demo]'"


def test_no_message_says_it_in_another_way() -> None:
    plain = re.compile(r"(?<!-m )(?<!\[)\bpip install\b")
    # the grammar's comments are shown on a page, which knows no machine
    said = {path.name for path in ROOM.rglob("*.py") if plain.search(path.read_text())}
    assert said <= {"grammar.py", "options.py", "traces_options.py"}
