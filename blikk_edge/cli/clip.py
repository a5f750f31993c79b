"""`blikk clip`: the recording of an event as one MP4 file."""

import argparse
import os
from pathlib import Path
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, say, say_json
from blikk_edge.cli.words import add_command, add_config, add_json


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "clip",
        summary="write the recording of an event to a file",
        more="As it came from the camera, from the keyframe before `pre_s` to `post_s` after the event. FACES IN IT\n"
        "ARE NOT BLURRED, unless the camera has `record: {redact: true}`: then the redacted clip is given.",
        examples=("blikk clip porch-20261121T101500-1", "blikk clip porch-20261121T101500-1 -o visit.mp4"),
    )
    parser.add_argument("event", metavar="EVENT", help="the id of an event, as `blikk ask --json` or the page has it")
    add_config(parser, meaning="the configuration whose recordings are read")
    parser.add_argument("-o", "--output", metavar="FILE", help="the file (default: EVENT.mp4, here)")
    add_json(parser, "path, size, and whether it is redacted")
    parser.set_defaults(command=clip)


def clip(options: argparse.Namespace) -> int:
    """Write the clip. Raises UsageError for what is no id."""
    if not options.event or "/" in options.event or options.event.startswith("."):
        raise UsageError(f"{options.event!r} is no id of an event")
    from blikk_edge import config

    settings = config.load(config.find(options.config, os.environ), environ=os.environ)
    from blikk_edge.app import clipping
    from blikk_edge.runtime import log

    log.set_up("error")
    target = Path(options.output or f"{options.event}.mp4")
    made = clipping.clip(settings, options.event, target, environ=os.environ)
    if options.json:
        content = {"ok": True, "event": options.event, "path": str(target.absolute())}
        say_json({**content, "bytes": made.size_bytes, "redacted": made.redacted})
    else:
        faces = "faces are blurred" if made.redacted else "faces in it are NOT blurred"
        say(f"{target}: {made.size_bytes / 1e6:.1f} MB, {faces}.")
    return exits.OK
