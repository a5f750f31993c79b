"""Start the node inside Home Assistant's Supervisor.

Begins as root: makes a configuration of the app's options and of what the Supervisor says about the broker, and hands
the data folder to the node's user. Then it is that user and becomes `blikk run`, while a second process waits for the
node to announce itself and reports it to our integration, with the token that sees its pictures.
"""

import json
import os
import secrets
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NODE_USER: Final = 10001
TRIES: Final = 6
"""Of a request to a Supervisor that does not answer: it may be starting itself."""
MISCONFIGURED: Final = 78
VIEW_TOKEN: Final = "media_token"  # noqa: S105  # the name of a file
"""The file of the token that sees pictures; Home Assistant knows it since the first start."""
CONTROL_TOKEN: Final = "control_token"  # noqa: S105  # the name of a file
DEVICES: Final = ("video*", "media*", "gpiochip*", "apex_*")


class AppError(Exception):
    """What keeps the app from starting, in words for its log; `status` is the exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the Supervisor is, what it mounts, and as whom and where the node serves."""

    supervisor: str = "http://supervisor"
    data: Path = Path("/data")
    config: Path = Path("/config")
    devices: Path = Path("/dev")
    user: int = NODE_USER
    http_port: int = 8428


class Supervisor:
    """The Supervisor's HTTP API, as far as an app may use it without `hassio_api`."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token

    def broker(self) -> dict[str, Any]:
        """Where the MQTT broker is: host, port, ssl, username, password; raises AppError."""
        return self._asked("GET", "/services/mqtt", None)

    def discovered(self, content: Mapping[str, str]) -> None:
        """Report this node to our integration; raises AppError."""
        self._asked("POST", "/discovery", {"service": "blikk", "config": content})

    def _asked(self, method: str, path: str, content: Any) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  # the Supervisor's own address
            self._address + path,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        for left in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                    answered: dict[str, Any] = json.load(answer).get("data") or {}
                    return answered
            except urllib.error.HTTPError as error:
                if error.code < 500 or not left:  # a refusal stays one
                    raise AppError(f"the Supervisor refuses {path}: {_why(error)}") from error
            except (OSError, ValueError) as error:
                if not left:
                    raise AppError(f"the Supervisor does not answer {path}: {error}") from error
            time.sleep(2.0 ** (TRIES - left - 2))
        raise AssertionError


def _why(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"status {error.code}"


def configuration(options: Mapping[str, Any], broker: Mapping[str, Any]) -> str:
    """The text of a blikk.yaml from the app's options; addresses and tokens come from the environment.

    Raises AppError where no node can be made of them.
    """
    cameras = options.get("cameras") or []
    if not cameras:
        raise AppError("no camera yet: add one under Configuration, and start the app again", MISCONFIGURED)
    lines = [
        f"node: {{name: {_quoted(options.get('node') or 'Blikk Edge')}}}",
        "mqtt:",
        "  host: !env MQTT_HOST",
        "  port: !env MQTT_PORT",
        *(["  username: !env MQTT_USERNAME", "  password: !env MQTT_PASSWORD"] if broker.get("username") else []),
        *(["  tls: true"] if broker.get("ssl") else []),
        "http:",
        "  host: 0.0.0.0",
        "  port: !env HTTP_PORT",
        "  url: !env HTTP_URL",
        "  tokens: {view: !env HTTP_VIEW_TOKEN, control: !env HTTP_CONTROL_TOKEN}",
        "media: true",
        "cameras:",
    ]
    ids = [camera["id"] for camera in cameras]
    for camera in cameras:
        if ids.count(camera["id"]) > 1:
            raise AppError(f"two cameras have the id {camera['id']}: change one under Configuration", MISCONFIGURED)
        lines += [f"  {camera['id']}:", f"    source: {_quoted(camera['source'])}"]
        if camera.get("name"):
            lines.append(f"    name: {_quoted(camera['name'])}")
        if camera.get("rotate"):
            lines.append(f"    rotate: {int(camera['rotate'])}")
        if camera.get("gpio") is not None:
            lines.append(f"    ring: {{gpio: {int(camera['gpio'])}}}")
        elif camera.get("doorbell"):
            lines.append("    ring: true")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """The text as YAML reads it back, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)


def environment(broker: Mapping[str, Any], http_port: int, *, view: str, control: str) -> dict[str, str]:
    """What a blikk.yaml may take by `!env`, and the app's own switch."""
    return {
        "BLIKK_APP": "1",
        "MQTT_HOST": str(broker["host"]),
        "MQTT_PORT": str(broker["port"]),
        "MQTT_USERNAME": str(broker.get("username") or ""),
        "MQTT_PASSWORD": str(broker.get("password") or ""),
        "HTTP_PORT": str(http_port),
        "HTTP_URL": f"http://{socket.gethostname()}:{http_port}",
        "HTTP_VIEW_TOKEN": view,
        "HTTP_CONTROL_TOKEN": control,
        # a file of an earlier version takes these; it is then told what to write instead, not that a name is missing
        **dict.fromkeys(("MEDIA_PORT", "MEDIA_URL", "MEDIA_TOKEN"), "gone"),
    }


