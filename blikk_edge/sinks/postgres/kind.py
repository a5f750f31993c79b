"""PostgreSQL as a kind of sink: its options, and how it is made."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import HOST, PRIVATE_TEXT, SECRET, SLUG, TEXT, ListOf, choice, whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.options import ClientTlsSettings, client_tls

KEPT: Final = ("observation", "event", "ring", "summary", "answer")
"""The kinds of records that have a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresOptions:
    """A database of a PostgreSQL server.

    Attributes:
        host: Where the server is.
        port: Its TCP port.
        database: The database, which has to be there.
        username: The user, who owns the tables.
        password: The user's password; None: none is sent.
        tls: Encryption; None: none.
        schema: The schema of the tables; it is made where it is missing.
        kinds: The kinds of records that are kept.
    """

    host: str
    port: int = 5432
    database: str = "blikk"
    username: str = field(default="blikk", repr=False)
    password: Secret | None = None
    tls: ClientTlsSettings | None = None
    schema: str = "blikk"
    kinds: tuple[str, ...] = KEPT


def postgres_options(folder: Path) -> Section:
    """A database, whose relative paths start at `folder`: the keys of the sink but for `kinds`."""
    return Section(
        of=PostgresOptions,
        plain="host",
        keys=(
            Key(name="host", value=HOST, required=True, meaning="Where the server is."),
            Key(name="port", value=whole(1, 65535), meaning="Its port."),
            Key(name="database", value=TEXT, meaning="The database, which has to be there."),
            Key(name="username", value=PRIVATE_TEXT, meaning="The user, who owns the tables."),
            Key(name="password", value=SECRET, meaning="The user's password. Best written as `!secret name`."),
            Key(name="tls", value=client_tls(folder), meaning="Encryption. `true` is enough for a public certificate."),
            Key(name="schema", value=SLUG, meaning="The schema of the tables; it is made where it is missing."),
        ),
    )


def _options(folder: Path) -> Section:
    kinds = Key(name="kinds", value=ListOf(choice(KEPT)), meaning="The kinds of records that are kept.")
    return replace(section := postgres_options(folder), keys=(*section.keys, kinds))


def _make(options: PostgresOptions, context: Context) -> Sink | DurableSink:
    from blikk_edge.sinks.postgres.sink import PostgresSink  # noqa: PLC0415  # a configuration is read without it

    return PostgresSink(options, topics=context.topics)


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="postgres",
    meaning="Keeps records in tables of a PostgreSQL database; durable, each record once.",
    options=_options,
    make=_make,
)
