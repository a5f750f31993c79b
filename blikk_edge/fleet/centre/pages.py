"""The timeline of all sites, served from the database of the centre to the pages of a node."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, tzinfo
from typing import TYPE_CHECKING, Final

from blikk_edge import __version__
from blikk_edge.asking.searching import WordTower, search
from blikk_edge.core.album import Kept
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.inquiry import QUESTION_MAX, Reply, Search
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.timeline import Beside
from blikk_edge.fleet.centre.asked import Which, storable
from blikk_edge.fleet.centre.changes import Changes
from blikk_edge.fleet.centre.looks import SEP, nearest_of
from blikk_edge.fleet.centre.past import SitesPast
from blikk_edge.fleet.centre.pictures import Pictures
from blikk_edge.language.reading import english, reading
from blikk_edge.net.http.answers import LIMIT_MAX, BadParameterError, RefusedError, json_answer, limit_of, time_of
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.days import clock_named, day_named, day_span, days_of, hours_of, month_named, wall
from blikk_edge.web.looking import label_of, line_content, ring_content
from blikk_edge.web.looks import Looks
from blikk_edge.web.search import LOOK_MAX, SEEN_MAX, Hit, hit_content, merged, seen_hits
from blikk_edge.wire.messages import observation_content
from blikk_edge.wire.values import Json, JsonObject, iso_time

if TYPE_CHECKING:
    from aiohttp import web

LINES_MAX: Final = 1000
"""Events, rings or observations of one answer; a page asks for earlier ones by `until`."""

NAME_MAX: Final = 200
STEP_S: Final = 0.001
"""Times are said in milliseconds: of what happened in the last one of an answer some may have been left out."""

CAMERAS_S: Final = 60.0
KINDS: Final = ("event", "ring", "observation")

_SITE: Final = re.compile(r"[a-z0-9_]{1,100}", re.ASCII)
_CAMERA: Final = re.compile(r"[a-z0-9_]{1,100}/[a-z0-9_]{1,100}", re.ASCII)
_FILTERS: Final = {"site": "of this one", "camera": "of this one, as `site/camera`"}


class SitesPages:
    """What the pages of all sites ask for, in the words of a node's API. `tower` compares words with pictures."""

    name = "sites"

    def __init__(
        self,
        past: SitesPast,
        pictures: Pictures,
        *,
        clock: Clock,
        zone: tzinfo | None = None,
        language: str = "en",
        tower: Callable[[], WordTower | None] = lambda: None,
    ) -> None:
        self._past = past
        self._pictures = pictures
        self._changes = Changes(past, pictures, clock=clock)
        self._clock = clock
        self._zone = zone
        self._language = language
        self._tower = tower
        self._looks = Looks()
        self._cameras: tuple[float, Mapping[str, Sequence[str]]] | None = None

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/v1/node",
                handler=self._node,
                scope=Scope.VIEW,
                summary="The sites and cameras that left records, and what is wrong now.",
            ),
            Route(
                method="GET",
                path="/v1/timeline",
                handler=self._timeline,
                scope=Scope.VIEW,
                summary=f"What happened on a day, newest first, at most {LINES_MAX} of each kind; its hours, and the "
                "days before and after that have events.",
                query={
                    "day": "like 2026-11-21; without it today",
                    **_FILTERS,
                    "label": "of this one",
                    "zone": "that touched this one",
                    "event": "this one alone",
                    "kind": "`event`, `ring` or `observation`; without it events and rings",
                    "from": "from this time of the day on, like 08:30",
                    "to": "before this time of the day",
                    "until": "before this moment, ISO 8601: what comes after the last of an answer",
                },
            ),
            Route(
                method="GET",
                path="/v1/timeline/days",
                handler=self._days,
                scope=Scope.VIEW,
                summary="How many events started on each day of a month; days without any are left out.",
                query={"month": "like 2026-11; without it this one", **_FILTERS},
            ),
            Route(
                method="GET",
                path="/v1/search",
                handler=self._search,
                scope=Scope.VIEW,
                summary="Events whose text, mark or place has these words, or in which something looked like them.",
                query={
                    "q": f"what is looked for, at most {QUESTION_MAX} characters",
                    "day": "on this one, like 2026-11-21; without it in all that is kept",
                    **_FILTERS,
                    "limit": f"how many at most, up to {LIMIT_MAX}",
                },
            ),
            Route(
                method="GET",
                path="/v1/pictures/{id}",
                handler=self._picture,
                scope=Scope.VIEW,
                summary="A picture, redacted, out of the object store of its site.",
                answer="image/jpeg",
            ),
            Route(
                method="GET",
                path="/health",
                handler=self._health,
                scope=Scope.PUBLIC,
                summary="Whether the database answers: 200, or 503. Says no more than that.",
            ),
            self._changes.route(),
        )

    async def close(self) -> None:
        """Look at the database no more."""
        await self._changes.close()

    # -- the sites -----------------------------------------------------------------------------------------------------

    async def _node(self, request: "web.Request") -> "web.StreamResponse":
        problems = list(self._pictures.problems)
        found: Mapping[str, Sequence[str]] = {}
        try:
            found = await self._looks.look(request, self._every_camera)
        except StoreError as error:
            problems.append(str(error))
        one = len(found) == 1
        cameras: list[Json] = [
            {"id": camera, "name": camera.partition(SEP)[2] if one else camera.replace(SEP, " / "), "zones": []}
            for each in found.values()
            for camera in each
        ]
        return json_answer(
            {
                "v": 1,
                "id": "",
                "name": next(iter(found)) if one else "",
                "version": __version__,
                "language": self._language,
                "timezone": None if self._zone is None else str(self._zone),
                "searched": True,
                "pictures": self._pictures.any,
                "clip": False,
                "sites": list(found),
                "cameras": cameras,
                "problems": [*problems],
            }
        )

    def _every_camera(self) -> Mapping[str, Sequence[str]]:
        """The cameras of each site; asked for once a minute, as their names are many. Blocking."""
        now = self._clock.monotonic()
        if self._cameras is None or now - self._cameras[0] > CAMERAS_S:
            self._cameras = now, {site: self._past.cameras(site) for site in self._past.sites()}
        return self._cameras[1]

    async def _health(self, request: "web.Request") -> "web.StreamResponse":
        try:
            await self._looks.look(request, self._past.now)
        except StoreError:
            return json_answer({"status": "the database is away"}, status=503)
        return json_answer({"status": "ok"})

    # -- a day ---------------------------------------------------------------------------------------------------------

    async def _timeline(self, request: "web.Request") -> "web.StreamResponse":
        query, zone, now = request.query, self._zone, self._clock.now()
        today = wall(now, zone).date()
        day = day_named(query, today)
        since, until = day_span(day, zone)
        ends = [clock_named(query, "to", day, zone), time_of(query, "until"), until]
        which = replace(
            _of(query),
            label=label_of(query),
            zone=_text(query, "zone"),
            event=_text(query, "event"),
            since=max(since, clock_named(query, "from", day, zone) or since),
            until=min(each for each in ends if each is not None),
        )
        kind = query.get("kind") or None
        if kind is not None and kind not in KINDS:
            raise BadParameterError(f"`kind` must be one of {', '.join(KINDS)}")
        content = await self._looks.look(request, lambda: self._day(day, which, kind))
        return json_answer({**content, "today": day == today, "now": iso_time(now)})

    def _day(self, day: date, which: Which, kind: str | None) -> JsonObject:
        zone, past = self._zone, self._past
        since, until = day_span(day, zone)
        narrowed = which.label is not None or which.zone is not None or which.event is not None
        lines = past.lines(which, LINES_MAX) if kind in {None, "event"} else ()
        rings = past.rung(which, LINES_MAX) if kind == "ring" or (kind is None and not narrowed) else ()
        seen = past.observations(which, LINES_MAX) if kind == "observation" else ()
        cut = [
            *(lines[-1][0].started for _ in lines[LINES_MAX - 1 :]),
            *(rings[-1][0].time for _ in rings[LINES_MAX - 1 :]),
            *(seen[-1].time for _ in seen[LINES_MAX - 1 :]),
        ]
        before, _ = past.beside(since, camera=which.camera, site=which.site)
        _, after = past.beside(until, camera=which.camera, site=which.site)
        return {
            "v": 1,
            "day": day.isoformat(),
            "since": iso_time(since),
            "until": iso_time(until),
            "hours": [{"time": iso_time(time), "hour": wall(time, zone).hour} for time in hours_of(day, zone)],
            "before": self._day_of(before),
            "after": self._day_of(after),
            "events": [line_content(line, picture) for line, picture in lines],
            "rings": [ring_content(ring, picture) for ring, picture in rings],
            "observations": [_observed(each) for each in seen],
            "more": bool(cut),
            "older": iso_time(max(cut) + STEP_S) if cut else None,
        }

    def _day_of(self, beside: Beside | None) -> str | None:
        return None if beside is None else wall(beside[1], self._zone).date().isoformat()

    async def _days(self, request: "web.Request") -> "web.StreamResponse":
        which = _of(request.query)
        month = month_named(request.query, wall(self._clock.now(), self._zone).date())
        days, edges = days_of(month, self._zone)
        counts = await self._looks.look(request, lambda: self._past.counts(edges, which))
        found: list[Json] = [
            {"day": day.isoformat(), "events": count} for day, count in zip(days, counts, strict=True) if count > 0
        ]
        return json_answer({"v": 1, "month": month.isoformat()[:7], "days": found})

    # -- search --------------------------------------------------------------------------------------------------------

    async def _search(self, request: "web.Request") -> "web.StreamResponse":
        query = request.query
        words = query.get("q", "").strip()
        if not words or len(words) > QUESTION_MAX or not storable(words):
            raise BadParameterError(f"`q` must have 1 to {QUESTION_MAX} characters")
        which, limit = _of(query), limit_of(query)
        since = until = None
        if "day" in query:
            day = day_named(query, wall(self._clock.now(), self._zone).date())
            since, until = day_span(day, self._zone)
        written = replace(which, since=since, until=until, words=tuple(words.casefold().split()))
        camera = which.camera or (None if which.site is None else f"{which.site}{SEP}")
        seen = Search(query=words, camera=camera, since=since, until=until, limit=min(limit, SEEN_MAX))
        found, model, looks = await self._looks.look(request, lambda: self._found(written, seen, limit))
        content: JsonObject = {"v": 1, "q": words, "understood": None, "looks": looks, "model": model}
        return json_answer({**content, "found": found})

    def _found(self, written: Which, seen: Search, limit: int) -> tuple[list[Json], str | None, bool]:
        """What was found, by which model, and whether looks were compared. Blocking."""
        said = {line.id: (line, picture) for line, picture in self._past.lines(written, LOOK_MAX)}
        looked = self._looked(seen)
        hits = merged(([Hit(event, "words") for event in said], seen_hits(looked)))[:limit]
        found: list[Json] = []
        for hit in hits:
            lines = [said[hit.event]] if hit.event in said else self._past.lines(Which(event=hit.event), 1)
            found += [hit_content(hit, line, hit.picture or picture) for line, picture in lines]
        return found, looked.model, looked.ok

    def _looked(self, request: Search) -> Reply:
        readings = [rules for rules in (reading(self._language), english()) if rules is not None]
        past = self._past
        return search(request, history=past, readings=readings, tower=self._tower(), embeddings=nearest_of(past))

    # -- pictures ------------------------------------------------------------------------------------------------------

    async def _picture(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a program with pages needs

        name = request.match_info["id"]
        jpeg = await self._pictures.jpeg(name) if await self._past.shows(name) else None
        if jpeg is None:
            raise RefusedError(404, "there is no such picture (any more)")
        return web.Response(body=jpeg, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


class SitesAlbum:
    """Implements `web.events.EventPictures` for all sites; made in the running loop."""

    def __init__(self, past: SitesPast, pictures: Pictures) -> None:
        self._past = past
        self._pictures = pictures
        self._loop = asyncio.get_running_loop()

    def by_event(self, events: Sequence[Event]) -> Mapping[str, Sequence[Kept]]:
        """Those of each of these events that has some."""
        return self._past.by_event(events)

    def jpeg(self, id: str) -> bytes | None:  # noqa: A002  # the word of the contract
        """The bytes of one; None where it is not there (any more), or may not be seen."""
        return asyncio.run_coroutine_threadsafe(self._jpeg(id), self._loop).result()

    async def _jpeg(self, name: str) -> bytes | None:
        return await self._pictures.jpeg(name) if await self._past.shows(name) else None


def _observed(observation: Observation) -> JsonObject:
    """Without what only a program can read."""
    return {
        name: value
        for name, value in observation_content(observation).items()
        if name not in {"appearances", "embedding"}
    }


def _of(query: Mapping[str, str]) -> Which:
    """The parameters `site` and `camera`; raises BadParameterError."""
    site, camera = query.get("site") or None, query.get("camera") or None
    if site is not None and not _SITE.fullmatch(site):
        raise BadParameterError("`site` must be the id of a site")
    if camera is not None and not _CAMERA.fullmatch(camera):
        raise BadParameterError("`camera` must be like site/camera")
    return Which(site=site, camera=camera)


def _text(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name, "")
    if len(text) > NAME_MAX or not storable(text):
        raise BadParameterError(f"`{name}` must be a text of at most {NAME_MAX} characters")
    return text or None
