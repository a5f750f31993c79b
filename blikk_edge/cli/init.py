"""`blikk init`: a first configuration, from questions or from flags."""

import argparse
import getpass
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import OutputError, UsageError, is_terminal, say, say_json
from blikk_edge.cli.words import add_command, add_json

if TYPE_CHECKING:
    from blikk_edge.config.starter import Starter, StarterBroker, StarterCamera

PASSWORD_VARIABLE: Final = "BLIKK_MQTT_PASSWORD"  # noqa: S105 - its name
NO_BROKER: Final = ("", "none", "false")
_NAMED: Final = re.compile(r"([a-z0-9_]{1,64})=(.+)", re.DOTALL)


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "init",
        summary="write a first blikk.yaml, from questions or from flags",
        more="On a terminal it asks for what no flag says. Passwords go to secrets.yaml beside it, which only this\n"
        "user may read. The broker's is no argument, as every user of the machine could read it: it is asked for, or\n"
        f"taken from the variable {PASSWORD_VARIABLE}.",
        examples=(
            "blikk init",
            "blikk init --camera front_door=rtsp://192.168.1.20/stream2 --mqtt broker.local --username blikk",
            "blikk init --camera /dev/video0 --mqtt none --output /etc/blikk/blikk.yaml --json",
        ),
    )
    parser.add_argument(
        "--camera",
        action="append",
        metavar="[ID=]URL",
        help="an address, /dev/video0 or a file, for each camera; ID such as front_door",
    )
    parser.add_argument("--name", metavar="NAME", help="what this node is called (default: as this machine)")
    parser.add_argument(
        "--mqtt", metavar="HOST", help="the broker: a host, host:port or mqtts://host; `none` for no broker"
    )
    parser.add_argument("--username", metavar="USER", help="the user at the broker")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        default=Path("blikk.yaml"),
        help="where it is written (default: blikk.yaml)",
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    add_json(parser, "what was written; nothing is asked")
    parser.set_defaults(command=init)


