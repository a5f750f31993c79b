"""How the grammar is put together: a Section reads a mapping into one of the Settings' dataclasses."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from types import MappingProxyType
from typing import Any

import voluptuous as vol

from blikk_edge.core.sightings import Label
from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.problem import Moved, Wrong, did_you_mean, shown
from blikk_edge.grammar.values import SLUG, ValueType, errors_at, flag_of, said


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a Section.

    Attributes:
        name: As users write it.
        value: How its value is read.
        meaning: A sentence or more, for the reference page.
        required: Whether it has to be written.
        default: What the reference prints where the dataclass does not say it, as of a default that depends on other
            keys.
    """

    name: str
    value: ValueType
    meaning: str
    required: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A key that files of an earlier version have, and that is not read any more: `http` serves it (`config.moved`).

    Attributes:
        name: As users wrote it.
        why: What serves in its place, in words.
        mend: What to write instead.
    """

    name: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping with known keys. Defaults are those of the dataclass: keys that are not written are not passed on.

    Attributes:
        of: The dataclass whose fields the keys are.
        keys: Those that may be written, in the order of the reference page.
        make: Builds the value from what was written, and may raise Wrong; None: the dataclass itself.
        plain: The one key that a plain text in place of the mapping stands for; empty: no text may stand there.
        switch: Whether `true` may stand there for all defaults and `false` for None.
        gone: Keys of earlier versions, each with what to write instead.
    """

    of: type
    keys: tuple[Key, ...]
    make: Callable[..., Any] | None = None
    plain: str = ""
    switch: bool = False
    gone: tuple[Gone, ...] = ()

    @property
    def words(self) -> str:
        """What may stand there."""
        others = ["true or false"] * self.switch + [f"text, which stands for `{self.plain}`"] * bool(self.plain)
        return ", or ".join(["a mapping", *others])

    def __call__(self, leaf: Leaf) -> Any:
        """The dataclass; raises vol.MultipleInvalid with everything that is wrong inside."""
        return self.read(leaf, {})

    def read(self, leaf: Leaf, given: Mapping[str, str]) -> Any:
        """The dataclass, with what is known from outside (the id, which is the key above)."""
        if self.switch and (on := flag_of(leaf)) is not None:
            if not on:
                return None
            leaf = {}
        if self.plain and leaf is not None and not isinstance(leaf, list | dict):
            leaf = {self.plain: leaf}
        if leaf is not None and not isinstance(leaf, dict):
            raise Wrong("not a mapping", f"Write keys below it, indented: {', '.join(key.name for key in self.keys)}.")
        values, wrongs = self._values(leaf or {})
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        kept = {key.name: values[key.name] for key in self.keys if key.name in values}
        return (self.make or self.of)(**kept, **given)

    def _values(self, leaf: dict[str, Leaf]) -> tuple[dict[str, Any], list[vol.Invalid]]:
        marked = {(vol.Required if key.required else vol.Optional)(key.name): key.value for key in self.keys}
        try:
            return vol.Schema(marked)(leaf), []
        except vol.MultipleInvalid as several:
            return {}, [self._explained(error) for error in several.errors]

    def _explained(self, error: vol.Invalid) -> vol.Invalid:
        """What voluptuous complains of itself, in our words; the rest is ours already."""
        if isinstance(error, Wrong):
            return error
        name = str(error.path[-1])
        if isinstance(error, vol.RequiredFieldInvalid):
            key = next(key for key in self.keys if key.name == name)
            return Wrong(f"`{name}` is missing", f"Add `{name}:` with {key.value.words}.", name)
        if gone := next((each for each in self.gone if each.name == name), None):
            return Moved(gone.why, gone.mend, name)
        mend = did_you_mean(name, [key.name for key in self.keys])
        return Wrong(f"the key `{shown(name)}` is not known here", mend, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ById:
    """A mapping from ids to Sections; gives a tuple of their values.

    Attributes:
        section: What stands below each id.
        given: The name by which each id is passed on to its Section.
        words: What may stand there, for messages and the reference page.
        reserved: Ids that are refused, each with the reason.
        least_one: Whether an empty mapping is refused.
    """

    section: Section
    given: str
    words: str
    reserved: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    least_one: bool = False

    def __call__(self, leaf: Leaf) -> tuple[Any, ...]:
        """One value for each id, in the order they were written; raises vol.MultipleInvalid."""
        if leaf is not None and not isinstance(leaf, dict):
            raise Wrong("not a mapping", f"Write {self.words}: `id:` and its keys below it, indented.")
        if not leaf and self.least_one:
            raise Wrong("it is empty", f"Write at least one: {self.words}.")
        values: list[Any] = []
        wrongs: list[vol.Invalid] = []
        for name, below in (leaf or {}).items():
            for step in (self._check_id, lambda name, below=below: self._add(values, name, below)):
                try:
                    step(name)
                except vol.Invalid as wrong:
                    wrongs += errors_at(name, wrong)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return tuple(values)

    def _check_id(self, name: str) -> None:
        SLUG.read(name)
        if why := self.reserved.get(name):
            raise Wrong(f"the id `{name}` is taken: {why}", "Choose another id.")

    def _add(self, values: list[Any], name: str, below: Leaf) -> None:
        values.append(self.section.read(below, {self.given: name}))


def default_words(of: type, key: Key) -> str:
    """What the reference says of a key's default; `of` is the dataclass of its section."""
    if key.required:
        return "**required**"
    if key.default:
        return key.default
    value: Any = None
    if is_dataclass(of):
        field = next(field for field in fields(of) if field.name == key.name)
        value = field.default if field.default_factory is MISSING else field.default_factory()
    return _said(key.name, value)


def _said(name: str, value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == tuple(Label):
        return "all"
    texts = value if isinstance(value, tuple) else (value,)
    if all(isinstance(text, str) for text in texts):
        return ", ".join(f"`{text}`" for text in texts)
    if isinstance(value, int | float):
        return f"`{said(value) if name.endswith('_s') else format(value, 'g' if isinstance(value, float) else '')}`"
    return "see there"
