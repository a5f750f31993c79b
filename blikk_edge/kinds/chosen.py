"""How `blikk.yaml` names a kind: alone, or with its options below it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic

import voluptuous as vol

from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.problem import Wrong, shown
from blikk_edge.grammar.schema import Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import SLUG, errors_at, read_all
from blikk_edge.kinds.kind import ContextT, Kind, MadeT
from blikk_edge.kinds.plugins import Kinds, PluginError

OFF: Final = object()
"""The options of a kind that is written with `false`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen(Generic[ContextT, MadeT]):
    """A kind that a configuration names, and its options.

    Attributes:
        kinds: The group that it is one of.
        name: As it is written in the configuration.
        options: What the kind's schema made of what is written below the name; None where it cannot be had.
        refused: Why it cannot be had; empty where it can.
    """

    kinds: Kinds[ContextT, MadeT]
    name: str
    options: Any = field(default=None, repr=False)
    refused: str = ""

    def make(self, context: ContextT) -> MadeT:
        """The part; raises BlikkError."""
        if self.refused:
            raise PluginError(self.refused)
        return self.kinds.make(self.kinds.get(self.name), self.options, context)


@dataclass(frozen=True, slots=True)
class OneKind(Generic[ContextT, MadeT]):
    """The name of a kind, or a mapping of it to its options: `angle`, or `angle: {from: ...}`.

    Attributes:
        kinds: The group from which one may be named.
        folder: That of the configuration, from which relative paths count.
    """

    kinds: Kinds[ContextT, MadeT]
    folder: Path

    @property
    def words(self) -> str:
        """What may stand there."""
        return f"the name of a {self.kinds.word}, or `name:` and its options below it"

    def __call__(self, leaf: Leaf) -> Chosen[ContextT, MadeT]:
        """The kind and its options; raises vol.Invalid for options that are wrong, not for a kind that is not there."""
        name, options = _name_and_options(leaf, self.words)
        try:
            return chosen(self.kinds, name, options, self.folder)
        except vol.Invalid as wrong:
            wrong.prepend([name])
            raise


@dataclass(frozen=True, slots=True)
class KindList(Generic[ContextT, MadeT]):
    """A list of kinds, in the order in which they work; a kind may come several times."""

    each: OneKind[ContextT, MadeT]

    @property
    def words(self) -> str:
        """What may stand there."""
        return f"a list; each is {self.each.words}"

    def __call__(self, leaf: Leaf) -> tuple[Chosen[ContextT, MadeT], ...]:
        """The kinds; raises vol.MultipleInvalid."""
        values, wrongs = read_all(leaf if isinstance(leaf, list) else [leaf], self.each)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return tuple(values)


@dataclass(frozen=True, slots=True)
class KindMapping(Generic[ContextT, MadeT]):
    """Kinds by name, each at most once, with their options below them.

    Attributes:
        kinds: The group from which they may be named.
        folder: That of the configuration, from which relative paths count.
    """

    kinds: Kinds[ContextT, MadeT]
    folder: Path

    @property
    def words(self) -> str:
        """What may stand there."""
        return f"a mapping: the name of each {self.kinds.word}, its options below it"

    def __call__(self, leaf: Leaf) -> tuple[Chosen[ContextT, MadeT], ...]:
        """The kinds in the order they were written; raises vol.MultipleInvalid."""
        if not isinstance(leaf, dict):
            raise Wrong("not a mapping", f"Write the name of a {self.kinds.word}, and its options below it, indented.")
        values: list[Chosen[ContextT, MadeT]] = []
        wrongs: list[vol.Invalid] = []
        for name, below in leaf.items():
            try:
                if SLUG.read(name) in self.kinds.own and name not in self.kinds.below:
                    place = self.kinds.written.get(name)
                    mend = f"Write `{place}` instead." if place else f"Write `{name}:` at the top of the file."
                    raise Wrong(f"a {self.kinds.word} of Blikk Edge's own", mend)
                made = chosen(self.kinds, self.kinds.below.get(name, name), below, self.folder)
                if made.options is not OFF:
                    values.append(made)
            except vol.Invalid as wrong:
                wrongs += errors_at(name, wrong)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return tuple(values)


def chosen(kinds: Kinds[ContextT, MadeT], name: str, options: Leaf, folder: Path) -> Chosen[ContextT, MadeT]:
    """The kind of that name with these options; raises vol.Invalid for options that are wrong."""
    try:
        kind = kinds.get(name)
        return Chosen(kinds=kinds, name=name, options=_read(kind, options, folder))
    except PluginError as error:
        return Chosen(kinds=kinds, name=name, refused=str(error))


def _read(kind: Kind[Any, Any], options: Leaf, folder: Path) -> Any:
    try:
        section = kind.section(folder)
        read = section(options)
        return OFF if read is None and isinstance(section, Section) and section.switch else read
    except vol.Invalid:
        raise
    except Exception as error:  # noqa: BLE001 - a plug-in's schema may raise what it likes, and quote a secret in it
        raise PluginError(f"{kind.name}: its options cannot be read: {type(error).__name__}") from None


def _name_and_options(leaf: Leaf, words: str) -> tuple[str, Leaf]:
    if isinstance(leaf, str):
        return SLUG.read(leaf.strip()), None
    if not isinstance(leaf, Mapping) or isinstance(leaf, Secret):
        raise Wrong("neither a name nor a mapping", f"Write {words}.")
    names = list(leaf)
    if len(names) != 1:
        first = shown(names[0]) if names else "name"
        raise Wrong("not one name with its options below it", f"Indent the options below `{first}:`.")
    return SLUG.read(names[0]), leaf[names[0]]
