"""Where kinds come from: ours from a literal table, others' by entry points, all under one guard.

Nothing is imported before a configuration names it. Whatever is wrong with somebody else's package is a PluginError: it
is said, and the node runs without.
"""

import difflib
import importlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final, Generic

from blikk_edge import __version__
from blikk_edge.core.errors import BlikkError, quote
from blikk_edge.grammar.secrets import Secret
from blikk_edge.kinds.kind import PORT, ContextT, Kind, MadeT

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

LOG = logging.getLogger("blikk.plugins")

LOAD_S: Final = 2.0
"""A plug-in that takes longer than this to be imported delays every start, and is named."""

OURS: Final = "blikk-edge"


class PluginError(BlikkError):
    """A kind that is not there, or a plug-in that cannot be used: which, from where, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A kind that a plug-in brings.

    Attributes:
        group: The group of entry points.
        name: As users write it.
        package: The distribution that brings it.
        version: That of the distribution.
        meaning: A sentence of its own; empty where it cannot be used.
        refused: Why it cannot be used; empty where it can.
    """

    group: str
    name: str
    package: str
    version: str
    meaning: str = ""
    refused: str = ""


class Kinds(Generic[ContextT, MadeT]):
    """The kinds of one group, ours and others'.

    `word` names one to people (`sink`). `own` maps our names to the modules in which they are declared, each as `KIND`;
    `written` says where in `blikk.yaml` the options of ours are, of those that are not at its top under their names.
    `below` maps the names of ours that stand below the key of the group, as plug-ins do, each to the kind that it
    means. `lacks` names what an object would need to be what is made; see `has`. `adapted` makes a Kind of what
    plug-ins of an earlier port bring, None of anything else. `instead` says what to write in place of a name that is
    none of ours, where that is known.
    """

    def __init__(
        self,
        word: str,
        *,
        group: str,
        lacks: Callable[[object], Sequence[str]],
        own: Mapping[str, str],
        written: Mapping[str, str] | None = None,
        below: Mapping[str, str] | None = None,
        adapted: Callable[[str, object], Kind[ContextT, MadeT] | None] | None = None,
        instead: Callable[[str], str] = lambda _name: "",
    ) -> None:
        self.word = word
        self.group = group
        self.own = own
        self.written = written or {}
        self.below = below or {}
        self._lacks = lacks
        self._adapted = adapted
        self._instead = instead
        self._found: dict[str, Kind[ContextT, MadeT] | PluginError] = {}

    def names(self) -> list[str]:
        """The names of all that are installed, sorted; imports none of them."""
        return sorted({*self.own, *(entry.name for entry in _entry_points(self.group))})

    def key(self, name: str) -> str:
        """How the kind of that name is written below the key of the group."""
        return next((key for key, kind in self.below.items() if kind == name), name)

    def known(self, name: str) -> bool:
        """Whether one of that name is installed; imports nothing."""
        return name in self.own or isinstance(self._found.get(name), Kind) or bool(_entry_points(self.group, name))

    def package(self, name: str) -> str:
        """Name and version of the package that brings this one, as `blikk-angle 1.0`."""
        packages = [(OURS, __version__)] if name in self.own else map(_package, _entry_points(self.group, name))
        return " ".join(next(iter(packages), ("?", ""))).strip()

    def get(self, name: str) -> Kind[ContextT, MadeT]:
        """The kind of that name, imported when it is first asked for; raises PluginError."""
        if name not in self._found:
            self._found[name] = self._own(name) if name in self.own else self._plugged(name)
        found = self._found[name]
        if isinstance(found, PluginError):
            raise PluginError(str(found))
        return found

    def make(self, kind: Kind[ContextT, MadeT], options: Any, context: ContextT) -> MadeT:
        """What the kind makes of its options; raises PluginError for whatever a plug-in does wrong there."""
        if kind.name in self.own:
            return kind.make(options, context)
        try:
            made = kind.make(options, context)
            lacks = self._lacks(made)
        except BlikkError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the files of others may raise what they like
            raise PluginError(f"{self.word} {kind.name}: its plug-in made none: {said(error, options)}") from None
        if lacks:
            what = f"{type(made).__name__}, which lacks {', '.join(lacks)}"
            raise PluginError(f"{self.word} {kind.name}: its plug-in made {what}")
        return made

    def listed(self) -> Iterator[Listed]:
        """Every kind that is installed, ours first, and what is wrong with it. Imports them all."""
        for name in self.own:
            yield self._listing(name, OURS, __version__)
        for entry in sorted(_entry_points(self.group), key=lambda entry: (entry.name, entry.value)):
            package, version = _package(entry)
            if entry.name in self.own:
                why = f"{self.word} {entry.name} is one of Blikk Edge's own, which serves"
                yield Listed(group=self.group, name=entry.name, package=package, version=version, refused=why)
            else:
                yield self._listing(entry.name, package, version)

    def _listing(self, name: str, package: str, version: str) -> Listed:
        meaning = refused = ""
        try:
            meaning = self.get(name).meaning
        except PluginError as error:
            refused = str(error)
        return Listed(group=self.group, name=name, package=package, version=version, meaning=meaning, refused=refused)

    def _own(self, name: str) -> Kind[ContextT, MadeT]:
        found: Kind[ContextT, MadeT] = importlib.import_module(self.own[name]).KIND
        return found

    def _plugged(self, name: str) -> Kind[ContextT, MadeT] | PluginError:
        found = {entry.value: entry for entry in _entry_points(self.group, name)}
        if not found:
            names = self.names()
            known = f" (there is {', '.join(names)})" if names else ""
            said = f"there is no {self.word} {quote(name)!r}"
            if instead := self._instead(name):
                return PluginError(f"{said}; {instead}")
            return PluginError(f"{said}{meant(name, names)}{known}; a plug-in must be installed where blikk is")
        if len(found) > 1:
            return PluginError(f"{self.word} {name}: several plug-ins have this name: {', '.join(sorted(found))}")
        return self._loaded(name, next(iter(found.values())))

    def _loaded(self, name: str, entry: "EntryPoint") -> Kind[ContextT, MadeT] | PluginError:
        who = f"{self.word} {name}: its plug-in {entry.value}"
        began = time.monotonic()
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see make
            return PluginError(f"{who} cannot be loaded: {said(error)}")
        took_s = time.monotonic() - began
        if took_s > LOAD_S:
            LOG.warning("%s took %.1f s to load; every start waits for it", who, took_s)
        kind = loaded if isinstance(loaded, Kind) else self._adapted(name, loaded) if self._adapted else None
        if kind is None:
            return PluginError(f"{who} is no Kind{', and no function that makes one' if self._adapted else ''}")
        if kind.port > PORT:
            return PluginError(
                f"{who} is written for version {kind.port} of plug-ins, and this Blikk Edge has {PORT}; update Blikk "
                "Edge, or install an earlier one of the plug-in"
            )
        if kind.name != name:
            return PluginError(f"{who} calls itself {quote(kind.name)!r}; the entry point must have the same name")
        return kind


