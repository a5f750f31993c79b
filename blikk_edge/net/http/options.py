"""`http:` in `blikk.yaml`: where the one server of a node listens, and who may ask it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blikk_edge.core.loopback import is_loopback
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Gone, Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import HOST, WEB_ADDRESS, ListOf, Scalar, whole
from blikk_edge.net.hosts import is_origin
from blikk_edge.net.options import EVERYWHERE, TOKEN, ServerTlsSettings, server_tls, without_tls


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTokens:
    """Who may ask the server.

    Attributes:
        view: Sees pages, pictures and records.
        control: May also change switches, zones and the configuration.
    """

    view: Secret | None = None
    control: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The HTTP server. Beyond this machine it needs `tls`: `config.listening.in_the_clear`.

    Attributes:
        host: Where it listens; `0.0.0.0` is everywhere and needs `tls`, `tokens` and `url`.
        port: Its TCP port.
        url: How others reach it; None: made of host and port.
        tls: Encryption; None: only this machine can reach it.
        tokens: Who may ask; without any, whoever is on this machine.
        names: The host names by which others call this machine, besides its own and IP addresses.
        origins: The web pages of elsewhere that may connect, as `https://host`.
        in_the_clear: Without TLS beyond this machine too; no key of `blikk.yaml` says so.
        ingress: Home Assistant's Supervisor sends its users; no key of `blikk.yaml` says so.
    """

    host: str = "127.0.0.1"
    port: int = 8428
    url: str | None = None
    tls: ServerTlsSettings | None = None
    tokens: HttpTokens = field(default_factory=HttpTokens)
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    in_the_clear: bool = False
    ingress: bool = False

    @property
    def address(self) -> str:
        """How others reach it: `url`, or host and port."""
        scheme = "http" if self.tls is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host  # IPv6
        return self.url or f"{scheme}://{host}:{self.port}"


def _checked(**values: Any) -> HttpSettings:
    made = HttpSettings(**values)
    if made.url is None and made.host in EVERYWHERE:
        raise Wrong("a server everywhere without `url`", "Add `url:`, how others reach it.", "host")
    if not is_loopback(made.host) and made.tokens.view is None and made.tokens.control is None:
        raise Wrong("a server beyond this machine without `tokens`", "Add `tokens: {view: !secret name}`.", "host")
    return made


def _origin(text: str) -> str:
    if not is_origin(text):
        raise Wrong("not the origin of a web page", "Write `https://host` or `http://host:port`, without a path.")
    return text.lower()


def gone(what: str, *, scope: str = "", url: bool = False) -> tuple[Gone, ...]:
    """The keys of a server of its own that a section had; `what` is served by `http` now.

    `scope` is that of `http.tokens` which stands for its token; empty: it had none.
    """
    instead = {
        "host": "http: {host: ...}",
        "port": "http: {port: 8428}",
        "tls": "http: {tls: {certificate: ..., key: ...}}",
    }
    if url:
        instead["url"] = "http: {url: https://host:8428}"
    if scope:
        instead["token"] = f"http: {{tokens: {{{scope}: !secret name}}}}"
    return tuple(
        Gone(
            name=name,
            why=f"{what} served by `http` now, on its one port",
            mend=f"Remove this line, and write `{text}` at the top of the file.",
        )
        for name, text in instead.items()
    )


ORIGIN = Scalar("an origin like `https://host`", _origin)

_TOKENS = Section(
    of=HttpTokens,
    keys=(
        Key(name="view", value=TOKEN, meaning="Who knows it sees pages, pictures and records."),
        Key(name="control", value=TOKEN, meaning="Who knows it may also change switches, zones and this file."),
    ),
)


def metrics_options(folder: Path, port: int) -> Section:
    """The keys below `metrics` of a program that serves that page alone, on this port by itself."""

    def make(**values: Any) -> HttpSettings:
        made = HttpSettings(**{"port": port} | values)
        if not is_loopback(made.host):
            if made.tls is None:
                raise without_tls("host")
            if made.tokens.view is None:
                raise Wrong(
                    "a server beyond this machine without `tokens`", "Add `tokens: {view: !secret name}`.", "host"
                )
        return made

    return Section(
        of=HttpSettings,
        make=make,
        switch=True,
        keys=(
            Key(
                name="host",
                value=HOST,
                meaning="Where it listens; anything beyond this machine needs `tls` and `tokens`.",
            ),
            Key(name="port", value=whole(1, 65535), meaning="Its port.", default=f"`{port}`"),
            Key(name="tls", value=server_tls(folder), meaning="Encryption."),
            Key(
                name="tokens",
                value=Section(
                    of=HttpTokens, keys=(Key(name="view", value=TOKEN, meaning="Who knows it sees the figures."),)
                ),
                meaning="What those who ask have to know. Without any only this machine is answered.",
                default="none",
            ),
            Key(
                name="names",
                value=ListOf(HOST),
                meaning="The host names by which others call this machine, besides its own and IP addresses.",
            ),
        ),
    )


def http_options(folder: Path) -> Section:
    """The keys below `http`."""
    return Section(
        of=HttpSettings,
        make=_checked,
        switch=True,
        keys=(
            Key(
                name="host",
                value=HOST,
                meaning="Where it listens; `0.0.0.0` is everywhere and needs `tls`, `tokens` and `url`.",
            ),
            Key(name="port", value=whole(1, 65535), meaning="Its port."),
            Key(name="url", value=WEB_ADDRESS, meaning="How others reach it.", default="made of host and port"),
            Key(name="tls", value=server_tls(folder), meaning="Encryption."),
            Key(
                name="tokens",
                value=_TOKENS,
                meaning="What those who ask have to know. Without any only this machine is answered.",
                default="none",
            ),
            Key(
                name="names",
                value=ListOf(HOST),
                meaning="The host names by which others call this machine, besides its own and IP addresses.",
            ),
            Key(
                name="origins",
                value=ListOf(ORIGIN),
                meaning="The web pages of elsewhere that may connect with a token.",
            ),
        ),
    )
