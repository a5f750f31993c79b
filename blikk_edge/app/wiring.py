"""A running node, wired from its settings."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from blikk_edge import __version__
from blikk_edge.app.asking import answerer
from blikk_edge.app.identity import broker_address, camera_info, store_path
from blikk_edge.app.pipelines import pipeline, sentry
from blikk_edge.app.sight import Sight
from blikk_edge.app.writing import Writing, configured_mode, modes, writing
from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.house import CameraState, NodeInfo, SummaryMode
from blikk_edge.core.inlet import Inlet
from blikk_edge.core.parked import Parked, parked_from_json, parked_to_json
from blikk_edge.core.ports import Memory, Order, Sink
from blikk_edge.core.stages import Source
from blikk_edge.inputs.gpio import GpioButton
from blikk_edge.inputs.http import RingHook
from blikk_edge.inputs.ingest import Gate, IngestServer
from blikk_edge.runtime.camera import CameraRun, switches_key
from blikk_edge.runtime.mailbox import Intake
from blikk_edge.runtime.node import Node, Part
from blikk_edge.runtime.outlets import Orders, Outlets
from blikk_edge.runtime.pipeline import Pipeline
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.runtime.switches import set_switches, summary_switch
from blikk_edge.runtime.vision import VisionWorker
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.sinks.mqtt.sink import MqttSink
from blikk_edge.sinks.store import Store
from blikk_edge.sinks.webhook import WebhookSink
from blikk_edge.sources.capture import Terms
from blikk_edge.sources.catalog import kind_of, open_source
from blikk_edge.sources.push import PushSource
from blikk_edge.web.media import MediaApi
from blikk_edge.wire.topics import Topics


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
            if self._writing is not None:
                await self._writing.close()
            await asyncio.to_thread(self._store.close)

    def states(self) -> tuple[CameraState, ...]:
        """How each camera is doing now."""
        return tuple(camera.state() for camera in self._cameras)


def build(
    settings: Settings, *, environ: Mapping[str, str], clock: Clock, play_once: bool = False, spies: Sequence[Sink] = ()
) -> App:
    """Wire a node; raises BlikkError where that cannot be done. Opens models and the store, no camera and no broker.

    `play_once` lets clips end instead of starting again; `spies` are sinks beside those of the settings.
    """
    supervisor = Supervisor()
    sight = Sight(settings)
    if sight.problems:
        supervisor.problems["models"] = "; ".join(sight.problems)
    store = Store(
        store_path(settings, environ),
        max_records=settings.store.max_records,
        outbox_records=settings.store.outbox_records,
    )
    with supervisor.guard("store"):  # without its disk a node still watches and tells
        store.open()
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
            rings=_rings(camera),
            finite=play_once and kind_of(camera.source.reveal()) == "file",
            summary=_summary_mode(settings, camera, store, supervisor),
            configured_summary=configured_mode(settings),
            pushed=camera.pushed,
        )
        for camera in settings.cameras
    }
    album = _album(settings, store, clock)
    written = writing(
        settings,
        mode_of=lambda camera: cameras[camera].summary,
        history=store,
        memory=store,
        tell=outlets.deliver,
        order=orders.give,
        supervisor=supervisor,
        clock=clock,
    )
    mqtt = MqttSink(
        address=broker_address(settings.mqtt),
        node=NodeInfo(
            id=settings.node.id,
            name=settings.node.name,
            version=__version__,
            cameras=tuple(camera.info for camera in cameras.values()),
            summaries=written.modes if written else (),
            media_url=settings.media.address if settings.media else None,
        ),
        topics=Topics(settings.mqtt.prefix, settings.node.id),
        outbox=store,
        order=orders.give,
        ask=answerer(
            history=store,
            cameras=tuple(camera.info for camera in cameras.values()),
            clock=clock,
            states=lambda: tuple(camera.state() for camera in cameras.values()),
            desk=written.desk if written else None,
            summarizer=written.summarizer if written else None,
            digester=written.digester if written else None,
            album=album,
        ),
        clock=clock,
        mode=settings.home_assistant.mode,
        discovery_prefix=settings.home_assistant.prefix,
        birth_topic=settings.home_assistant.birth_topic,
    )
    node = Node(
        cameras=cameras,
        intake=intake,
        make_worker=lambda: VisionWorker(
            intake=intake, cameras=cameras, make_eyes=lambda: sight.eyes(settings), clock=clock
        ),
        workers=settings.workers,
        sinks=(mqtt, *([album] if album else []), *_webhook(settings, clock), *spies),
        enrichers=written.enrichers if written else (),
        parts=(
            *_inputs(settings, orders.give, clock),
            *_ingest(settings, inlets, clock),
            *_media(settings, store, album),
            *([written.desk] if written and written.desk else []),
        ),
        writer=written,
        outlets=outlets,
        orders=orders,
        supervisor=supervisor,
        memory=store,
        depths=mqtt,
        clock=clock,
        health_every_s=settings.health_every_s,
    )
    return App(node, tuple(cameras.values()), store, written, orders.give, sight.notes)


def _rings(camera: CameraSettings) -> tuple[str, ...]:
    """The ways in which this camera's doorbell may be pressed."""
    if camera.ring is None:
        return ()
    ways = (("mqtt", camera.ring.mqtt), ("http", camera.ring.http), ("gpio", camera.ring.gpio is not None))
    return tuple(way for way, allowed in ways if allowed)


