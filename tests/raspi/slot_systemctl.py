"""As much of `systemctl` as an update uses, for one unit, in a folder: SLOT_ROOT. The node runs under a supervisor,
which starts it again when it fails, and which nobody's end ends but `stop`.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(os.environ["SLOT_ROOT"])
LOCK = ROOT / "run/unit.lock"
"""Locked by the supervisor; holds its process id."""


def supervise() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    with LOCK.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        print("up", flush=True)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        while True:
            node = subprocess.Popen([ROOT / "opt/blikk/current/bin/blikk", "run"], stderr=subprocess.DEVNULL)
            node.wait()
            time.sleep(0.2)


def running() -> int | None:
    """The process id of the supervisor."""
    LOCK.touch()
    with LOCK.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read())
    return None


def stop() -> None:
    if (pid := running()) is not None:
        os.killpg(pid, signal.SIGKILL)  # node and supervisor
        with LOCK.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
        alive = ROOT / "run/blikk/hallway.alive"
        if alive.exists():
            with alive.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH)


def start() -> None:
    if running() is None:
        with subprocess.Popen(
            [sys.executable, "-S", __file__, "supervise"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            process.stdout.readline()
            process.returncode = 0  # it goes on


if (ROOT / "run/systemctl-fails").exists():
    sys.exit("Failed to connect to bus")
match sys.argv[1]:
    case "supervise":
        supervise()
    case "is-active":
        print("inactive" if running() is None else "active")
    case "stop":
        stop()
    case "start":
        start()
