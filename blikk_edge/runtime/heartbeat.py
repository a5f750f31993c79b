"""The sign of life of a node: a file for `blikk health`, and messages to systemd, both from the node's own loop."""

import contextlib
import fcntl
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from blikk_edge.core.runtime_folders import SUFFIX, runtime_folder
from blikk_edge.runtime import log
from blikk_edge.runtime.notify import Notify

BEAT_S: Final = 5.0


class Heartbeat:
    """Says every BEAT_S that the loop runs, or twice within systemd's watchdog where that is sooner."""

    def __init__(self, node: str, environ: Mapping[str, str], *, every_s: float = BEAT_S) -> None:
        folder = runtime_folder(environ)
        self._path = folder and folder / f"{node}{SUFFIX}"
        self._notify = Notify(environ)
        self._every_s = min(every_s, (self._notify.watchdog_s or every_s) / 2)
        self._file: int | None = None
        self._failures = 0
        self._status = ""

    async def run(self, status: Callable[[], str], sleep: Callable[[float], Awaitable[None]]) -> None:
        """Report that the node is up, and then that it lives, until cancelled; `status` is one line about it."""
        self._notify.send("READY=1")
        while True:
            self._beat(status().splitlines()[0])
            await sleep(self._every_s)

    def stopping(self) -> None:
        """Report that the node ends now."""
        self._notify.send("STOPPING=1", "STATUS=stopping")

    def close(self) -> None:
        """Remove the file; harmless when there is none."""
        if self._file is not None and self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            os.close(self._file)
            self._file = None

    def _beat(self, status: str) -> None:
        changed = (f"STATUS={status}",) if status != self._status else ()
        self._status = status
        self._notify.send("WATCHDOG=1", *changed)
        try:
            if self._file is None:
                self._file = _opened(self._path)
            # one write of a fixed length: who reads meanwhile gets this time or the last
            os.pwrite(self._file, f"{time.monotonic():020.3f}\n".encode(), 0)
            self._failures = 0
        except OSError as error:
            self._failures += 1
            if self._failures == 2:  # `blikk health` has the file locked for a moment while it looks
                log.part("node").warning("`blikk health` cannot see this node: %s", _reason(error))


def _reason(error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return "another node of the same name runs here; give each its own `node:`"
    return f"{error}; set RUNTIME_DIRECTORY or XDG_RUNTIME_DIR to a folder that this user may write to"


def _opened(path: Path | None) -> int:
    """The file, locked; raises OSError where it cannot be made, or a running node of this name has it."""
    if path is None:
        raise FileNotFoundError("there is no folder for temporary files")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_uid not in {0, os.getuid()}:
        raise PermissionError(f"{path.parent} belongs to another user")
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
