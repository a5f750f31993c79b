"""Shows a model the newest pictures of cameras that edge clients bring, all in one request, now and then."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.observation import MEASURED, Event, Observation, Phase
from blikk_edge.core.picture import FRAME, Picture
from blikk_edge.core.ports import Inbox, Item, Publish
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState, SummaryMode
from blikk_edge.core.summary import Author
from blikk_edge.enrichers.summaries.gallery import Gallery, Shrink
from blikk_edge.enrichers.summaries.lines import event_lines
from blikk_edge.enrichers.summaries.prompts import Brief
from blikk_edge.enrichers.summaries.text_writer import CallLimits, TextWriter
from blikk_edge.language.facts import present_facts
from blikk_edge.llm.queue.port import Priority

NEWEST: Final = 5
"""Pictures in one request."""

OPEN_MAX: Final = 32
OBSERVED_MAX: Final = 30


@dataclass(slots=True)
class _Watched:
    """What came from one camera since it was last dispatched."""

    pictures: deque[Picture] = field(default_factory=lambda: deque(maxlen=NEWEST))
    observed: deque[Observation] = field(default_factory=lambda: deque(maxlen=OBSERVED_MAX))
    open: dict[str, Event] = field(default_factory=dict)
    counts: dict[Label, int] = field(default_factory=dict)
    stirred: bool = False
    said: str = ""


class Dispatcher:
    """Every `every_s`, where something happened, publishes the model's text on the NEWEST pictures and the last text.

    `names` are the pushed cameras by id. Only a camera of mode VISION is shown, and only while the queue takes
    Pictures; a quiet one costs nothing. Where the model cannot be had nothing is published: its events have texts of
    their own.
    """

    name = "dispatch"

    def __init__(
        self,
        *,
        writer: TextWriter,
        publish: Publish,
        clock: Clock,
        mode_of: Callable[[str], SummaryMode],
        names: Mapping[str, str],
        shrink: Shrink,
        every_s: float = 30.0,
        locale: LocaleNow = Locale,
    ) -> None:
        self._writer = writer
        self._publish = publish
        self._clock = clock
        self._mode_of = mode_of
        self._names = names
        self._gallery = Gallery(shrink)
        self._every_s = every_s
        self._locale = locale
        self._watched = {camera: _Watched() for camera in names}

    async def run(self, inbox: Inbox[Item]) -> None:
        """Receive and dispatch, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive(inbox), name="dispatch.receive")
            group.create_task(self._dispatch(), name="dispatch.send")

    def forget(self, request: Forget) -> None:
        """Drop what came from these cameras and what was said of it."""
        for camera, watched in self._watched.items():
            if request.camera in {None, camera}:
                watched.pictures.clear()
                watched.observed.clear()
                watched.said = ""
                for event in [one for one in watched.open.values() if request.covers(camera, one.id, one.started)]:
                    del watched.open[event.id]

    async def _receive(self, inbox: Inbox[Item]) -> None:
        while True:
            match await inbox.get():
                case Picture(name=name) as picture if name == FRAME and picture.camera in self._watched:
                    self._watched[picture.camera].pictures.append(picture)
                case Observation() as observation if observation.camera in self._watched:
                    if observation.kind not in MEASURED:  # they would leave no room for who came
                        self._watched[observation.camera].observed.append(observation)
                case Event() as event if event.camera in self._watched:
                    self._event(self._watched[event.camera], event)
                case CameraState() as state if state.camera in self._watched:
                    watched = self._watched[state.camera]
                    watched.counts = dict(state.counts) if state.online else {}
                    watched.stirred = watched.stirred or (state.online and state.motion)
                case _:
                    pass

    @staticmethod
    def _event(watched: _Watched, event: Event) -> None:
        watched.stirred = True
        watched.open.pop(event.id, None)
        if event.phase is not Phase.ENDED:
            watched.open[event.id] = event
            while len(watched.open) > OPEN_MAX:
                del watched.open[next(iter(watched.open))]

    async def _dispatch(self) -> None:
        while True:
            await self._clock.sleep(self._every_s)
            for camera, watched in self._watched.items():
                wanted = self._mode_of(camera) is SummaryMode.VISION and self._writer.sees
                if wanted and watched.stirred and watched.pictures:
                    await self._show(camera, watched)

    async def _show(self, camera: str, watched: _Watched) -> None:
        pictures, events = tuple(watched.pictures), tuple(watched.open.values())
        watched.pictures.clear()  # none is ever sent twice
        watched.stirred = False
        now = self._clock.now()
        facts = present_facts(
            events, watched.counts, camera=camera, name=self._names[camera], now=now, locale=self._locale()
        )
        brief = Brief(
            facts=facts,
            lines=event_lines(facts, tuple(watched.observed)),
            before=watched.said,
            pictures=await self._gallery.fitted(pictures),
        )
        watched.observed.clear()
        priority = Priority.PERSON if watched.counts.get(Label.PERSON) else Priority.QUESTION
        limits = CallLimits(key=("dispatch", camera), camera=camera, priority=priority, useful_s=self._every_s)
        draft = await self._writer.write(brief, limits)
        if draft is None or draft.source is not Author.LLM:
            return
        watched.said = draft.note.text
        self._publish(draft.summary(id=f"{camera}-seen-{round(now * 1000)}", facts=facts, time=now))
