"""The kinds of sinks: ours, and those of plug-ins (entry points `blikk.sinks`)."""

from typing import Final

from blikk_edge.core.ports import Sink
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.plugins import Kinds, has

SINKS: Final[Kinds[Context, Sink]] = Kinds("sink", group="blikk.sinks", lacks=has("name", "run"), own={})