def _inputs(settings: Settings, order: Order, clock: Clock) -> tuple[Part, ...]:
    """What rings besides MQTT."""
    bells = [(camera.id, camera.ring) for camera in settings.cameras if camera.ring is not None]
    buttons = [GpioButton(name, ring.gpio, order, clock=clock) for name, ring in bells if ring.gpio is not None]
    hooked = [name for name, ring in bells if ring.http]
    return (*buttons, *([RingHook(hooked, settings.ring_hook.port, order)] if hooked else []))


def _ingest(settings: Settings, inlets: Mapping[str, Inlet], clock: Clock) -> tuple[Part, ...]:
    """The server for edge clients, where a camera has one."""
    tokens = {camera.id: camera.push_token for camera in settings.cameras}
    gates = {
        name: Gate(inlet=inlet, token=token.reveal())
        for name, inlet in inlets.items()
        if (token := tokens[name]) is not None
    }
    ingest = settings.ingest
    if not gates:
        return ()
    return (
        IngestServer(
            gates,
            clock=clock,
            host=ingest.host,
            port=ingest.port,
            certificate=ingest.tls.certificate if ingest.tls else None,
            key=ingest.tls.key if ingest.tls else None,
        ),
    )


def _album(settings: Settings, store: Store, clock: Clock) -> PictureAlbum | None:
    media = settings.media
    if media is None:
        return None
    return PictureAlbum(
        media.folder or store.path.with_name("pictures"),
        clock=clock,
        max_bytes=media.max_mb * 1_000_000,
        keep_days=media.keep_days,
    )


def _media(settings: Settings, store: Store, album: PictureAlbum | None) -> tuple[Part, ...]:
    """The picture API, where it is configured."""
    media = settings.media
    if media is None or album is None:
        return ()
    return (
        MediaApi(
            album,
            store,
            token=media.token.reveal(),
            host=media.host,
            port=media.port,
            certificate=media.tls.certificate if media.tls else None,
            key=media.tls.key if media.tls else None,
        ),
    )


def _source_maker(camera: CameraSettings, clock: Clock, inlet: Inlet | None, *, loop: bool) -> Callable[[], Source]:
    if inlet is not None:
        terms = Terms(
            camera=camera.id,
            shown=camera.source.public,
            clock=clock,
            height_px=camera.height_px,
            read_timeout_s=camera.read_timeout_s,
        )
        return lambda: PushSource(inlet, terms)
    return lambda: open_source(
        camera.source.reveal(),
        camera=camera.id,
        shown=camera.source.public,
        clock=clock,
        fps=camera.fps,
        height_px=camera.height_px,
        transport=camera.transport,
        connect_timeout_s=camera.connect_timeout_s,
        read_timeout_s=camera.read_timeout_s,
        watch=camera.watch,
        sleep_after_s=camera.sleep_after_s,
        sentry=sentry(camera),
        loop=loop,
    )


def _parked_key(camera: CameraSettings) -> str:
    return f"parked/{camera.id}"


def _pipeline_maker(
    settings: Settings, camera: CameraSettings, memory: Memory, supervisor: Supervisor
) -> Callable[[], Pipeline]:
    """Pipelines that know what was parked and how the switches stood."""

    def make() -> Pipeline:
        parked = switches = None
        with supervisor.guard("store") as outcome:
            parked = memory.recall(_parked_key(camera))
            switches = memory.recall(switches_key(camera.id))
        if not outcome.failed:
            supervisor.well("store")
        made = pipeline(settings, camera, parked_from_json(parked))
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


def _webhook(settings: Settings, clock: Clock) -> tuple[Sink, ...]:
    """The web address that is told, where there is one."""
    webhook = settings.webhook
    if webhook is None:
        return ()
    return (
        WebhookSink(
            webhook.url,
            topics=Topics(settings.mqtt.prefix, settings.node.id),
            clock=clock,
            token=webhook.token.reveal() if webhook.token else None,
            tell=webhook.tell,
        ),
    )


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
