"""The servers that a configuration opens: which key says their port, and which two cannot both have it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.config.settings import Settings
from blikk_edge.core.loopback import is_loopback
from blikk_edge.grammar.problem import Wrong
from blikk_edge.net.options import EVERYWHERE, without_tls
from blikk_edge.sinks.websocket import WebSocketOptions
from blikk_edge.sinks.zeromq import ZeroMqOptions

LOOPBACK: Final = "127.0.0.1"

APP: Final = "BLIKK_APP"
"""The variable that the Home Assistant app sets to `1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A server that a configuration opens.

    Attributes:
        section: The section of its keys, as `media` or `sinks.websocket`.
        host: The address it listens on.
        port: The TCP port it listens on.
    """

    section: str
    host: str
    port: int

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to the section."""
        return tuple(self.section.split("."))


def servers(settings: Settings) -> Iterator[Listening]:
    """Those that this configuration opens."""
    if settings.http is not None:
        yield Listening(section="http", host=settings.http.host, port=settings.http.port)
    for sink in settings.sinks:
        if isinstance(sink.options, ZeroMqOptions):
            yield Listening(section=f"sinks.{sink.name}", host=sink.options.host, port=sink.options.port)


def shared_ports(settings: Settings) -> Iterator[Wrong]:
    """A problem for each server whose port another one has already."""
    before: list[Listening] = []
    for server in servers(settings):
        for other in before:
            if server.port == other.port and _meet(server.host, other.host):
                mend = "Give each its own."
                yield Wrong(f"the port of `{other.section}` is the same", mend, *server.path, "port")
                break
        before.append(server)


def in_the_clear(settings: Settings, environ: Mapping[str, str]) -> Iterator[Wrong]:
    """A problem where pictures would leave this machine without TLS, unless the Home Assistant app has started us.

    Its network is inside one machine, and only the app's own start script sets APP.
    """
    http = settings.http
    if http is not None and http.tls is None and not is_loopback(http.host) and environ.get(APP) != "1":
        yield without_tls("http", "host")


def inside_app(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The same settings, but without TLS and with ingress where the Home Assistant app has started us."""
    if environ.get(APP) != "1" or settings.http is None:
        return settings
    return replace(settings, http=replace(settings.http, in_the_clear=True, ingress=True))


def without_server(settings: Settings) -> Iterator[Wrong]:
    """A problem for each part that the server of `http` serves, where there is none."""
    if settings.http is not None:
        return
    mend = "Add `http: true`; to be reached from other machines, `http:` with `host`, `tls` and `tokens`."
    if settings.media is not None:
        yield Wrong("the server that serves pictures is off", mend, "media")
    for camera in settings.cameras:
        if camera.pushed:
            yield Wrong("the server to which edge clients come is off", mend, "cameras", camera.id, "source")
        if camera.by_whip:
            yield Wrong("the server to which a phone or browser sends is off", mend, "cameras", camera.id, "source")
        if camera.ring is not None and camera.ring.http:
            yield Wrong("the server that rings this bell is off", mend, "cameras", camera.id, "ring", "http")
    if settings.pages:
        yield Wrong("the server that these pages are for is off", mend, "pages")
    if any(isinstance(sink.options, WebSocketOptions) for sink in settings.sinks):
        yield Wrong("the server to which subscribers come is off", mend, "sinks", "websocket")


def _meet(one: str, other: str) -> bool:
    hosts = {LOOPBACK if host == "localhost" else host for host in (one, other)}
    return len(hosts) == 1 or bool(hosts & EVERYWHERE)
