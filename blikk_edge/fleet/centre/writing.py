"""Writing rows: a batch is one transaction, what comes again is the same row, what is of an old lease is marked."""

from collections.abc import Sequence
from typing import Any, Final

from blikk_edge.fleet.centre.rows import Row
from blikk_edge.sinks.postgres.client import is_of_the_record
from blikk_edge.sinks.postgres.tables import Partitions

_COLUMNS: Final = (
    "site", "kind", "id", "at", "time", "revision", "camera", "event", "label", "member", "fence", "content",
)  # fmt: skip
_SEEN: Final = (
    "site", "observation", "place", "at", "camera", "event", "label", "kind", "colours", "model", "embedding", "fence",
)  # fmt: skip

_PREPARE: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
    site text, kind text, id text, at timestamptz, time timestamptz, revision integer, camera text, event text,
    label text, member text, fence bigint, content jsonb
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_seen (
    site text, observation text, place smallint, at timestamptz, camera text, event text, label text, kind text,
    colours text, model text, embedding real[], fence bigint
) ON COMMIT DELETE ROWS;
"""

_LEASES: Final = """
INSERT INTO "{schema}".leases AS l (site, camera, fence, since)
SELECT site, camera, fence, min(at) FROM incoming
WHERE fence IS NOT NULL AND camera IS NOT NULL AND kind IN ('observation', 'event', 'ring')
GROUP BY site, camera, fence ORDER BY site, camera, fence
ON CONFLICT (site, camera, fence) DO UPDATE SET since = excluded.since WHERE excluded.since < l.since
RETURNING site, camera, fence, since
"""
"""Texts about what was seen say nothing of when a lease began: they may be written much later."""

_STALE: Final = """EXISTS (
    SELECT FROM "{schema}".leases l
    WHERE l.site = i.site AND l.camera = i.camera AND l.fence > i.fence AND l.since <= i.at
)"""

_RECORDS: Final = (
    """
INSERT INTO "{schema}".records AS r
    (site, kind, id, at, time, revision, camera, event, label, member, fence, stale, content)
SELECT DISTINCT ON (site, kind, id, at)
    site, kind, id, at, time, revision, camera, event, label, member, fence, """
    + _STALE
    + """, content
FROM incoming i ORDER BY site, kind, id, at, revision DESC, fence DESC NULLS LAST
ON CONFLICT (site, kind, id, at) DO UPDATE SET
    time = excluded.time, revision = excluded.revision, camera = excluded.camera, event = excluded.event,
    label = excluded.label, member = excluded.member, fence = excluded.fence, stale = excluded.stale,
    content = excluded.content
WHERE (excluded.revision, coalesce(excluded.fence, 0)) > (r.revision, coalesce(r.fence, 0))
"""
)

_APPEARANCES: Final = (
    """
INSERT INTO "{schema}".appearances
    (site, observation, place, at, camera, event, label, kind, colours, model, embedding, fence, stale)
SELECT DISTINCT ON (site, observation, place, at)
    site, observation, place, at, camera, event, label, kind, colours, model, embedding, fence, """
    + _STALE
    + """
FROM incoming_seen i ORDER BY site, observation, place, at
ON CONFLICT (site, observation, place, at) DO NOTHING
"""
)

_MARK: Final = """
UPDATE "{schema}".{table} SET stale = true
WHERE site = $1 AND camera = $2 AND fence < $3 AND at >= $4 AND NOT stale
"""


class Writer:
    """Writes rows over one connection, whose temporary tables it makes. Raises what the library raises."""

    def __init__(self, connection: Any, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._partitions = Partitions(schema)

    async def prepare(self) -> None:
        """To be called before the first batch."""
        await self._connection.execute(_PREPARE)

    async def write(self, site: str, rows: Sequence[Row]) -> None:
        """Write all of them, or none."""
        records = [
            (site, row.kind, row.id, row.at, row.time, row.revision, row.camera, row.event, row.label, row.member,
             row.fence, row.content)
            for row in rows
        ]  # fmt: skip
        seen = [
            (site, row.id, each.place, row.at, row.camera or "", row.event, each.label, each.kind, each.colours,
             each.model, each.embedding, row.fence)
            for row in rows
            for each in row.seen
        ]  # fmt: skip
        try:
            async with self._connection.transaction():
                # of two collectors of a site one writes at a time: each has to see the leases of the other
                await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"blikk {site}")
                await self._partitions.ensure(self._connection, "records", [row.at for row in rows])
                await self._connection.copy_records_to_table("incoming", records=records, columns=_COLUMNS)
                leases = await self._connection.fetch(self._said(_LEASES))
                await self._connection.execute(self._said(_RECORDS))
                if seen:
                    await self._partitions.ensure(self._connection, "appearances", [each[3] for each in seen])
                    await self._connection.copy_records_to_table("incoming_seen", records=seen, columns=_SEEN)
                    await self._connection.execute(self._said(_APPEARANCES))
                for lease in leases:
                    for table in ("records", "appearances"):
                        await self._connection.execute(self._said(_MARK, table), *lease.values())
        except BaseException:
            self._partitions.forget()
            raise

    async def write_each(self, site: str, rows: Sequence[Row]) -> list[tuple[int, str]]:
        """Write one after the other; the places of those that the tables do not take, and why."""
        refused = []
        for place, row in enumerate(rows):
            try:
                await self.write(site, [row])
            except Exception as error:
                if not is_of_the_record(error):
                    raise
                refused.append((place, type(error).__name__))
        return refused

    async def refuse(self, site: str, refused: Sequence[tuple[str, str, str, bytes]]) -> None:
        """Keep what is no record: its mark, subject, what is wrong, and the message."""
        await self._connection.executemany(
            f'INSERT INTO "{self._schema}".refused (site, mark, subject, reason, data) '  # noqa: S608 - an id of ours
            "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            [(site, *each) for each in refused],
        )

    def _said(self, statement: str, table: str = "") -> str:
        return statement.format(schema=self._schema, table=table)
