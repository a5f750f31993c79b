"""One command line: parsed, carried out, and its failures printed."""

import os
import sys

from blikk_edge import __version__
from blikk_edge.cli import (
    ask,
    check,
    clip,
    collect,
    completion,
    debug,
    demo,
    discover,
    exits,
    fleet,
    health,
    init,
    mcp,
    models,
    output,
    phone,
    plugins,
    purge,
    push,
    replay,
    run,
    search,
    service,
    setup,
    version,
    worker,
)
from blikk_edge.cli.words import Parser
from blikk_edge.core.errors import BlikkError

COMMANDS = (
    init,
    run,
    check,
    worker,
    collect,
    discover,
    setup,
    demo,
    replay,
    debug,
    ask,
    search,
    clip,
    push,
    phone,
    mcp,
    health,
    models,
    plugins,
    purge,
    fleet,
    service,
    version,
    completion,
)
"""In the order of the help; each module has `add`, which gives the parser of its command."""


class UnsupportedError(BlikkError):
    """This machine cannot do it."""


def program(arguments: list[str] | None = None) -> int:
    """Carry out one command line; the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    output.prepare()
    # Needed before the command line is understood: a program that asks for JSON wants that error too as JSON.
    as_json = "--json" in given
    try:
        if sys.maxsize < 2**32:
            raise UnsupportedError("this is a 32-bit Python; only 64-bit systems are supported: x86-64 and 64-bit Arm")
        made = parser()
        if "_ARGCOMPLETE" in os.environ:
            completion.complete(made)
        options = made.parse_args(given)
        return int(options.command(options))
    except BlikkError as error:
        return output.failed(error, as_json=as_json)
    except BrokenPipeError:  # the reader of our output has seen enough
        return exits.OK
    except OSError as error:  # a full disk, a folder that may not be written to
        where = f"{error.filename}: " if error.filename else ""
        return output.failed(output.OutputError(f"{where}{error.strerror or error}"), as_json=as_json)


def parser() -> Parser:
    """The parser of the whole command line."""
    made = Parser(
        prog="blikk",
        description="Turns any camera into Home Assistant observations, faces blurred at the edge.",
        epilog=f"`blikk COMMAND --help` has examples.\n\n{exits.WORDS}",
    )
    made.add_argument("--version", action="version", version=f"blikk {__version__}", help="print the version")
    commands = made.add_subparsers(required=True, metavar="COMMAND", title="commands", parser_class=Parser)
    for command in COMMANDS:
        command.add(commands)
    return made
