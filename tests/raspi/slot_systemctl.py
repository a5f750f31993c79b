"""As much of `systemctl` as an update uses, for one unit, in a folder: SLOT_ROOT. The node runs under a supervisor,
which starts it again when it fails, and which nobody's end ends but `stop`.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path


def supervise(root: Path) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    with lock(root).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        print("up", flush=True)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        while True:
            node = subprocess.Popen([root / "opt/blikk/current/bin/blikk", "run"], stderr=subprocess.DEVNULL)
            node.wait()
            time.sleep(0.2)


def lock(root: Path) -> Path:
    """Locked by the supervisor; holds its process id."""
    return root / "run/unit.lock"


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_active(root: Path) -> bool:
    lock(root).touch()
    return is_locked(lock(root))


def stop(root: Path) -> None:
    if is_active(root):
        os.killpg(int(lock(root).read_text()), signal.SIGKILL)  # node and supervisor
        for path in (lock(root), root / "run/blikk/hallway.alive"):
            if path.exists():
                with path.open() as file:
                    fcntl.flock(file, fcntl.LOCK_SH)


def start(root: Path, environ: Mapping[str, str]) -> None:
    if not is_active(root):
        with subprocess.Popen(
            [sys.executable, "-IS", __file__, "supervise"], env=environ,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            process.stdout.readline()
            process.returncode = 0  # it goes on


def main(command: str) -> None:
    root = Path(os.environ["SLOT_ROOT"])
    if (root / "run/systemctl-fails").exists():
        sys.exit("Failed to connect to bus")
    match command:
        case "supervise":
            supervise(root)
        case "is-active":
            print("active" if is_active(root) else "inactive")
        case "stop":
            stop(root)
        case "start":
            start(root, os.environ)


if __name__ == "__main__":
    main(sys.argv[1])
