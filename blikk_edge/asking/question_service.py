"""Answers requests about the past and the present: code reads the store and computes, a model at most words it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from math import inf, nextafter
from typing import Final, TypeAlias

from blikk_edge.asking.embeddings import Embeddings
from blikk_edge.asking.forgetting import there
from blikk_edge.asking.model import fill_prompt, filled, word_prompt, worded
from blikk_edge.asking.other_language import hint
from blikk_edge.asking.reader import Puzzle, read
from blikk_edge.asking.saying import denied, lines, say, say_puzzled
from blikk_edge.asking.searching import TowerNow, search
from blikk_edge.asking.tally import Finding, Past, tally
from blikk_edge.asking.times import Wall
from blikk_edge.asking.unwatched import gaps_of, with_gaps
from blikk_edge.core.album import Album
from blikk_edge.core.clock import JUMP_S, Clock
from blikk_edge.core.errors import BlikkError, LlmError, ModelError
from blikk_edge.core.inquiry import (
    WAITING_MAX,
    Aggregate,
    AskQuestion,
    CheckText,
    DescribeNow,
    EventWithText,
    Forget,
    ListEvents,
    Mark,
    Query,
    Reply,
    Request,
    Search,
    WriteDigest,
    refusal,
)
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.observation import Event, Ring
from blikk_edge.core.ports import History
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.core.summary import Author, Summary
from blikk_edge.core.watched import NODE, Span, WatchedAt
from blikk_edge.language.facts import Facts, period_facts
from blikk_edge.language.language import ENGLISH, language
from blikk_edge.language.reading import Reading, reading
from blikk_edge.llm.port import Completion, Prompt
from blikk_edge.llm.queue.port import Job, JobQueue, Priority

LIMITS_S: Final[dict[type[Request], float]] = {
    AskQuestion: 45.0,
    ListEvents: 10.0,
    DescribeNow: 100.0,
    WriteDigest: 100.0,
    Forget: 25.0,
    Mark: 10.0,
    Search: 40.0,
    CheckText: 10.0,
}
"""Seconds for one request, below the patience of our Home Assistant component."""

LOOK_MAX: Final = 5000
"""Events that are looked through for one question: about a second on a small machine."""

LOOK_FIRST: Final = 200
"""Enough, mostly, to find the newest of something."""

LOOK_BACK_S: Final = 86400.0
"""How long before a period a visit may have begun that reaches into it."""

EVIDENCE_MAX: Final = 20
"""Events that come with an answer."""

_OFF: Final = refusal("summaries are off on this node; see summary in blikk.yaml")

Check: TypeAlias = Callable[[str, str, Facts], Sequence[object]]
"""What a title and a text say that the facts do not support; empty where all is supported."""


class QuestionService:
    """Answers requests, at most WAITING_MAX at once, each within its time limit; further ones are refused.

    `states` gives the cameras as they are now. `queue` is the language model's, without which rules read and templates
    word; `check` looks at its words. `watched` says when each camera was, so that an answer says of what it knows
    nothing. `describe` and `digest` write Summaries, `judge` checks those of others, `forget` forgets and counts the
    events. `locale` is how times are understood and written. Where what was seen is `searched`, `tower` compares words
    with it, where there is one, and `album` has the pictures.
    """

    def __init__(
        self,
        *,
        history: History,
        cameras: Sequence[CameraInfo],
        clock: Clock,
        locale: LocaleNow = Locale,
        states: Callable[[], Sequence[CameraState]] | None = None,
        queue: JobQueue | None = None,
        check: Check | None = None,
        describe: Callable[[DescribeNow], Awaitable[Summary]] | None = None,
        digest: Callable[[WriteDigest], Awaitable[Summary]] | None = None,
        judge: Callable[[CheckText], Awaitable[Reply]] | None = None,
        forget: Callable[[Forget], Awaitable[int]] | None = None,
        watched: WatchedAt | None = None,
        searched: bool = False,
        tower: TowerNow = lambda: None,
        album: Album | None = None,
    ) -> None:
        self._history = history
        self._cameras = tuple(cameras)
        self._clock = clock
        self._locale = locale
        self._states = states
        self._queue = queue
        self._check = check
        self._describe = describe
        self._digest = digest
        self._judge = judge
        self._forget = forget
        self._watched = watched
        self._searched = searched
        self._tower = tower
        self._album = album
        self._under_way = 0
        self._numbers = count(1)
        # One look through the store at a time: eight of them would hold up everything else in the process.
        self._turn = asyncio.Lock()
        self._embeddings = Embeddings()

    async def answer(self, request: Request) -> Reply:
        """The Reply to a Request; what is expected to fail is in it as a sentence, and nothing expected is raised."""
        if self._under_way >= WAITING_MAX:
            return refusal(f"{WAITING_MAX} requests wait already; try again in a moment")
        self._under_way += 1
        limit_s = LIMITS_S[type(request)]
        try:
            async with asyncio.timeout(limit_s):
                return await self._answer(request)
        except TimeoutError:
            return refusal(f"it took longer than {limit_s:.0f} s; ask about a shorter time, or try again later")
        except BlikkError as error:
            return refusal(error)
        finally:
            self._under_way -= 1

    async def _answer(self, request: Request) -> Reply:
        match request:
            case AskQuestion():
                return await self._question(request)
            case ListEvents():
                return await self._list(request)
            case DescribeNow() | WriteDigest() | CheckText():
                return await self._text(request)
            case Forget():
                return await self._remove(request)
            case Mark():
                return await self._mark(request)
            case Search():
                return await self._search(request)

    async def _text(self, request: DescribeNow | WriteDigest | CheckText) -> Reply:
        """A text that is written, or the verdict on one of somebody else's."""
        if isinstance(request, CheckText):
            return _OFF if self._judge is None else await self._judge(request)
        if isinstance(request, DescribeNow):
            summary = None if self._describe is None else await self._describe(request)
        else:
            summary = None if self._digest is None else await self._digest(request)
        if summary is None:
            return _OFF
        return Reply(
            text=summary.text,
            summary=summary,
            source=summary.source,
            model=summary.model,
            input_tokens=summary.input_tokens,
            output_tokens=summary.output_tokens,
        )

    async def _list(self, request: ListEvents) -> Reply:
        now = self._clock.now()

        def look() -> Reply:
            listed = self._with_texts(list(islice(self._matching(request), request.limit)))
            return Reply(count=len(listed), events=listed, rings=self._rings(request), gaps=self._gaps(request, now))

        async with self._turn:
            return await asyncio.to_thread(look)

    def _matching(self, request: ListEvents) -> Iterator[Event]:
        """All events that match, newest first; the store is asked for more of them as they are taken."""
        if request.event is not None:
            event = self._history.event(request.event)
            yield from () if event is None or not _matches(event, request) else (event,)
            return
        step, until, seen = request.limit if request.zone is None else LOOK_MAX, request.until, set[str]()
        while True:
            events = self._history.events(
                camera=request.camera, label=request.label, since=request.since, until=until, limit=step
            )
            new = [event for event in events if event.id not in seen]
            yield from (event for event in new if _matches(event, request))
            if not new:
                return
            seen = {event.id for event in events}
            until = nextafter(events[-1].started, inf)  # others may have begun with the last one

    def _rings(self, request: ListEvents) -> tuple[Ring, ...]:
        """Presses of the doorbell in the time of the events, whatever these are of."""
        since, until, limit = request.since, request.until, request.limit
        return tuple(self._history.rings(camera=request.camera, since=since, until=until, limit=limit))

    def _gaps(self, request: ListEvents, now: float) -> tuple[tuple[str, tuple[Span, ...]], ...]:
        """When the node did not run and cameras were not watched, of a period that has a beginning."""
        until = now if request.until is None else min(request.until, now)
        if self._watched is None or request.since is None or until <= request.since:
            return ()
        cameras = [camera.id for camera in self._cameras if request.camera in {None, camera.id}]
        return gaps_of((NODE, *cameras), request.since, until, self._watched)

    async def _remove(self, request: Forget) -> Reply:
        if self._forget is None:
            return refusal("nothing can be forgotten from here; ask the running node")
        async with self._turn:
            return Reply(count=await self._forget(request))

    async def _mark(self, request: Mark) -> Reply:
        """An event; of a ring the visit in which it rang, else the ring itself, of which nobody was seen."""

        def mark() -> Reply | None:
            event = self._history.mark(request.event, request.mark)
            if event is None and (ring := self._history.ring(request.event)) is not None:
                visit = next(iter(there(self._history, ring, Label.PERSON)), None)
                if visit is None:
                    marked = self._history.mark_ring(ring.id, request.mark)
                    return None if marked is None else Reply(count=1, rings=(marked,))
                event = self._history.mark(visit.id, request.mark)
            return None if event is None else Reply(count=1, events=self._with_texts([event]))

        async with self._turn:
            reply = await asyncio.to_thread(mark)
        return reply or refusal(f"there is no event or ring {request.event[:80]!r} in the store (any more)")

    async def _search(self, request: Search) -> Reply:
        if not self._searched:
            return refusal(
                "nothing can be searched for on this node; add `search: true` to its configuration, or "
                "`search: colours`, which needs no model"
            )
        readings = [rules for tag in _reads(self._locale()) if (rules := reading(tag)) is not None]

        def look() -> Reply:
            try:
                return search(
                    request,
                    history=self._history,
                    readings=readings,
                    tower=self._tower(),
                    album=self._album,
                    embeddings=self._embeddings,
                )
            except ModelError:  # a node without its model still knows labels and colours
                return search(request, history=self._history, readings=readings, album=self._album)

        def look_with_events() -> Reply:
            reply = look()
            names = dict.fromkeys(each.what.event for each in reply.found or () if each.what.event is not None)
            events = [event for name in names if (event := self._history.event(name)) is not None]
            return replace(reply, events=self._with_texts(events))

        async with self._turn:
            return await asyncio.to_thread(look_with_events)

    async def _question(self, request: AskQuestion) -> Reply:
        now, locale = self._clock.now(), self._locale()
        wall, spoken = Wall(locale.timezone), language(locale.language)
        understood = self._understood(request, now, wall, locale)
        spent: list[Completion] = []
        if isinstance(understood, Puzzle):
            by_model = None if request.by_rules else await self._filled(request, now, wall, spent)
            if by_model is None:
                other = hint(_reads(locale), lambda rules: self._read_by(rules, request, now, wall))
                text = say_puzzled(understood, self._cameras, spoken, hint=other)
                return _with_tokens(Reply(text=text), spent)
            understood = by_model
        states = None if self._states is None else tuple(self._states())
        async with self._turn:
            finding, listed = await asyncio.to_thread(self._look, understood, states, now)
        text = say(finding, self._cameras, wall, spoken, states or ())
        reply = Reply(text=text, count=finding.count, query=understood, events=listed)
        if request.by_rules or finding.gaps or not finding.watched:  # what is not known is not to be worded away
            return _with_tokens(reply, spent)
        return _with_tokens(await self._worded(request, finding, reply, locale, spent), spent)

    def _understood(self, request: AskQuestion, now: float, wall: Wall, locale: Locale) -> Query | Puzzle:
        """As the rules of the household's language read it, else as those of English do."""
        rules = [rules for tag in _reads(locale) if (rules := reading(tag)) is not None]
        tries = [self._read_by(each, request, now, wall) for each in rules]
        return next((each for each in tries if isinstance(each, Query)), tries[0])

    def _read_by(self, rules: Reading, request: AskQuestion, now: float, wall: Wall) -> Query | Puzzle:
        return read(request, cameras=self._cameras, now=now, wall=wall, reading=rules)

    def _look(
        self, query: Query, states: Sequence[CameraState] | None, now: float
    ) -> tuple[Finding, tuple[EventWithText, ...]]:
        """Answer from the store; blocking."""
        by_camera = None if states is None else {state.camera: state for state in states}
        newest = query.measure in {Aggregate.LAST, Aggregate.PRESENT} or query.ongoing
        for limit in (LOOK_FIRST, LOOK_MAX) if newest else (LOOK_MAX,):
            events, rings = self._read(query, limit, now)
            complete = len(events) < limit and len(rings) < limit
            past = Past(events=events, rings=rings, states=by_camera, now=now, complete=complete)
            finding = tally(query, past)
            if newest and (finding.events or finding.rings):
                finding = replace(finding, complete=True)
            if complete or finding.complete:
                break
        if self._watched is not None:
            finding = with_gaps(finding, [camera.id for camera in self._cameras], self._watched)
        return finding, self._with_texts(finding.events[:EVIDENCE_MAX])

    def _read(self, query: Query, limit: int, now: float) -> tuple[Sequence[Event], Sequence[Ring]]:
        # what is recorded of the future was written while the clock was wrong, and belongs to no time that is asked
        # about
        until = now + JUMP_S if query.until is None else min(query.until, now + JUMP_S)
        camera = query.cameras[0] if len(query.cameras) == 1 else None
        if query.rings:
            return (), self._history.rings(camera=camera, since=query.since, until=until, limit=limit)
        label = query.labels[0] if len(query.labels) == 1 else None
        since = None if query.since is None else query.since - LOOK_BACK_S
        return self._history.events(camera=camera, label=label, since=since, until=until, limit=limit), ()

    def _with_texts(self, events: Sequence[Event]) -> tuple[EventWithText, ...]:
        newest = [next(iter(self._history.summaries(event=event.id, limit=1)), None) for event in events]
        return tuple(EventWithText(event=event, summary=summary) for event, summary in zip(events, newest, strict=True))

    async def _filled(self, request: AskQuestion, now: float, wall: Wall, spent: list[Completion]) -> Query | None:
        """The Query as the model reads the question, narrowed by the request."""
        prompt = fill_prompt(request.question, self._cameras, now, wall)
        completion = await self._ask_model(prompt, request.camera, spent)
        query = None if completion is None else filled(completion.text, self._cameras, wall)
        if query is None:
            return None
        if not query.cameras and request.camera is not None:
            query = replace(query, cameras=(request.camera,))
        if query.since is None and query.until is None:
            query = replace(query, since=request.since, until=request.until)
        return query

    async def _worded(
        self, request: AskQuestion, finding: Finding, reply: Reply, locale: Locale, spent: list[Completion]
    ) -> Reply:
        """The reply in the model's words, where it has one and they keep to what was computed."""
        assert reply.text is not None  # say() has just made it
        spoken = language(locale.language)
        rests_on = lines(finding, self._cameras, Wall(locale.timezone), spoken)
        prompt = word_prompt(request.question, reply.text, rests_on, spoken)
        completion = await self._ask_model(prompt, request.camera, spent)
        if completion is None:
            return reply
        text = worded(completion.text, reply.text, rests_on, spoken, denies=denied(finding))
        if text is None:
            return reply
        # `worded` has seen to yes and no, which alone claim nothing that could be checked.
        claims = spoken.yes_or_no.sub("", text)
        if self._check is not None and self._check("", claims, self._facts(finding, locale)):
            return reply
        return replace(reply, text=text, source=Author.LLM, model=completion.model)

    async def _ask_model(self, prompt: Prompt, camera: str | None, spent: list[Completion]) -> Completion | None:
        if self._queue is None:
            return None
        key = ("ask", next(self._numbers))
        useful_s = LIMITS_S[AskQuestion] / 3
        try:
            async with asyncio.timeout(useful_s):
                completion = await self._queue.ask(
                    Job(key=key, camera=camera, priority=Priority.USER, prompt=prompt, useful_s=useful_s)
                )
        except (LlmError, TimeoutError):
            return None
        spent.append(completion)
        return completion

    def _facts(self, finding: Finding, locale: Locale) -> Facts:
        query = finding.query
        asked = [each for each in self._cameras if not query.cameras or each.id in query.cameras]
        started = [event.started for event in finding.events] + [ring.time for ring in finding.rings]
        return period_facts(
            finding.events,
            camera=asked[0].id if len(asked) == 1 else None,
            name=asked[0].name if len(asked) == 1 else "",
            cameras=[each.name for each in asked],
            since=min(started, default=finding.now) if query.since is None else query.since,
            until=finding.now if query.until is None else query.until,
            rings=finding.rings,
            locale=locale,
        )


def _matches(event: Event, request: ListEvents) -> bool:
    return (
        request.camera in {None, event.camera}
        and request.label in {None, event.label}
        and (request.zone is None or request.zone in event.zones)
        and (request.since is None or event.started >= request.since)
        and (request.until is None or event.started < request.until)
    )


def _reads(locale: Locale) -> tuple[str, ...]:
    """The languages whose rules read a question: the household's, where there are any, and English."""
    return tuple(tag for tag in dict.fromkeys((locale.language, ENGLISH)) if reading(tag) is not None)


def _with_tokens(reply: Reply, spent: Sequence[Completion]) -> Reply:
    """What the model cost, also where its words were not used."""
    return replace(
        reply,
        input_tokens=sum(each.input_tokens for each in spent),
        output_tokens=sum(each.output_tokens for each in spent),
    )
