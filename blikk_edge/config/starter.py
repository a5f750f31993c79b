"""The first `blikk.yaml` of a household: its text, and that of the `secrets.yaml` beside it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blikk_edge.grammar.secrets import SourceUrl

HEAD: Final = """\
# Written by `blikk init`. `blikk check` tells what is wrong with it; every key is in docs/ref/config.md.
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
    """

    id: str
    source: str


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
class Starter:
    """What a first configuration says.

    Attributes:
        node: The id of the node.
        name: Its name for people.
        broker: Where the broker is; None: there is none.
        cameras: The cameras, in order.
    """

    node: str
    name: str
    broker: StarterBroker | None
    cameras: Sequence[StarterCamera]

    def files(self) -> tuple[str, str]:
        """The text of `blikk.yaml`, and of `secrets.yaml`, which is empty where nothing is secret."""
        secrets: dict[str, str] = {}
        lines = [f"node: {{id: {self.node}, name: {_quoted(self.name)}}}", f"mqtt: {self._mqtt(secrets)}", "cameras:"]
        for camera in self.cameras:
            lines.append(f"  {camera.id}:")
            if SourceUrl(camera.source).public == camera.source:
                lines.append(f"    source: {_quoted(camera.source)}")
            else:
                secrets[f"{camera.id}_source"] = camera.source
                lines.append(f"    source: !secret {camera.id}_source")
        kept = "".join(f"{name}: {_quoted(value)}\n" for name, value in secrets.items())
        return HEAD + "\n".join(lines) + "\n", SECRETS_HEAD + kept if kept else ""

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


def _quoted(text: str) -> str:
    """The text as YAML reads it back, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
