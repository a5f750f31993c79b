"""`blikk plugins`: the kinds of parts that are installed, from which package, and what was refused."""

import argparse
from dataclasses import asdict
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import prints_to_terminal, say, say_fields, say_json
from blikk_edge.cli.words import add_command, add_json


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "plugins",
        summary="list what is installed: sources, transforms, detectors, sinks, ..., ours and others'",
        more="Imports every plug-in, to say what is wrong with it. A node imports those that its configuration names.",
        examples=("blikk plugins", "blikk plugins --json"),
    )
    add_json(parser, "what is installed")
    parser.set_defaults(command=plugins)


def plugins(options: argparse.Namespace) -> int:
    """List them, ours first in each group."""
    from blikk_edge.app.plugins import GROUPS

    listed = [(group.word, each) for group in GROUPS for each in group.listed()]
    if options.json:
        say_json({"ok": True, "plugins": [{"kind": word, **asdict(each)} for word, each in listed]})
        return exits.OK
    rows = [
        (
            word,
            each.name,
            f"{each.package} {each.version}".strip(),
            f"refused: {each.refused}" if each.refused else each.meaning,
        )
        for word, each in listed
    ]
    widths = [max(len(row[number]) for row in rows) for number in range(3)]
    for *cells, meaning in rows:
        if prints_to_terminal():
            say("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), meaning]))
        else:
            say_fields((*cells, meaning))
    return exits.OK
