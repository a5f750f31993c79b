"""Writes about each event: early when it is clear, and finally when it has ended. Events never wait for it."""

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.clock import JUMP_S, Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.observation import Event, Observation, Ring
from blikk_edge.core.picture import RING, Picture
from blikk_edge.core.ports import History, Inbox, Item, Publish
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState, SummaryMode
from blikk_edge.core.summary import Author, Importance, Summary
from blikk_edge.enrichers.summaries.context import earlier, here
from blikk_edge.enrichers.summaries.gallery import Gallery, Shrink
from blikk_edge.enrichers.summaries.lines import event_lines
from blikk_edge.enrichers.summaries.prompts import Brief
from blikk_edge.enrichers.summaries.recent import Recent
from blikk_edge.enrichers.summaries.stories import Stories, Story
from blikk_edge.enrichers.summaries.template import importance, quiet
from blikk_edge.enrichers.summaries.text_writer import CallLimits, Draft, TextWriter
from blikk_edge.language.facts import Facts, present_facts
from blikk_edge.llm.queue.port import Priority

LOG = logging.getLogger("blikk.summary")

EARLY, FINAL = 1, 2
"""The revisions of a Summary."""

EARLY_S: Final = 5.0
"""An event that is still going on after so long is clear enough to be summed up."""

SETTLE_S: Final = 1.0
"""After its end the last observation, Picture and ring of an event are on their way."""

EARLY_USEFUL_S: Final = 20.0
FINAL_USEFUL_S: Final = 60.0
USER_USEFUL_S: Final = 30.0

EARLY_PICTURES: Final = 2
FINAL_PICTURES: Final = 3
FRESH_S: Final = 60.0
"""A Picture that is older does not show what is there now."""

MAX_FOLLOWED: Final = 64
"""Of more events at a time than these the model is not even asked; their texts come from the template."""

PACE_S: Final = 60.0

MODEL: Final = frozenset({SummaryMode.TEXT, SummaryMode.VISION})
"""The modes in which a model is asked."""

_PRIORITY: Final = {
    Label.PERSON: Priority.PERSON,
    Label.PACKAGE: Priority.PACKAGE,
    Label.ANIMAL: Priority.ANIMAL,
    Label.VEHICLE: Priority.VEHICLE,
}


@dataclass(slots=True)
class _Followed:
    """What the task that follows an event listens to."""

    clear: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    worded: bool | None = None  # whether the model writes about it, once that was decided
    early: Summary | None = None
    task: asyncio.Task[None] | None = None


