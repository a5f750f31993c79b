"""The slow loop, wired from its settings: who writes, what it may cost, and who asks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.app.identity import camera_info
from blikk_edge.asking.forgetting import Rememberer
from blikk_edge.config.settings import Settings
from blikk_edge.config.slow import TEMPLATE, DigestEvery, SummarySettings
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.locale import LocaleNow
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import Enricher, History, Memory, Order, Publish
from blikk_edge.core.status import LlmState, SummaryMode
from blikk_edge.core.summary import Summary
from blikk_edge.enrichers.questions.watcher import QuestionWatcher
from blikk_edge.enrichers.summaries.digest import Digester, Every
from blikk_edge.enrichers.summaries.dispatch import Dispatcher
from blikk_edge.enrichers.summaries.summarizer import Summarizer
from blikk_edge.enrichers.summaries.text_writer import TextWriter
from blikk_edge.language.grounding import check
from blikk_edge.llm.port import Counting, LanguageModel, ModelContext, Prompt
from blikk_edge.llm.queue.model_queue import ModelQueue
from blikk_edge.llm.tokens import prompt_tokens
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.sinks.watched import watched_in
from blikk_edge.transforms.privacy.shrink import shrink

MODEL: Final = "summary.model"
"""The part that the language model is, in logs and problems; who writes is another, and works without it."""

CLOSE_S: Final = 1.0

_EVERY: Final = {DigestEvery.HOURLY: Every.HOURLY, DigestEvery.DAILY: Every.DAILY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Everybody who writes, ready to run; implements `runtime.node.Writer`."""

    modes: tuple[SummaryMode, ...]
    summarizer: Summarizer
    digester: Digester
    enrichers: tuple[Enricher, ...]
    rememberers: tuple[Rememberer, ...]
    queue: ModelQueue | None = field(repr=False)
    supervisor: Supervisor = field(repr=False)

    async def describe(self, camera: str) -> Summary:
        """What this camera sees now, in words."""
        return await self.summarizer.describe(camera)

    def state(self) -> LlmState | None:
        """How the language model is doing; None without one."""
        return None if self.queue is None else self.queue.state()

    async def close(self) -> None:
        """Let the model go, within a second: a plug-in that hangs or fails must not keep the node from ending."""
        if self.queue is None:
            return
        with self.supervisor.guard(MODEL):
            async with asyncio.timeout(CLOSE_S):
                await self.queue.close()


def configured_mode(settings: Settings) -> SummaryMode:
    """How summaries are made as long as nobody changes it."""
    if settings.summary is None:
        return SummaryMode.OFF
    return SummaryMode.TEMPLATE if settings.summary.provider == TEMPLATE else settings.summary.mode


def modes(settings: Settings) -> tuple[SummaryMode, ...]:
    """The ways that may be switched to: pictures leave only where the configuration says so."""
    configured = configured_mode(settings)
    if configured is SummaryMode.OFF:
        return ()
    every = (SummaryMode.OFF, SummaryMode.TEMPLATE, SummaryMode.TEXT, SummaryMode.VISION)
    return every[: every.index(configured) + 1]


def writing(
    settings: Settings,
    *,
    mode_of: Callable[[str], SummaryMode],
    history: History,
    memory: Memory,
    publish: Publish,
    order: Order,
    supervisor: Supervisor,
    clock: Clock,
    locale: LocaleNow,
    owed: Callable[[], Sequence[Event]] | None = None,
) -> Writing | None:
    """Who writes, as the settings say; None where nobody shall.

    A model that cannot even be made (a package is missing, the address is none) is a problem of the node, and the
    template writes. `locale` is how times are written. `owed` gives the
    events that a process before this one did not get to write about.
    """
    summary = settings.summary
    if summary is None:
        return None
    names = {camera.id: camera.name for camera in settings.cameras}
    queue: ModelQueue | None = None
    try:
        queue = _queue(summary, memory, clock, locale)
    except BlikkError as error:
        supervisor.fail(MODEL, error)
    writer = TextWriter(queue=queue, check=check, clock=clock)
    summarizer = Summarizer(
        writer=writer,
        publish=publish,
        clock=clock,
        mode_of=mode_of,
        names=names,
        labels=summary.labels,
        shrink=shrink,
        history=history,
        owed=owed,
        locale=locale,
    )
    digester = Digester(
        writer=writer,
        publish=publish,
        clock=clock,
        mode_of=mode_of,
        names=names,
        node_name=settings.node.name,
        history=history,
        every=_EVERY.get(summary.digest),
        watched=watched_in(memory, history),
        locale=locale,
    )
    pushed = {camera.id: camera.name for camera in settings.cameras if camera.pushed}
    dispatcher = Dispatcher(
        writer=writer,
        publish=publish,
        clock=clock,
        mode_of=mode_of,
        names=pushed,
        shrink=shrink,
        every_s=settings.ingest.every_s,
        locale=locale,
    )
    watched = [question for camera in settings.cameras for question in camera_info(camera).questions]
    watcher = QuestionWatcher(
        watched,
        publish=publish,
        clock=clock,
        queue=queue,
        order=order,
        memory=memory,
        mode_of=mode_of,
        names=names,
        zones={camera.id: [zone.name for zone in camera.zones] for camera in settings.cameras},
        shrink=shrink,
        locale=locale,
    )
    return Writing(
        modes=modes(settings),
        summarizer=summarizer,
        digester=digester,
        enrichers=(summarizer, digester, *([dispatcher] if pushed else []), *([watcher] if watched else [])),
        rememberers=(summarizer, dispatcher, watcher),
        queue=queue,
        supervisor=supervisor,
    )


def _queue(summary: SummarySettings, memory: Memory, clock: Clock, locale: LocaleNow) -> ModelQueue | None:
    """The queue with its model; None where the template is all there is. Raises BlikkError."""
    if summary.model is None:
        return None
    model = summary.model.make(ModelContext(clock=clock))
    estimate = _estimate(model, summary)
    return ModelQueue(model, limits=summary.limits, clock=clock, estimate=estimate, memory=memory, locale=locale)


def _estimate(model: LanguageModel, summary: SummarySettings) -> Callable[[Prompt], int]:
    """What a prompt will cost, as the model has counted so far; by rule of thumb where it does not count."""
    if isinstance(model, Counting):
        return model.expected_tokens
    return lambda prompt: prompt_tokens(prompt, image_tokens=summary.image_tokens)
