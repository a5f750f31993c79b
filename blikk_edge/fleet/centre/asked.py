"""What is asked of the tables of the centre: conditions and statements, in which `{schema}` stands for the schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from blikk_edge.core.sightings import Label
from blikk_edge.fleet.centre.looks import SEP

REACHES_S: Final = 86_400.0
"""Of what began longer than this before a period nothing is shown in it."""


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


EVERY_SITE: Final = """
WITH RECURSIVE named AS (
    (SELECT site FROM {schema}.records ORDER BY site LIMIT 1)
    UNION ALL
    SELECT (SELECT r.site FROM {schema}.records r WHERE r.site > named.site ORDER BY r.site LIMIT 1)
    FROM named WHERE named.site IS NOT NULL
)
SELECT site FROM named WHERE site IS NOT NULL
"""
"""From one site to the next by the index: a table of millions of rows is not read for a handful of names."""

EVERY_CAMERA: Final = """
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

LINES: Final = """
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

WITH_PICTURE: Final = """
SELECT r.site, r.camera, r.content, picture.id AS picture
FROM (SELECT * FROM {schema}.records r WHERE {where} ORDER BY r.at DESC, r.id DESC LIMIT {limit}) r
{picture}
ORDER BY r.at DESC, r.id DESC
"""

CHANGES: Final = """
SELECT site, kind, id, revision, camera, event FROM {schema}.records
WHERE stored > $1 AND at > now() - interval '2 days' AND kind IN ('event', 'ring', 'summary', 'picture')
AND camera IS NOT NULL AND NOT stale ORDER BY stored DESC LIMIT $2
"""


def written_out(query: str, where: str, limit: int, **more: str) -> str:
    """A statement with its condition and limit in it; the schema is left to `FleetLooks.fetch`."""
    return query.format(where=where, limit=max(0, limit), picture=_PICTURE, schema="{schema}", **more)


def where_of(which: Which, kind: str, *, reaches: bool = False) -> tuple[str, list[Any]]:
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
        add("r.at >= {}", moment(since - REACHES_S if reaches else since))
        if reaches:
            add("(r.at >= {0} OR coalesce((r.content->>'ended')::timestamptz, 'infinity') > {0})", moment(since))
    if which.until is not None:
        add("r.at < {}", moment(which.until))
    if which.label is not None and kind == "event":
        add("r.label = {}", which.label.value)
    if which.label is not None and kind == "observation":
        add("r.content->'objects' @> jsonb_build_array(jsonb_build_object('label', {}::text))", which.label.value)
    if which.zone is not None:
        add("jsonb_exists(r.content->'zones', {})", which.zone)
    if event:
        add("r.event = {}" if kind != "event" else "r.id = {}", event)
    return " AND ".join(clauses), values


def words_of(words: Sequence[str], values: list[Any]) -> str:
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


def moment(seconds: float) -> datetime:
    """A time, seconds since 1970 UTC, as the database has it."""
    return datetime.fromtimestamp(max(0.0, seconds), UTC)
