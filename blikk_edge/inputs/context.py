"""What our own inputs are made with; those of plug-ins get `kinds.context.Context`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from blikk_edge.core.clock import Clock
from blikk_edge.core.ports import Order

if TYPE_CHECKING:  # a configuration is read without
    from blikk_edge.inputs.ingest import PushTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class InputContext:
    """For inputs.

    Attributes:
        clock: Gives the time; nothing else may.
        order: Brings a command to the node. Never blocks.
        gates: Where the frames of edge clients go, by camera.
    """

    clock: Clock
    order: Order = field(repr=False)
    gates: "Mapping[str, PushTarget]" = field(repr=False)
