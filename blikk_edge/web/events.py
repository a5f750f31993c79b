"""One event: all that is known of it, its pictures, and the file that replays it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from blikk_edge import __version__
from blikk_edge.core.album import Kept
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event, Observation, Ring
from blikk_edge.core.paths import EventPath
from blikk_edge.core.recordings import EventClip, EventClips
from blikk_edge.core.summary import Author, Checked, Summary
from blikk_edge.core.timeline import Beside, Course
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import RefusedError, json_answer
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.looking import ring_content
from blikk_edge.web.looks import Looks
from blikk_edge.web.options import NONE
from blikk_edge.wire.exports import write_export
from blikk_edge.wire.messages import event_content, observation_content
from blikk_edge.wire.texts import text_content
from blikk_edge.wire.values import Json, JsonObject, iso_time

if TYPE_CHECKING:
    from aiohttp import web

RINGS_MAX: Final = 20
EXPORTS_MAX: Final = 4
"""Are made and sent at once: each has up to a hundred pictures, in memory."""

CLIP_S: Final = 30.0
"""Until a clip is made: recordings may lie on a share that does not answer."""

CLIP_KNOWN_S: Final = 2.0

RANG_BEFORE_S: Final = 10.0
"""Who rings may be seen only after."""

_FILE_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]")


class EventHistory(Protocol):
    """What is asked of a history about one event; see `core.ports.History`. Blocking, raises StoreError."""

    def event(self, id: str, /) -> Event | None:  # noqa: A002  # the glossary's word
        """The newest revision of an event, or None."""
        ...

    def course(self, event: str, /) -> Course:
        """How an event went."""
        ...

    def summaries(self, *, event: str, limit: int) -> Sequence[Summary]:
        """The newest revision of each Summary of an event."""
        ...

    def rings(self, *, camera: str, since: float, until: float, limit: int) -> Sequence[Ring]:
        """Presses of a doorbell in `since <= t < until`."""
        ...

    def beside(self, time: float, event: str, /, *, camera: str) -> tuple[Beside | None, Beside | None]:
        """The event before and the one after."""
        ...


class EventPictures(Protocol):
    """What is asked of an album about one event; see `core.album.Album`. Blocking, raises StoreError."""

    def by_event(self, events: Sequence[Event], /) -> Mapping[str, Sequence[Kept]]:
        """The newest Pictures of each of these events that has some, by its id."""
        ...

    def jpeg(self, id: str, /) -> bytes | None:  # noqa: A002  # the word of the contract
        """The bytes of one; None where it is not there (any more)."""
        ...


class Events:
    """What a history and an album hold of one event."""

    name = "events"

    def __init__(
        self,
        history: EventHistory,
        album: EventPictures | None,
        clock: Clock,
        recordings: EventClips | None = None,
    ) -> None:
        self._history = history
        self._album = album
        self._clock = clock
        self._recordings = recordings
        self._looks = Looks()
        self._clip_looks = Looks()
        self._exports = 0

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/v1/events/{id}",
                handler=self._event,
                scope=Scope.VIEW,
                summary="All that is known of an event: its newest revision, how it went as far as that was kept, "
                "where its members went, rings, pictures, its summary and who wrote that, and the events beside it.",
            ),
            Route(
                method="GET",
                path="/v1/events/{id}/export",
                handler=self._export,
                scope=Scope.VIEW,
                summary="The event as a zip that `blikk replay` reads: records, what is known, redacted pictures.",
                answer="application/zip",
            ),
            Route(
                method="GET",
                path="/v1/events/{id}/clip",
                handler=self._clip,
                scope=Scope.VIEW,
                summary="The recording of the event; faces in it are not blurred, unless `clip.redacted` of the event "
                "says so. Parts of it are given by `Range`.",
                answer="video/mp4",
            ),
        )

    async def _event(self, request: "web.Request") -> "web.StreamResponse":
        name = request.match_info["id"]
        content = await self._looks.look(request, lambda: self._known(name, self._history.course(name)))
        return json_answer({**content, "clip": await self._clip_known(request, name)})

    async def _clip_known(self, request: "web.Request", name: str) -> JsonObject | None:
        """Whether there is a clip; a folder that does not answer has none."""
        recordings = self._recordings
        if recordings is None:
            return None

        def known() -> JsonObject | None:
            event = self._found(name)
            if not recordings.recorded(event.camera, event.id, event.started, event.ended):
                return None
            return {"redacted": recordings.redacts(event.camera)}

        try:
            async with asyncio.timeout(CLIP_KNOWN_S):
                return await self._clip_looks.look(request, known)
        except (TimeoutError, StoreError):
            return None

    async def _clip(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with pages needs

        name, recordings = request.match_info["id"], self._recordings

        def made() -> EventClip | None:
            event = self._found(name)
            return None if recordings is None else recordings.clip(event.camera, event.id, event.started, event.ended)

        try:
            async with asyncio.timeout(CLIP_S):
                clip = await self._clip_looks.look(request, made)
        except TimeoutError:
            raise RefusedError(503, "the folder of recordings does not answer; check its disk or share") from None
        except StoreError as error:
            raise RefusedError(503, str(error)) from error
        if clip is None:
            raise RefusedError(404, "there is no recording of this event (any more) that may be shown")
        return web.FileResponse(clip.path, headers={"Cache-Control": "no-store", "Content-Type": "video/mp4"})

    async def _export(self, request: "web.Request") -> "web.StreamResponse":
        name = request.match_info["id"]
        if self._exports >= EXPORTS_MAX:
            raise RefusedError(503, "too many events are being exported; try again when they are done")
        self._exports += 1
        try:
            return await self._sent(request, name)
        finally:
            self._exports -= 1

    async def _sent(self, request: "web.Request", name: str) -> "web.StreamResponse":
        """The export, once the client has taken it."""
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with pages needs

        made = await self._looks.look(request, lambda: self._exported(name))
        file_name = _FILE_NAME.sub("_", name)
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{file_name}.zip"'}
        answer = web.Response(body=made, content_type="application/zip", headers=headers)
        await answer.prepare(request)
        await answer.write_eof()
        return answer

    def _exported(self, name: str) -> bytes:
        album, course = self._album, self._history.course(name)
        about = self._known(name, course)
        event = self._found(name)
        kept = sorted(self._pictures(event), key=lambda each: each.time)
        pictures = [
            (each.name, each.time, jpeg)
            for each in kept
            if album is not None and (jpeg := album.jpeg(each.id)) is not None
        ]
        return write_export(course.records or (event,), {"blikk": __version__, **about}, pictures)

    def _known(self, name: str, course: Course) -> JsonObject:
        """What the API says of an event; raises RefusedError where it is not there."""
        event = self._found(name)
        summary = next(iter(self._history.summaries(event=name, limit=1)), None)
        until = self._clock.now() if event.ended is None else event.ended
        rings = self._history.rings(
            camera=event.camera, since=event.started - RANG_BEFORE_S, until=until + 1.0, limit=RINGS_MAX
        )
        before, after = self._history.beside(event.started, event.id, camera=event.camera)
        return {
            "v": 1,
            "event": event_content(event),
            "course": {"whole": course.whole, "records": [_record(each) for each in course.records]},
            "path": None if course.path is None else path_content(course.path),
            "summary": None if summary is None else {**text_content(summary), "why": why(summary)},
            "rings": [ring_content(ring, None) for ring in rings],
            "pictures": [_kept(each) for each in self._pictures(event)],
            "before": _beside(before),
            "after": _beside(after),
        }

    def _found(self, name: str) -> Event:
        event = self._history.event(name)
        if event is None:
            raise RefusedError(404, "there is no such event (any more)")
        return event

    def _pictures(self, event: Event) -> Sequence[Kept]:
        album = self._album
        return () if album is None else album.by_event([event]).get(event.id, ())


def events_of(context: PageContext) -> Events:
    """Those of a node."""
    node = context.node
    return Events(node.history, node.album, node.clock, context.recordings)


def why(summary: Summary) -> str:
    """Why a text was written as it was: `model`, `model_partly`, `refused` or `unasked`.

    A text that cost tokens and is the template's took the place of one that was not supported or not whole.
    """
    if summary.source is Author.LLM:
        return "model" if summary.checked is Checked.WHOLE else "model_partly"
    return "refused" if summary.input_tokens or summary.output_tokens else "unasked"


def path_content(path: EventPath) -> JsonObject:
    """Where the members went: of each track its points, as seconds after `since` and the sides of a box."""
    since = path.points[0].time if path.points else 0.0
    tracks: dict[int, list[Json]] = {}
    for point in path.points:
        box = point.box
        sides: list[Json] = [round(side, 4) for side in (box.x1, box.y1, box.x2, box.y2)]
        tracks.setdefault(point.track, []).append([round(point.time - since, 3), *sides])
    return {
        "since": iso_time(since),
        "tracks": [{"track": number, "points": points} for number, points in tracks.items()],
    }


def _record(record: Observation | Event) -> JsonObject:
    if isinstance(record, Event):
        return {"record": "event", **event_content(record)}
    return {"record": "observation", **observation_content(record)}


def _kept(kept: Kept) -> JsonObject:
    return {"id": kept.id, "name": kept.name, "time": iso_time(kept.time), "bytes": kept.size_bytes}


def _beside(beside: Beside | None) -> JsonObject | None:
    return None if beside is None else {"id": beside[0], "started": iso_time(beside[1])}


KIND: Kind[PageContext, Events] = Kind(
    name="events",
    meaning="One event: all that is known of it, and the file that replays it.",
    options=NONE,
    make=lambda _options, context: events_of(context),
)
