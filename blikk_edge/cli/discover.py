"""`blikk discover`: the cameras on this network, and the lines that watch them."""

import argparse
import getpass
import os
import sys
from typing import Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, note, say, say_json
from blikk_edge.cli.words import add_command, add_json

PASSWORD: Final = "BLIKK_CAMERA_PASSWORD"  # noqa: S105  # the name of a variable


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "discover",
        summary="find the cameras on this network that speak ONVIF",
        more="Prints lines for `blikk.yaml` that watch the stream nearest to 480p of each. With a user they are asked\n"
        f"for their streams; the password is asked for, or taken from ${PASSWORD}.\n"
        "Status 1 where no camera answers.",
        examples=("blikk discover", "blikk discover --user admin", "blikk discover 192.168.1.20 --user admin --json"),
    )
    parser.add_argument("hosts", metavar="HOST", nargs="*", help="ask these alone, as in other networks (default: all)")
    parser.add_argument("--user", metavar="NAME", default="", help="the user of the cameras (default: none)")
    parser.add_argument("--wait", metavar="SECONDS", type=float, default=3.0, help="for answers (default: 3)")
    parser.add_argument(
        "--interface",
        metavar="ADDRESS",
        action="append",
        help="an address of this machine, whose network is searched (default: all)",
    )
    add_json(parser, "one object for each camera")
    parser.set_defaults(command=discover)


def discover(options: argparse.Namespace) -> int:
    """Search. Raises UsageError for a time that is none, SourceError where ONVIF is not installed."""
    if not 0.1 <= options.wait <= 60:
        raise UsageError("--wait takes 0.1 to 60 seconds")
    from blikk_edge.app import discovering

    cameras = discovering.discover(
        options.hosts,
        user=options.user,
        password=_password(options.user),
        wait_s=options.wait,
        interfaces=options.interface,
    )
    if options.json:
        say_json([_content(each) for each in cameras])
    elif cameras:
        for line in discovering.yaml_lines(cameras):
            say(line)
        say("")
        say("# in secrets.yaml:")
        for line in discovering.secret_lines(cameras):
            say(f"# {line}")
    else:
        note(
            "no camera answered: is ONVIF switched on in its own web page? "
            "One in another network is found by its address: `blikk discover HOST`"
        )
    return exits.OK if cameras else exits.FAILED


def _password(user: str) -> str:
    if not user:
        return ""
    if (given := os.environ.get(PASSWORD)) is not None:
        return given
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask for the password; set ${PASSWORD}")
    return getpass.getpass(f"password of {user}: ")


def _content(camera: Any) -> dict[str, Any]:
    said = camera.described
    return {
        "host": camera.found.host,
        "source": camera.found.address,
        "what": camera.what,
        "maker": said.maker if said else None,
        "model": said.model if said else None,
        "problem": camera.problem or None,
        "streams": [
            {
                "name": each.name,
                "width_px": each.width_px,
                "height_px": each.height_px,
                "fps": each.fps,
                "encoding": each.encoding,
                "url": each.url,
            }
            for each in (said.profiles if said else ())
        ],
    }
