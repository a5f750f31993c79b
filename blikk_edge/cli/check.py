"""`blikk check`: everything that is wrong with a configuration."""

import argparse
import os
from pathlib import Path
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, note, plural, problem_content, say, say_json
from blikk_edge.cli.words import CONFIG_DEFAULT, add_command, add_config, add_json


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "check",
        summary="say everything that is wrong with a configuration",
        more="Looks at the file, and at what it needs on this machine: packages, model files, certificates, folders,\n"
        "ports. Opens no camera and no network. Status 78 where something is wrong.",
        examples=("blikk check", "blikk check /etc/blikk/blikk.yaml", "blikk check --json blikk.yaml"),
    )
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help=f"the configuration (default: {CONFIG_DEFAULT})"
    )
    add_config(parser, meaning="the same as FILE", searched=False)
    add_json(parser, "whether it is fine, and every problem")
    parser.set_defaults(command=check)


def check(options: argparse.Namespace) -> int:
    """Print it, one problem a line."""
    from blikk_edge.app.checking import Checked
    from blikk_edge.app.checking import check as examine
    from blikk_edge.config.finding import HERE, find
    from blikk_edge.grammar.problem import ConfigErrors

    if options.file is not None and options.config is not None and options.file != options.config:
        raise UsageError(f"two configurations: {options.file} and --config {options.config}; name one")
    try:
        path = find(options.file or options.config, os.environ)
        checked = examine(path, os.environ)
    except ConfigErrors as error:
        path, checked = HERE, Checked(settings=None, problems=error.problems)
    settings = checked.settings
    status = exits.MISCONFIGURED if checked.problems else exits.OK
    if options.json:
        say_json(
            {
                "ok": not checked.problems,
                "file": str(path),
                "node": settings and settings.node.id,
                "cameras": [camera.id for camera in settings.cameras] if settings else [],
                "problems": [problem_content(problem) for problem in checked.problems],
                "notes": list(checked.notes),
                "exit": status,
            }
        )
        return status
    for problem in checked.problems:
        say(str(problem))
    for text in checked.notes:
        say(f"note: {text}")
    if checked.problems:
        note(f"{plural(len(checked.problems), 'problem')} in {path}")
    elif settings is not None:
        names = ", ".join(camera.id for camera in settings.cameras)
        cameras = f"camera{'' if len(settings.cameras) == 1 else 's'} {names}"
        if settings.shares and settings.fleet is not None:
            cameras = f"with others the cameras of site {settings.fleet.site}"
        say(f"{path} is fine: node {settings.node.id}, {cameras}")
    return status
