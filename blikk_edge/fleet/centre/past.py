"""The past of all sites, as pages show it: what each role of the database may see, in the order of time."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from blikk_edge.core.album import Kept
from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event, Observation, Ring
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Author, Importance, Summary
from blikk_edge.core.timeline import Beside, Course, EventLine
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.centre.looks import SEP, FleetLooks
from blikk_edge.sinks.postgres.kind import PostgresOptions

LOG = logging.getLogger("blikk.pages")

REACHES_S: Final = 86_400.0
"""Of what began longer than this before a period nothing is shown in it."""

COURSE_MAX: Final = 500
PICTURES_MAX: Final = 100
CHANGES_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """What is looked for; each field that is None restricts nothing.

    Attributes:
        since: From this time on, seconds since 1970 UTC.
        until: Before this time.
        site: Of this site.
        camera: Of this camera, as `site/camera`.
        label: What it is about.
        zone: That touched this zone.
        event: This one alone, as `site/event`.
        words: Words in title, text, mark, zones, camera or label, in small letters; all of them.
    """

    since: float | None = None
    until: float | None = None
    site: str | None = None
    camera: str | None = None
    label: Label | None = None
    zone: str | None = None
    event: str | None = None
    words: tuple[str, ...] = ()


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

    Every method but `attach` and `close` is blocking, is called off the loop, and raises StoreError.
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
        return [row["site"] for row in self.fetch(_EVERY_SITE)]

    def cameras(self, site: str) -> Sequence[str]:
        """The cameras of a site that left records, as `site/camera`."""
        return [f"{site}{SEP}{row['camera']}" for row in self.fetch(_EVERY_CAMERA, site)]

    def lines(self, which: Which, limit: int) -> Sequence[tuple[EventLine, str | None]]:
        """Events of which any part lies in the time, newest first, and the id of the newest Picture of each."""
        where, values = _where(which, "event", reaches=True)
        words = _words(which.words, values)
        rows = self.fetch(_written_out(_LINES, where, limit, words=words), *values)
        found = [(_line(row), row) for row in rows]
        return [(line, _picture(row)) for line, row in found if line is not None]

    def rung(self, which: Which, limit: int) -> Sequence[tuple[Ring, str | None]]:
        """Presses of doorbells, newest first, and the id of the newest Picture of each."""
        where, values = _where(which, "ring")
        rows = self.fetch(_written_out(_WITH_PICTURE, where, limit), *values)
        found = [(self._read(row["site"], row, "ring"), row) for row in rows]
        return [(ring, _picture(row)) for ring, row in found if isinstance(ring, Ring)]

    def observations(self, which: Which, limit: int) -> Sequence[Observation]:
        """What was observed, newest first."""
        where, values = _where(which, "observation")
        query = f"SELECT site, camera, content FROM {{schema}}.records r WHERE {where}"  # noqa: S608 - fixed clauses
        rows = self.fetch(f"{query} ORDER BY at DESC, id DESC LIMIT {max(0, limit)}", *values)
        found = [self._read(row["site"], row, "observation") for row in rows]
        return [each for each in found if isinstance(each, Observation)]

    def counts(self, edges: Sequence[float], which: Which) -> Sequence[int]:
        """How many events started between each two of these times."""
        where, values = _where(replace(which, since=edges[0], until=edges[-1]), "event")
        times = [_moment(edge) for edge in edges]
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
            for row in self.fetch(_CHANGES, after, CHANGES_MAX)
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
            where, values = _where(Which(camera=camera, site=site), "event")
            at = len(values)
            query = (
                "SELECT site, id, extract(epoch FROM at)::float8 AS started FROM {schema}.records r "  # noqa: S608
                f"WHERE {where} AND (at, id) {sign} (${at + 1}, ${at + 2}) ORDER BY at {order}, id {order} LIMIT 1"
            )
            rows = self.fetch(query, *values, _moment(time), event.partition(SEP)[2])
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

    def may_see(self, picture: str) -> bool:
        """Whether this user may see this Picture, and it has not expired."""
        site, _, name = picture.partition(SEP)
        if not storable(picture):
            return False
        query = "SELECT 1 FROM {schema}.pictures WHERE site = $1 AND id = $2 AND expires > now() LIMIT 1"
        return bool(self.fetch(query, site, name))


_EVERY_SITE: Final = """
WITH RECURSIVE named AS (
    (SELECT site FROM {schema}.records ORDER BY site LIMIT 1)
    UNION ALL
    SELECT (SELECT r.site FROM {schema}.records r WHERE r.site > named.site ORDER BY r.site LIMIT 1)
    FROM named WHERE named.site IS NOT NULL
)
SELECT site FROM named WHERE site IS NOT NULL
"""
"""From one site to the next by the index: a table of millions of rows is not read for a handful of names."""

_EVERY_CAMERA: Final = """
WITH RECURSIVE named AS (
    (SELECT camera FROM {schema}.records WHERE site = $1 AND camera IS NOT NULL ORDER BY camera LIMIT 1)
    UNION ALL
    SELECT (
        SELECT r.camera FROM {schema}.records r WHERE r.site = $1 AND r.camera > named.camera ORDER BY r.camera LIMIT 1
    )
    FROM named WHERE named.camera IS NOT NULL
)
SELECT camera FROM named WHERE camera IS NOT NULL
"""

_PICTURE: Final = """
LEFT JOIN LATERAL (
    SELECT p.id FROM {schema}.records p
    WHERE p.site = r.site AND p.event = r.id AND p.kind = 'picture' AND NOT p.stale
    AND p.at >= r.at - interval '1 day' AND p.at < r.at + interval '7 days'
    AND (p.content->>'expires')::timestamptz > now() ORDER BY p.time DESC LIMIT 1
) picture ON true
"""
"""The bounds of its time leave out the partitions of other months."""

_LINES: Final = """
SELECT r.site, r.id, r.camera, r.label, extract(epoch FROM r.at)::float8 AS started,
    extract(epoch FROM (r.content->>'ended')::timestamptz)::float8 AS ended,
    coalesce(r.content->'zones', '[]') AS zones, (r.content->>'peak')::integer AS peak,
    (r.content->>'loitering')::boolean AS loitering, r.content->>'change' AS change,
    r.content->>'interrupted' = 'true' AS interrupted, r.content->>'mark' AS mark,
    said.content->>'title' AS title, said.content->>'importance' AS importance, said.content->>'source' AS source,
    picture.id AS picture
