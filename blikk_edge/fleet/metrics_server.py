"""`/metrics` of a program that is no node: a port of its own, for Prometheus."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.trouble import Trouble
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.options import HttpSettings
from blikk_edge.net.http.server import HttpServer
from blikk_edge.web.metrics_page import Families, MetricsPage
from blikk_edge.web.prometheus import missing

LOG = logging.getLogger("blikk.http")

SECTION: Final = "metrics"
"""Where its keys stand in the file of the program."""


@asynccontextmanager
async def metrics_served(
    at: HttpSettings | None, read: Callable[[], Awaitable[Families]], *, clock: Clock
) -> AsyncIterator[None]:
    """What `read` says is served meanwhile, where `at` says.

    Raises ConfigError where `prometheus_client` is not installed. A port that cannot be had is tried again: what the
    program is for goes on.
    """
    if at is None:
        yield
        return
    if (error := missing()) is not None:
        raise error
    serving = asyncio.create_task(_serve(at, MetricsPage(read, of="the program"), clock), name="metrics")
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.wait((serving,))
        if not serving.cancelled():
            serving.result()  # it ends by an error of ours only


async def _serve(at: HttpSettings, page: MetricsPage, clock: Clock) -> None:
    view = at.tokens.view
    trouble, backoff = Trouble(LOG), Backoff()
    while True:
        access = Access(view=view.reveal() if view else None, control=None, clock=clock, section=SECTION)
        server = HttpServer(
            (page,),
            access,
            clock=clock,
            host=at.host,
            port=at.port,
            certificate=at.tls.certificate if at.tls else None,
            key=at.tls.key if at.tls else None,
            names=at.names,
            serves="figures are",
            section=SECTION,
        )
        try:
            await server.run()
        except BlikkError as error:
            trouble.start(str(error))
            await clock.sleep(backoff.next_s())
