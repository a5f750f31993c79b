"""The timeline: the events of a day, and which days have some."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from blikk_edge.core.observation import Ring
from blikk_edge.core.sightings import Label
from blikk_edge.core.timeline import Beside, EventLine
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import json_answer
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.days import day_named, day_span, days_of, hours_of, month_named, wall
from blikk_edge.web.looking import camera_of, label_of, line_content, newest_pictures, ring_content
from blikk_edge.web.looks import Looks
from blikk_edge.web.options import NONE
from blikk_edge.wire.values import Json, JsonObject, iso_time

if TYPE_CHECKING:
    from aiohttp import web

LINES_MAX: Final = 10_000
RINGS_MAX: Final = 1000
NAME_MAX: Final = 200


class Timeline:
    """Lines of a day's events, filtered; the calendar of days that have some."""

    name = "timeline"

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._history = context.node.history
        self._looks = Looks()

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/v1/timeline",
                handler=self._timeline,
                scope=Scope.VIEW,
                summary="The events of a day, newest first, and rings; its hours, and the days before and after that "
                "have events. A day is that of the node's time zone.",
                query={
                    "day": "like 2026-11-21; without it today",
                    "camera": "of this one",
                    "label": "of this one",
                    "zone": "that touched this one",
                    "event": "this one alone",
                },
            ),
            Route(
                method="GET",
                path="/v1/timeline/days",
                handler=self._days,
                scope=Scope.VIEW,
                summary="How many events started on each day of a month; days without any are left out.",
                query={"month": "like 2026-11; without it this one", "camera": "of this one"},
            ),
        )

    async def _timeline(self, request: "web.Request") -> "web.StreamResponse":
        query, zone = request.query, self._context.node.locale().timezone
        camera, label = camera_of(query, self._context), label_of(query)
        now = self._context.node.clock.now()
        today = wall(now, zone).date()
        day = day_named(query, today)
        place, event = (query.get(name, "")[:NAME_MAX] or None for name in ("zone", "event"))
        content = await self._looks.look(request, lambda: self._day(day, camera, label, place, event))
        return json_answer({**content, "today": day == today, "now": iso_time(now)})

    def _day(
        self, day: date, camera: str | None, label: Label | None, place: str | None, event: str | None
    ) -> JsonObject:
        zone, album = self._context.node.locale().timezone, self._context.node.album
        since, until = day_span(day, zone)
        lines = self._history.lines(
            since=since, until=until, camera=camera, label=label, zone=place, event=event, limit=LINES_MAX
        )
        rings: Sequence[Ring] = ()
        if label is None and place is None and event is None:
            rings = self._history.rings(camera=camera, since=since, until=until, limit=RINGS_MAX)
        rung = [EventLine(id=r.id, camera=r.camera, label=Label.PERSON, started=r.time, ended=r.time) for r in rings]
        pictures = newest_pictures(album, [*lines, *rung], self._context)
        before, _ = self._history.beside(since, camera=camera)
        _, after = self._history.beside(until, camera=camera)
        return {
            "v": 1,
            "day": day.isoformat(),
            "since": iso_time(since),
            "until": iso_time(until),
            "hours": [{"time": iso_time(time), "hour": wall(time, zone).hour} for time in hours_of(day, zone)],
            "before": self._day_of(before),
            "after": self._day_of(after),
            "events": [line_content(line, pictures.get(line.id)) for line in lines],
            "rings": [ring_content(ring, pictures.get(ring.id)) for ring in rings],
            "more": len(lines) == LINES_MAX,
        }

    def _day_of(self, beside: Beside | None) -> str | None:
        zone = self._context.node.locale().timezone
        return None if beside is None else wall(beside[1], zone).date().isoformat()

    async def _days(self, request: "web.Request") -> "web.StreamResponse":
        zone = self._context.node.locale().timezone
        camera = camera_of(request.query, self._context)
        month = month_named(request.query, wall(self._context.node.clock.now(), zone).date())
        days, edges = days_of(month, zone)
        counts = await self._looks.look(request, lambda: self._history.counts(edges, camera=camera))
        found: list[Json] = [
            {"day": day.isoformat(), "events": count} for day, count in zip(days, counts, strict=True) if count > 0
        ]
        return json_answer({"v": 1, "month": month.isoformat()[:7], "days": found})


KIND: Kind[PageContext, Timeline] = Kind(
    name="timeline",
    meaning="A day at a glance: its events, and which days have some.",
    options=NONE,
    make=lambda _options, context: Timeline(context),
)
