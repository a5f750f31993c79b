"""The picture API as a kind of page: its options, and how it is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blikk_edge.core.errors import ConfigError
from blikk_edge.grammar.places import path_in
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import HOST, WEB_ADDRESS, whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.options import EVERYWHERE, TOKEN, ServerTlsSettings, server_tls

if TYPE_CHECKING:
    from blikk_edge.web.media import MediaApi


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSettings:
    """Redacted pictures of past events over HTTP. Beyond this machine it needs `tls`: `config.listening.in_the_clear`.

    Attributes:
        token: What those who ask have to know.
        host: Where it listens; `0.0.0.0` is everywhere and needs `tls` and `url`.
        port: Its TCP port.
        tls: Encryption; None: only this machine can reach it.
        url: How Home Assistant reaches it; None: made of host and port.
        folder: Where pictures are kept; None: beside the store.
        max_mb: How much they may take, in megabytes.
        keep_days: How long they are kept.
        in_the_clear: Without TLS beyond this machine too; no key of `blikk.yaml` says so.
    """

    token: Secret
    host: str = "127.0.0.1"
    port: int = 8428
    tls: ServerTlsSettings | None = None
    url: str | None = None
    folder: Path | None = None
    max_mb: int = 500
    keep_days: int = 14
    in_the_clear: bool = False

    @property
    def address(self) -> str:
        """How others reach it: `url`, or host and port."""
        scheme = "http" if self.tls is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host  # IPv6
        return self.url or f"{scheme}://{host}:{self.port}"


def _checked(**values: Any) -> MediaSettings:
    made = MediaSettings(**values)
    if made.url is None and made.host in EVERYWHERE:
        raise Wrong("a server everywhere without `url`", "Add `url:`, how Home Assistant reaches it.", "host")
    return made


def _options(folder: Path) -> Section:
    return Section(
        of=MediaSettings,
        make=_checked,
        keys=(
            Key(name="token", value=TOKEN, required=True, meaning="What those who ask have to know."),
            Key(
                name="host", value=HOST, meaning="Where it listens; `0.0.0.0` is everywhere and needs `tls` and `url`."
            ),
            Key(name="port", value=whole(1, 65535), meaning="Its port."),
            Key(name="tls", value=server_tls(folder), meaning="Encryption."),
            Key(
                name="url", value=WEB_ADDRESS, meaning="How Home Assistant reaches it.", default="made of host and port"
            ),
            Key(name="folder", value=path_in(folder), meaning="Where pictures are kept.", default="beside the store"),
            Key(name="max_mb", value=whole(1, 10**6), meaning="How much they may take, in megabytes."),
            Key(name="keep_days", value=whole(1, 3650), meaning="How long they are kept."),
        ),
    )


def _make(options: MediaSettings, context: Context) -> "MediaApi":
    from blikk_edge.web.media import MediaApi  # noqa: PLC0415  # a configuration is read without it

    if context.album is None:
        raise ConfigError("media: no pictures are kept here")
    return MediaApi(
        context.album,
        context.history,
        token=options.token.reveal(),
        host=options.host,
        port=options.port,
        certificate=options.tls.certificate if options.tls else None,
        key=options.tls.key if options.tls else None,
        clock=context.clock,
        in_the_clear=options.in_the_clear,
    )


KIND: Kind[Context, "MediaApi"] = Kind(
    name="media", meaning="Redacted pictures of past events, over HTTP.", options=_options, make=_make
)
