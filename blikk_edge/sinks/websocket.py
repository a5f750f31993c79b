"""The WebSocket for who shows the token (contract/websocket.md): its options, and how it is made."""

from dataclasses import dataclass
from typing import Final

from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.grammar.schema import Gone, Key, Section
from blikk_edge.grammar.values import whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.options import gone


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """Who connects to `/v1/records` of the server of `http`.

    Attributes:
        connections: How many subscribers there may be at once.
        keep: How many of the newest records are kept for subscribers that come back or are slow.
    """

    connections: int = 16
    keep: int = 1000


_HERE: Final = "Remove this line, and write `http: {{{key}: [...]}}` at the top of the file."
GONE: Final = (
    *gone("subscribers are", scope="view"),
    Gone(name="names", why="the names of this machine are those of `http` now", mend=_HERE.format(key="names")),
    Gone(name="origins", why="web pages that may connect are those of `http` now", mend=_HERE.format(key="origins")),
)
OPTIONS: Final = Section(
    of=WebSocketOptions,
    switch=True,
    gone=GONE,
    keys=(
        Key(name="connections", value=whole(1, 256), meaning="How many subscribers there may be at once."),
        Key(
            name="keep",
            value=whole(10, 100_000),
            meaning="How many of the newest records are kept for subscribers that come back or are slow.",
        ),
    ),
)


def _make(options: WebSocketOptions, context: Context) -> Sink | DurableSink:
    from blikk_edge.sinks.subscribers import Subscribers  # noqa: PLC0415  # a configuration is read without it

    return Subscribers(
        node=context.node,
        topics=context.topics,
        clock=context.clock,
        history=context.history,
        connections=options.connections,
        keep=options.keep,
    )


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="websocket",
    meaning="Sends records to whoever connects by WebSocket and shows the token; lossy, with numbers.",
    options=OPTIONS,
    make=_make,
)
