"""`/metrics` of any program: what it measures, for Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from blikk_edge.core.errors import ConfigError
from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.prometheus import page

if TYPE_CHECKING:
    from aiohttp import web
    from prometheus_client import Metric

Families: TypeAlias = Callable[[], Iterator["Metric"]]


class MetricsPage:
    """Serves what `read` says when somebody asks; nothing is kept for it. `of` is the program, in words."""

    name = "metrics"

    def __init__(self, read: Callable[[], Awaitable[Families]], *, of: str) -> None:
        self._read = read
        self._of = of
        # One page at a time: many who ask at once would take every thread of the process, and ask its servers each.
        self._turn = asyncio.Lock()

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/metrics",
                handler=self._metrics,
                scope=Scope.VIEW,
                summary=f"What {self._of} measures, in the text format of Prometheus or in OpenMetrics.",
                answer="text/plain",
            ),
        )

    async def _metrics(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # see net.http.answers

        accept = request.headers.get("Accept", "")
        async with self._turn:
            families = await self._read()
            try:
                content, kind = await asyncio.to_thread(page, families, accept)
            except ConfigError as error:
                raise RefusedError(501, str(error)) from None
        return web.Response(body=content, headers={"Content-Type": kind, "Cache-Control": "no-store"})
