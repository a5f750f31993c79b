"""The HTTP server of a node, as its settings say."""

from collections.abc import Callable, Sequence

from blikk_edge.app.plugged_pages import plugged
from blikk_edge.app.plugins import parts
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.live import LiveView
from blikk_edge.core.probe import NodeNote, Readings
from blikk_edge.core.recordings import EventClips
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.kinds.context import Context
from blikk_edge.net.http import ingress
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.options import HttpSettings
from blikk_edge.net.http.route import Served
from blikk_edge.net.http.server import KNOWN, HttpServer
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.sinks.websocket import WebSocketOptions
from blikk_edge.web.config_file import ConfigFile
from blikk_edge.web.context import PageContext, Places
from blikk_edge.web.feed import Feed
from blikk_edge.web.kinds import SERVED
from blikk_edge.web.options import NoOptions


def access_of(http: HttpSettings, clock: Clock) -> Access:
    """Who may have what."""
    tokens = http.tokens
    return Access(
        view=tokens.view.reveal() if tokens.view else None,
        control=tokens.control.reveal() if tokens.control else None,
        clock=clock,
        origins=http.origins,
        ingress=ingress.Ingress(ingress.SUPERVISOR) if http.ingress else None,
    )


def http_server(
    http: HttpSettings,
    settings: Settings,
    context: Context,
    *,
    access: Access,
    doors: Sequence[Served],
    live: LiveView,
    feed: Feed,
    problems: Callable[[], tuple[str, ...]],
    note: Callable[[], NodeNote],
    readings: Readings,
    config_file: ConfigFile | None,
    restart: Callable[[], None] | None,
    recordings: EventClips | None = None,
    supervisor: Supervisor,
) -> HttpServer:
    """The server with all that it serves, `doors` besides the pages.

    A page that cannot be made is a problem of the node, which runs without.
    """
    pages = PageContext(
        node=context,
        access=access,
        live=live,
        feed=feed,
        places={
            camera.id: Places(zones={zone.name: zone.polygon for zone in camera.zones}, private=camera.private)
            for camera in settings.cameras
        },
        problems=problems,
        note=note,
        readings=readings,
        phones=frozenset(camera.id for camera in settings.cameras if camera.by_whip),
        config_file=config_file,
        restart=restart,
        recordings=recordings,
    )
    with_options = {"media": settings.media}
    served = [
        Chosen(kinds=SERVED, name=name, options=options)
        for name in SERVED.own
        if (options := with_options.get(name, NoOptions())) is not None
    ]
    return HttpServer(
        (
            *parts(served, pages, supervisor),
            *plugged(parts(settings.pages, pages, supervisor), supervisor),
            *doors,
        ),
        access,
        clock=context.clock,
        host=http.host,
        port=http.port,
        certificate=http.tls.certificate if http.tls else None,
        key=http.tls.key if http.tls else None,
        names=http.names,
        in_the_clear=http.in_the_clear,
        known=KNOWN + _lasting(settings),
    )


def _lasting(settings: Settings) -> int:
    """How many connections subscribers and edge clients may hold."""
    subscribers = sum(sink.options.connections for sink in settings.sinks if isinstance(sink.options, WebSocketOptions))
    return subscribers + sum(4 for camera in settings.cameras if camera.pushed)