class Summarizer:
    """Events in, Summaries out by way of `publish`: the same event id, revision EARLY and FINAL.

    The early text comes when a doorbell rings, a person stays long, a package is there, or after EARLY_S; an event
    that is over sooner has the final one only. `mode_of` is asked each time: OFF writes nothing, TEMPLATE asks no
    model, TEXT asks it for the final text from lines, VISION for both with redacted Pictures. What is of LOW importance
    by the rules costs no tokens in any mode, and of what is NORMAL only one event of a camera in `pace_s`: where people
    come and go all day, the template says as much of each. `labels` are the events that are written about, `names` the
    cameras' by id; `shrink` makes Pictures fit; `history` knows texts of before the start, and `owed` the events from
    before it that have no final text yet (raises StoreError).
    """

    name = "summary"

    def __init__(
        self,
        *,
        writer: TextWriter,
        publish: Publish,
        clock: Clock,
        mode_of: Callable[[str], SummaryMode],
        names: Mapping[str, str],
        labels: Collection[Label] = tuple(Label),
        pace_s: float = PACE_S,
        shrink: Shrink | None = None,
        history: History | None = None,
        owed: Callable[[], Sequence[Event]] | None = None,
        locale: LocaleNow = Locale,
    ) -> None:
        self._writer = writer
        self._publish = publish
        self._clock = clock
        self._mode_of = mode_of
        self._names = names
        self._labels = frozenset(labels)
        self._pace_s = pace_s
        self._worded_at: dict[str, float] = {}
        self._history = history
        self._owed = owed
        self._locale = locale
        self._stories = Stories(names, locale=locale)
        self._gallery = Gallery(shrink)
        self._recent = Recent(history=history, clock=clock)
        self._followed: dict[str, _Followed] = {}
        self._states: dict[str, CameraState] = {}
        self._serial = 0
        self._nothing_follows = asyncio.Event()

    async def run(self, inbox: Inbox[Item]) -> None:
        """Write for ever, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for event in await self._left_over():
                    self._event(event, group)
                while True:
                    self._take(await inbox.get(), group)
        finally:
            self._leave()
            self._followed.clear()

    async def finish(self) -> None:
        """Nothing more will be reported: write what is left to be said about what has ended, and wait for it."""
        self._nothing_follows.set()
        stories = [(self._stories.get(name), followed.task) for name, followed in self._followed.items()]
        if tasks := [task for story, task in stories if story is not None and story.ended and task is not None]:
            await asyncio.wait(tasks)

    async def _left_over(self) -> Sequence[Event]:
        """What a process before this one did not get to write about."""
        try:
            return await asyncio.to_thread(self._owed) if self._owed is not None else ()
        except StoreError as error:
            LOG.warning("texts about what ended before the start may be missing: %s", error)
            return ()

    def _leave(self) -> None:
        """At the end: events that are over have at least the template's last word."""
        for event_id in self._followed:
            story = self._stories.get(event_id)
            if story is None or not story.ended or self._mode_of(story.event.camera) is SummaryMode.OFF:
                continue
            now = self._clock.now()
            facts = self._stories.facts(story, now)
            final = f"{event_id}-s{FINAL}"
            self._publish(
                self._writer.plain(facts).summary(id=final, facts=facts, time=now, event=event_id, revision=FINAL)
            )

    def _take(self, item: Item, group: asyncio.TaskGroup) -> None:
        match item:
            case Event():
                self._event(item, group)
            case Observation():
                self._stories.observe(item)
            case Ring():
                if (story := self._stories.ring(item)) is not None:
                    self._clear(story)
            case Picture():
                self._picture(item)
            case CameraState():
                self._states[item.camera] = item
            case _:
                pass

    def _event(self, event: Event, group: asyncio.TaskGroup) -> None:
        if (known := self._stories.get(event.id)) is not None and known.ended:
            return
        story, forgotten = self._stories.revise(event)
        for old in forgotten:
            if not old.ended:
                self._end(old)
        if event.label not in self._labels:
            return
        followed = self._followed.get(event.id)
        if followed is None:
            followed = self._followed[event.id] = _Followed()
            followed.task = group.create_task(self._follow(story, followed), name=f"summary.{event.id}")
        if story.ended:
            followed.ended.set()
        if story.ended or event.loitering or event.label is Label.PACKAGE or self._stories.rings(story):
            followed.clear.set()

    def _clear(self, story: Story) -> None:
        if (followed := self._followed.get(story.event.id)) is not None:
            followed.clear.set()

    def _picture(self, picture: Picture) -> None:
        if self._mode_of(picture.camera) is not SummaryMode.VISION:
            return
        event = picture.event
        if picture.name == RING:
            event = next((story.event.id for story in self._stories.open(picture.camera)), None)
        self._gallery.keep(picture, event)

    def forget(self, request: Forget) -> None:
        """Drop what is known of these events, and the texts about them; one that goes on begins anew."""
        for story in self._stories.forget(request):
            self._end(story)
            self._gallery.forget(story.event.id)
            self._gallery.forget_newest(story.event.camera)
        self._recent.forget()

    def _end(self, story: Story) -> None:
        """Nothing more is written about it."""
        if (followed := self._followed.pop(story.event.id, None)) is not None and followed.task is not None:
            followed.task.cancel()

    # -- one event, start to end ---------------------------------------------------------------------------------

    async def _follow(self, story: Story, followed: _Followed) -> None:
        age_s = self._clock.now() - story.event.started
        await self._either(followed.clear, min(EARLY_S, max(0.0, EARLY_S - age_s)))
        if not story.ended:
            await self._write(story, followed, EARLY)
            await followed.ended.wait()
        await self._either(self._nothing_follows, SETTLE_S)
        await self._write(story, followed, FINAL)
        self._gallery.forget(story.event.id)
        self._followed.pop(story.event.id, None)

    async def _either(self, happened: asyncio.Event, seconds: float) -> None:
        """Until it has happened, at most so long."""
        waiters = (asyncio.ensure_future(happened.wait()), asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()

    async def _write(self, story: Story, followed: _Followed, revision: int) -> None:
        draft = await self._draft(story, followed, revision)
        if draft is None:
            return
        now = self._clock.now()
        event, facts = story.event, self._stories.facts(story, now)
        summary = draft.summary(id=f"{event.id}-s{revision}", facts=facts, time=now, event=event.id, revision=revision)
        followed.early = summary
        self._recent.add(summary)
        self._publish(summary)

    # -- what is written -----------------------------------------------------------------------------------------

    async def _draft(self, story: Story, followed: _Followed, revision: int) -> Draft | None:
        """The text of this revision; None where none is wanted, or a newer one took its place."""
        facts = self._stories.facts(story, self._clock.now())
        mode = self._mode_of(story.event.camera)
        if mode is SummaryMode.OFF:
            return None
        seeing = self._sees(mode)
        # An early text from lines alone would say what the template says, at the price of the final one.
        asks = (seeing or (mode in MODEL and revision == FINAL)) and len(self._followed) <= MAX_FOLLOWED
        if not asks or not self._worth(followed, facts):
            return self._writer.plain(facts)
        most = EARLY_PICTURES if revision == EARLY else FINAL_PICTURES
        pictures = self._gallery.choose(story.event.id, most) if seeing else ()
        brief = await self._brief(story, followed, facts, await self._gallery.fitted(pictures))
        limits = CallLimits(
            key=("event", story.event.id),
            camera=story.event.camera,
            priority=Priority.RING if facts.rings else _PRIORITY[story.event.label],
            useful_s=EARLY_USEFUL_S if revision == EARLY else FINAL_USEFUL_S,
        )
        draft = await self._writer.write(brief, limits)
        if draft is None or draft.unsent:
            self._gallery.give_back(story.event.id, pictures)
        return draft

    def _worth(self, followed: _Followed, facts: Facts) -> bool:
        """Whether it deserves a model: what matters always does, everyday visits of a camera once in `pace_s`."""
        camera, now = str(facts.camera), self._clock.monotonic()
        match importance(facts):
            case Importance.LOW:
                return False
            case Importance.HIGH:
                followed.worded = True
            case _ if followed.worded is None:
                followed.worded = now - self._worded_at.get(camera, -math.inf) >= self._pace_s
        if followed.worded:
            self._worded_at[camera] = now
        return bool(followed.worded)

    async def _brief(self, story: Story, followed: _Followed, facts: Facts, pictures: tuple[Picture, ...]) -> Brief:
        # whoever came meanwhile stands in the lines; whoever was there before does not
        before = [
            one.event for one in self._stories.open(story.event.camera) if one.event.started < story.event.started
        ]
        known = [one for one in await self._recent.of(story.event.camera) if one.event != story.event.id]
        said = followed.early is not None and followed.early.source is Author.LLM
        return Brief(
            facts=facts,
            lines=event_lines(facts, self._stories.records(story)),
            before=followed.early.text if said and followed.early is not None else "",
            here=here(facts, before, self._clock.now()),
            earlier=earlier(facts, known),
            pictures=pictures,
        )

    # -- on demand -----------------------------------------------------------------------------------------------

    async def describe(self, camera: str) -> Summary:
        """What this camera sees now; not published. A turn at the model is waited for at most USER_USEFUL_S."""
        now = self._clock.now()
        stories = self._stories.open(camera)
        state = self._states.get(camera)
        facts = present_facts(
            [story.event for story in stories],
            dict(state.counts) if state is not None and state.online else {},
            camera=camera,
            name=self._names.get(camera, camera),
            now=now,
            locale=self._locale(),
        )
        mode = self._mode_of(camera)
        newest = self._gallery.newest(camera, since=now - FRESH_S, until=now + JUMP_S) if self._sees(mode) else None
        draft: Draft | None = None
        if mode in MODEL and (newest is not None or not quiet(facts)):
            records = {record.id: record for story in stories for record in self._stories.records(story)}
            brief = Brief(
                facts=facts,
                lines=event_lines(facts, records.values()),
                earlier=earlier(facts, await self._recent.of(camera)),
                pictures=await self._gallery.fitted([newest] if newest is not None else []),
            )
            draft = await self._writer.write(brief, _of_user(("describe", camera), camera))
        self._serial += 1
        summary_id = f"{camera}-now-{round(now * 1000)}-{self._serial}"
        return (draft or self._writer.plain(facts)).summary(id=summary_id, facts=facts, time=now)

    async def describe_event(self, event_id: str) -> Summary | None:
        """What happened in one event, from now or from the store; None for one that nobody knows. Raises StoreError."""
        story = await self._story(event_id)
        if story is None:
            return None
        now = self._clock.now()
        facts = self._stories.facts(story, now)
        draft: Draft | None = None
        if self._mode_of(story.event.camera) in MODEL:
            brief = Brief(facts=facts, lines=event_lines(facts, self._stories.records(story)))
            draft = await self._writer.write(brief, _of_user(("describe", event_id), story.event.camera))
        revision = FINAL if story.ended else EARLY
        return (draft or self._writer.plain(facts)).summary(
            id=f"{event_id}-s{revision}", facts=facts, time=now, event=event_id, revision=revision
        )

    async def facts(self, event_id: str) -> Facts | None:
        """What is known of one event, from now or from the store; None for one that nobody knows. Raises StoreError."""
        story = await self._story(event_id)
        return None if story is None else self._stories.facts(story, self._clock.now())

    async def _story(self, event_id: str) -> Story | None:
        if (story := self._stories.get(event_id)) is not None or self._history is None:
            return story
        event = await asyncio.to_thread(self._history.event, event_id)
        return None if event is None else Story(event)

    def _sees(self, mode: SummaryMode) -> bool:
        return mode is SummaryMode.VISION and self._writer.sees


def _of_user(key: Hashable, camera: str | None) -> CallLimits:
    return CallLimits(key=key, camera=camera, priority=Priority.USER, useful_s=USER_USEFUL_S)
