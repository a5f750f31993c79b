"""The slow loop, wired from its settings: who writes, what it may cost, and who asks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from blikk_edge.app.identity import camera_info
from blikk_edge.asking.forgetting import Rememberer
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.locale import LocaleNow
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import Enricher, History, Memory, Order, Publish
from blikk_edge.core.status import LlmState, SummaryMode
from blikk_edge.core.summary import Summary
from blikk_edge.enrichers.context import WriterContext
from blikk_edge.enrichers.kinds import ENRICHERS
from blikk_edge.enrichers.questions.kind import QuestionsOptions
from blikk_edge.enrichers.questions.watcher import QuestionWatcher
from blikk_edge.enrichers.summaries.digest import Digester
from blikk_edge.enrichers.summaries.digest_kind import DigestOptions
from blikk_edge.enrichers.summaries.dispatch import Dispatcher
from blikk_edge.enrichers.summaries.dispatch_kind import DispatchOptions
from blikk_edge.enrichers.summaries.kind import TEMPLATE, SummarySettings
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Everybody who writes, ready to run; implements `runtime.node.Writer`.

    Attributes:
        modes: The ways of writing summaries that may be switched to; OFF is the first.
        summarizer: Writes about events, and about what a camera sees now.
        digester: Writes about periods.
        enrichers: All that follow the records: these two, the dispatcher of pushed cameras, the watcher of questions.
        rememberers: Those that keep something of events in memory, and drop it where it is to be forgotten.
        queue: The language model with its budget; None where the template writes everything.
        supervisor: Logs what goes wrong when the model is closed.
    """

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
    queue: ModelQueue | None = None
    try:
        queue = _queue(settings, summary, memory, clock, locale)
    except BlikkError as error:
        supervisor.fail(MODEL, error)
    context = WriterContext(
        clock=clock,
        locale=locale,
        node_name=settings.node.name,
        names={camera.id: camera.name for camera in settings.cameras},
        zones={camera.id: [zone.name for zone in camera.zones] for camera in settings.cameras},
        mode_of=mode_of,
        writer=TextWriter(queue=queue, check=check, clock=clock),
        queue=queue,
        shrink=shrink,
        history=history,
        memory=memory,
        watched=watched_in(memory, history),
        owed=owed,
        order=order,
        publish=publish,
    )
    pushed = tuple(camera.id for camera in settings.cameras if camera.pushed)
    watched = tuple(question for camera in settings.cameras for question in camera_info(camera).questions)

    def made(name: str, options: object) -> Any:
        return ENRICHERS.make(ENRICHERS.get(name), options, context)

    summarizer: Summarizer = made("summary", summary)
    digester: Digester = made("digest", DigestOptions(digest=summary.digest))
    dispatcher: Dispatcher = made("dispatch", DispatchOptions(cameras=pushed, every_s=settings.ingest.every_s))
    watcher: QuestionWatcher = made("questions", QuestionsOptions(questions=watched))
    return Writing(
        modes=modes(settings),
        summarizer=summarizer,
        digester=digester,
        enrichers=(summarizer, digester, *([dispatcher] if pushed else []), *([watcher] if watched else [])),
        rememberers=(summarizer, dispatcher, watcher),
        queue=queue,
        supervisor=supervisor,
    )


def sharing(settings: Settings, clock: Clock) -> Callable[[LanguageModel | None, float], LanguageModel] | None:
    """What makes the workers of the site a model; None where the node belongs to no site."""
    fleet = settings.fleet
    if fleet is None:
        return None

    def share(own: LanguageModel | None, wait_s: float) -> LanguageModel:
        from blikk_edge.fleet.link import Link  # noqa: PLC0415  # only a node of a fleet needs it
        from blikk_edge.fleet.names import Names  # noqa: PLC0415
        from blikk_edge.fleet.shared_model import SharedModel  # noqa: PLC0415

        node = settings.node.id
        link = Link(fleet, name=f"{node}.jobs")
        return SharedModel(link, Names(fleet.site), node=node, wait_s=wait_s, clock=clock, own=own)

    return share


def _queue(
    settings: Settings, summary: SummarySettings, memory: Memory, clock: Clock, locale: LocaleNow
) -> ModelQueue | None:
    """The queue with its model; None where the template is all there is. Raises BlikkError."""
    if summary.model is None:
        return None
    model = summary.model.make(ModelContext(clock=clock, share=sharing(settings, clock)))
    estimate = _estimate(model, summary)
    return ModelQueue(model, limits=summary.limits, clock=clock, estimate=estimate, memory=memory, locale=locale)


def _estimate(model: LanguageModel, summary: SummarySettings) -> Callable[[Prompt], int]:
    """What a prompt will cost, as the model has counted so far; by rule of thumb where it does not count."""
    if isinstance(model, Counting):
        return model.expected_tokens
    return lambda prompt: prompt_tokens(prompt, image_tokens=summary.image_tokens)
