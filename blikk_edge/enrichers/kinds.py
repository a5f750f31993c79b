"""The kinds of enrichers: those of plug-ins (entry points `blikk.enrichers`)."""

from typing import Final

from blikk_edge.core.ports import Enricher
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.plugins import Kinds, has

ENRICHERS: Final[Kinds[Context, Enricher]] = Kinds(
    "enricher", group="blikk.enrichers", lacks=has("name", "run"), own={}
)
