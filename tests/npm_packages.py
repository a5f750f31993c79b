"""Our packages for Node, with what their locks name, and commands in them that end."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from patience import PATIENCE

ROOT = Path(__file__).parents[1]
UNREACHABLE = re.compile(r"ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ECONNRESET")


def run(folder: Path, *command: str, within_s: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command to its end; where it takes too long, all that it has started is ended with it."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE * within_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def installed(package: Path) -> Path:
    """The folder `node_modules` of a package's lock: installed once, and kept in the checkout's cache.

    Skips the test where Node or the packages cannot be had.
    """
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("no npm")
    version = run(ROOT, "node", "--version").stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < 20:
        pytest.skip(f"Node {version} is too old, 20 is needed")
    names = ("package.json", "package-lock.json", ".npmrc")
    digest = hashlib.sha256(b"".join((package / name).read_bytes() for name in names)).hexdigest()[:16]
    kept = ROOT / ".cache" / package.name / digest
    if not kept.exists():
        shutil.rmtree(kept.parent, ignore_errors=True)
        fresh = kept.with_suffix(".new")
        fresh.mkdir(parents=True)
        for name in names:
            shutil.copy(package / name, fresh)
        command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
        done = run(fresh, *command, within_s=120)
        if done.returncode != 0 and UNREACHABLE.search(done.stderr):
            pytest.skip("the packages cannot be fetched")
        assert done.returncode == 0, done.stderr
        fresh.rename(kept)
    return kept / "node_modules"


def names_no_registry(package: Path) -> bool:
    """Whether a package's lock holds what was installed, and not from where."""
    lock = json.loads((package / "package-lock.json").read_text(encoding="utf-8"))
    packages = [each for name, each in lock["packages"].items() if name]
    return bool(packages) and all("resolved" not in each and "integrity" in each for each in packages)
