"""`blikk ask`: a question about what happened."""

import argparse
import os
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, note, say, say_json
from blikk_edge.cli.words import add_command, add_config, add_json


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "ask",
        summary="answer a question about what happened",
        more="From the store, or by the running node that has it. Status 1 where the question was not understood.",
        examples=(
            'blikk ask "how many people came to the front door this morning?"',
            'blikk ask "was there a parcel today?" --camera front_door --json',
        ),
    )
    parser.add_argument("question", metavar="QUESTION", help='such as "who was at the front door this morning?"')
    add_config(parser, meaning="the configuration whose store is asked")
    parser.add_argument("--camera", metavar="ID", help="ask about this camera where the question names none")
    add_json(parser, "the whole reply, as on MQTT")
    parser.set_defaults(command=ask)


def ask(options: argparse.Namespace) -> int:
    """Ask it. Raises UsageError for an empty question."""
    if not options.question.strip():
        raise UsageError('the question is empty; write one, such as "who was at the front door today?"')
    from blikk_edge import config

    path = config.find(options.config, os.environ)
    settings = config.load(path, environ=os.environ)
    from blikk_edge.app import asking
    from blikk_edge.app.sharing import with_last_cameras
    from blikk_edge.runtime import log

    log.set_up("error")
    settings = with_last_cameras(settings, path, os.environ)
    reply = asking.ask(settings, options.question, camera=options.camera, environ=os.environ)
    status = exits.OK if reply["ok"] and reply["query"] is not None else exits.FAILED
    if options.json:
        say_json(reply if reply["ok"] else {**reply, "kind": "question", "exit": status})
    elif reply["ok"]:
        say(str(reply["text"]))
    else:
        note(f"blikk: {reply['error']}")
    return status
