"""The kinds of enrichers: those of plug-ins (entry points `blikk.enrichers`)."""

from typing import Final

from blikk_edge.core.ports import Enricher
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.plugins import Kinds

ENRICHERS: Final[Kinds[Context, Enricher]] = Kinds("enricher", group="blikk.enrichers", members=("name", "run"), own={})
