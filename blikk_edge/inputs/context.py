"""What our own inputs are made with; those of plug-ins get `kinds.context.Context`."""

from dataclasses import dataclass, field

from blikk_edge.core.clock import Clock
from blikk_edge.core.ports import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class InputContext:
    """For inputs.

    Attributes:
        clock: Gives the time; nothing else may.
        order: Brings a command to the node. Never blocks.
    """

    clock: Clock
    order: Order = field(repr=False)
