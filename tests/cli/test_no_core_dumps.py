"""A crash leaves no core dump: it would hold frames, passwords and tokens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT_S = 60
# the most that a shell or a supervisor may have allowed
WANT_DUMPS = """
import resource
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
"""
FORBID = "from blikk_edge.core.core_dumps import forbid_core_dumps; forbid_core_dumps()\n"


def left_a_dump(code: str, folder: Path) -> bool:
    """Whether the kernel says that it wrote the memory of a Python that crashed after `code` somewhere."""
    crash = f"import os, signal; os.chdir({str(folder)!r}); os.kill(os.getpid(), signal.SIGABRT)"
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", WANT_DUMPS + code + crash], os.environ)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


def test_a_crash_leaves_no_dump(tmp_path: Path):
    if not left_a_dump("", tmp_path):
        pytest.skip("no program leaves one on this machine")
    assert not left_a_dump(FORBID, tmp_path)


def test_a_command_forbids_them_whatever_the_shell_allows():
    code = (
        f"{WANT_DUMPS}import ctypes\n"
        "from blikk_edge.cli import main\n"
        "def dumpable(): return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"  # PR_GET_DUMPABLE
        "assert dumpable() == 1\n"
        "assert main(['version']) == 0\n"
        "print(dumpable(), resource.getrlimit(resource.RLIMIT_CORE))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.stdout.splitlines()[-1] == "0 (0, 0)"
