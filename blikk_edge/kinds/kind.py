"""What a source, transform, detector, sink, enricher, input or model provider declares in its own file: a Kind."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar

from blikk_edge.grammar.schema import Section
from blikk_edge.grammar.values import ValueType

PORT: Final = 1
"""The version of what a plug-in is handed and has to give back. A Kind of a newer one is refused."""

ContextT = TypeVar("ContextT")
MadeT = TypeVar("MadeT")

Options: TypeAlias = Section | Callable[[Path], ValueType]
"""The schema of the options; a function of the configuration's folder where they hold paths (`grammar.places`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[ContextT, MadeT]):
    """One kind of part: its name in `blikk.yaml`, its options, and how it is made of them.

    Attributes:
        name: As users write it: `a-z`, `0-9` and `_`. That of a source is the scheme of its addresses.
        meaning: A sentence, for `blikk plugins` and the reference page.
        options: Their schema. `Section.of` is the frozen dataclass that `make` is handed.
        make: Makes the part of its options and of what a node hands to it. Connects to nothing and waits for nothing;
            raises BlikkError for options that cannot be used.
        port: The PORT that it was written for.
    """

    name: str
    meaning: str
    options: Options
    make: Callable[[Any, ContextT], MadeT]
    port: int = PORT

    def __post_init__(self) -> None:
        """Raise TypeError for what cannot be a kind: this runs where the plug-in is imported."""
        if not isinstance(self.name, str) or not isinstance(self.meaning, str) or not isinstance(self.port, int):
            raise TypeError("a Kind has a name and a meaning, which are texts, and a port, which is a whole number")
        if not callable(self.make) or not callable(self.options):
            raise TypeError("a Kind has options, a Section or a function that gives one, and a function `make`")

    def section(self, folder: Path) -> ValueType:
        """The schema of the options in a configuration of this folder."""
        return self.options if isinstance(self.options, Section) else self.options(folder)
