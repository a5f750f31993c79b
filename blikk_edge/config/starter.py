"""The first `blikk.yaml` of a household: its text, and that of the `secrets.yaml` beside it."""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blikk_edge.grammar.secrets import SourceUrl

HEAD: Final = """\
# Written by `blikk {by}`. `blikk check` tells what is wrong with it; every key is in docs/ref/config.md.
"""
SECRETS_HEAD: Final = """\
# What blikk.yaml names as `!secret`. Only this user may read it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterCamera:
    """A camera.

    Attributes:
        id: Its id.
        source: An address with user and password, a device or an absolute path.
        name: Its name for people; empty: made from the id.
        ring: What `ring:` says; empty: it is no doorbell.
    """

    id: str
    source: str
    name: str = ""
    ring: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterBroker:
    """Where the broker is.

    Attributes:
        host: Its name or address.
        port: Its TCP port; None: the usual one, with or without TLS.
        tls: Whether it is reached by TLS.
        username: Who logs in there; empty: nobody.
        password: With what; empty: without.
    """

    host: str
    port: int | None = None
    tls: bool = False
    username: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterHttp:
    """The HTTP server with its pages.

    Attributes:
        view: The token of who may look.
        control: The token of who may also change something.
        host: Where it listens.
        port: Its TCP port; None: the usual one.
        url: How others reach it; empty: made of host and port.
        certificate: A PEM file; empty: without TLS, for this machine alone.
        key: The PEM file of its private key.
    """

    view: str
    control: str
    host: str = ""
    port: int | None = None
    url: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """What a first configuration says.

    Attributes:
        node: The id of the node.
        name: Its name for people.
        broker: Where the broker is; None: there is none.
        cameras: The cameras, in order.
        language: Its short tag; empty: the usual one.
        http: The HTTP server; None: there is none.
        by: The command that asked for all of it.
    """

    node: str
    name: str
    broker: StarterBroker | None
    cameras: Sequence[StarterCamera]
    language: str = ""
    http: StarterHttp | None = None
    by: str = "init"

    def files(self) -> tuple[str, str]:
        """The text of `blikk.yaml`, and of `secrets.yaml`, which is empty where nothing is secret."""
        secrets: dict[str, str] = {}
        lines = [f"node: {{id: {self.node}, name: {_quoted(self.name)}}}", f"mqtt: {self._mqtt(secrets)}"]
        lines += self._http(secrets)
        if self.http is not None:
            lines.append("media: true  # keeps redacted pictures of events: at most 500 MB, for 14 days")
        if self.language:
            lines.append(f"language: {_quoted(self.language)}")
        lines.append("cameras:")
        for camera in self.cameras:
            lines.append(f"  {camera.id}:")
            if camera.name:
                lines.append(f"    name: {_quoted(camera.name)}")
            if SourceUrl(camera.source).public == camera.source:
                lines.append(f"    source: {_quoted(camera.source)}")
            else:
                secrets[f"{camera.id}_source"] = camera.source
                lines.append(f"    source: !secret {camera.id}_source")
            if camera.ring:
                lines.append(f"    ring: {camera.ring}")
        kept = "".join(f"{name}: {_quoted(value)}\n" for name, value in secrets.items())
        return HEAD.format(by=self.by) + "\n".join(lines) + "\n", SECRETS_HEAD + kept if kept else ""

    def _http(self, secrets: dict[str, str]) -> list[str]:
        http = self.http
        if http is None:
            return []
        secrets |= {"http_view": http.view, "http_control": http.control}
        keys = {
            "host": _quoted(http.host) if http.host else "",
            "port": str(http.port or ""),
            "url": _quoted(http.url) if http.url else "",
            "tls": f"{{certificate: {_quoted(http.certificate)}, key: {_quoted(http.key)}}}"
            if http.certificate
            else "",
            "tokens": "{view: !secret http_view, control: !secret http_control}",
        }
        return ["http:", *(f"  {name}: {value}" for name, value in keys.items() if value)]

    def _mqtt(self, secrets: dict[str, str]) -> str:
        broker = self.broker
        if broker is None:
            return "false"
        parts = [f"host: {_quoted(broker.host)}"]
        if broker.port is not None:
            parts.append(f"port: {broker.port}")
        if broker.tls:
            parts.append("tls: true")
        if broker.username:
            parts.append(f"username: {_quoted(broker.username)}")
        if broker.password:
            secrets["mqtt_password"] = broker.password
            parts.append("password: !secret mqtt_password")
        return f"{{{', '.join(parts)}}}"


def name_of_machine() -> str:
    """A name for the node where nobody has said one."""
    return socket.gethostname().partition(".")[0].replace("-", " ").capitalize() or "Blikk"


def _quoted(text: str) -> str:
    """The text as YAML reads it back, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
