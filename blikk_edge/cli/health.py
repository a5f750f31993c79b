"""`blikk health`: whether the node of this machine runs, and its loop does."""

import argparse
import os
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import say, say_json
from blikk_edge.cli.words import add_command, add_json

FRESH_S = 30.0
"""A heartbeat comes every 5 seconds; a busy machine may delay some."""


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "health",
        summary="say whether the node of this machine runs and its loop does: for containers and scripts",
        more="Reads the time of the last heartbeat from the runtime folder (RUNTIME_DIRECTORY, else XDG_RUNTIME_DIR,\n"
        "else a temporary one), and from those of services, /run/blikk and /run/user/UID/blikk. Where a service has\n"
        "a user of its own, only root may look: sudo blikk health. A broker or a camera that is away does not count.\n"
        f"Status 1 where no node runs, or one has had no heartbeat for {FRESH_S:.0f} seconds.",
        examples=("blikk health", "blikk health --json"),
    )
    add_json(parser, "each node, and how old its last heartbeat is")
    parser.set_defaults(command=health)


def health(options: argparse.Namespace) -> int:
    """Print it. Imports no more than it needs: containers call it every 30 seconds."""
    from blikk_edge.core.runtime_folders import alive_folders

    nodes: list[tuple[str, float]] = []
    closed: list[str] = []
    for folder in alive_folders(os.environ):
        try:
            nodes += _nodes(folder)
        except PermissionError:
            closed.append(str(folder))
    ok = bool(nodes) and all(age <= FRESH_S for _, age in nodes)
    status = exits.OK if ok else exits.FAILED
    if options.json:
        content = [{"node": node, "ok": age <= FRESH_S, "heartbeat_age_s": round(age, 1)} for node, age in nodes]
        say_json({"ok": ok, "nodes": content, "closed": closed, "exit": status})
    elif nodes:
        say(
            "; ".join(
                f"{node}: {'fine' if age <= FRESH_S else 'hangs'}, last heartbeat {age:.0f} s ago"
                for node, age in nodes
            )
        )
    elif closed:
        say(f"a service runs as another user, who alone may look into {closed[0]}; use sudo: sudo blikk health")
    else:
        say("no node runs here")
    return status


def _nodes(folder: Any) -> list[tuple[str, float]]:
    """The nodes that run, by their files in a folder, and the ages of their last heartbeats in seconds.

    Raises PermissionError where this user may not know.
    """
    from blikk_edge.core.runtime_folders import SUFFIX

    try:
        files = sorted(file for file in folder.iterdir() if file.name.endswith(SUFFIX))
    except PermissionError:
        raise
    except OSError:
        return []
    ages = ((file.name.removesuffix(SUFFIX), _age_s(file)) for file in files)
    return [(node, age) for node, age in ages if age is not None]


def _age_s(file: Any) -> float | None:
    """The age of the last heartbeat, in seconds; None where its node does not run: a lock goes with the process.

    Raises PermissionError.
    """
    import fcntl
    import time

    try:
        with file.open("rb") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return time.monotonic() - float(opened.read() or "-inf")
    except PermissionError:
        raise
    except (OSError, ValueError):
        return None
    return None
