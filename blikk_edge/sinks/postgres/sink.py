"""Keeps records in PostgreSQL: a batch is a transaction, and a record that comes again is the same row."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from blikk_edge.core.errors import SinkError, quote
from blikk_edge.core.ports import Pending
from blikk_edge.sinks.postgres.client import PostgresClient, is_of_the_record
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.sinks.postgres.rows import Row, row_of, upsert
from blikk_edge.sinks.postgres.tables import PARTITIONED, Partitions, prepare
from blikk_edge.wire.topics import Topics

BATCH: Final = 200


class PostgresSink:
    """Writes records into the tables of `options.schema`, which it makes and brings up to date (`tables`).

    A batch is there as a whole or not at all. A record that the database takes in no case is given up, and named; the
    others of its batch are written.
    """

    name = "postgres"
    batch = BATCH

    def __init__(self, options: PostgresOptions, *, topics: Topics) -> None:
        self.takes: Collection[str] | None = frozenset(options.kinds)
        self._schema = options.schema
        self._topics = topics
        self._client = PostgresClient(options)
        self._partitions = Partitions(options.schema)
        self._connection: Any = None

    async def open(self) -> None:
        """Connect, and have the tables as they should be; raises SinkError."""
        self._partitions.forget()
        self._connection = connection = await self._client.open()
        try:
            await prepare(connection, self._schema)
        except Exception as error:
            await self._client.close()
            raise self._client.error(error) from error

    async def send(self, batch: Sequence[Pending]) -> None:
        """Write all of them; raises SinkError where some will never be taken, or none are for now."""
        try:
            await self._write(batch)
        except Exception as error:
            if not is_of_the_record(error):
                raise self._client.error(error) from error
            await self._write_each(batch)

    async def close(self) -> None:
        """Close the connection."""
        self._connection = None
        await self._client.close()

    async def _write_each(self, batch: Sequence[Pending]) -> None:
        """One transaction each; raises SinkError, with those that were taken."""
        taken: list[int] = []
        refused: list[int] = []
        why = ""
        for pending in batch:
            try:
                await self._write([pending])
            except Exception as error:
                if not is_of_the_record(error):
                    raise SinkError(str(self._client.error(error)), taken=taken, refused=refused) from error
                refused.append(pending.seq)
                why = f"{type(pending.record).__name__.lower()}: {quote(type(error).__name__)}"
            else:
                taken.append(pending.seq)
        if refused:
            text = (
                f"{self._client}: it does not take {len(refused)} of {len(batch)} records, which are given up ({why})"
            )
            raise SinkError(text, taken=taken, refused=refused)

    async def _write(self, batch: Sequence[Pending]) -> None:
        rows: dict[str, list[Row]] = {}
        for pending in batch:
            row = row_of(pending.record, self._topics)
            if row is not None:
                rows.setdefault(row.table, []).append(row)
        try:
            async with self._connection.transaction():
                for table, of_table in sorted(rows.items()):
                    if table in PARTITIONED:
                        times = [row.values[PARTITIONED[table]] for row in of_table]
                        await self._partitions.ensure(self._connection, table, times)
                    columns = list(of_table[0].values)
                    statement = upsert(self._schema, table, columns)
                    await self._connection.executemany(statement, [list(row.values.values()) for row in of_table])
        except BaseException:
            self._partitions.forget()
            raise
