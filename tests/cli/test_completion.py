"""Completion, asked of the real shells: commands, options, files, cameras and models."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from cli_props import BLIKK, LIMIT_S

CASES = [
    ("blikk rep", "replay"),
    ("blikk check --js", "--json"),
    ("blikk models pu", "pull"),
    ("blikk models pull person-", "person-192"),
    ("blikk run --config blikk.y", "blikk.yaml"),
    ("blikk check bl", "blikk.yaml"),
    ("blikk ask --camera fr", "front_door"),
    ("blikk run --log-level wa", "warning"),
]


@pytest.fixture
def folder(blikk, config: Path) -> Path:
    """A folder with a configuration and other files, where `blikk` is on the path."""
    (blikk.folder / "bin").mkdir()
    (blikk.folder / "bin" / "blikk").symlink_to(BLIKK)
    (blikk.folder / "blank.txt").touch()
    return blikk.folder


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here: scripts/apt {name}")
    return found


def environ(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize(("typed", "completed"), CASES)
def test_bash_completes(folder: Path, typed: str, completed: str):
    words = typed.split()
    script = f"""
    eval "$(blikk completion bash)"
    COMP_LINE={typed!r} COMP_POINT={len(typed)} COMP_TYPE=9 COMP_KEY=9
    COMP_WORDS=({" ".join(words)}) COMP_CWORD={len(words) - 1}
    $(complete -p blikk | sed 's/.*-F \\([^ ]*\\).*/\\1/') blikk {words[-1]!r} {words[-2]!r}
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", script],
        cwd=folder,
        env=environ(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert [line.strip() for line in done.stdout.splitlines()] == [completed], done.stderr


@pytest.mark.parametrize(("typed", "completed"), CASES)
def test_fish_completes(folder: Path, typed: str, completed: str):
    script = f"blikk completion fish | source; complete --do-complete {typed!r}"
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", script],
        cwd=folder,
        env=environ(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert [line.split("\t")[0].strip() for line in done.stdout.splitlines()] == [completed], done.stderr


@pytest.mark.parametrize(("typed", "completed"), CASES)
def test_zsh_completes(folder: Path, typed: str, completed: str):
    # zsh completes only where somebody types: its own pseudo-terminal types for us
    script = f"""
    zmodload zsh/zpty
    zpty shell {shell("zsh")} -f -i
    zpty -w shell "PROMPT= RPROMPT= ; autoload -U compinit; compinit -u"
    zpty -w shell 'eval "$(blikk completion zsh)"; print rea""dy'
    zpty -r shell line '*ready*'
    zpty -w -n shell {typed!r}$'\\t'
    for _ in {{1..600}}; do
      while zpty -r -t shell part; do print -rn -- "$part"; done
      sleep 0.1
    done
    """
    with subprocess.Popen(
        [shell("zsh"), "-f", "-c", script],
        cwd=folder,
        env=environ(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        shown, deadline = "", time.monotonic() + LIMIT_S
        while completed not in shown and time.monotonic() < deadline:
            shown += (process.stdout.read() or b"").decode(errors="replace")
            time.sleep(0.02)
        process.kill()
    assert completed in shown
