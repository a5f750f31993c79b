"""Doorbell buttons as a kind of input: which pins."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import whole
from blikk_edge.inputs.context import InputContext
from blikk_edge.kinds.kind import Kind

if TYPE_CHECKING:
    from blikk_edge.inputs.gpio import GpioButton


@dataclass(frozen=True, slots=True, kw_only=True)
class GpioOptions:
    """The button of one camera's doorbell.

    Attributes:
        gpio: The pin between which and ground it is (BCM number), 0..27.
        camera: The camera's id.
    """

    gpio: int
    camera: str


OPTIONS = Section(
    of=GpioOptions,
    keys=(Key(name="gpio", value=whole(0, 27), meaning="The pin of a button between it and ground (BCM number)."),),
)


def _make(options: GpioOptions, context: InputContext) -> "GpioButton":
    from blikk_edge.inputs.gpio import GpioButton  # noqa: PLC0415  # a configuration is read without it

    return GpioButton(options.camera, options.gpio, context.order, clock=context.clock)


KIND: Kind[InputContext, "GpioButton"] = Kind(
    name="gpio", meaning="A button on a pin of this machine.", options=OPTIONS, make=_make
)
