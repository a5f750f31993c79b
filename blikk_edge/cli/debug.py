"""`blikk debug`: a clip in the browser, frame by frame, with all that the pipeline makes of it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blikk_edge.cli import exits, progress
from blikk_edge.cli.clips import add_clip_options, check_clip, clip_settings
from blikk_edge.cli.output import OutputError, note, say
from blikk_edge.cli.words import add_command
from blikk_edge.core.errors import BlikkError

if TYPE_CHECKING:
    import asyncio


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "debug",
        summary="step through a clip in the browser, with all that is made of each frame",
        more="Prints the address of a page that only this machine can open. Shows what `blikk replay` reports,\n"
        "and why: motion and threshold, looks of the detector, tracks, events, time by stage. Ctrl-C ends it.",
        examples=("blikk debug clip.mp4", "blikk debug clip.mp4 --config blikk.yaml --camera front_door"),
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a video file")
    add_clip_options(parser)
    parser.add_argument(
        "--port", type=_port, default=0, metavar="PORT", help="the port of the page (default: a free one)"
    )
    parser.add_argument(
        "--unblurred",
        action="store_true",
        help="show the clip as it is, faces too; the page is for this machine only in any case",
    )
    parser.set_defaults(command=debug)


def debug(options: argparse.Namespace) -> int:
    """Serve the page until it is asked to stop."""
    from blikk_edge.cli.replay import instant

    start = instant(options.start)
    check_clip(options.clip)
    settings = clip_settings(options)
    from blikk_edge.app.clip_server import ClipServer
    from blikk_edge.app.debugging import ClipDebug
    from blikk_edge.cli.services import serve
    from blikk_edge.runtime import log

    log.set_up("warning")
    clip = ClipDebug(
        options.clip,
        settings=settings,
        camera=options.camera,
        start=start.timestamp(),
        note=lambda text: note(f"looking with {text}" if text.startswith("detector") else text),
        progress=progress.downloads(),
        unblurred=options.unblurred,
    )
    clip.start()
    try:
        server = ClipServer(clip, port=options.port)
        try:
            serve(lambda stop: _serve(server, stop))
        finally:
            server.close()
    finally:
        clip.close()
    return exits.OK


async def _serve(server: Any, stop: "asyncio.Event") -> None:
    import asyncio

    tasks = [asyncio.ensure_future(each) for each in (server.run(), stop.wait(), _tell(server))]
    try:
        await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        served, *_ = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(served, BlikkError) and isinstance(served.__cause__, OSError):
        why = served.__cause__.strerror or str(served.__cause__)
        raise OutputError(f"--port {server.server.port}: {why}; name another one, or none for a free one") from served
    if isinstance(served, Exception):
        raise served


async def _tell(server: Any) -> None:
    """Print the address, once it can be opened."""
    await server.server.ready.wait()
    say(f"http://127.0.0.1:{server.server.port}/#/debug/clip")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a whole number from 1 to 65535")
    return int(text)
