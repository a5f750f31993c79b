"""The picture API: `contract/media.md`."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from blikk_edge.core.album import Album, Kept
from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import History
from blikk_edge.core.recordings import EventClips
from blikk_edge.core.sightings import Label
from blikk_edge.net.http.answers import BadParameterError, RefusedError, json_answer, limit_of, time_of
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.looks import Looks
from blikk_edge.wire.messages import event_content
from blikk_edge.wire.texts import text_content
from blikk_edge.wire.values import Json, JsonObject, iso_time

if TYPE_CHECKING:
    from aiohttp import web

CAMERA = {"camera": "Only of this camera."}
LIMIT = {"limit": "At most so many, 1 to 500; 100 where it is left out."}


class MediaApi:
    """Serves kept Pictures and their events."""

    name = "media"

    def __init__(self, album: Album, history: History, recordings: EventClips | None = None) -> None:
        self._album = album
        self._recordings = recordings
        self._history = history
        self._looks = Looks()

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/v1/days",
                handler=self._days,
                scope=Scope.VIEW,
                summary="On which days pictures were kept, and how many, newest first.",
                query=CAMERA,
            ),
            Route(
                method="GET",
                path="/v1/pictures",
                handler=self._pictures,
                scope=Scope.VIEW,
                summary="The pictures that are kept, newest first.",
                query={**CAMERA, "day": "Only of this day, as 2026-11-21.", "event": "Only of this event.", **LIMIT},
            ),
            Route(
                method="GET",
                path="/v1/pictures/{id}",
                handler=self._picture,
                scope=Scope.VIEW,
                summary="A picture, redacted.",
                answer="image/jpeg",
            ),
            Route(
                method="GET",
                path="/v1/events",
                handler=self._events,
                scope=Scope.VIEW,
                summary="Events with their summaries and pictures, newest first.",
                query={
                    **CAMERA,
                    "label": "Only of this label.",
                    "since": "Only those that began then or later, ISO 8601.",
                    "until": "Only those that began before then, ISO 8601.",
                    **LIMIT,
                },
            ),
        )

    async def _days(self, request: "web.Request") -> "web.StreamResponse":
        days = await self._looks.look(request, lambda: self._album.days(camera=request.query.get("camera")))
        return json_answer(
            {
                "v": 1,
                "days": [
                    {"day": each.day.isoformat(), "camera": each.camera, "pictures": each.pictures} for each in days
                ],
            }
        )

    async def _pictures(self, request: "web.Request") -> "web.StreamResponse":
        query = request.query
        day, limit = _day(query), limit_of(query)
        kept = await self._looks.look(
            request,
            lambda: self._album.pictures(camera=query.get("camera"), day=day, event=query.get("event"), limit=limit),
        )
        return json_answer({"v": 1, "pictures": [_picture(each) for each in kept]})

    async def _picture(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with this server needs

        jpeg = await self._looks.look(request, lambda: self._album.jpeg(request.match_info["id"]))
        if jpeg is None:
            raise RefusedError(404, "there is no such picture (any more)")
        return web.Response(body=jpeg, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})

    async def _events(self, request: "web.Request") -> "web.StreamResponse":
        query = request.query
        since, until = time_of(query, "since"), time_of(query, "until")
        limit, label = limit_of(query), _label(query)
        listed = await self._looks.look(request, lambda: self._listed(query.get("camera"), label, since, until, limit))
        return json_answer({"v": 1, "events": listed})

    def _listed(
        self, camera: str | None, label: Label | None, since: float | None, until: float | None, limit: int
    ) -> list[Json]:
        listed: list[Json] = []
        events = self._history.events(camera=camera, label=label, since=since, until=until, limit=limit)
        pictures = self._album.by_event(events)
        for event in events:
            summary = next(iter(self._history.summaries(event=event.id, limit=1)), None)
            listed.append(
                {
                    **event_content(event),
                    "summary": None if summary is None else text_content(summary),
                    "pictures": [_picture(each) for each in pictures.get(event.id, ())],
                    "clip": self._clip(event),
                }
            )
        return listed

    def _clip(self, event: Event) -> JsonObject | None:
        """Whether there is a recording of it; of one that goes on there is none yet."""
        if self._recordings is None or event.ended is None:
            return None
        try:
            there = self._recordings.recorded(event.camera, event.id, event.started, event.ended)
        except StoreError:
            return None
        return {"redacted": self._recordings.redacts(event.camera)} if there else None


def _picture(kept: Kept) -> JsonObject:
    return {
        "id": kept.id,
        "camera": kept.camera,
        "event": kept.event,
        "name": kept.name,
        "time": iso_time(kept.time),
        "bytes": kept.size_bytes,
    }


def _day(query: Mapping[str, str]) -> date | None:
    try:
        return date.fromisoformat(query["day"]) if "day" in query else None
    except ValueError:
        raise BadParameterError("`day` must be like 2026-11-21") from None


def _label(query: Mapping[str, str]) -> Label | None:
    try:
        return Label(query["label"]) if "label" in query else None
    except ValueError:
        raise BadParameterError(f"`label` must be one of {', '.join(Label)}") from None
