"""Containers for tests, in whichever engine docker/test found."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from patience import PATIENCE

EMULATED = bool(os.environ.get("BLIKK_EMULATED"))
WAIT_S = 60.0 * PATIENCE * (4 if EMULATED else 1)
# what a Pi 4 has; emulated at its best, the processor has vector registers that qemu-user 10 does not calculate with
PROCESSOR = ["--env", "QEMU_CPU=cortex-a72"] if EMULATED else []
CONFINED = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--pids-limit=200", "--tmpfs=/tmp"]


def engine(*words: str, check: bool = True) -> str:
    """What the engine says to a command."""
    command = [*os.environ["BLIKK_ENGINE"].split(), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def log_of(name: str) -> str:
    """What a container has said."""
    command = [*os.environ["BLIKK_ENGINE"].split(), "logs", name]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    # podman speaks of timers, which it has not without systemd, in the same stream
    return "".join(line for line in said.stdout.splitlines(keepends=True) if not line.startswith("time="))


class Container:
    """A container, on the machine's own network by default, removed at the end; after a failure its log is printed."""

    def __init__(self, image: str, *options: str, command: Sequence[str] = (), network: str = "host") -> None:
        self.name = f"blikk-test-{uuid4().hex[:8]}"
        platform = ["--platform", os.environ["BLIKK_PLATFORM"], "--pull=never", f"--network={network}", *PROCESSOR]
        self._words = ["run", "--detach", "--name", self.name, *platform, *options, image, *command]

    def __enter__(self) -> Self:
        engine(*self._words)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.log)
        engine("rm", "--force", "--volumes", self.name, check=False)

    @property
    def log(self) -> str:
        return log_of(self.name)

    @property
    def state(self) -> dict[str, Any]:
        (found,) = json.loads(engine("inspect", self.name))
        state: dict[str, Any] = found["State"]
        return state

    def does(self, *command: str, user: str | None = None) -> bool:
        """Whether a command inside ends well."""
        words = ["exec", *(["--user", user] if user else []), self.name, *command]
        command = [*os.environ["BLIKK_ENGINE"].split(), *words]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def says(self, *command: str) -> str:
        """What a command inside says; it must end well."""
        return engine("exec", self.name, *command)

    def until(self, state: Callable[[], Any]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not state():
            assert self.state["Running"], "it has ended"
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def stopped(self, *, within_s: int = 5 * PATIENCE) -> int:
        """SIGTERM, SIGKILL where that does not end it in time; the exit status."""
        engine("stop", "--time", str(within_s), self.name)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; the exit status."""
        return int(engine("wait", self.name))
