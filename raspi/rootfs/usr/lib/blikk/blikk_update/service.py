"""The node as systemd runs it, and what its slot says about its health."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from blikk_update.errors import UnhealthyError, UpdateError
from blikk_update.places import UNIT, Limits


def is_wanted() -> bool:
    """Whether the node runs, starts, or failed to: all but one that somebody stopped or that has no configuration."""
    return _systemctl("is-active", UNIT, limit_s=30).stdout.strip() not in {"inactive", "deactivating", "unknown", ""}


def stop() -> None:
    """Stop it and wait for its end. Raises UpdateError."""
    done = _systemctl("stop", UNIT, limit_s=90)
    if done.returncode != 0:
        raise UpdateError(f"{UNIT} cannot be stopped: {_first_line(done.stderr)}")


def start() -> None:
    """Have it started, also where it has failed too often; does not wait. Raises UpdateError."""
    _systemctl("reset-failed", UNIT, limit_s=30)  # fails where there is nothing to reset
    done = _systemctl("start", "--no-block", UNIT, limit_s=30)
    if done.returncode != 0:
        raise UpdateError(f"{UNIT} cannot be started: {_first_line(done.stderr)}")


def _systemctl(*arguments: str, limit_s: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=limit_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UpdateError(f"systemctl {arguments[0]}: {error}") from error


def answers(slot: Path, version: str, limits: Limits) -> None:
    """Raise UnhealthyError unless the program of a slot runs here and is that version."""
    done = _blikk(slot, "version", "--json", limit_s=limits.command_s)
    if done is None:
        raise UnhealthyError(f"`blikk version` of {version} does not run or does not end")
    try:
        said = json.loads(done.stdout)["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnhealthyError(f"`blikk version` of {version} fails: {_first_line(done.stderr)}") from error
    if said != version:
        raise UnhealthyError(f"the slot {version} holds version {said}")


def is_healthy(slot: Path, limits: Limits) -> bool:
    """Whether the node is healthy now."""
    done = _blikk(slot, "health", limit_s=limits.answer_s)
    return done is not None and done.returncode == 0


def wait_until_healthy(slot: Path, limits: Limits) -> str | None:
    """None once the node was healthy for a while without a pause, else what it said last.

    It has to be healthy in time; the while may end later.
    """
    deadline = time.monotonic() + limits.health_s
    since: float | None = None
    said = "`blikk health` did not answer"
    while (now := time.monotonic()) < deadline or since is not None:
        done = _blikk(slot, "health", limit_s=limits.answer_s)
        if done is not None and done.returncode == 0:
            since = now if since is None else since
            if now - since >= limits.steady_s:
                return None
        else:
            if since is not None:
                said = "it was healthy, then not"
            elif done is not None:
                said = _first_line(done.stdout) or _first_line(done.stderr)
            since = None
        time.sleep(limits.poll_s)
    return said


def _blikk(slot: Path, *arguments: str, limit_s: float) -> subprocess.CompletedProcess[str] | None:
    command = [str(slot / "bin/blikk"), *arguments]
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True
        )
    except OSError:
        return None
    with process:
        try:
            output = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # whatever it started goes too: it may hold the pipes open
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, *output)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