FROM (
    SELECT * FROM {schema}.records r WHERE {where} ORDER BY r.at DESC, r.id DESC LIMIT {limit}
) r
LEFT JOIN LATERAL (
    SELECT s.content FROM {schema}.records s
    WHERE s.site = r.site AND s.event = r.id AND s.kind = 'summary' AND NOT s.stale
    AND s.at >= r.at - interval '1 day' AND s.at < r.at + interval '7 days' ORDER BY s.revision DESC LIMIT 1
) said ON true
{picture}
WHERE true {words} ORDER BY r.at DESC, r.id DESC
"""

_WITH_PICTURE: Final = """
SELECT r.site, r.camera, r.content, picture.id AS picture
FROM (SELECT * FROM {schema}.records r WHERE {where} ORDER BY r.at DESC, r.id DESC LIMIT {limit}) r
{picture}
ORDER BY r.at DESC, r.id DESC
"""

_CHANGES: Final = """
SELECT site, kind, id, revision, camera, event FROM {schema}.records
WHERE stored > $1 AND at > now() - interval '2 days' AND kind IN ('event', 'ring', 'summary', 'picture')
AND camera IS NOT NULL AND NOT stale ORDER BY stored DESC LIMIT $2
"""


def _written_out(query: str, where: str, limit: int, **more: str) -> str:
    return query.format(where=where, limit=max(0, limit), picture=_PICTURE, schema="{schema}", **more)


def _where(which: Which, kind: str, *, reaches: bool = False) -> tuple[str, list[Any]]:
    """The condition on `records r`, and its values. With `reaches` also what began before and goes on into the time."""
    of, _, camera = (which.camera or "").rpartition(SEP)
    site, _, event = (which.event or "").rpartition(SEP)
    sites = {each for each in (which.site, of or None, site or None) if each is not None}
    since = which.since
    values: list[Any] = [kind]
    clauses = ["r.kind = $1", "NOT r.stale"]

    def add(clause: str, value: Any) -> None:
        values.append(value)
        clauses.append(clause.format(f"${len(values)}"))

    for each in sorted(sites):
        add("r.site = {}", each)
    if camera:
        add("r.camera = {}", camera)
    if since is not None:
        add("r.at >= {}", _moment(since - REACHES_S if reaches else since))
        if reaches:
            add("(r.at >= {0} OR coalesce((r.content->>'ended')::timestamptz, 'infinity') > {0})", _moment(since))
    if which.until is not None:
        add("r.at < {}", _moment(which.until))
    if which.label is not None and kind == "event":
        add("r.label = {}", which.label.value)
    if which.label is not None and kind == "observation":
        add("r.content->'objects' @> jsonb_build_array(jsonb_build_object('label', {}::text))", which.label.value)
    if which.zone is not None:
        add("jsonb_exists(r.content->'zones', {})", which.zone)
    if event:
        add("r.event = {}" if kind != "event" else "r.id = {}", event)
    return " AND ".join(clauses), values


def _words(words: Sequence[str], values: list[Any]) -> str:
    """The condition that all of these words are said of an event; its values are added."""
    said = (
        "lower(concat_ws(' ', said.content->>'title', said.content->>'text', r.content->>'mark', r.content->>'zones', "
        "r.site, r.camera, r.label))"
    )
    clauses = []
    for word in words:
        values.append(word)
        clauses.append(f"AND strpos({said}, ${len(values)}) > 0")
    return " ".join(clauses)


def storable(text: str) -> bool:
    """Whether a database takes it: it knows neither NUL nor half a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


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


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(0.0, seconds), UTC)