def _entry_points(group: str, name: str | None = None) -> "EntryPoints":
    from importlib.metadata import entry_points  # noqa: PLC0415  # 2 MB that only plug-ins need

    return entry_points(group=group) if name is None else entry_points(group=group, name=name)


def _package(entry: "EntryPoint") -> tuple[str, str]:
    """Name and version of the package that an entry point is of; of one that is damaged, as far as it says them."""
    try:
        return (entry.dist.name, entry.dist.version) if entry.dist else ("?", "")
    except Exception:  # noqa: BLE001 - without its METADATA each version of Python raises something else
        return "?", ""


def has(*members: str) -> Callable[[object], Sequence[str]]:
    """Names those of these members that an object lacks."""
    return lambda made: [name for name in members if not hasattr(made, name)]


def said(error: BaseException, options: Any = None) -> str:
    """What an error of somebody else's says, in one short line, with stars for what is secret in the options."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - see Kinds.make
        text = type(error).__name__
    for secret in _secrets(options):
        if len(secret) > 3:
            text = text.replace(secret, "***")
    return quote(text)


def _secrets(options: Any) -> Iterator[str]:
    """The secrets in options; of a mapping, which does not tell them apart, every text."""
    values: Iterable[Any] = options.values() if isinstance(options, Mapping) else ()
    if is_dataclass(options):
        values = [getattr(options, field.name) for field in fields(options)]
    for value in values:
        if isinstance(value, Secret):
            yield value.reveal()
        elif isinstance(value, str) and isinstance(options, Mapping):
            yield value


def meant(name: str, known: Sequence[str]) -> str:
    """`; did you mean 'redis'?`, or nothing."""
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