def kept_token(path: Path) -> str:
    """A token: made at the first start, the same ever after."""
    if not path.is_file() or path.is_symlink():
        write(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8")


def write(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all, whatever the node has left in its place."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def hand_over(folder: Path, user: int) -> None:
    """Give a folder and all below it to the node's user; links are not followed."""
    for path in (folder, *folder.rglob("*")):
        if path.lstat().st_uid != user:
            os.chown(path, user, user, follow_symlinks=False)


def device_groups(devices: Path) -> list[int]:
    """The groups that own cameras, pins and accelerators, as they are numbered on this machine."""
    found = {path.stat().st_gid for path in _special(devices)}
    return sorted(found - {0})


def _special(devices: Path) -> Iterator[Path]:
    for pattern in DEVICES:
        yield from (path for path in devices.glob(pattern) if stat.S_ISCHR(path.stat().st_mode))


def start(places: Places, environ: Mapping[str, str]) -> None:
    """Become the node; raises AppError."""
    try:
        options = json.loads((places.data / "options.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AppError(f"the app's options cannot be read: {error}") from error
    supervisor = environ.get("SUPERVISOR_TOKEN", "")
    broker = Supervisor(places.supervisor, supervisor).broker()
    view, control = (kept_token(places.data / name) for name in (VIEW_TOKEN, CONTROL_TOKEN))
    own = places.config / "blikk.yaml"
    config = own if own.exists() else places.data / "blikk.yaml"
    if config is not own:
        write(config, configuration(options, broker))
    for folder in (places.data, places.config):
        if folder.is_dir():
            hand_over(folder, places.user)
    groups = device_groups(places.devices)
    # the node has no business with the Supervisor
    inherited = {name: value for name, value in environ.items() if name not in {"SUPERVISOR_TOKEN", "HASSIO_TOKEN"}}
    node = {
        **inherited,
        **environment(broker, places.http_port, view=view, control=control),
        "BLIKK_CONFIG": str(config),
    }
    subprocess.run(  # noqa: S603  # this file
        [sys.executable, __file__, "announce", places.supervisor],
        env={**node, "SUPERVISOR_TOKEN": supervisor},
        user=places.user,
        group=places.user,
        extra_groups=[],
        check=True,
    )
    command = ["setpriv", f"--reuid={places.user}", f"--regid={places.user}"]
    command += [f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"]
    command += ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    command += ["blikk", "run", "--log-level", options.get("log_level") or "info"]
    say(f"the node reads {config}")
    os.execvpe(command[0], command, node)  # noqa: S606


def announce(supervisor: str, environ: Mapping[str, str]) -> None:
    """Wait for the node's announce at the broker, however long that takes, then report it to the Supervisor."""
    # only the environment of the node has them
    import paho.mqtt.client as paho  # noqa: PLC0415
    from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415

    from blikk_edge import config  # noqa: PLC0415
    from blikk_edge.core.core_dumps import forbid_core_dumps  # noqa: PLC0415
    from blikk_edge.core.errors import BlikkError  # noqa: PLC0415

    forbid_core_dumps()  # the node is the same user; it cannot read the token from this process either
    try:
        settings = config.load(Path(environ["BLIKK_CONFIG"]), environ=environ)
    except BlikkError:
        return  # the node says what is wrong with it
    mqtt = settings.mqtt
    if mqtt is None:
        return
    content = {"prefix": mqtt.prefix, "node": settings.node.id}
    http = settings.http
    if http is not None and http.tokens.view is not None:
        content |= {"media_url": http.address, "token": http.tokens.view.reveal()}

    def connected(client: paho.Client, *_: Any) -> None:
        client.subscribe(f"{mqtt.prefix}/{settings.node.id}/announce", qos=1)

    def announced(client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        if message.payload:
            client.disconnect()

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect, client.on_message = connected, announced
    if mqtt.username:
        client.username_pw_set(mqtt.username, mqtt.password.reveal() if mqtt.password else None)
    if mqtt.tls is not None:
        ca, certificate, key = (
            str(file) if file else None for file in (mqtt.tls.ca, mqtt.tls.certificate, mqtt.tls.key)
        )
        client.tls_set(ca, certificate, key)
    client.reconnect_delay_set(1, 30)
    client.connect_async(mqtt.host, mqtt.port)
    client.loop_forever(retry_first_connection=True)
    Supervisor(supervisor, environ["SUPERVISOR_TOKEN"]).discovered(content)
    say("this node was reported to Home Assistant")


def say(text: str) -> None:
    """A line in the app's log."""
    sys.stderr.write(f"blikk: {text}\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """The command line: nothing, or `announce` with the Supervisor's address, which goes on in the background."""
    try:
        if arguments[:1] == ["announce"]:
            if os.fork():
                os._exit(0)  # whoever started us becomes the node, which waits for no children
            announce(arguments[1], os.environ)
        else:
            start(Places(), os.environ)
    except AppError as error:
        say(str(error))
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
