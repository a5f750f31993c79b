"""The kinds of inputs: ours, and those of plug-ins (entry points `blikk.inputs`)."""

from typing import Any, Final

from blikk_edge.core.ports import Input
from blikk_edge.kinds.plugins import Kinds, has

INPUTS: Final[Kinds[Any, Input]] = Kinds(
    "input",
    group="blikk.inputs",
    lacks=has("name", "run"),
    own={"gpio": "blikk_edge.inputs.gpio_kind"},
    written={"gpio": "cameras.<id>.ring.gpio"},
)
"""Ours are made with an `InputContext`, those of plug-ins with a `Context`."""
