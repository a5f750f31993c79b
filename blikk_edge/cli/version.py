"""`blikk version`: which version this is, and on what it runs."""

import argparse
from typing import Any, Final

from blikk_edge import __version__
from blikk_edge.cli import exits
from blikk_edge.cli.output import say, say_json
from blikk_edge.cli.words import add_command, add_json

LIBRARIES: Final = ("av", "opencv-python-headless", "ai-edge-litert", "aiomqtt", "numpy")
"""Those whose version a report of a fault needs."""


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "version",
        summary="print the version, and those of Python and the libraries below",
        examples=("blikk version", "blikk version --json"),
    )
    add_json(parser, "the versions")
    parser.set_defaults(command=version)


def version(options: argparse.Namespace) -> int:
    """Print it."""
    import platform

    libraries = {name: found for name in LIBRARIES if (found := _installed(name))}
    content = {
        "version": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "libraries": libraries,
    }
    if options.json:
        say_json({"ok": True, **content})
        return exits.OK
    say(f"blikk {__version__}")
    say(f"Python {content['python']} on {content['system']} {content['machine']}")
    say(", ".join(f"{name} {found}" for name, found in libraries.items()))
    return exits.OK


def _installed(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
