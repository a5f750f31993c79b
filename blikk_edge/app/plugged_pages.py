"""Pages of plug-ins: what they serve stays below a path of their own, and needs a token as ours do."""

from collections.abc import Sequence
from typing import Final

from blikk_edge.core.errors import BlikkError
from blikk_edge.kinds.plugins import PluginError, said
from blikk_edge.net.http.route import Route, Scope, Served
from blikk_edge.runtime.scheduler import Supervisor

ROOT: Final = "/plugins"
METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})


class PluggedPages:
    """The routes of one plug-in, asked for once; implements `net.http.route.Served`. Raises BlikkError."""

    def __init__(self, page: Served) -> None:
        self.name = page.name
        try:
            routes = tuple(page.routes())
        except BlikkError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the files of others may raise what they like
            raise PluginError(f"page {self.name}: its routes cannot be had: {said(error)}") from None
        for route in routes:
            self._check(route)
        self._routes = routes

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return self._routes

    def _check(self, route: object) -> None:
        home = f"{ROOT}/{self.name}"
        if not isinstance(route, Route) or route.method not in METHODS:
            raise PluginError(f"page {self.name}: what it serves is no Route of GET, POST, PUT or DELETE")
        if route.path != home and not route.path.startswith(f"{home}/"):
            raise PluginError(f"page {self.name}: it serves what is not below {home}/")
        if route.scope not in {Scope.VIEW, Scope.CONTROL}:
            raise PluginError(f"page {self.name}: its routes must have the scope view or control")


def plugged(pages: Sequence[Served], supervisor: Supervisor) -> tuple[Served, ...]:
    """Those whose routes may be served; the others are problems of the node, which runs without."""
    fine: list[Served] = []
    for page in pages:
        try:
            fine.append(PluggedPages(page))
        except BlikkError as error:
            supervisor.fail(f"page {page.name}", error)
    return tuple(fine)
