"""Watches Questions: answers them from tracks where these suffice, else asks the model; tells what changed."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.clock import JUMP_S, Clock
from blikk_edge.core.commands import Snapshot
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item, Memory, Order, Publish
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import Answer, Author, Question
from blikk_edge.enrichers.questions.asking import Outcome, put
from blikk_edge.enrichers.questions.memory import AnswerMemory
from blikk_edge.enrichers.questions.prompt import UNKNOWN, ModelReply
from blikk_edge.enrichers.questions.scene import Scenery, is_newer
from blikk_edge.enrichers.questions.tracks import TrackQuestion, answered, understood
from blikk_edge.enrichers.summaries.gallery import Gallery, Shrink
from blikk_edge.llm.queue.port import JobQueue

LOG = logging.getLogger("blikk.questions")

COOLDOWN_S: Final = 30.0
"""The model is not asked the same question more often, however much happens."""

TRACKS_GAP_S: Final = 1.0
"""Answers from tracks cost nothing, but flicker helps nobody."""

SETTLE_S: Final = 0.5
"""What belongs to one happening arrives together."""

SNAPSHOT_S: Final = 5.0
"""How long a fresh snapshot is waited for; then an older one serves, or none."""

FRESH_S: Final = 3.0
OLD_S: Final = 120.0
"""A picture that is older does not show what is there now."""

STALE: Final = 3
"""A model that cannot be asked leaves its last answer standing for so many periods of the question."""

START_S: Final = 60.0
"""What was remembered stands for so long after a start, until the camera is there."""

_ASKS: Final = frozenset({SummaryMode.TEXT, SummaryMode.VISION})


@dataclass(slots=True, kw_only=True)
class _Watched:
    """One question and what is known of it. Times are monotonic, those of answers and pictures seconds since 1970."""

    question: Question
    scenery: Scenery
    asked: TrackQuestion | None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    pictured: asyncio.Event = field(default_factory=asyncio.Event)
    last: Answer | None = None
    answered_at: float = -math.inf  # when it was last looked for an answer
    published_at: float = -math.inf
    model_at: float = -math.inf
    sure_at: float = -math.inf  # of the newest answer that was found, not just kept
    look_again_s: float = math.inf
    lines: tuple[str, ...] = ()  # those that the model answered from, where it saw no picture
    shown: float = -math.inf  # the newest picture that the model answered from


class QuestionWatcher:
    """Questions to Answers by way of `publish`, when the answer changed and each time the question was due.

    A question is due when something changed in front of its camera and every `every_s`. What the tracks show is
    answered at once, without a model. Else the `queue` is asked, at most every `cooldown_s`: with the newest snapshot
    where `mode_of` the camera is VISION and the model sees (a fresh one is ordered from the node), with lines of what
    is tracked where it is TEXT, and not at all otherwise. Nothing is asked again in TEXT while the lines are the same.

    `unknown` with confidence 0 is the answer while the camera is offline or its detection off, when the model's answer
    could not be used, and when the model could not be asked for STALE periods. Answers outlive the process in `memory`.
    `names` and `zones` are the cameras' by id.
    """

    name = "questions"

    def __init__(
        self,
        questions: Sequence[Question],
        *,
        publish: Publish,
        clock: Clock,
        queue: JobQueue | None,
        order: Order,
        memory: Memory,
        mode_of: Callable[[str], SummaryMode],
        names: Mapping[str, str],
        zones: Mapping[str, Sequence[str]],
        shrink: Shrink | None = None,
        cooldown_s: float = COOLDOWN_S,
        locale: LocaleNow = Locale,
    ) -> None:
        self._publish = publish
        self._clock = clock
        self._queue = queue
        self._order = order
        self._memory = AnswerMemory(memory)
        self._mode_of = mode_of
        self._gallery = Gallery(shrink)
        self._cooldown_s = cooldown_s
        self._serial = 0
        self._started = 0.0
        self._ordered_until: dict[str, float] = {}
        self._scenes = {
            camera: Scenery(camera=camera, name=names.get(camera, camera), locale=locale)
            for camera in dict.fromkeys(question.camera for question in questions)
        }
        self._watched = [
            _Watched(
                question=question,
                scenery=self._scenes[question.camera],
                asked=understood(
                    question,
                    name=names.get(question.camera, question.camera),
                    zones=zones.get(question.camera, ()),
                ),
            )
            for question in questions
        ]

    async def run(self, inbox: Inbox[Item]) -> None:
        """Watch for ever, until cancelled."""
        self._started = self._clock.monotonic()
        for watched in self._watched:
            watched.last = watched.last or await self._memory.recall(watched.question, self._clock.now())
            if watched.last is not None:
                watched.sure_at = self._started - (self._clock.now() - watched.last.time)
        async with asyncio.TaskGroup() as group:
            for watched in self._watched:
                group.create_task(self._watch(watched), name=f"questions.{watched.question.id}")
            while True:
                self._take(await inbox.get())

    def _take(self, item: Item) -> None:
        scenes = [scene for scene in self._scenes.values() if scene.take(item)]
        for watched in self._watched:
            if watched.scenery in scenes:
                if not isinstance(item, Picture):
                    watched.changed.set()
                    continue
                watched.pictured.set()
                # one that a question ordered is no news for the others, or they would order for ever in turn
                ours = self._clock.monotonic() <= self._ordered_until.get(item.camera, -math.inf)
                if not ours and is_newer(item.time, watched.shown) and self._looks(watched):
                    watched.changed.set()

    def forget(self, request: Forget) -> None:
        """Withdraw the answers that rest on these events, and look anew."""
        for scenery in self._scenes.values():
            scenery.forget(request)
        for watched in self._watched:
            if (last := watched.last) is not None and _rests_on(last, request):
                watched.last, watched.lines, watched.published_at = None, (), -math.inf
                self._publish(Withdrawn(camera=last.camera, what=Shown.ANSWER, name=last.question))
                watched.changed.set()

    # -- one question --------------------------------------------------------------------------------------------

    async def _watch(self, watched: _Watched) -> None:
        while True:
            await self._due(watched)
            watched.answered_at = self._clock.monotonic()
            watched.look_again_s = math.inf
            answer = await self._answer(watched)
            if answer is not None:
                await self._publish_due(watched, answer)

    async def _due(self, watched: _Watched) -> None:
        """Until something changed in front of the camera, or it is time."""
        passed_s = self._clock.monotonic() - watched.answered_at
        every_s = watched.question.every_s
        left_s = every_s if math.isinf(passed_s) else max(0.0, every_s - passed_s)
        await self._either(watched.changed, max(0.0, min(left_s, watched.look_again_s)))
        await self._clock.sleep(max(SETTLE_S, watched.answered_at + TRACKS_GAP_S - self._clock.monotonic()))
        watched.changed.clear()

    async def _answer(self, watched: _Watched) -> Answer | None:
        """The answer now; None where the last one stands."""
        if watched.scenery.blind and watched.last is not None and math.isinf(watched.published_at):
            left_s = self._started + START_S - self._clock.monotonic()
            if left_s > 0:
                watched.look_again_s = left_s
                return None
        if (answer := self._without_model(watched)) is not None:
            return answer
        await self._clock.sleep(watched.model_at + self._cooldown_s - self._clock.monotonic())
        picture = await self._picture(watched) if self._looks(watched) else None
        watched.changed.clear()
        if (answer := self._without_model(watched)) is not None:  # meanwhile it went offline, or off
            return answer
        return await self._by_model(watched, picture)

    def _without_model(self, watched: _Watched) -> Answer | None:
        """What the tracks show, or why nothing can be said; None where it takes a model."""
        scenery = watched.scenery
        if scenery.blind is not None:
            return self._new(watched, _unknown(scenery, scenery.blind))
        if watched.asked is not None and (found := answered(watched.asked, scenery, self._clock.now())) is not None:
            watched.look_again_s = max(TRACKS_GAP_S, found.until_s)
            reply = ModelReply(answer=found.answer, confidence=found.confidence, evidence=found.evidence)
            return self._new(watched, reply, event=found.event)
        if self._queue is None or self._mode_of(watched.question.camera) not in _ASKS:
            return self._new(watched, _unknown(scenery, "no_model"))
        return None

    async def _by_model(self, watched: _Watched, picture: Picture | None) -> Answer | None:
        queue = self._queue
        assert queue is not None
        now = self._clock.now()
        lines = watched.scenery.lines(now)
        looked = picture is None and self._looks(watched) and math.isfinite(watched.shown)
        if looked:  # a picture was answered from, and no newer one is to be had
            return self._missed(watched, Outcome(why="no picture came"))
        if picture is None and watched.last is not None and lines == watched.lines:
            return self._new(watched, _reply(watched.last), kept=watched.last)  # it could only answer the same
        watched.model_at = self._clock.monotonic()
        outcome = await put(watched.question, queue, facts=watched.scenery.facts(now), lines=lines, picture=picture)
        if outcome.reply is not None:
            failed = bool(outcome.why)
            watched.lines = () if outcome.seen or failed else lines
            watched.shown = picture.time if picture is not None and outcome.seen else watched.shown
            return self._new(watched, outcome.reply, outcome=outcome)
        return self._missed(watched, outcome)

    def _missed(self, watched: _Watched, outcome: Outcome) -> Answer | None:
        """The last answer stands for a while; then nobody knows."""
        LOG.debug("%s: not answered: %s", watched.question.id, outcome.why)
        if watched.last is not None and self._clock.monotonic() - watched.sure_at < STALE * watched.question.every_s:
            return None
        return self._new(watched, _unknown(watched.scenery, "model_away"), outcome=outcome)

    # -- pictures ------------------------------------------------------------------------------------------------

    def _looks(self, watched: _Watched) -> bool:
        """Whether the model is shown a picture now."""
        seen = self._queue is not None and self._queue.sees and watched.scenery.blind is None
        return seen and self._mode_of(watched.question.camera) is SummaryMode.VISION

    async def _picture(self, watched: _Watched) -> Picture | None:
        """A snapshot that shows what is there now, small enough; a fresh one is ordered where there is none."""
        scenery, ordered = watched.scenery, self._clock.now()
        until = self._clock.monotonic() + SNAPSHOT_S
        if not _fresh(scenery.snapshot, ordered, FRESH_S):
            self._ordered_until[scenery.camera] = until
            self._order(Snapshot(camera=scenery.camera))
        while not _fresh(scenery.snapshot, ordered, FRESH_S) and (left_s := until - self._clock.monotonic()) > 0:
            watched.pictured.clear()
            await self._either(watched.pictured, left_s)
        picture = scenery.snapshot
        if picture is None or not _fresh(picture, ordered, OLD_S) or not is_newer(picture.time, watched.shown):
            return None
        fitted = await self._gallery.fitted((picture,))
        return fitted[0] if fitted else None

    # -- answers -------------------------------------------------------------------------------------------------

    def _new(
        self,
        watched: _Watched,
        reply: ModelReply,
        *,
        event: str | None = None,
        outcome: Outcome | None = None,
        kept: Answer | None = None,
    ) -> Answer:
        """An Answer; `outcome` is the model's part in it, `kept` the one that it repeats."""
        question, last, now = watched.question, watched.last, self._clock.now()
        same = last is not None and (last.answer, last.asked) == (reply.answer, question.text)
        by_model = outcome is not None and outcome.reply is not None and not outcome.why
        spent = outcome.spent if outcome is not None else ()
        self._serial += 1
        if by_model or outcome is None:
            watched.sure_at = self._clock.monotonic()
        return Answer(
            id=f"{question.camera}-{question.id}-{round(now * 1000)}-{self._serial}",
            camera=question.camera,
            question=question.id,
            asked=question.text,
            answer=reply.answer,
            confidence=reply.confidence,
            time=now,
            since=min(last.since, now) if same and last is not None else now,
            changed=last is not None and not same,
            evidence=reply.evidence,
            event=event,
            source=kept.source if kept is not None else Author.LLM if by_model else Author.TEMPLATE,
            model=kept.model if kept is not None else spent[-1].model if by_model and spent else None,
            input_tokens=sum(completion.input_tokens for completion in spent),
            output_tokens=sum(completion.output_tokens for completion in spent),
        )

    async def _publish_due(self, watched: _Watched, answer: Answer) -> None:
        """Publish it where it is another, where the model was paid for it, or where it was due."""
        now = self._clock.monotonic()
        changed = watched.last is None or watched.last.answer != answer.answer
        watched.last = answer
        due = now - watched.published_at >= watched.question.every_s
        if not (changed or due or answer.input_tokens):
            return
        watched.published_at = now
        self._publish(answer)
        if changed:
            await self._memory.remember(watched.question, answer)

    async def _either(self, happened: asyncio.Event, seconds: float) -> None:
        """Until it has happened, at most so long."""
        waiters = (asyncio.ensure_future(happened.wait()), asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()


def _unknown(scenery: Scenery, why: str) -> ModelReply:
    """`why` is a key of `evidence`."""
    return ModelReply(answer=UNKNOWN, confidence=0.0, evidence=scenery.spoken.say(f"evidence.{why}"))


def _reply(answer: Answer) -> ModelReply:
    return ModelReply(answer=answer.answer, confidence=answer.confidence, evidence=answer.evidence)


def _rests_on(answer: Answer, request: Forget) -> bool:
    """Whether it may: an answer holds from when it was first given, and only an Event of now is named in it."""
    if request.event is not None:
        return answer.event == request.event
    earlier = request.until is not None and answer.since >= request.until
    later = request.since is not None and answer.time < request.since
    return request.camera in {None, answer.camera} and not earlier and not later


def _fresh(picture: Picture | None, now: float, age_s: float) -> bool:
    """Whether it is no older than that; one that is far ahead is from before the clock was set back."""
    return picture is not None and now - age_s <= picture.time <= now + JUMP_S
