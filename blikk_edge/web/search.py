"""Search in what was seen and written: by the words of texts and marks, by label, place and time, and by looks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from blikk_edge.core.inquiry import QUESTION_MAX, AskQuestion, Reply, Search
from blikk_edge.core.timeline import EventLine
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import LIMIT_MAX, BadParameterError, json_answer, limit_of
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.days import day_named, day_span, wall
from blikk_edge.web.looking import camera_of, line_content, newest_pictures
from blikk_edge.web.looks import Looks
from blikk_edge.web.options import NONE
from blikk_edge.wire.inquiries import query_content
from blikk_edge.wire.values import Json, JsonObject

if TYPE_CHECKING:
    from aiohttp import web

LOOK_MAX: Final = 5000
"""Texts, and events, that are looked through for words: about a second on a small machine."""

SEEN_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that was found.

    Attributes:
        event: Its id.
        by: `words` of its text or mark, `meaning` (label, place and time), `concept` or `colour`.
        score: The cosine of words and picture, where a model compared them.
        picture: The id of the kept Picture that is nearest to what was found.
    """

    event: str
    by: str
    score: float | None = None
    picture: str | None = None


class SearchPage:
    """Finds events by what their texts say, by what a question means, and by what things looked like.

    No language model is asked: a search costs nothing.
    """

    name = "search"

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._history = context.node.history
        self._looks = Looks()

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/v1/search",
                handler=self._search,
                scope=Scope.VIEW,
                summary="Events whose text or mark has these words, that they describe (who, where, when), or in which "
                "something looked like them, where `search` is configured. Each says by which it was found.",
                query={
                    "q": f"what is looked for, at most {QUESTION_MAX} characters",
                    "day": "on this one, like 2026-11-21; without it in all that is kept",
                    "camera": "at this one",
                    "limit": f"how many at most, up to {LIMIT_MAX}",
                },
            ),
        )

    async def _search(self, request: "web.Request") -> "web.StreamResponse":
        query, zone = request.query, self._context.node.locale().timezone
        words = query.get("q", "").strip()
        if not words or len(words) > QUESTION_MAX:
            raise BadParameterError(f"`q` must have 1 to {QUESTION_MAX} characters")
        camera, limit = camera_of(query, self._context), limit_of(query)
        since, until = 0.0, math.inf
        if "day" in query:
            since, until = day_span(day_named(query, wall(self._context.node.clock.now(), zone).date()), zone)
        bounds = None if until == math.inf else until
        meant = await self._context.node.ask(
            AskQuestion(question=words, camera=camera, since=since, until=bounds, by_rules=True)
        )
        seen = None
        if self._context.node.node.searched:
            seen = await self._context.node.ask(
                Search(query=words, camera=camera, since=since, until=bounds, limit=min(limit, SEEN_MAX))
            )
        written = await self._looks.look(request, lambda: self._written(words, camera, since, until))
        hits = merged((written, _meant(meant), seen_hits(seen)))[:limit]
        found = await self._looks.look(request, lambda: self._found(hits))
        return json_answer(
            {
                "v": 1,
                "q": words,
                "understood": None if meant.query is None else query_content(meant.query),
                "looks": seen is not None and seen.ok,
                "model": None if seen is None else seen.model,
                "found": found,
            }
        )

    def _written(self, words: str, camera: str | None, since: float, until: float) -> list[Hit]:
        """Events with all of these words in title, text, mark or zones, newest first. Blocking."""
        wanted = words.casefold().split()
        names = {each.id: each.name for each in self._context.node.node.cameras}
        lines = self._history.lines(since=since, until=until, camera=camera, limit=LOOK_MAX)
        texts = {
            summary.event: summary.text
            for summary in self._history.summaries(camera=camera, since=since, until=until, limit=LOOK_MAX)
            if summary.event is not None
        }

        def has(line: EventLine) -> bool:
            parts = (line.title, texts.get(line.id), line.mark, *line.zones, names.get(line.camera), line.label.value)
            said = " ".join(part for part in parts if part).casefold()
            return all(word in said for word in wanted)

        return [Hit(line.id, "words") for line in lines if has(line)]

    def _found(self, hits: Sequence[Hit]) -> list[Json]:
        lines = [
            (hit, line)
            for hit in hits
            for line in self._history.lines(since=0.0, until=math.inf, event=hit.event, limit=1)
        ]
        pictures = newest_pictures(self._context.node.album, [line for _, line in lines], self._context)
        return [hit_content(hit, line, hit.picture or pictures.get(line.id)) for hit, line in lines]


def _meant(reply: Reply) -> list[Hit]:
    return [Hit(each.event.id, "meaning") for each in reply.events] if reply.ok and reply.query else []


def seen_hits(reply: Reply | None) -> list[Hit]:
    """The events of what looked like the words."""
    if reply is None or not reply.ok:
        return []
    return [
        Hit(each.what.event, each.by.value, each.score, next(iter(each.pictures), None))
        for each in reply.found or ()
        if each.what.event is not None
    ]


def merged(found: Iterable[Iterable[Hit]]) -> list[Hit]:
    """Each event once, at its first place; a later way to the same event adds its score and picture."""
    merged: dict[str, Hit] = {}
    for hits in found:
        for hit in hits:
            known = merged.get(hit.event)
            if known is None:
                merged[hit.event] = hit
            elif known.picture is None and hit.picture is not None:
                merged[hit.event] = replace(known, picture=hit.picture, score=hit.score)
    return list(merged.values())


def hit_content(hit: Hit, line: EventLine, picture: str | None) -> JsonObject:
    """A line of the timeline, and how it was found."""
    content: JsonObject = {**line_content(line, picture), "by": hit.by}
    return content if hit.score is None else {**content, "score": round(hit.score, 4)}


KIND: Kind[PageContext, SearchPage] = Kind(
    name="search",
    meaning="Search in what was seen and written.",
    options=NONE,
    make=lambda _options, context: SearchPage(context),
)
