"""The command line: run, demo, check, replay, ask, push, models. It alone prints, besides the demo it starts."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

from blikk_edge import __version__
from blikk_edge.core.errors import BlikkError, ConfigError
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.picture import Picture

OK, FAILED, MISCONFIGURED = 0, 1, 2
END_S = 4.5


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 2 the configuration cannot be used."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return MISCONFIGURED
    except BlikkError as error:
        print(f"blikk: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blikk", description="Turns any camera into Home Assistant observations, faces blurred at the edge."
    )
    parser.add_argument("--version", action="version", version=f"blikk {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="watch the cameras of a configuration until stopped")
    run.add_argument("--config", type=Path, default=Path("blikk.yaml"))
    run.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    run.set_defaults(command=_run)

    demo = commands.add_parser("demo", help="show the main job: a broker, a clip, events, blurred pictures")
    demo.add_argument("--source", help="a file, an rtsp:// URL or /dev/video0 instead of the sample clip")
    demo.add_argument("--keep", action="store_true", help="go on until Ctrl-C")
    demo.add_argument("--folder", type=Path, default=Path("blikk-demo"), help="where pictures are written")
    demo.set_defaults(command=_demo)

    check = commands.add_parser("check", help="say everything that is wrong with a configuration")
    check.add_argument("--config", type=Path, default=Path("blikk.yaml"))
    check.set_defaults(command=_check)

    replay = commands.add_parser("replay", help="what would have been told about a clip, as JSON lines")
    replay.add_argument("clip", type=Path)
    replay.add_argument("--config", type=Path, help="look as this configuration says")
    replay.add_argument("--camera", help="the camera of the configuration whose settings count (default: the first)")
    replay.add_argument("--start", default="2026-01-01T00:00:00Z", help="the time of the first frame (ISO 8601)")
    replay.add_argument("--pictures", type=Path, help="a folder for the redacted pictures")
    replay.set_defaults(command=_replay)

    ask = commands.add_parser("ask", help="answer a question about what happened")
    ask.add_argument("question", help='such as "how many people came to the front door this morning?"')
    ask.add_argument("--config", type=Path, default=Path("blikk.yaml"))
    ask.add_argument("--camera", help="ask about this camera where the question names none")
    ask.add_argument("--json", action="store_true", help="the whole reply, as on MQTT")
    ask.set_defaults(command=_ask)

    push = commands.add_parser("push", help="bring a camera's redacted frames to a node elsewhere")
    push.add_argument("--source", required=True, help="rtsp://, http(s)://, /dev/video0 or a file")
    push.add_argument("--to", required=True, help="wss://host:8429/ingest/<camera>, as the node's `ingest` says")
    push.add_argument("--token-file", type=Path, help="a file with the camera's `push_token` (else: BLIKK_PUSH_TOKEN)")
    push.add_argument("--height", type=int, choices=(480, 720), default=480, help="the short side of what is sent")
    push.add_argument(
        "--rotate", type=int, choices=(0, 90, 180, 270), default=0, help="turn the picture clockwise by so many degrees"
    )
    push.add_argument("--ca", type=Path, help="the certificate authority to trust (default: those of the system)")
    push.set_defaults(command=_push)

    models = commands.add_parser("models", help="list, pull or verify models")
    models.add_argument("action", choices=("list", "pull", "verify"))
    models.add_argument("names", nargs="*", help="models by name (default: those the configuration uses)")
    models.add_argument("--config", type=Path)
    models.set_defaults(command=_models)
    return parser


def _run(options: argparse.Namespace) -> int:
    from blikk_edge import config
    from blikk_edge.app.wiring import build
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.runtime import log

    settings = config.load(options.config, environ=os.environ)
    log.set_up(options.log_level)
    node = build(settings, environ=os.environ, clock=SystemClock())
    for note in node.notes:
        log.part("node").info("%s", note)
    asyncio.run(_until_stopped(node.run))
    return OK


def _demo(options: argparse.Namespace) -> int:
    from blikk_edge.demo import show
    from blikk_edge.runtime import log

    log.set_up("error")  # what matters is printed in words
    return asyncio.run(show.demo(source=options.source, keep=options.keep, folder=options.folder, environ=os.environ))


def _check(options: argparse.Namespace) -> int:
    from blikk_edge import config

    problems = config.check(options.config, environ=os.environ)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problem{'s' * (len(problems) > 1)} in {options.config}", file=sys.stderr)
        return MISCONFIGURED
    settings = config.load(options.config, environ=os.environ)
    names = ", ".join(camera.id for camera in settings.cameras)
    print(f"{options.config} is fine: node {settings.node.id}, cameras {names}")
    return OK


def _replay(options: argparse.Namespace) -> int:
    from blikk_edge import config
    from blikk_edge.app.replays import replay
    from blikk_edge.runtime import log
    from blikk_edge.wire.records import record_to_text

    log.set_up("warning")
    settings = config.load(options.config, environ=os.environ) if options.config else None
    for item in replay(options.clip, settings=settings, camera=options.camera, start=_instant(options.start)):
        match item:
            case Observation() | Event():
                print(record_to_text(item), flush=True)
            case Picture() if options.pictures is not None:
                _keep(item, options.pictures)
            case _:
                continue
    return OK


def _keep(picture: Picture, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{picture.time:.3f}-{picture.name}.jpg").write_bytes(picture.jpeg)


def _instant(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise ConfigError(f"--start {text!r} is no ISO 8601 time; write it like 2026-01-01T00:00:00Z") from error


def _push(options: argparse.Namespace) -> int:
    from blikk_edge.app.pushing import Pusher
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.runtime import log

    log.set_up("info")
    pusher = Pusher(
        options.source,
        options.to,
        _push_token(options.token_file),
        clock=SystemClock(),
        height_px=options.height,
        rotate=options.rotate,
        ca=options.ca,
    )
    for note in pusher.notes:
        log.part("push").info("%s", note)
    asyncio.run(_until_stopped(pusher.run))
    return OK


def _push_token(path: Path | None) -> str:
    """The token; never an argument, which every user of the machine could read."""
    if path is None:
        token = os.environ.get("BLIKK_PUSH_TOKEN", "")
    else:
        try:
            token = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConfigError(f"--token-file {path}: it cannot be read: {error}") from error
    if not token.strip():
        raise ConfigError("no token: name a --token-file, or set BLIKK_PUSH_TOKEN")
    return token.strip()


def _ask(options: argparse.Namespace) -> int:
    from blikk_edge import config
    from blikk_edge.app.asking import ask
    from blikk_edge.runtime import log

    log.set_up("error")
    settings = config.load(options.config, environ=os.environ)
    reply = ask(settings, options.question, camera=options.camera, environ=os.environ)
    if options.json:
        print(json.dumps(reply, ensure_ascii=False, indent=2))
    elif reply["ok"]:
        print(reply["text"])
    else:
        print(f"blikk: {reply['error']}", file=sys.stderr)
    return OK if reply["ok"] and reply["query"] is not None else FAILED


def _models(options: argparse.Namespace) -> int:
    from blikk_edge import config
    from blikk_edge.app.sight import shelf, used
    from blikk_edge.transforms import models
    from blikk_edge.transforms.models import ModelState

    settings = config.load(options.config, environ=os.environ) if options.config else None
    where = shelf(settings)
    names: list[str] = options.names or (list(used(settings)) if options.action == "pull" else [])
    if options.action == "pull":
        for name in names:
            print(f"{name}: {models.pull(name, shelf=where).path}", flush=True)
        return OK
    statuses = models.verify(where, names or None) if options.action == "verify" else models.list_models(where)
    for status in statuses:
        entry = status.entry
        if names and entry.name not in names:
            continue
        size = "" if entry.size_bytes is None else f"{entry.size_bytes / 1e6:.1f} MB"
        print(f"{entry.name:<20} {status.state:<8} {size:>7}  {entry.licence:<11} {status.path or entry.url}")
        if status.problem:
            print(f"{'':<20} {status.problem}")
    if options.action == "list":
        return OK
    # a model that nobody named and nobody fetched is not wrong
    wrong = {ModelState.DAMAGED, ModelState.MISSING} if names else {ModelState.DAMAGED}
    return FAILED if any(status.state in wrong for status in statuses) else OK


async def _until_stopped(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run until SIGTERM or SIGINT; a second one ends at once.

    Whatever hangs then (a name server that does not answer keeps a thread for half a minute) is left behind in time.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        stop.set()
        loop.call_later(END_S, os._exit, OK)
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, ask)
    await run(stop)
