"""The HTTP hook of doorbells: `POST /ring/<camera>`."""

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from blikk_edge.core.allowance import COMMANDS, COMMANDS_PER_S, Allowance
from blikk_edge.core.clock import Clock
from blikk_edge.core.commands import Press
from blikk_edge.core.ports import Order
from blikk_edge.net.http.access import Access, covers
from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.route import Route, Scope

if TYPE_CHECKING:
    from aiohttp import web

BODY_BYTES: Final = 1024

_HERE: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)


class RingHook:
    """Rings for a camera when somebody posts to `/ring/<camera>`.

    A program on this machine needs no token, if it calls it `localhost`, 127.0.0.1 or [::1]. Everybody else needs the
    token `control`. Answers 204, or 404 for a camera without such a bell, 413 for more than a small body, 429 in a
    flood.
    """

    name = "ring_hook"

    def __init__(self, cameras: Collection[str], order: Order, access: Access, clock: Clock) -> None:
        self._cameras = frozenset(cameras)
        self._order = order
        self._access = access
        self._allowance = Allowance(clock, at_once=COMMANDS, per_s=COMMANDS_PER_S)

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="POST",
                path="/ring/{camera}",
                handler=self._ring,
                scope=Scope.OWN,
                summary="Ring a camera's doorbell. From this machine without a token, else with that of `control`.",
                answer="",
                status=204,
            ),
        )

    async def _ring(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with this server needs

        self._admit(request)
        camera = request.match_info["camera"]
        if camera not in self._cameras:
            known = ", ".join(sorted(self._cameras))
            raise RefusedError(404, f"there is no such camera with a bell here; it has {known}")
        if "Transfer-Encoding" in request.headers or (request.content_length or 0) > BODY_BYTES:
            raise RefusedError(413, f"a body of more than {BODY_BYTES} bytes")
        if not self._allowance.take(camera):
            raise RefusedError(429, f"more than {COMMANDS_PER_S:.0f} rings a second")
        self._order(Press(camera=camera, via="http"))
        return web.Response(status=204)

    def _admit(self, request: "web.Request") -> None:
        if _HERE.fullmatch(request.headers.get("Host", "")) and self._access.is_here(request):
            return
        if not covers(self._access.scope(request), Scope.CONTROL):
            raise RefusedError(401, "from elsewhere a ring needs the token `http.tokens.control`")
