"""The options of pages that have none."""

from dataclasses import dataclass
from typing import Final

from blikk_edge.grammar.schema import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOptions:
    """Nothing to choose."""


NONE: Final = Section(of=NoOptions, keys=())
