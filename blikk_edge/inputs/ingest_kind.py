"""The server for edge clients as a kind of input: where it listens, and how it is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import HOST, whole
from blikk_edge.inputs.context import InputContext
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.options import ServerTlsSettings, only_here_without_tls, server_tls

if TYPE_CHECKING:
    from blikk_edge.inputs.ingest import IngestServer


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Where edge clients bring frames to: `wss://host:port/ingest/<camera>`.

    Attributes:
        host: Where it listens; `0.0.0.0` is everywhere and needs `tls`.
        port: Its TCP port.
        tls: Encryption; None: only this machine can reach it.
        every_s: How often the newest pictures are shown to a model that sees, if something happened.
    """

    host: str = "127.0.0.1"
    port: int = 8429
    tls: ServerTlsSettings | None = None
    every_s: float = 30.0


def _options(folder: Path) -> Section:
    return Section(
        of=IngestSettings,
        make=only_here_without_tls(IngestSettings),
        keys=(
            Key(name="host", value=HOST, meaning="Where it listens; `0.0.0.0` is everywhere and needs `tls`."),
            Key(name="port", value=whole(1, 65535), meaning="Its port."),
            Key(name="tls", value=server_tls(folder), meaning="Encryption."),
        ),
    )


def _make(options: IngestSettings, context: InputContext) -> "IngestServer":
    from blikk_edge.inputs.ingest import IngestServer  # noqa: PLC0415  # a configuration is read without it

    return IngestServer(
        context.gates,
        clock=context.clock,
        host=options.host,
        port=options.port,
        certificate=options.tls.certificate if options.tls else None,
        key=options.tls.key if options.tls else None,
    )


KIND: Kind[InputContext, "IngestServer"] = Kind(
    name="ingest", meaning="Where edge clients bring their frames.", options=_options, make=_make
)
