"""Redis as a kind of sink: a stream, which is durable, or channels, which are not."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import HOST, PRIVATE_TEXT, SECRET, TEXT, ListOf, choice, whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.options import ClientTlsSettings, client_tls
from blikk_edge.wire.envelope import RECORDS


class RedisMode(StrEnum):
    """What of Redis is used."""

    STREAM = "stream"
    CHANNELS = "channels"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """A Redis server, or one that speaks its protocol.

    Attributes:
        host: Where it is.
        port: Its TCP port.
        username: The user, where it wants one; None: its default user.
        password: The user's password.
        tls: Encryption; None: none.
        db: The number of the database.
        mode: One stream for all records, or a channel for each topic.
        stream: The key of the stream; None: `blikk:<node>`.
        max_entries: How many entries the stream has, about; the oldest go first.
        kinds: The kinds of records that it is sent.
    """

    host: str
    port: int = 6379
    username: str | None = field(default=None, repr=False)
    password: Secret | None = None
    tls: ClientTlsSettings | None = None
    db: int = 0
    mode: RedisMode = RedisMode.STREAM
    stream: str | None = None
    max_entries: int = 100_000
    kinds: tuple[str, ...] = RECORDS


def _checked(**values: Any) -> RedisOptions:
    if "username" in values and "password" not in values:
        raise Wrong("`username` without `password`", "Add `password:`, best as `!secret name`.", "username")
    made = RedisOptions(**values)
    if made.mode is RedisMode.CHANNELS:
        for name in ("stream", "max_entries"):
            if name in values:
                raise Wrong(f"`{name}` with `mode: channels`", f"Remove `{name}`: channels keep nothing.", name)
    return made


def _options(folder: Path) -> Section:
    return Section(
        of=RedisOptions,
        make=_checked,
        plain="host",
        keys=(
            Key(name="host", value=HOST, required=True, meaning="Where it is."),
            Key(name="port", value=whole(1, 65535), meaning="Its port."),
            Key(name="username", value=PRIVATE_TEXT, meaning="The user.", default="its default user"),
            Key(name="password", value=SECRET, meaning="The user's password. Best written as `!secret name`."),
            Key(name="tls", value=client_tls(folder), meaning="Encryption. `true` is enough for a public certificate."),
            Key(name="db", value=whole(0, 1_000_000), meaning="The number of the database."),
            Key(
                name="mode",
                value=choice(RedisMode),
                meaning="`stream`: entries of one stream, durable. `channels`: Pub/Sub, a channel for each topic of "
                "MQTT; lossy, with numbers.",
            ),
            Key(name="stream", value=TEXT, meaning="The key of the stream.", default="`blikk:<node>`"),
            Key(
                name="max_entries",
                value=whole(1, 10**9),
                meaning="How many entries the stream has, about; the oldest go first.",
            ),
            Key(name="kinds", value=ListOf(choice(RECORDS)), meaning="The kinds of records that it is sent."),
        ),
    )


def _make(options: RedisOptions, context: Context) -> Sink | DurableSink:
    if options.mode is RedisMode.CHANNELS:
        from blikk_edge.sinks.redis.channels import RedisChannels  # noqa: PLC0415  # see WebSocketOptions

        return RedisChannels(options, topics=context.topics, clock=context.clock)
    from blikk_edge.sinks.redis.stream import RedisStream  # noqa: PLC0415

    return RedisStream(options, topics=context.topics)


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="redis",
    meaning="Adds records to a stream of Redis (durable), or publishes them on channels (lossy).",
    options=_options,
    make=_make,
)
