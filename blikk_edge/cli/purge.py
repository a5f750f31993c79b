"""`blikk purge`: what the broker keeps of a node that is no more."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, is_terminal, note, plural, say, say_json
from blikk_edge.cli.words import add_command, add_config, add_json


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "purge",
        summary="remove what the broker keeps of a node that is no more",
        more="States, texts, pictures, Home Assistant discovery: all retained messages. It asks before.",
        examples=("blikk purge old_pi", "blikk purge old_pi --yes --json"),
    )
    parser.add_argument("node", metavar="NODE", help="the id of a node that is not running")
    add_config(parser, meaning="the configuration that names the broker")
    parser.add_argument("--yes", action="store_true", help="remove it without asking")
    add_json(parser, "what was removed")
    parser.set_defaults(command=purge)


def purge(options: argparse.Namespace) -> int:
    """Find it, ask, and remove it."""
    if not options.node or set(options.node) & set("/+#$"):
        raise UsageError(f"{options.node!r} is no id of a node")
    asks = not options.yes
    if asks and (options.json or not is_terminal(sys.stdin)):
        raise UsageError("nobody is here to be asked; with --yes it is removed without")
    from blikk_edge import config

    settings = config.load(config.find(options.config, os.environ), environ=os.environ)
    from blikk_edge.app import purging
    from blikk_edge.runtime import log

    log.set_up("error")
    kept = purging.kept_of(settings, options.node)
    if asks and kept and not _agreed([each.topic for each in kept]):
        note("blikk: nothing was removed")
        return exits.FAILED
    purging.purge(settings, kept)
    if options.json:
        topics = [{"topic": each.topic, "bytes": each.size_bytes} for each in kept]
        say_json({"ok": True, "node": options.node, "topics": topics})
    elif kept:
        say(f"{plural(len(kept), 'topic')} of {options.node} removed.")
    else:
        say(f"The broker keeps nothing of {options.node}.")
    return exits.OK


def _agreed(topics: Sequence[str]) -> bool:
    for topic in topics:
        say(topic)
    try:
        return input(f"Remove {plural(len(topics), 'topic')} from the broker? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
