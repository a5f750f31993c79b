"""The past of all sites, as pages show it: what each role of the database may see, in the order of time."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from blikk_edge.core.album import Kept
from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event, Observation, Ring
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Author, Importance, Summary
from blikk_edge.core.timeline import Beside, Course, EventLine
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.centre.asked import (
    CHANGES,
    EVERY_CAMERA,
    EVERY_SITE,
    LINES,
    WITH_PICTURE,
    Which,
    moment,
    storable,
    where_of,
    words_of,
    written_out,
)
from blikk_edge.fleet.centre.looks import SEP, FleetLooks
from blikk_edge.sinks.postgres.kind import PostgresOptions

LOG = logging.getLogger("blikk.pages")

COURSE_MAX: Final = 500
PICTURES_MAX: Final = 100
CHANGES_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A record that was stored lately.

    Attributes:
        mark: Tells one revision of it from another.
        kind: `event`, `ring`, `summary` or `picture`.
        camera: As `site/camera`.
        event: As `site/event`; None for what belongs to none.
    """

    mark: str
    kind: str
    camera: str
    event: str | None


class SitesPast(FleetLooks):
    """What happened at all sites that the user of the database may read. Ids are as those of FleetLooks.

    Every method but `attach`, `close` and `shows` is blocking and called off the loop; all raise StoreError.
    """

    def __init__(self, options: PostgresOptions) -> None:
        super().__init__(options)
        self.trouble = Trouble(LOG)

    async def _fetch(self, query: str, values: Sequence[Any]) -> list[Any]:
        try:
            found = await super()._fetch(query, values)
        except StoreError as error:
            self.trouble.start(str(error))
            raise
        self.trouble.end("the database answers again")
        return found

    def event(self, id: str) -> Event | None:  # noqa: A002  # the glossary's word
        """See `core.ports.Looks`."""
        return super().event(id) if storable(id) else None

    def bound(self) -> bool:
        """Whether row-level security binds this user; it does not bind who owns the tables."""
        row = self.fetch("""SELECT row_security_active('{schema}.records') AS active""")[0]
        return bool(row["active"])

    def sites(self) -> Sequence[str]:
        """The sites that left records, in the order of their names."""
        if self.bound():
            named = [row["site"] for row in self.fetch("SELECT DISTINCT site FROM {schema}.readers ORDER BY site")]
            if "*" not in named:
                return named
        return [row["site"] for row in self.fetch(EVERY_SITE)]

    def cameras(self, site: str) -> Sequence[str]:
        """The cameras of a site that left records, as `site/camera`."""
        return [f"{site}{SEP}{row['camera']}" for row in self.fetch(EVERY_CAMERA, site)]

    def lines(self, which: Which, limit: int) -> Sequence[tuple[EventLine, str | None]]:
        """Events of which any part lies in the time, newest first, and the id of the newest Picture of each."""
        where, values = where_of(which, "event", reaches=True)
        words = words_of(which.words, values)
        rows = self.fetch(written_out(LINES, where, limit, words=words), *values)
        found = [(_line(row), row) for row in rows]
        return [(line, _picture(row)) for line, row in found if line is not None]

    def rung(self, which: Which, limit: int) -> Sequence[tuple[Ring, str | None]]:
        """Presses of doorbells, newest first, and the id of the newest Picture of each."""
        where, values = where_of(which, "ring")
        rows = self.fetch(written_out(WITH_PICTURE, where, limit), *values)
        found = [(self._read(row["site"], row, "ring"), row) for row in rows]
        return [(ring, _picture(row)) for ring, row in found if isinstance(ring, Ring)]

    def observations(self, which: Which, limit: int) -> Sequence[Observation]:
        """What was observed, newest first."""
        where, values = where_of(which, "observation")
        query = f"SELECT site, camera, content FROM {{schema}}.records r WHERE {where}"  # noqa: S608 - fixed clauses
        rows = self.fetch(f"{query} ORDER BY at DESC, id DESC LIMIT {max(0, limit)}", *values)
        found = [self._read(row["site"], row, "observation") for row in rows]
        return [each for each in found if isinstance(each, Observation)]

    def counts(self, edges: Sequence[float], which: Which) -> Sequence[int]:
        """How many events started between each two of these times."""
        where, values = where_of(replace(which, since=edges[0], until=edges[-1]), "event")
        times = [moment(edge) for edge in edges]
        query = (
            f"SELECT width_bucket(at, ${len(values) + 1}::timestamptz[]) AS place, count(*) AS events "  # noqa: S608
            f"FROM {{schema}}.records r WHERE {where} GROUP BY 1"
        )
        found = {row["place"]: row["events"] for row in self.fetch(query, *values, times)}
        return [found.get(place, 0) for place in range(1, len(edges))]

    def changes(self, after: datetime) -> Sequence[Change]:
        """What was stored after this time and is of the last two days, at most CHANGES_MAX."""
        return [
            Change(
                mark=f"{row['site']} {row['kind']} {row['id']} {row['revision']}",
                kind=row["kind"],
                camera=f"{row['site']}{SEP}{row['camera']}",
                event=None if row["event"] is None else f"{row['site']}{SEP}{row['event']}",
            )
            for row in self.fetch(CHANGES, after, CHANGES_MAX)
        ]

    def now(self) -> datetime:
        """The time by the clock of the database."""
        found: datetime = self.fetch("SELECT now() AS now")[0]["now"]
        return found

    # -- one event: implements web.events.EventHistory and EventPictures, but for the bytes ----------------------------

    def beside(
        self, time: float, event: str = "", *, camera: str | None = None, site: str | None = None
    ) -> tuple[Beside | None, Beside | None]:
        """The event before and the one after the one that started at this time, or before and after that time."""
        found: list[Beside | None] = []
        for sign, order in (("<", "DESC"), (">", "ASC")):
            where, values = where_of(Which(camera=camera, site=site), "event")
            at = len(values)
            query = (
                "SELECT site, id, extract(epoch FROM at)::float8 AS started FROM {schema}.records r "  # noqa: S608
                f"WHERE {where} AND (at, id) {sign} (${at + 1}, ${at + 2}) ORDER BY at {order}, id {order} LIMIT 1"
            )
            rows = self.fetch(query, *values, moment(time), event.partition(SEP)[2])
            found.append((f"{rows[0]['site']}{SEP}{rows[0]['id']}", rows[0]["started"]) if rows else None)
        before, after = found
        return before, after

    def course(self, event: str) -> Course:
        """What was observed of an event; of its own revisions the newest alone is at the centre."""
        if (newest := self.event(event)) is None:
            return Course()
        site, _, name = event.partition(SEP)
        rows = self.fetch(
            "SELECT site, camera, content FROM {schema}.records WHERE site = $1 AND event = $2 "
            "AND kind = 'observation' AND NOT stale ORDER BY at, id LIMIT $3",
            *(site, name, COURSE_MAX),
        )
        seen = [self._read(site, row, "observation") for row in rows]
        return Course(records=(*(each for each in seen if isinstance(each, Observation)), newest))

    def summaries(self, *, event: str, limit: int) -> Sequence[Summary]:
        """The newest text about an event."""
        known = self.event(event)
        found = None if known is None else self.with_text(known).summary
        return [] if found is None else [found][:limit]

    def rings(self, *, camera: str, since: float, until: float, limit: int) -> Sequence[Ring]:
        """Presses of a doorbell in `since <= t < until`, newest first."""
        return [ring for ring, _ in self.rung(Which(camera=camera, since=since, until=until), limit)]

    def by_event(self, events: Sequence[Event]) -> Mapping[str, Sequence[Kept]]:
        """The Pictures of each of these events that are still in the object store of its site, newest first.

        How large one is, the centre is not told: 0.
        """
        return {event.id: found for event in events if (found := self._kept(event))}

    def _kept(self, event: Event) -> Sequence[Kept]:
        site, _, name = event.id.partition(SEP)
        rows = self.fetch(
            "SELECT id, name, extract(epoch FROM time)::float8 AS time FROM {schema}.pictures "
            "WHERE site = $1 AND event = $2 AND expires > now() ORDER BY time DESC, id LIMIT $3",
            *(site, name, PICTURES_MAX),
        )
        return [
            Kept(
                id=f"{site}{SEP}{row['id']}",
                camera=event.camera,
                event=event.id,
                name=row["name"],
                time=row["time"],
                size_bytes=0,
            )
            for row in rows
        ]

    async def shows(self, picture: str) -> bool:
        """Whether this user may see this Picture, and it has not expired; in the loop."""
        site, _, name = picture.partition(SEP)
        if not storable(picture):
            return False
        query = f'SELECT 1 FROM "{self._schema}".pictures WHERE site = $1 AND id = $2 AND expires > now() LIMIT 1'  # noqa: S608
        return bool(await self._fetch(query, (site, name)))


def _line(row: Any) -> EventLine | None:
    """A line; None of what a newer version wrote."""
    try:
        return EventLine(
            id=f"{row['site']}{SEP}{row['id']}",
            camera=f"{row['site']}{SEP}{row['camera']}",
            label=Label(row["label"]),
            started=row["started"],
            ended=row["ended"],
            zones=tuple(str(each) for each in json.loads(row["zones"])),
            peak=row["peak"] or 1,
            loitering=bool(row["loitering"]),
            taken=row["change"] == ParcelChange.TAKEN and row["ended"] is not None,
            interrupted=bool(row["interrupted"]),
            mark=row["mark"] or "",
            title=row["title"],
            importance=None if row["importance"] is None else Importance(row["importance"]),
            source=None if row["source"] is None else Author(row["source"]),
        )
    except ValueError:
        return None


def _picture(row: Any) -> str | None:
    return None if row["picture"] is None else f"{row['site']}{SEP}{row['picture']}"
