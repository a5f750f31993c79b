"""The tables: how they are made, brought up to date, and given a partition for each month."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from blikk_edge.core.errors import SinkError

LOCK: Final = 0x626C696B6B
"""Of nodes that share a database one at a time changes its tables."""

PARTITIONED: Final = {"observations": "time", "events": "started"}
"""The tables with a partition for each month, and the column that says which."""

MIGRATIONS: Final[list[str]] = [
    """
CREATE TABLE observations (
    node text NOT NULL,
    id text NOT NULL,
    camera text NOT NULL,
    kind text NOT NULL,
    time timestamptz NOT NULL,
    until timestamptz NOT NULL,
    score double precision NOT NULL,
    event text,
    zones text[] NOT NULL,
    content jsonb NOT NULL,
    embedding real[],
    PRIMARY KEY (node, id, time)
) PARTITION BY RANGE (time);
CREATE INDEX observations_by_time ON observations USING brin (time);
CREATE INDEX observations_by_event ON observations (event) WHERE event IS NOT NULL;

CREATE TABLE events (
    node text NOT NULL,
    id text NOT NULL,
    camera text NOT NULL,
    label text NOT NULL,
    phase text NOT NULL,
    revision integer NOT NULL,
    started timestamptz NOT NULL,
    time timestamptz NOT NULL,
    ended timestamptz,
    peak integer NOT NULL,
    zones text[] NOT NULL,
    loitering boolean NOT NULL,
    content jsonb NOT NULL,
    PRIMARY KEY (node, id, started)
) PARTITION BY RANGE (started);
CREATE INDEX events_by_started ON events USING brin (started);

CREATE TABLE rings (
    node text NOT NULL,
    id text NOT NULL,
    camera text NOT NULL,
    time timestamptz NOT NULL,
    via text NOT NULL,
    content jsonb NOT NULL,
    PRIMARY KEY (node, id)
);

CREATE TABLE summaries (
    node text NOT NULL,
    id text NOT NULL,
    camera text,
    event text,
    revision integer NOT NULL,
    time timestamptz NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    importance text NOT NULL,
    source text NOT NULL,
    content jsonb NOT NULL,
    PRIMARY KEY (node, id)
);
CREATE INDEX summaries_by_since ON summaries USING brin (since);

CREATE TABLE answers (
    node text NOT NULL,
    id text NOT NULL,
    camera text NOT NULL,
    question text NOT NULL,
    answer text NOT NULL,
    confidence double precision NOT NULL,
    time timestamptz NOT NULL,
    since timestamptz NOT NULL,
    changed boolean NOT NULL,
    content jsonb NOT NULL,
    PRIMARY KEY (node, id)
);
CREATE INDEX answers_by_time ON answers USING brin (time);
""",
]
"""What leads from one version of the tables to the next, from nothing on. What is published here changes no more."""


async def prepare(connection: Any, schema: str) -> None:
    """Make the tables, or bring them up to date, all or nothing. Raises SinkError for those of a newer version."""
    version = await _version(connection, schema)
    if version != len(MIGRATIONS):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            if not await connection.fetchval("SELECT to_regnamespace($1)", f'"{schema}"'):
                await connection.execute(f'CREATE SCHEMA "{schema}"')
            await connection.execute(f'SET LOCAL search_path TO "{schema}"')
            await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)")
            version = await connection.fetchval("SELECT max(version) FROM schema_version") or 0
            if version > len(MIGRATIONS):
                raise SinkError(
                    f"its tables are of version {version}, and this Blikk Edge knows {len(MIGRATIONS)}; "
                    "update it, or choose another `sinks.postgres.schema`",
                    after_s=300.0,
                )
            for number, migration in enumerate(MIGRATIONS[version:], version + 1):
                await connection.execute(migration)
                await connection.execute("INSERT INTO schema_version VALUES ($1)", number)
    await _show_vectors(connection, schema)


async def _version(connection: Any, schema: str) -> int | None:
    if not await connection.fetchval("SELECT to_regclass($1)", f'"{schema}".schema_version'):
        return None
    query = f'SELECT max(version) FROM "{schema}".schema_version'  # noqa: S608 - an id of the configuration
    found: int | None = await connection.fetchval(query)
    return found


async def _show_vectors(connection: Any, schema: str) -> None:
    """A view of the embeddings as vectors, where pgvector is there and the view is not."""
    place = await connection.fetchval(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
    )
    if place is None or await connection.fetchval("SELECT to_regclass($1)", f'"{schema}".vectors'):
        return
    query = f'SELECT node, id, camera, time, event, embedding::"{place}".vector AS embedding'
    where = f'FROM "{schema}".observations WHERE embedding IS NOT NULL'
    await connection.execute(f'CREATE VIEW "{schema}".vectors AS {query} {where}')


class Partitions:
    """Knows which months have their partition, and makes those that are missing."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._known: set[str] = set()

    async def ensure(self, connection: Any, table: str, times: Iterable[datetime]) -> None:
        """Have a partition of `table` for each of these times; in the transaction of the connection, or without."""
        for year, month in sorted({(time.year, time.month) for time in times}):
            name = f"{table}_{year}_{month:02d}"
            if name in self._known:
                continue
            if not await connection.fetchval("SELECT to_regclass($1)", f'"{self._schema}".{name}'):
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                first = datetime(year, month, 1, tzinfo=UTC)
                after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
                await connection.execute(
                    f'CREATE TABLE IF NOT EXISTS "{self._schema}".{name} PARTITION OF "{self._schema}".{table} '
                    f"FOR VALUES FROM ('{first.isoformat()}') TO ('{after.isoformat()}')"
                )
            self._known.add(name)

    def forget(self) -> None:
        """Look anew: what was made in a transaction that failed is not there."""
        self._known.clear()
