"""`/metrics`: what the node measures, for Prometheus."""

from blikk_edge.kinds.kind import Kind
from blikk_edge.web.context import PageContext
from blikk_edge.web.exposition import node_families
from blikk_edge.web.metrics_page import Families, MetricsPage
from blikk_edge.web.options import NONE


def _page(context: PageContext) -> MetricsPage:
    """The figures as they are when somebody asks."""

    async def read() -> Families:
        note = context.note()
        return lambda: node_families(note, context.readings.figures())

    return MetricsPage(read, of="the node")


KIND: Kind[PageContext, MetricsPage] = Kind(
    name="metrics",
    meaning="What the node measures, for Prometheus.",
    options=NONE,
    make=lambda _options, context: _page(context),
)
