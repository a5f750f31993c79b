"""`blikk demo`: the main job, shown."""

import argparse
import os
from pathlib import Path
from typing import Any

from blikk_edge.cli.clips import check_source
from blikk_edge.cli.words import add_command


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "demo",
        summary="show the main job: a broker, a clip, events, blurred pictures",
        more="Needs no configuration. For a program that reads along there is `blikk replay --json`.",
        examples=("blikk demo", "blikk demo --source /dev/video0 --keep", "blikk demo --folder /tmp/demo"),
    )
    parser.add_argument(
        "--source", metavar="ADDRESS", help="a file, an rtsp:// URL or /dev/video0 instead of the sample clip"
    )
    parser.add_argument("--keep", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        default=Path("blikk-demo"),
        help="where pictures are written (default: blikk-demo)",
    )
    parser.set_defaults(command=demo)


def demo(options: argparse.Namespace) -> int:
    """Show it. Raises UsageError for a source that cannot be one."""
    if options.source is not None:
        check_source(options.source, may_come=options.keep)
    import asyncio

    from blikk_edge.demo import show
    from blikk_edge.runtime import log

    log.set_up("error")  # what matters is printed in words
    return asyncio.run(show.demo(source=options.source, keep=options.keep, folder=options.folder, environ=os.environ))
