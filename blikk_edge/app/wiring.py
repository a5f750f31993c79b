"""A running node, wired from its settings."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from blikk_edge.app.asking import answerer
from blikk_edge.app.cameras import camera_run, most_attempts
from blikk_edge.app.clips import Clip
from blikk_edge.app.config_file import NodeConfigFile
from blikk_edge.app.identity import household_locale, node_info, store_path, topics_of
from blikk_edge.app.later_models import LaterModels
from blikk_edge.app.parts import album_of, buttons_of, current_addresses, doors_of, events_of, whip_of
from blikk_edge.app.plugins import parts, sinks_of
from blikk_edge.app.probing import probing
from blikk_edge.app.recording import clips_of, recorder_of, redacted_clips_of
from blikk_edge.app.search_model import text_towers
from blikk_edge.app.serving import access_of, http_server
from blikk_edge.app.sharing import membership_of, past_of, search_of
from blikk_edge.app.stand_ins import ProgressOf
from blikk_edge.app.uplink import uplink_of
from blikk_edge.app.writing import Writing, modes, writing
from blikk_edge.asking.forgetting import Forgetter
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import Clock, steady
from blikk_edge.core.encoded_queue import EncodedQueue
from blikk_edge.core.inquiry import Answerer
from blikk_edge.core.ports import Order, Sink
from blikk_edge.core.probe import NodeNote, Probe
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.core.status import CameraInfo, CameraState, SummaryMode
from blikk_edge.inputs.context import InputContext
from blikk_edge.inputs.local_ask import LocalAsk, socket_of
from blikk_edge.kinds.context import Context
from blikk_edge.net.http.route import Route
from blikk_edge.runtime.camera import CameraRun
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.runtime.held import held_parts
from blikk_edge.runtime.live import Live
from blikk_edge.runtime.mailbox import Attempts, Intake
from blikk_edge.runtime.node import Node, SignOfLife
from blikk_edge.runtime.outlets import Orders, Outlets
from blikk_edge.runtime.paths import Paths
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.runtime.vision import VisionWorker
from blikk_edge.sinks.mqtt.kind import site_sink
from blikk_edge.sinks.watched import WatchRecord, watched_in
from blikk_edge.sources.decode_budget import DecodeBudget, usable_cores
from blikk_edge.store.store import Store
from blikk_edge.web.feed import Feed

if TYPE_CHECKING:
    from blikk_edge.fleet.membership import Membership


class App:
    """A node, wired and ready; `order` takes commands while it runs.

    `ask` answers requests while it runs, of all that was reported before. `notes` say what it looks with; those of them
    that are `problems` say what stands in for what could not be had.
    """

    def __init__(
        self,
        node: Node,
        cameras: Sequence[CameraRun],
        store: Store,
        writing: Writing | None,
        order: Order,
        ask: Answerer,
        notes: tuple[str, ...],
        problems: tuple[str, ...],
        routes: Sequence[Route] = (),
        membership: "Membership | None" = None,
    ) -> None:
        self._membership = membership
        self.routes = tuple(routes)
        """What its HTTP server serves."""

        self.notes = notes
        self.problems = problems
        self.order = order
        self.ask = ask
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
                if self._membership is not None:
                    await self._membership.close()
            finally:
                await asyncio.to_thread(self._store.close)

    def close(self) -> None:
        """Close what `build` has opened, of a node that was not run."""
        self._store.close()

    async def finish(self) -> None:
        """Wait until all clips have been played, and end the events that they left open; the node goes on."""
        await self._node.finish()

    async def hand_on(self) -> None:
        """Wait until what has been reported so far is with every sink that takes it at once."""
        await self._node.hand_on()

    async def settle(self) -> None:
        """Wait until what has been reported so far is in the history."""
        await self._node.settle()

    async def finish_writing(self) -> None:
        """Wait for the texts about events that have ended; nothing more is to be reported."""
        if self._writing is not None:
            await self._writing.summarizer.finish()

    @property
    def cameras(self) -> tuple[CameraInfo, ...]:
        """The cameras, as the outside knows them."""
        return tuple(camera.info for camera in self._cameras)

    def states(self) -> tuple[CameraState, ...]:
        """How each camera is doing now."""
        return tuple(camera.state() for camera in self._cameras)

    def note(self) -> NodeNote:
        """How cameras, mailboxes, sinks and the language model are doing now; to be called in the event loop."""
        return self._node.note()


def build(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    play_once: bool = False,
    clip: Clip | None = None,
    spies: Sequence[Sink] = (),
    progress: ProgressOf | None = None,
    heartbeat: SignOfLife | None = None,
    opening: Callable[[Store], None] = lambda _store: None,
    probe: Probe | None = None,
    file: Path | None = None,
    restart: Callable[[], None] | None = None,
    left_out: Sequence[str] = (),
) -> App:
    """Wire a node; raises BlikkError where that cannot be done. Opens models and the store, no camera and no broker.

    `play_once` lets clips end instead of starting again; with `clip`, whose clock `clock` then is, the file of the only
    camera is read as fast as it is looked at. `spies` are sinks beside those of the settings; `progress` is
    called for models that are fetched; `heartbeat` shows this machine that the node lives; `opening` is called with the
    store before its file is opened; `probe` sees what happens on the way from frame to sink. `file` is what the
    settings were read from, `restart` starts all of it again. `left_out` are sentences about cameras of its site
    that it cannot watch.
    """
    clock = steady(clock)  # one for all parts: they see together that the machine's clock was set
    supervisor = Supervisor(clock)
    path = store_path(settings, environ)
    search_model = search_of(settings, supervisor, clock)
    models = LaterModels(
        settings,
        supervisor,
        clock,
        progress=progress,
        make_reader=(lambda: None) if search_model is None else search_model.reader,
    )
    store = Store(
        path,
        max_records=settings.store.max_records,
        outbox_records=settings.store.outbox_records,
        courses=settings.http is not None,
    )
    opening(store)
    with supervisor.guard("store"):  # without its disk a node still watches and reports
        store.open()
    locale = household_locale(settings, store, clock)
    push_queues = {camera.id: PushQueue() for camera in settings.cameras if camera.pushed}
    encoded = {camera.id: EncodedQueue() for camera in settings.cameras if camera.by_whip}
    whip = whip_of(settings, encoded, memory=store, clock=clock)
    measuring = probing(settings, probe, supervisor, clock)
    probe = measuring.probe
    intake = Intake({camera.id: camera.backpressure_strategy for camera in settings.cameras}, probe=probe)
    attempts = Attempts(most_attempts(len(settings.cameras)))
    budget = DecodeBudget(usable_cores())
    membership = membership_of(
        settings,
        store,
        clock,
        restart=restart,
        left_out=left_out,
        uplink=lambda: next((note for note in delivery.notes() if note.name == "uplink"), None),
        past=lambda: None if past is None else past.problem,
    )
    permit = None if membership is None else membership.permit
    outlets, orders = Outlets(permit), Orders()
    live = Live() if settings.http else None
    paths = Paths(store.keep_path) if settings.http else None
    recorder = recorder_of(settings, store, clock) if clip is None else None
    taps = {} if recorder is None else recorder.taps
    clips = clips_of(settings, store, clock) if clip is None else None
    redacted = redacted_clips_of(settings, store, models, clips, clock)
    addresses = current_addresses(settings, store)
    cameras = {
        camera.id: camera_run(
            settings,
            camera,
            memory=store,
            push_queue=push_queues.get(camera.id),
            encoded=encoded.get(camera.id),
            intake=intake,
            attempts=attempts,
            budget=budget,
            deliver=outlets.deliver,
            supervisor=supervisor,
            clock=clock,
            play_once=play_once,
            clip=clip,
            audience=live,
            probe=None if probe is None else probe.camera(camera.id),
            keep_path=paths.keep if paths else None,
            tap=taps.get(camera.id),
            current_address=addresses.get(camera.id),
            permit=permit,
        )
        for camera in settings.cameras
    }
    album = album_of(settings, store, clock, locale)
    gone = SummaryMode.TEMPLATE if modes(settings) else SummaryMode.OFF
    written = writing(
        settings,
        # a camera of a stored event may be gone from the configuration: no model is asked about it any more
        mode_of=lambda camera: cameras[camera].switches.summary if camera in cameras else gone,
        history=store,
        owed=store.unwritten,
        memory=store,
        publish=outlets.deliver,
        order=orders.give,
        supervisor=supervisor,
        clock=clock,
        locale=locale,
    )

    def states() -> tuple[CameraState, ...]:
        return tuple(camera.state() for camera in cameras.values())

    forgetter = Forgetter(
        history=store,
        album=album,
        rememberers=written.rememberers if written else (),
        publish=outlets.deliver,
        recordings=clips,
    )
    past = past_of(settings, membership, store, clock, forget=forgetter.forget)
    context = Context(
        clock=clock,
        node=node_info(
            settings,
            cameras=tuple(camera.info for camera in cameras.values()),
            summaries=written.modes if written else (),
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
            states=states if past is None else lambda: past.seen(states()),
            queue=written.queue if written else None,
            summarizer=written.summarizer if written else None,
            digester=written.digester if written else None,
            album=album,
            forget=forgetter.forget if past is None else past.forget,
            watched=watched_in(store, store),
            locale=locale,
            searched=search_model is not None,
            tower=text_towers(search_model),
        ),
        states=states,
        publish=outlets.deliver,
        permit=permit,
        uplink=uplink_of(settings),
    )
    sinks = sinks_of(settings, context, supervisor)
    feed = Feed(context.topics) if settings.http else None
    server = None
    if settings.http is not None and live is not None and feed is not None and measuring.measured is not None:
        access = access_of(settings.http, clock)
        server = http_server(
            settings.http,
            settings,
            context,
            access=access,
            doors=(
                *sinks.served,
                *doors_of(settings, push_queues, access=access, order=orders.give, clock=clock),
                *([whip] if whip else []),
            ),
            live=live,
            feed=feed,
            problems=lambda: node.problems,
            note=lambda: node.note(),  # noqa: PLW0108 - the node is made below
            readings=measuring.measured,
            config_file=None if file is None else NodeConfigFile(file, settings, environ=environ, clock=clock),
            restart=restart,
            recordings=clips,
            supervisor=supervisor,
        )
    durable = (*sinks.durable, *([past.sink] if past else []))
    with supervisor.guard("store"):
        store.follow({sink.name: sink.takes for sink in durable}, absent=sinks.absent)
    delivery = Delivery(store, durable, clock=clock, probe=probe)
    node = Node(
        cameras=cameras,
        intake=intake,
        make_worker=lambda: VisionWorker(
            intake=intake, cameras=cameras, make_tools=models.tools, tools_round=lambda: models.round, clock=clock
        ),
        workers=settings.workers,
        sinks=(
            *sinks.others,
            WatchRecord(cameras=tuple(cameras), memory=store, history=store, clock=clock),
            *([album] if album else []),
            *([recorder] if recorder is not None else []),
            *([redacted] if redacted is not None else []),
            *([feed] if feed is not None else []),
            *([site_sink(settings.mqtt, context)] if permit is not None and settings.mqtt is not None else []),
            *spies,
        ),
        outside=sinks.others,
        permit=permit,
        fleet=None if membership is None else membership.note,
        enrichers=(*(written.enrichers if written else ()), *parts(settings.enrichers, context, supervisor)),
        parts=(
            locale,
            models,
            *([search_model] if search_model else []),
            *([] if settings.mqtt else [LocalAsk(socket_of(path), context.ask, cameras=tuple(cameras), locale=locale)]),
            *parts(buttons_of(settings), InputContext(clock=clock, order=orders.give), supervisor),
            *parts(settings.inputs, context, supervisor),
            *([whip] if whip else []),
            *held_parts(events_of(settings, addresses, order=orders.give, clock=clock), permit, clock),
            *([membership] if membership else []),
            *([past] if past else []),
            *([server] if server else []),
            *([paths] if paths else []),
            *([written.queue] if written and written.queue else []),
            *([measuring.traces] if measuring.traces else []),
        ),
        writer=written,
        outlets=outlets,
        orders=orders,
        supervisor=supervisor,
        memory=store,
        delivery=delivery,
        clock=clock,
        health_every_s=settings.health_every_s,
        unfinished=store,
        heartbeat=heartbeat,
        probe=probe,
        attempts=attempts,
    )
    return App(
        node,
        tuple(cameras.values()),
        store,
        written,
        orders.give,
        context.ask,
        models.notes,
        models.problems,
        server.routes() if server else (),
        membership,
    )
