"""Looks at the disk for the API, one at a time, and what several answers say in the same words."""

from collections.abc import Iterable, Mapping, Sequence

from blikk_edge.core.album import Album, Kept
from blikk_edge.core.observation import Ring
from blikk_edge.core.sightings import Label
from blikk_edge.core.timeline import EventLine
from blikk_edge.net.http.answers import BadParameterError, RefusedError
from blikk_edge.web.context import PageContext
from blikk_edge.web.days import wall
from blikk_edge.wire.values import JsonObject, iso_time

PICTURES_MAX = 50_000
"""Pictures of one day that are looked through for those of its events."""


def camera_of(query: Mapping[str, str], context: PageContext) -> str | None:
    """The parameter `camera`; raises RefusedError for one that is not here and left no event."""
    camera = query.get("camera") or None
    if camera is not None and camera not in {each.id for each in context.node.node.cameras}:
        raise RefusedError(404, f"there is no camera {camera[:40]!r} on this node")
    return camera


def label_of(query: Mapping[str, str]) -> Label | None:
    """The parameter `label`; raises BadParameterError."""
    try:
        return Label(query["label"]) if query.get("label") else None
    except ValueError:
        raise BadParameterError(f"`label` must be one of {', '.join(Label)}") from None


def line_content(line: EventLine, picture: str | None) -> JsonObject:
    """A line of the timeline."""
    content: JsonObject = {
        "id": line.id,
        "camera": line.camera,
        "label": line.label.value,
        "started": iso_time(line.started),
        "ended": None if line.ended is None else iso_time(line.ended),
        "zones": list(line.zones),
        "peak": line.peak,
        "title": line.title,
        "picture": picture,
    }
    if line.importance is not None:
        content["importance"] = line.importance.value
    if line.loitering:
        content["loitering"] = True
    if line.taken:
        content["taken"] = True
    if line.interrupted:
        content["interrupted"] = True
    if line.mark:
        content["mark"] = line.mark
    return content


def ring_content(ring: Ring, picture: str | None) -> JsonObject:
    """A press of a doorbell."""
    content: JsonObject = {"id": ring.id, "camera": ring.camera, "time": iso_time(ring.time), "picture": picture}
    return {**content, "mark": ring.mark} if ring.mark else content


def newest_pictures(album: Album | None, lines: Sequence[EventLine], context: PageContext) -> Mapping[str, str]:
    """The newest Picture of each event that has one, which is its best; by the event's id. Blocking."""
    if album is None or not lines:
        return {}
    zone, now = context.node.locale().timezone, context.node.clock.now()
    days = {wall(time, zone).date() for line in lines for time in (line.started, line.ended or now)}
    found: dict[str, Kept] = {}
    for day in sorted(days):
        _take_newest(found, album.pictures(day=day, limit=PICTURES_MAX))
    return {event: kept.id for event, kept in found.items()}


def _take_newest(found: dict[str, Kept], pictures: Iterable[Kept]) -> None:
    for kept in pictures:
        if kept.event is not None and (kept.event not in found or found[kept.event].time < kept.time):
            found[kept.event] = kept
