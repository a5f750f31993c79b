"""The WebSocket for who shows the token (contract/websocket.md): its options, and how it is made."""

from dataclasses import dataclass
from pathlib import Path

from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import HOST, ListOf, Scalar, whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.hosts import is_origin
from blikk_edge.net.options import TOKEN, ServerTlsSettings, only_here_without_tls, server_tls


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """Where subscribers connect to: `ws(s)://host:port/v1/records`.

    Attributes:
        token: What subscribers have to know.
        host: Where it listens; `0.0.0.0` is everywhere and needs `tls`.
        port: Its TCP port.
        tls: Encryption; None: only this machine can reach it.
        names: The host names by which subscribers call this machine, besides its own and IP addresses.
        origins: The web pages that may connect, as `https://host`; none: no browser may.
        connections: How many subscribers there may be at once.
        keep: How many of the newest records are kept for subscribers that come back or are slow.
    """

    token: Secret
    host: str = "127.0.0.1"
    port: int = 8430
    tls: ServerTlsSettings | None = None
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    connections: int = 16
    keep: int = 1000


def _origin(text: str) -> str:
    if not is_origin(text):
        raise Wrong("not the origin of a web page", "Write `https://host` or `http://host:port`, without a path.")
    return text.lower()


ORIGIN = Scalar("an origin like `https://host`", _origin)


def _options(folder: Path) -> Section:
    return Section(
        of=WebSocketOptions,
        make=only_here_without_tls(WebSocketOptions),
        keys=(
            Key(name="token", value=TOKEN, required=True, meaning="What subscribers have to know."),
            Key(name="host", value=HOST, meaning="Where it listens; `0.0.0.0` is everywhere and needs `tls`."),
            Key(name="port", value=whole(1, 65535), meaning="Its port."),
            Key(name="tls", value=server_tls(folder), meaning="Encryption."),
            Key(
                name="names",
                value=ListOf(HOST),
                meaning="The host names by which subscribers call this machine, besides its own and IP addresses.",
            ),
            Key(
                name="origins",
                value=ListOf(ORIGIN),
                meaning="The web pages that may connect; without it no browser may.",
            ),
            Key(name="connections", value=whole(1, 256), meaning="How many subscribers there may be at once."),
            Key(
                name="keep",
                value=whole(10, 100_000),
                meaning="How many of the newest records are kept for subscribers that come back or are slow.",
            ),
        ),
    )


def _make(options: WebSocketOptions, context: Context) -> Sink | DurableSink:
    from blikk_edge.sinks.websocket_server import WebSocketServer  # noqa: PLC0415  # a configuration is read without it

    return WebSocketServer(
        node=context.node,
        topics=context.topics,
        clock=context.clock,
        history=context.history,
        token=options.token.reveal(),
        host=options.host,
        port=options.port,
        certificate=options.tls.certificate if options.tls else None,
        key=options.tls.key if options.tls else None,
        names=options.names,
        origins=options.origins,
        connections=options.connections,
        keep=options.keep,
    )


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="websocket",
    meaning="Sends records to whoever connects by WebSocket and shows the token; lossy, with numbers.",
    options=_options,
    make=_make,
)
