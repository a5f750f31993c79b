"""`/metrics`: what the node measures, for Prometheus."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blikk_edge.core.errors import ConfigError
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.exposition import exposition
from blikk_edge.web.options import NONE

if TYPE_CHECKING:
    from aiohttp import web


class Metrics:
    """Serves the figures as they are when somebody asks; nothing is kept for it."""

    name = "metrics"

    def __init__(self, context: PageContext) -> None:
        self._context = context
        # One page at a time: many who ask at once would take every thread of the process.
        self._turn = asyncio.Lock()

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/metrics",
                handler=self._metrics,
                scope=Scope.VIEW,
                summary="What the node measures, in the text format of Prometheus or in OpenMetrics.",
                answer="text/plain",
            ),
        )

    async def _metrics(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # see net.http.answers

        accept = request.headers.get("Accept", "")
        async with self._turn:
            note = self._context.note()
            try:
                content, kind = await asyncio.to_thread(
                    lambda: exposition(note, self._context.readings.figures(), accept)
                )
            except ConfigError as error:
                raise RefusedError(501, str(error)) from None
        return web.Response(body=content, headers={"Content-Type": kind, "Cache-Control": "no-store"})


KIND: Kind[PageContext, Metrics] = Kind(
    name="metrics",
    meaning="What the node measures, for Prometheus.",
    options=NONE,
    make=lambda _options, context: Metrics(context),
)
