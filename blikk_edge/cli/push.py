"""`blikk push`: bring a camera's redacted frames to a node elsewhere."""

import argparse
import os
from pathlib import Path
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.clips import check_source
from blikk_edge.cli.output import UsageError
from blikk_edge.cli.words import add_command


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "push",
        summary="bring a camera's redacted frames to a node elsewhere",
        more="Goes on until SIGTERM or Ctrl-C. The token is never an argument:\n"
        "every user of the machine could read it.",
        examples=(
            "blikk push --source /dev/video0 --to wss://node.local:8428/ingest/shed --token-file token",
            "BLIKK_PUSH_TOKEN=... blikk push --source rtsp://camera/1 --to wss://node.local:8428/ingest/shed",
        ),
    )
    parser.add_argument("--source", required=True, metavar="ADDRESS", help="rtsp://, http(s)://, /dev/video0 or a file")
    parser.add_argument(
        "--to", required=True, metavar="URL", help="wss://host:8428/ingest/<camera>, as the node's `http` says"
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="a file with the camera's `push_token` (default: the variable BLIKK_PUSH_TOKEN)",
    )
    parser.add_argument(
        "--height",
        type=int,
        choices=(480, 720),
        default=480,
        help="the short side of what is sent, in pixels: 480 or 720 (default: 480)",
        metavar="PIXELS",
    )
    parser.add_argument(
        "--rotate",
        type=int,
        choices=(0, 90, 180, 270),
        default=0,
        help="turn the picture clockwise by so many degrees: 0, 90, 180 or 270 (default: 0)",
        metavar="DEGREES",
    )
    parser.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="the certificate authority to trust (default: those of the system)",
    )
    parser.set_defaults(command=push)


def push(options: argparse.Namespace) -> int:
    """Push until stopped."""
    token = _token(options.token_file)
    check_source(options.source, may_come=True)
    from blikk_edge.app.pushing import Pusher
    from blikk_edge.cli.services import say_what_looks, serve
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.runtime import log

    log.set_up("info")
    pusher = Pusher(
        options.source,
        options.to,
        token,
        clock=SystemClock(),
        height_px=options.height,
        rotate=options.rotate,
        ca=options.ca,
    )
    say_what_looks(log.part("push"), notes=pusher.notes, problems=pusher.problems)
    serve(pusher.run)
    return exits.OK


def _token(path: Path | None) -> str:
    if path is None:
        token = os.environ.get("BLIKK_PUSH_TOKEN", "")
    else:
        try:
            token = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"--token-file {path}: it cannot be read: {error}") from error
    if not token.strip():
        raise UsageError("no token: name a --token-file, or set BLIKK_PUSH_TOKEN")
    return token.strip()
