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
        "else a temporary folder; and /run/blikk). A broker or a camera that is away does not count. Status 1 where\n"
        f"no node runs, or one has had no heartbeat for {FRESH_S:.0f} seconds.",
        examples=("blikk health", "blikk health --json"),
    )
    add_json(parser, "each node, and how old its last heartbeat is")
    parser.set_defaults(command=health)


def health(options: argparse.Namespace) -> int:
    """Print it. Imports no more than it needs: containers call it every 30 seconds."""
    from blikk_edge.core.runtime_folders import SUFFIX, alive_files

    nodes = [
        (file.name.removesuffix(SUFFIX), age) for file in alive_files(os.environ) if (age := _age_s(file)) is not None
    ]
    ok = bool(nodes) and all(age <= FRESH_S for _, age in nodes)
    status = exits.OK if ok else exits.FAILED
    if options.json:
        content = [{"node": node, "ok": age <= FRESH_S, "heartbeat_age_s": round(age, 1)} for node, age in nodes]
        say_json({"ok": ok, "nodes": content, "exit": status})
    elif nodes:
        say(
            "; ".join(
                f"{node}: {'fine' if age <= FRESH_S else 'hangs'}, last heartbeat {age:.0f} s ago"
                for node, age in nodes
            )
        )
    else:
        say("no node runs here")
    return status


def _age_s(file: Any) -> float | None:
    """The age of the last heartbeat, in seconds; None where its node does not run: a lock goes with the process."""
    import fcntl
    import time

    try:
        with file.open("rb") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return time.monotonic() - float(opened.read() or "-inf")
    except (OSError, ValueError):
        return None
    return None
