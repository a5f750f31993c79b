"""The HTTP hook of doorbells as a kind of input: its port."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import whole
from blikk_edge.inputs.context import InputContext
from blikk_edge.kinds.kind import Kind

if TYPE_CHECKING:
    from blikk_edge.inputs.http import RingHook


@dataclass(frozen=True, slots=True, kw_only=True)
class RingHookSettings:
    """The HTTP hook of doorbells: `POST http://127.0.0.1:<port>/ring/<camera>`. Loopback only.

    Attributes:
        port: Its port on this machine.
        cameras: The ids of those that it rings for.
    """

    port: int = 8427
    cameras: tuple[str, ...] = ()


OPTIONS = Section(
    of=RingHookSettings,
    keys=(Key(name="port", value=whole(1, 65535), meaning="Its port on this machine (loopback only)."),),
)


def _make(options: RingHookSettings, context: InputContext) -> "RingHook":
    from blikk_edge.inputs.http import RingHook  # noqa: PLC0415  # a configuration is read without it

    return RingHook(options.cameras, options.port, context.order, clock=context.clock)


KIND: Kind[InputContext, "RingHook"] = Kind(
    name="ring_hook", meaning="The HTTP hook that rings a doorbell.", options=OPTIONS, make=_make
)
