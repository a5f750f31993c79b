"""The tables of the centre: brought up to date by the files in `sql`, opened to their readers, and tidied."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Final

from blikk_edge.core.errors import SinkError
from blikk_edge.sinks.postgres.tables import LOCK

PARTITIONED: Final = ("records", "appearances")
READABLE: Final = (
    "records", "appearances", "readers", "leases", "events", "observations", "rings", "summaries", "answers",
    "pictures",
)  # fmt: skip
ALL: Final = "*"
MIGRATE_S: Final = 3600.0

_FILE: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_MONTH: Final = re.compile(r"_(\d{4})_(\d{2})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of `sql`.

    Attributes:
        number: From 1 on, without gaps.
        name: Of the file.
        text: Its statements.
    """

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """By what it is known: a file that was applied changes no more."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All of them in their order."""
    found = [
        Migration(number=int(named[1]), name=each.name, text=each.read_text("utf-8"))
        for each in files(__package__).joinpath("sql").iterdir()
        if (named := _FILE.fullmatch(each.name)) is not None
    ]
    return sorted(found, key=lambda each: each.number)


async def migrate(connection: Any, schema: str, every: Sequence[Migration] | None = None) -> list[str]:
    """Bring the tables up to date, all or nothing; the names of what was applied.

    Raises SinkError for tables of a newer version, and where a file that was applied has changed since.
    """
    every = migrations() if every is None else every
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        if not await connection.fetchval("SELECT to_regnamespace($1)", f'"{schema}"'):
            await connection.execute(f'CREATE SCHEMA "{schema}"')
        await connection.execute(f'SET LOCAL search_path TO "{schema}"')
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL, "
            "sha256 text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
        )
        there = {row["number"]: row for row in await connection.fetch("SELECT * FROM migrations")}
        if newer := sorted(there.keys() - {each.number for each in every}):
            raise SinkError(
                f"its tables are of version {newer[-1]}, and this Blikk Edge knows {len(every)}; update it, or choose "
                "another `postgres.schema`",
                after_s=300.0,
            )
        applied = []
        for each in every:
            if (known := there.get(each.number)) is None:
                await connection.execute(each.text, timeout=MIGRATE_S)
                await connection.execute(
                    "INSERT INTO migrations (number, name, sha256) VALUES ($1, $2, $3)",
                    *(each.number, each.name, each.sha256),
                )
                applied.append(each.name)
            elif known["sha256"] != each.sha256:
                raise SinkError(
                    f"its tables were made by another {each.name} than the one of this Blikk Edge; install the version "
                    "that made them, or choose another `postgres.schema`",
                    after_s=300.0,
                )
        return applied


async def open_to(connection: Any, schema: str, readers: Mapping[str, Iterable[str]]) -> None:
    """Let these roles read these sites (`*`: all), and nobody else. Raises SinkError for a role that is not there."""
    wanted = {(role, site) for site, roles in readers.items() for role in roles}
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        for role in sorted({role for role, _ in wanted}):
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                raise SinkError(f"there is no role {role!r} that could read; make it (`CREATE ROLE`)", after_s=60.0)
        query = f'SELECT role, site FROM "{schema}".readers'  # noqa: S608 - an id of the configuration, here and below
        there = {(row["role"], row["site"]) for row in await connection.fetch(query)}
        for role, site in there - wanted:
            await connection.execute(f'DELETE FROM "{schema}".readers WHERE role = $1 AND site = $2', role, site)  # noqa: S608
        for role, site in wanted - there:
            await connection.execute(f'INSERT INTO "{schema}".readers VALUES ($1, $2)', role, site)  # noqa: S608
        for role in sorted({role for role, _ in wanted}):
            quoted = await connection.fetchval("SELECT quote_ident($1)", role)
            await connection.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO {quoted}')
            for table in READABLE:
                await connection.execute(f'GRANT SELECT ON "{schema}".{table} TO {quoted}')
        for role in sorted({role for role, _ in there} - {role for role, _ in wanted}):
            if await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                quoted = await connection.fetchval("SELECT quote_ident($1)", role)
                await connection.execute(f'REVOKE ALL ON ALL TABLES IN SCHEMA "{schema}" FROM {quoted}')
                await connection.execute(f'REVOKE USAGE ON SCHEMA "{schema}" FROM {quoted}')


async def vectors_at(connection: Any) -> str | None:
    """The schema in which pgvector is; None where it is not."""
    found: str | None = await connection.fetchval(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
    )
    return found


async def tidy(connection: Any, schema: str, *, keep_s: float, now: float) -> list[str]:
    """Drop the months that ended more than `keep_s` ago; the names of the tables that went."""
    before = datetime.fromtimestamp(now, UTC) - timedelta(seconds=keep_s)
    rows = await connection.fetch(
        "SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace "
        "WHERE n.nspname = $1 AND p.relname = ANY($2) ORDER BY c.relname",
        *(schema, list(PARTITIONED)),
    )
    gone = []
    for name in (row["name"] for row in rows):
        found = _MONTH.search(name)
        if found is not None:
            year, month = int(found[1]), int(found[2])
            if datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) <= before:
                await connection.execute(f'DROP TABLE "{schema}".{name}')
                gone.append(name)
    await connection.execute(f'DELETE FROM "{schema}".refused WHERE stored < $1', before)  # noqa: S608
    # of the leases of a camera the newest stays, however old it is
    await connection.execute(
        f'DELETE FROM "{schema}".leases l WHERE since < $1 AND EXISTS (SELECT FROM "{schema}".leases n '  # noqa: S608
        "WHERE n.site = l.site AND n.camera = l.camera AND n.fence > l.fence AND n.since < $1)",
        before,
    )
    return gone
