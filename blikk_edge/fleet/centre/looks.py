"""What all sites saw, as it is searched: the tables of the centre in the place of a node's store."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blikk_edge.asking.embeddings import Embeddings
from blikk_edge.core.appearance import Colour, Description, StoredAppearance
from blikk_edge.core.errors import SinkError, StoreError, WireError
from blikk_edge.core.inquiry import EventWithText
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import Looks
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary
from blikk_edge.fleet.centre.tables import vectors_at
from blikk_edge.sinks.postgres.client import PostgresClient
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.wire.reader import read_item
from blikk_edge.wire.topics import Topics

KEY: Final = "postgres"
ASK_S: Final = 30.0
SEP: Final = "/"
"""Between a site and what is its own: no id holds one."""

_ARRAY: Final = np.dtype([("size", ">i4"), ("value", ">f4")])
"""How PostgreSQL sends an element of a `real[]`; 20 bytes come before the first (`array_send`)."""
_ARRAY_HEAD: Final = 20

_COLUMNS: Final = "number, site, observation, camera, event, extract(epoch FROM at)::float8 AS at, label, kind, colours"


class FleetLooks:
    """The `core.ports.Looks` of all sites that the user of the database may read, or of one `site`.

    Ids of cameras and events are `<site>/<id>`; a camera without a site is searched in every one. `open` and `close` in
    a running loop, everything else in other threads.
    """

    def __init__(self, options: PostgresOptions, *, site: str | None = None) -> None:
        self._client = PostgresClient(options, key=KEY)
        self._schema = options.schema
        self._site = site
        self._connection: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.vectors: str | None = None
        """The schema of pgvector; None where it is not installed."""

    async def open(self) -> None:
        """Connect. Raises SinkError."""
        self._loop = asyncio.get_running_loop()
        self._connection = await self._client.open()
        try:
            self.vectors = await vectors_at(self._connection)
        except Exception as error:
            raise self._client.error(error) from error

    async def close(self) -> None:
        """Let go of the connection."""
        self._connection = None
        await self._client.close()

    # -- looks ---------------------------------------------------------------------------------------------------------

    def event(self, id: str) -> Event | None:  # noqa: A002  # the glossary's word
        """See `Looks`."""
        site, _, name = id.partition(SEP)
        rows = self.fetch(
            "SELECT camera, content FROM {schema}.records "
            "WHERE site = $1 AND kind = 'event' AND id = $2 AND NOT stale ORDER BY revision DESC LIMIT 1",
            *(site, name),
        )
        found = self._read(site, rows[0], "event") if rows else None
        return found if isinstance(found, Event) else None

    def embeddings(
        self,
        *,
        model: str,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        below: int | None = None,
        numbers: Collection[int] | None = None,
        limit: int = 4096,
    ) -> Sequence[tuple[int, bytes]]:
        """See `Looks`."""
        where, values = self.where(model=model, camera=camera, since=since, until=until, below=below, numbers=numbers)
        query = f"SELECT number, array_send(embedding) AS raw FROM {{schema}}.appearances {where}"  # noqa: S608
        rows = self.fetch(f"{query} ORDER BY number DESC LIMIT {max(0, limit)}", *values)
        return [(row["number"], _float16(row["raw"])) for row in rows]

    def embedded(self, *, model: str, camera: str | None = None) -> Sequence[tuple[int, float]]:
        """See `Looks`."""
        where, values = self.where(model=model, camera=camera)
        query = f"SELECT number, extract(epoch FROM at)::float8 AS at FROM {{schema}}.appearances {where}"  # noqa: S608
        return [(row["number"], row["at"]) for row in self.fetch(query, *values)]

    def embedded_mark(self, *, model: str) -> object:
        """See `Looks`."""
        where, values = self.where(model=model)
        query = f"SELECT count(*) AS n, sum(number) AS numbers FROM {{schema}}.appearances {where}"  # noqa: S608
        return tuple(self.fetch(query, *values)[0].values())

    def descriptions(self) -> Sequence[Description]:
        """See `Looks`."""
        where, values = self.where()
        query = f"SELECT DISTINCT label, kind, colours FROM {{schema}}.appearances {where}"  # noqa: S608
        return list(dict.fromkeys(_description(row) for row in self.fetch(query, *values)))

    def described(
        self,
        description: Description,
        *,
        but: str | None = None,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> Sequence[StoredAppearance]:
        """See `Looks`."""
        where, values = self.where(camera=camera, since=since, until=until)
        more: list[Any] = [description.label, description.kind, " ".join(description.colours), but]
        at = len(values)
        words = (
            f"label IS NOT DISTINCT FROM ${at + 1} AND kind = ${at + 2} AND colours = ${at + 3} "
            f"AND (${at + 4}::text IS NULL OR model IS DISTINCT FROM ${at + 4})"
        )
        query = f"SELECT {_COLUMNS} FROM {{schema}}.appearances {where} AND {words}"  # noqa: S608
        rows = self.fetch(f"{query} ORDER BY at DESC, number DESC LIMIT {max(0, limit)}", *values, *more)
        return [_stored(row) for row in rows]

    def appearances(
        self,
        *,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        below: int | None = None,
        numbers: Collection[int] | None = None,
        limit: int = 4096,
    ) -> Sequence[StoredAppearance]:
        """See `Looks`."""
        where, values = self.where(camera=camera, since=since, until=until, below=below, numbers=numbers)
        query = f"SELECT {_COLUMNS} FROM {{schema}}.appearances {where} ORDER BY number DESC"  # noqa: S608
        return [_stored(row) for row in self.fetch(f"{query} LIMIT {max(0, limit)}", *values)]

    # -- beyond them ---------------------------------------------------------------------------------------------------

    def with_text(self, event: Event) -> EventWithText:
        """An event of `event` with the newest text about it."""
        site, _, name = event.id.partition(SEP)
        rows = self.fetch(
            "SELECT camera, content FROM {schema}.records "
            "WHERE site = $1 AND event = $2 AND kind = 'summary' AND NOT stale ORDER BY revision DESC LIMIT 1",
            *(site, name),
        )
        found = self._read(site, rows[0], "summary") if rows else None
        return EventWithText(event=event, summary=found if isinstance(found, Summary) else None)

    def pictures(self, event: str, time: float, most: int) -> tuple[str, ...]:
        """The Pictures of an event that are still in the object store of its site, the nearest in time first."""
        site, _, name = event.partition(SEP)
        rows = self.fetch(
            "SELECT id FROM {schema}.pictures WHERE site = $1 AND event = $2 AND expires > now() "
            "ORDER BY abs(extract(epoch FROM time)::float8 - $3::float8), id LIMIT $4",
            *(site, name, time, most),
        )
        return tuple(row["id"] for row in rows)

    def where(
        self,
        *,
        model: str | None = None,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        below: int | None = None,
        numbers: Collection[int] | None = None,
    ) -> tuple[str, list[Any]]:
        """The condition on `appearances`, and its values."""
        of, _, alone = (camera or "").rpartition(SEP)
        given: dict[str, Any] = {
            "site = {}": of or self._site,
            "camera = {}": alone or None,
            "model = {}": model,
            "at >= {}": None if since is None else datetime.fromtimestamp(since, UTC),
            "at < {}": None if until is None else datetime.fromtimestamp(until, UTC),
            "number < {}": below,
            "number = ANY({})": None if numbers is None else list(numbers),
        }
        held = {clause: value for clause, value in given.items() if value is not None}
        clauses = [clause.format(f"${place}") for place, clause in enumerate(held, 1)]
        if model is not None:
            clauses.append("embedding IS NOT NULL")
        return f"WHERE {' AND '.join(['NOT stale', *clauses])}", list(held.values())

    def fetch(self, query: str, *values: Any) -> list[Any]:
        """The rows of a query, in which `{schema}` stands for the schema. Blocking; raises StoreError."""
        assert self._loop is not None  # opened before
        work = self._fetch(query.format(schema=f'"{self._schema}"'), values)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ASK_S * 2)

    async def _fetch(self, query: str, values: Sequence[Any]) -> list[Any]:
        try:
            return list(await self._connection.fetch(query, *values, timeout=ASK_S))
        except Exception as error:
            state = getattr(error, "sqlstate", None)
            if state == "42501":
                why = f"{self._client}: this user may read no site; name it in `readers` where `blikk collect` runs"
                raise StoreError(why) from error
            if state == "42P01":
                raise StoreError(f"{self._client}: there are no tables; see whether `blikk collect` runs") from error
            raise StoreError(str(self._said(error))) from error

    def _said(self, error: Exception) -> SinkError:
        return self._client.error(error)

    def _read(self, site: str, row: Any, kind: str) -> Event | Summary | None:
        """A record, whose camera, event and (of an event) id are said with the site."""
        topics = Topics("blikk", site)
        try:
            topic = f"{topics.base}/{row['camera']}/{kind}"
            found = read_item(topic, row["content"].encode(), topics, now=0.0)
        except WireError:  # of a newer version
            return None
        if isinstance(found, Event):
            return replace(found, id=f"{site}{SEP}{found.id}", camera=f"{site}{SEP}{found.camera}")
        if isinstance(found, Summary):
            return replace(found, event=f"{site}{SEP}{found.event}", camera=f"{site}{SEP}{found.camera}")
        return None


class VectorNearest:
    """The nearest embeddings, compared in the database by pgvector: exactly, without an index."""

    def __init__(self, looks: FleetLooks, place: str) -> None:
        self._looks = looks
        self._type = f'"{place}".vector'
        self._operator = f'OPERATOR("{place}".<#>)'

    def nearest(
        self,
        history: Looks,  # noqa: ARG002 - what is compared is in the database
        query: NDArray[np.float32],
        *,
        model: str,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int,
    ) -> Sequence[tuple[float, int]]:
        """See `asking.embeddings.Nearest`."""
        where, values = self._looks.where(model=model, camera=camera, since=since, until=until)
        at = len(values)
        given = f"[{','.join(repr(float(value)) for value in query)}]"
        rows = self._looks.fetch(
            f"SELECT number, -(embedding::{self._type} {self._operator} ${at + 1}::text::{self._type}) AS score "  # noqa: S608
            f"FROM {{schema}}.appearances {where} AND array_length(embedding, 1) = ${at + 2} "
            f"ORDER BY score DESC, number DESC LIMIT {max(0, limit)}",
            *(*values, given, len(query)),
        )
        return [(row["score"], row["number"]) for row in rows]


def nearest_of(looks: FleetLooks) -> "Embeddings | VectorNearest":
    """Who compares embeddings: pgvector where it is installed, else this process."""
    return Embeddings() if looks.vectors is None else VectorNearest(looks, looks.vectors)


def _float16(raw: bytes) -> bytes:
    values = np.frombuffer(raw, _ARRAY, offset=_ARRAY_HEAD)["value"]
    return values.astype("<f2").tobytes()


def _description(row: Any) -> Description:
    known = set(Colour)
    return Description(
        label=Label(row["label"]) if row["label"] in set(Label) else None,
        kind=row["kind"],
        colours=tuple(Colour(each) for each in row["colours"].split() if each in known),
    )


def _stored(row: Any) -> StoredAppearance:
    described = _description(row)
    return StoredAppearance(
        seq=row["number"],
        observation=row["observation"],
        camera=f"{row['site']}{SEP}{row['camera']}",
        event=None if row["event"] is None else f"{row['site']}{SEP}{row['event']}",
        time=row["at"],
        label=described.label,
        kind=described.kind,
        colours=described.colours,
    )
