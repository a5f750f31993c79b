"""`blikk fleet web`: the pages of all sites, from the centre's database, as its file says."""

import asyncio
import logging

from blikk_edge.app.search_model import at_hand
from blikk_edge.app.serving import access_of
from blikk_edge.app.vision_models import model_folders
from blikk_edge.config.collect import CollectSettings
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.locale import zone_named
from blikk_edge.fleet.centre.pages import SitesAlbum, SitesPages
from blikk_edge.fleet.centre.past import SitesPast
from blikk_edge.fleet.centre.pictures import Pictures
from blikk_edge.net.http.options import HttpSettings
from blikk_edge.net.http.route import Route
from blikk_edge.net.http.server import HttpServer
from blikk_edge.web.events import Events
from blikk_edge.web.site import Sessions, page_routes

LOG = logging.getLogger("blikk.pages")


class _Shell:
    """The document, its files, and log-in."""

    name = "site"

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def routes(self) -> tuple[Route, ...]:
        """What it serves."""
        return (*page_routes(phone=False), *self._sessions.routes())


class FleetPages:
    """Serves the pages until cancelled. To be made in the running loop."""

    def __init__(self, settings: CollectSettings, *, clock: Clock) -> None:
        http = settings.http or HttpSettings()
        access = access_of(http, clock)
        self._past = SitesPast(settings.centre.postgres)
        self._past.attach()
        self._pictures = Pictures(settings.centre.sites, clock=clock)
        tower = at_hand(settings.search, model_folders(None))
        self._pages = SitesPages(
            self._past,
            self._pictures,
            clock=clock,
            zone=zone_named(settings.timezone) if settings.timezone else None,
            language=settings.language or "en",
            tower=lambda: tower,
        )
        self.server = HttpServer(
            (
                _Shell(Sessions(access, clock)),
                self._pages,
                Events(self._past, SitesAlbum(self._past, self._pictures), clock),
            ),
            access,
            clock=clock,
            host=http.host,
            port=http.port,
            certificate=http.tls.certificate if http.tls else None,
            key=http.tls.key if http.tls else None,
            names=http.names,
        )

    async def run(self) -> None:
        """Serve. Raises BlikkError where the port cannot be used."""
        saying = asyncio.ensure_future(asyncio.to_thread(self._say_who))
        try:
            await self.server.run()
        finally:
            await asyncio.gather(saying, return_exceptions=True)
            await self._pages.close()
            await self._pictures.close()
            await self._past.close()

    def _say_who(self) -> None:
        """Warn of a user whom row-level security does not bind. Blocking."""
        try:
            bound = self._past.bound()
        except StoreError:
            return  # which is logged
        if not bound:
            LOG.warning(
                "this user of the database may see every site; use one that is named in `readers`, to show no more "
                "than it may"
            )
