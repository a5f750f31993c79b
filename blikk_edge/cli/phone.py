"""`blikk phone`: a link, and its QR code, that makes a phone the camera."""

import argparse
import os
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, note, prints_to_terminal, say, say_json
from blikk_edge.cli.words import add_command, add_config, add_json
from blikk_edge.core.errors import BlikkError

if TYPE_CHECKING:
    import ssl

    from blikk_edge.net.http.options import HttpSettings

ANSWER_S: Final = 10.0


class NoNodeError(BlikkError):
    """The node does not answer, or refuses."""


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "phone",
        summary="print a link and its QR code that make a phone the camera",
        more="For a camera with `source: whip` of the node that runs here. The link works once, within ten minutes.\n"
        "Who opens it becomes the camera's only device; --forget ends that of the one there is.",
        examples=("blikk phone shed", "blikk phone shed --forget"),
    )
    parser.add_argument("camera", metavar="CAMERA", help="the camera, by its id")
    parser.add_argument("--forget", action="store_true", help="let no device send any more, until a new link is opened")
    add_config(parser, meaning="the configuration of the node")
    add_json(parser, "the link, and for how long it works")
    parser.set_defaults(command=phone)


def phone(options: argparse.Namespace) -> int:
    """Ask the node. Raises UsageError for a camera that is none of that kind, NoNodeError where it does not answer."""
    from blikk_edge import config

    path = config.find(options.config, os.environ)
    settings = config.load(path, environ=os.environ)
    camera = next((each for each in settings.cameras if each.id == options.camera), None)
    if camera is None or not camera.by_whip:
        known = ", ".join(each.id for each in settings.cameras if each.by_whip)
        have = f"it has {known}" if known else f"write `{options.camera}: {{source: whip}}` below `cameras:`"
        raise UsageError(f"{path} has no camera {options.camera!r} with `source: whip`; {have}")
    if settings.http is None:
        raise UsageError(f"{path}: the node has no server; add `http:`")
    found = _asked(settings.http, camera.id, "DELETE" if options.forget else "POST")
    if options.json:
        say_json({"ok": True} if options.forget else {name: found[name] for name in ("url", "valid_s", "note")})
    elif options.forget:
        say("no device may send its picture any more")
    else:
        if prints_to_terminal():
            _print_qr(found["url"])
        say(found["url"])
        note(f"open it on the phone within {found['valid_s'] / 60:.0f} minutes; it works once")
        if found["note"]:
            note(found["note"])
    return exits.OK


def _asked(http: "HttpSettings", camera: str, method: str) -> dict[str, Any]:
    """What the node of this machine answers; raises NoNodeError."""
    import http.client as web
    import json

    host = "127.0.0.1" if http.host in {"0.0.0.0", "::", "localhost"} else http.host  # noqa: S104  # compared with
    headers = {"Host": f"localhost:{http.port}"}
    if http.tokens.control is not None:
        headers["Authorization"] = f"Bearer {http.tokens.control.reveal()}"
    connection: web.HTTPConnection
    if http.tls is None:
        connection = web.HTTPConnection(host, http.port, timeout=ANSWER_S)
    else:
        connection = web.HTTPSConnection(host, http.port, timeout=ANSWER_S, context=_its_own(http))
    try:
        connection.request(method, f"/v1/cameras/{camera}/phone", headers=headers)
        answer = connection.getresponse()
        content = json.loads(answer.read() or b"{}")
    except (OSError, web.HTTPException, ValueError):
        raise NoNodeError(f"the node does not answer on {host}:{http.port}; start it with `blikk run`") from None
    finally:
        connection.close()
    if answer.status >= 400:
        raise NoNodeError(f"the node refuses: {content.get('error', answer.status)}")
    return dict(content)


def _its_own(http: "HttpSettings") -> "ssl.SSLContext":
    """TLS that trusts the node's own certificate alone, whatever name is in it: the token goes to nobody else."""
    import ssl

    assert http.tls is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(http.tls.certificate)
    except (OSError, ssl.SSLError):
        raise NoNodeError(f"{http.tls.certificate}: the certificate cannot be read") from None
    return context


def _print_qr(url: str) -> None:
    try:
        import segno
    except ImportError:
        from blikk_edge.core.installing import pip_install

        note(f"for a QR code: {pip_install('blikk-edge[webrtc]')}")
        return
    segno.make(url, error="l", micro=False).terminal(compact=True)
