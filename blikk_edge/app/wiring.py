"""A running node, wired from its settings."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from blikk_edge import __version__
from blikk_edge.app.asking import answerer
from blikk_edge.app.doors import album_of, bells, ingest_parts, media_parts, rings
from blikk_edge.app.identity import camera_info, house_locale, store_path, topics_of
from blikk_edge.app.pipelines import pipeline, sentry, steps_of
from blikk_edge.app.plugins import parts, sinks_of
from blikk_edge.app.sight import Sight
from blikk_edge.app.stand_ins import ProgressOf
from blikk_edge.app.writing import Writing, configured_mode, modes, writing
from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock, steady
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.house import CameraState, NodeInfo, SummaryMode
from blikk_edge.core.inlet import Inlet
from blikk_edge.core.parked import Parked, parked_from_json, parked_to_json
from blikk_edge.core.ports import Memory, Order, Sink
from blikk_edge.core.stages import Source
from blikk_edge.inputs.local_ask import LocalAsk, socket_of
from blikk_edge.kinds.context import Context
from blikk_edge.runtime.camera import CameraRun, switches_key
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.runtime.mailbox import Intake
from blikk_edge.runtime.node import Node
from blikk_edge.runtime.outlets import Orders, Outlets
from blikk_edge.runtime.pipeline import Pipeline
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.runtime.switches import set_switches, summary_switch
from blikk_edge.runtime.vision import VisionWorker
from blikk_edge.sinks.watched import WatchRecord, watched_in
from blikk_edge.sources.catalog import chosen_source, kind_of, open_source
from blikk_edge.sources.terms import Terms
from blikk_edge.store.store import Store


class App:
    """A node, wired and ready. `notes` say what it looks with; `order` takes commands while it runs."""

    def __init__(
        self,
        node: Node,
        cameras: Sequence[CameraRun],
        store: Store,
        writing: Writing | None,
        order: Order,
        notes: tuple[str, ...],
    ) -> None:
        self.notes = notes
        self.order = order
        self._writing = writing
        self._node = node
        self._cameras = cameras
        self._store = store

    async def run(self, stop: asyncio.Event, *, until_finished: bool = False) -> None:
        """Run until `stop` is set, or (`until_finished`) all clips have been played."""
        try:
            await self._node.run(stop, until_finished=until_finished)
        finally:
            try:
                if self._writing is not None:
                    await self._writing.close()
            finally:
                await asyncio.to_thread(self._store.close)

    def states(self) -> tuple[CameraState, ...]:
        """How each camera is doing now."""
        return tuple(camera.state() for camera in self._cameras)


def build(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    play_once: bool = False,
    spies: Sequence[Sink] = (),
    progress: ProgressOf | None = None,
) -> App:
    """Wire a node; raises BlikkError where that cannot be done. Opens models and the store, no camera and no broker.

    `play_once` lets clips end instead of starting again; `spies` are sinks beside those of the settings; `progress` is
    told of models that are fetched.
    """
    clock = steady(clock)  # one for all parts: they see together that the machine's clock was set
    supervisor = Supervisor(clock)
    path = store_path(settings, environ)
    sight = Sight(settings, progress=progress)
    if sight.problems:
        supervisor.problems["models"] = "; ".join(sight.problems)
    store = Store(
        path,
        max_records=settings.store.max_records,
        outbox_records=settings.store.outbox_records,
    )
    with supervisor.guard("store"):  # without its disk a node still watches and tells
        store.open()
    locale = house_locale(settings, store, clock)
    inlets = {camera.id: Inlet() for camera in settings.cameras if camera.pushed}
    intake = Intake({camera.id: camera.backpressure_strategy for camera in settings.cameras})
    outlets, orders = Outlets(), Orders()
    cameras = {
        camera.id: CameraRun(
            camera_info(camera),
            shown_source=camera.source.public,
            make_source=_source_maker(camera, clock, inlets.get(camera.id), loop=not play_once),
            make_pipeline=_pipeline_maker(settings, camera, store, supervisor),
            deliver=outlets.deliver,
            remember_parked=_parked_keeper(camera, store, supervisor),
            intake=intake,
            supervisor=supervisor,
            clock=clock,
            stall_s=2 * camera.connect_timeout_s + camera.read_timeout_s + 10.0,
            away_after_s=camera.away_after_s,
            rings=rings(camera),
            finite=play_once and camera.plugged is None and kind_of(camera.source.reveal()) == "file",
            summary=_summary_mode(settings, camera, store, supervisor),
            configured_summary=configured_mode(settings),
            pushed=camera.pushed,
        )
        for camera in settings.cameras
    }
    album = album_of(settings, store, clock, locale)
    gone = SummaryMode.TEMPLATE if modes(settings) else SummaryMode.OFF
    written = writing(
        settings,
        # a camera of a stored event may be gone from the configuration: no model is asked about it any more
        mode_of=lambda camera: cameras[camera].summary if camera in cameras else gone,
        history=store,
        owed=store.unwritten,
        memory=store,
        tell=outlets.deliver,
        order=orders.give,
        supervisor=supervisor,
        clock=clock,
        locale=locale,
    )

    def states() -> tuple[CameraState, ...]:
        return tuple(camera.state() for camera in cameras.values())

    context = Context(
        clock=clock,
        node=NodeInfo(
            id=settings.node.id,
            name=settings.node.name,
            version=__version__,
            cameras=tuple(camera.info for camera in cameras.values()),
            summaries=written.modes if written else (),
            media_url=settings.media.address if settings.media else None,
            language=settings.language or "en",
        ),
        topics=topics_of(settings),
        locale=locale,
        claimed=locale.claimed,
        order=orders.give,
        history=store,
        album=album,
        ask=answerer(
            history=store,
            cameras=tuple(camera.info for camera in cameras.values()),
            clock=clock,
            states=states,
            desk=written.desk if written else None,
            summarizer=written.summarizer if written else None,
            digester=written.digester if written else None,
            album=album,
            rememberers=written.rememberers if written else (),
            tell=outlets.deliver,
            watched=watched_in(store, store),
            locale=locale,
        ),
        states=states,
        publish=outlets.deliver,
    )
    sinks = sinks_of(settings, context, supervisor)
    with supervisor.guard("store"):
        store.follow({sink.name: sink.takes for sink in sinks.durable}, absent=sinks.absent)
    node = Node(
        cameras=cameras,
        intake=intake,
        make_worker=lambda: VisionWorker(
            intake=intake, cameras=cameras, make_eyes=lambda: sight.eyes(settings), clock=clock
        ),
        workers=settings.workers,
        sinks=(
            *sinks.others,
            WatchRecord(cameras=tuple(cameras), memory=store, history=store, clock=clock),
            *([album] if album else []),
            *spies,
        ),
        enrichers=(*(written.enrichers if written else ()), *parts(settings.enrichers, context, supervisor)),
        parts=(
            locale,
            *([] if settings.mqtt else [LocalAsk(socket_of(path), context.ask, cameras=tuple(cameras), locale=locale)]),
            *bells(settings, orders.give, clock),
            *ingest_parts(settings, inlets, clock),
            *media_parts(settings, store, album, clock),
            *([written.desk] if written and written.desk else []),
        ),
        writer=written,
        outlets=outlets,
        orders=orders,
        supervisor=supervisor,
        memory=store,
        delivery=Delivery(store, sinks.durable, clock=clock),
        clock=clock,
        health_every_s=settings.health_every_s,
        unfinished=store,
    )
    return App(node, tuple(cameras.values()), store, written, orders.give, sight.notes)


def _source_maker(camera: CameraSettings, clock: Clock, inlet: Inlet | None, *, loop: bool) -> Callable[[], Source]:
    terms = Terms(
        camera=camera.id,
        shown=camera.source.public,
        clock=clock,
        fps=camera.fps,
        height_px=camera.height_px,
        rotate=camera.rotate,
        transport=camera.transport,
        connect_timeout_s=camera.connect_timeout_s,
        read_timeout_s=camera.read_timeout_s,
        watch=camera.watch,
        sleep_after_s=camera.sleep_after_s,
        sentry=sentry(camera),
        inlet=inlet,
        loop=loop,
    )
    if (chosen := camera.plugged) is not None:
        return lambda: chosen_source(chosen, terms)
    return lambda: open_source(camera.source.reveal(), terms)


def _parked_key(camera: CameraSettings) -> str:
    return f"parked/{camera.id}"


def _pipeline_maker(
    settings: Settings, camera: CameraSettings, memory: Memory, supervisor: Supervisor
) -> Callable[[], Pipeline]:
    """Pipelines that know what was parked and how the switches stood."""

    def failed(index: int, error: BlikkError) -> None:
        supervisor.fail(f"camera.{camera.id}.step.{camera.transforms[index].name}", error)

    def make() -> Pipeline:
        parked = switches = None
        with supervisor.guard("store") as outcome:
            parked = memory.recall(_parked_key(camera))
            switches = memory.recall(switches_key(camera.id))
        if not outcome.failed:
            supervisor.well("store")
        made = pipeline(settings, camera, parked_from_json(parked), steps_of(camera, failed))
        set_switches(made, switches)
        return made

    return make


def _summary_mode(settings: Settings, camera: CameraSettings, memory: Memory, supervisor: Supervisor) -> SummaryMode:
    """How this camera's summaries were made last, where that is still possible."""
    kept = None
    with supervisor.guard("store"):
        kept = memory.recall(switches_key(camera.id))
    configured = configured_mode(settings)
    mode = summary_switch(kept, configured)
    return mode if mode in modes(settings) else configured


def _parked_keeper(
    camera: CameraSettings, memory: Memory, supervisor: Supervisor
) -> Callable[[tuple[Parked, ...]], bool]:
    def keep(parked: tuple[Parked, ...]) -> bool:
        with supervisor.guard("store") as outcome:
            memory.remember(_parked_key(camera), parked_to_json(parked))
        if not outcome.failed:
            supervisor.well("store")
        return not outcome.failed

    return keep