def init(options: argparse.Namespace) -> int:
    """Ask, write and look at what was written."""
    from blikk_edge.config.writing import write_new
    from blikk_edge.config.yaml_lines import SECRETS

    path: Path = options.output
    beside = path.with_name(SECRETS)
    asks = not options.json and is_terminal(sys.stdin) and (not options.camera or options.mqtt is None)
    if not options.force and path.exists():
        raise OutputError(f"{path} is there already; --force replaces it")
    starter = _asked(options) if asks else _given(options)
    text, secrets = starter.files()
    if secrets and not options.force and beside.exists():
        raise OutputError(f"{beside} is there already; --force replaces it, or add the secrets to it by hand")
    _examine(text, secrets, path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if secrets:
            write_new(beside, secrets, 0o600)
        write_new(path, text, 0o644)
    except OSError as error:
        raise OutputError(f"{error.filename or path}: it cannot be written: {error.strerror}") from error
    if options.json:
        content = {"ok": True, "file": str(path), "secrets": str(beside) if secrets else None, "node": starter.node}
        say_json({**content, "cameras": [camera.id for camera in starter.cameras], "exit": exits.OK})
    else:
        say(f"{path} is written{f', and {beside}' if secrets else ''}.")
        config = "" if path == Path("blikk.yaml") else f" --config {path}"
        say(f"Next: `blikk check{config}`, then `blikk run{config}`, or `sudo blikk service install{config}`.")
    return exits.OK


def _asked(options: argparse.Namespace) -> "Starter":
    """What somebody at the terminal answers, with what the flags say already."""
    cameras: list[str] = list(options.camera or [])
    name = options.name or _ask("What is this node called?", _machine())
    while not options.camera:
        question = "Address of the camera (rtsp://user:password@host/path, /dev/video0)" if not cameras else "Another"
        source = _ask(f"{question}{', or nothing' if cameras else ''}:", "")
        if source:
            place = _ask("What does it show?", "Front door" if not cameras else f"Camera {len(cameras) + 1}")
            cameras.append(f"{_id_of(place)}={source}")
        elif cameras:
            break
    host = options.mqtt if options.mqtt is not None else _ask("Host of the MQTT broker, or nothing for none:", "")
    username, password = options.username or "", os.environ.get(PASSWORD_VARIABLE, "")
    if host not in NO_BROKER and not username:
        username = _ask("User at the broker, or nothing:", "")
    if username and not password:
        password = getpass.getpass("Password at the broker: ")
    return _starter(name, cameras, host, username, password)


def _given(options: argparse.Namespace) -> "Starter":
    """What the flags say."""
    if not options.camera:
        raise UsageError("no camera: name its address with --camera, or answer questions on a terminal")
    if options.mqtt is None:
        raise UsageError("no broker: name its host with --mqtt, or write `--mqtt none`")
    password = os.environ.get(PASSWORD_VARIABLE, "")
    return _starter(options.name or _machine(), options.camera, options.mqtt, options.username or "", password)


def _starter(name: str, cameras: list[str], host: str, username: str, password: str) -> "Starter":
    from blikk_edge.config.starter import Starter

    broker = None if host in NO_BROKER else _broker(host, username, password)
    return Starter(node=_id_of(name), name=name, broker=broker, cameras=_cameras(cameras))


def _broker(text: str, username: str, password: str) -> "StarterBroker":
    from blikk_edge.config.starter import StarterBroker

    scheme, mark, rest = text.rpartition("://")
    if mark and scheme not in {"mqtt", "mqtts"}:
        raise UsageError(f"--mqtt: {scheme}:// is no broker; write a host, host:port or mqtts://host")
    host, colon, port = rest.rstrip("/").rpartition(":")
    if not (colon and port.isdecimal() and (":" not in host or host.startswith("["))):
        host, port = rest.rstrip("/"), ""
    return StarterBroker(
        host=host.strip("[]"),
        port=int(port) if port else None,
        tls=scheme == "mqtts",
        username=username,
        password=password,
    )


def _cameras(texts: list[str]) -> list["StarterCamera"]:
    from blikk_edge.config.starter import StarterCamera

    made: list[StarterCamera] = []
    for number, text in enumerate(texts, 1):
        named = _NAMED.fullmatch(text)
        place, source = named.groups() if named else ("camera" if number == 1 else f"camera_{number}", text)
        if place in {camera.id for camera in made}:
            raise UsageError(f"two cameras are called {place}; give each an id of its own, as in --camera garden=...")
        if "://" not in source and source != "push":
            source = str(Path(source).absolute())
        made.append(StarterCamera(id=place, source=source))
    return made


def _examine(text: str, secrets: str, name: str) -> None:
    """Read it as a node would; raises UsageError, so that nothing is written that no node would take."""
    from blikk_edge import config
    from blikk_edge.config.writing import write_new
    from blikk_edge.config.yaml_lines import SECRETS

    try:
        (text + secrets).encode()
    except UnicodeEncodeError:
        raise UsageError("a name or an address that is no text") from None
    with tempfile.TemporaryDirectory(prefix="blikk-") as folder:
        path = Path(folder, name)
        path.write_text(text, encoding="utf-8")
        if secrets:
            write_new(path.with_name(SECRETS), secrets, 0o600)
        if problems := config.check(path, os.environ):
            raise UsageError("; ".join(f"{problem.path}: {problem.text}. {problem.mend}" for problem in problems))


def _ask(question: str, default: str) -> str:
    try:
        return input(f"{question}{f' [{default}]' if default else ''} ").strip() or default
    except EOFError:
        raise UsageError("the input ended before all was answered; nothing is written") from None


def _machine() -> str:
    from blikk_edge.config.starter import name_of_machine

    return name_of_machine()


def _id_of(name: str) -> str:
    from blikk_edge.config.build import slug_of

    if not (made := slug_of(name)):
        raise UsageError(f"no id can be made of {name!r}; write a name with letters a-z or digits")
    return made
