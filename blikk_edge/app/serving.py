"""The HTTP server of a node, as its settings say."""

from collections.abc import Callable

from blikk_edge.app.plugins import parts
from blikk_edge.config.settings import Settings
from blikk_edge.core.live import LiveView
from blikk_edge.core.probe import NodeNote, Readings
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.kinds.context import Context
from blikk_edge.net.http import ingress
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.options import HttpSettings
from blikk_edge.net.http.server import HttpServer
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.web.context import PageContext, Places
from blikk_edge.web.feed import Feed
from blikk_edge.web.kinds import SERVED
from blikk_edge.web.options import NoOptions


def http_server(
    http: HttpSettings,
    settings: Settings,
    context: Context,
    *,
    live: LiveView,
    feed: Feed,
    problems: Callable[[], tuple[str, ...]],
    note: Callable[[], NodeNote],
    readings: Readings,
    supervisor: Supervisor,
) -> HttpServer:
    """The server with all that it serves; a page that cannot be made is a problem of the node, which runs without."""
    tokens = http.tokens
    access = Access(
        view=tokens.view.reveal() if tokens.view else None,
        control=tokens.control.reveal() if tokens.control else None,
        clock=context.clock,
        origins=http.origins,
        ingress=ingress.Ingress(ingress.SUPERVISOR) if http.ingress else None,
    )
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
    )
    with_options = {"media": settings.media}
    served = [
        Chosen(kinds=SERVED, name=name, options=options)
        for name in SERVED.own
        if (options := with_options.get(name, NoOptions())) is not None
    ]
    return HttpServer(
        parts(served, pages, supervisor),
        access,
        clock=context.clock,
        host=http.host,
        port=http.port,
        certificate=http.tls.certificate if http.tls else None,
        key=http.tls.key if http.tls else None,
        names=http.names,
        in_the_clear=http.in_the_clear,
    )
