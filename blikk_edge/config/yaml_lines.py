"""YAML with the place of every key. Scalars stay the text that was written; the grammar says what they mean.

So `mode: off`, `name: 007` and `password: 12345` are exactly that, whatever YAML 1.1 makes of them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import voluptuous as vol
import yaml

from blikk_edge.config.yaml_nodes import EXAMPLE, compose
from blikk_edge.grammar.leaf import Leaf, Where
from blikk_edge.grammar.problem import Problem, Wrong, dotted, shown
from blikk_edge.grammar.secrets import Secret

SECRETS = "secrets.yaml"
"""The file beside a configuration that holds what `!secret` names."""

MAX_NODES = 50_000  # a few lines of aliases to aliases can stand for billions of nodes

_YAML = "tag:yaml.org,2002:"
_SCALARS = {_YAML + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")}
_ENV = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file.

    Attributes:
        file: The path that was given to read.
        line: Counted from 1.
        column: Counted from 1.
    """

    file: Path
    line: int
    column: int


@dataclass(slots=True)
class Tree:
    """A file as it was read.

    Attributes:
        file: The path that was given to read.
        value: What it holds, scalars as the text that was written; None where nothing could be read.
        spots: Where each key stands, by its path.
        problems: What is wrong so far, in the order in which it was found.
        broken: The paths below which a value could not be read, and where nothing more is to be said.
    """

    file: Path
    value: Leaf = None
    spots: dict[Where, Spot] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[Where] = field(default_factory=set)

    def spot(self, path: Where) -> Spot:
        """Where the key at `path` stands, or the nearest key above it."""
        for length in range(len(path), -1, -1):
            if spot := self.spots.get(path[:length]):
                return spot
        return Spot(self.file, 1, 1)

    def add(self, path: Where, text: str, mend: str, spot: Spot | None = None) -> None:
        """Note a problem at `path`."""
        at = spot or self.spot(path)
        self.problems.append(Problem(file=at.file, line=at.line, path=dotted(path), text=text, mend=mend))

    def note(self, wrongs: Iterable[vol.Invalid], page: str) -> None:
        """Note what a grammar says, except where a value could not even be read; `page` helps where it does not."""
        for wrong in wrongs:
            path: Where = tuple(step if isinstance(step, int) else str(step) for step in wrong.path)
            if not any(path[: len(broken)] == broken for broken in self.broken):
                self.add(path, wrong.msg, wrong.mend if isinstance(wrong, Wrong) else f"See {page}.")


def read_tree(file: Path, environ: Mapping[str, str], raw: bytes | None = None) -> Tree:
    """Read a YAML file with `!secret` (from `secrets.yaml` beside it) and `!env`; what is wrong is in the Tree.

    `raw` is what the file would hold; None: what it holds.
    """
    tree = Tree(file)
    root = compose(file, tree.problems, raw)
    if root is None and not tree.problems:
        tree.problems.append(
            Problem(file=file, line=0, path="", text="the file is empty", mend=f"Write into it; {EXAMPLE}.")
        )
    if root is not None:
        reader = _Reader(tree, _Secrets(file.with_name(SECRETS)), environ)
        try:
            tree.value = reader.value(root, ())
        except _TooLargeError:
            tree.problems.append(
                Problem(
                    file=file,
                    line=0,
                    path="",
                    text="the file is too large",
                    mend="Use fewer aliases (`*name`) and keys.",
                )
            )
    if tree.problems and tree.value is None:
        tree.broken.add(())
    return tree


class _TooLargeError(Exception):
    """Following the aliases gives more than MAX_NODES nodes."""


class _Secrets:
    """`secrets.yaml`, read when first asked for."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._texts: dict[str, Secret | None] | None = None

    def find(self, name: str) -> Secret | str:
        """The secret of that name, or what is wrong."""
        if not self.file.exists():
            return f"there is no `{self.file.name}` beside this file"
        if self._texts is None:
            self._texts = self._read()
        if name not in self._texts:
            return f"`{self.file.name}` has no entry `{shown(name)}`"
        return self._texts[name] or f"the entry `{shown(name)}` of `{self.file.name}` is not a text"

    def _read(self) -> dict[str, Secret | None]:
        root = compose(self.file, self.problems)
        texts: dict[str, Secret | None] = {}
        if root is None:
            return texts
        if not isinstance(root, yaml.MappingNode):
            self._add(root, "this file does not hold `name: value` lines", "Write one `name: value` in each line.")
            return texts
        for key, value in root.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in texts:
                self._add(key, f"the secret `{shown(name)}` is written twice", "Keep one of them.")
            scalar = isinstance(value, yaml.ScalarNode) and value.tag in _SCALARS
            texts[name] = Secret(value.value) if scalar and value.tag != _YAML + "null" else None
        return texts

    def _add(self, node: yaml.Node, text: str, mend: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(file=self.file, line=line, path="", text=text, mend=mend))


class _Reader:
    """Turns the node graph into plain values, noting places and problems in the tree."""

    def __init__(self, tree: Tree, secrets: _Secrets, environ: Mapping[str, str]) -> None:
        self._tree = tree
        self._secrets = secrets
        self._environ = environ
        self._open: set[int] = set()
        self._count = 0
        self._tags: dict[str, Callable[[str, Where], Leaf]] = {"!secret": self._secret, "!env": self._env}

    def value(self, node: yaml.Node, path: Where) -> Leaf:
        """The value of a node; where it cannot be had, None with a problem noted and `path` marked as broken."""
        self._counted()
        if id(node) in self._open:
            return self._refuse(path, "an alias `*` inside the very thing it stands for", "Write the value out.")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode) and node.tag == _YAML + "seq":
                return [self._placed(item, item, (*path, index)) for index, item in enumerate(node.value)]
            if isinstance(node, yaml.MappingNode) and node.tag == _YAML + "map":
                return self._mapping(node, path)
        finally:
            self._open.discard(id(node))
        return self._unknown_tag(path)

    def _counted(self) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise _TooLargeError

    def _placed(self, at: yaml.Node, node: yaml.Node, path: Where) -> Leaf:
        self._tree.spots[path] = self._spot(at)
        return self.value(node, path)

    def _spot(self, node: yaml.Node) -> Spot:
        return Spot(self._tree.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _scalar(self, node: yaml.ScalarNode, path: Where) -> Leaf:
        if read := self._tags.get(node.tag):
            return read(node.value, path)
        if node.tag not in _SCALARS:
            return self._unknown_tag(path)
        return None if node.tag == _YAML + "null" else str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Where) -> dict[str, Leaf]:
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in self._own(node, path):
            if key.value in pairs:
                first = self._spot(pairs[key.value][0]).line
                spot = self._spot(key)
                text = f"this key is written twice, in line {first} and in line {spot.line}"
                self._tree.add((*path, key.value), text, "Keep one of them.", spot)
            else:
                pairs[key.value] = (key, value)
        for key, value in self._merged(node, path, set()):
            pairs.setdefault(key.value, (key, value))
        return {name: self._placed(key, value, (*path, name)) for name, (key, value) in pairs.items()}

    def _own(self, node: yaml.MappingNode, path: Where) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """The keys that are written in the mapping itself."""
        for key, value in node.value:
            self._counted()
            if key.tag == _YAML + "merge":
                continue
            if isinstance(key, yaml.ScalarNode) and key.tag in _SCALARS - {_YAML + "null"}:
                yield key, value
            else:
                self._tree.add(path, "a key that is not a plain name", "Write `name: value`.", self._spot(key))

    def _merged(
        self, node: yaml.MappingNode, path: Where, seen: set[int]
    ) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """The keys that `<<: *base` or `<<: [*first, *second]` brings in, nearest first; of each base once."""
        for key, value in node.value:
            if key.tag != _YAML + "merge":
                continue
            bases = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for base in bases:
                if not isinstance(base, yaml.MappingNode) or id(base) in self._open:
                    self._tree.add(path, "`<<` takes a mapping of other keys", "Write `<<: *name`.", self._spot(key))
                    continue
                if id(base) in seen:
                    continue
                seen.add(id(base))
                self._open.add(id(base))
                yield from self._own(base, path)
                yield from self._merged(base, path, seen)
                self._open.discard(id(base))

    def _secret(self, name: str, path: Where) -> Leaf:
        found = self._secrets.find(name.strip())
        if self._secrets.problems:
            self._tree.problems += self._secrets.problems
            self._secrets.problems = []
        if isinstance(found, Secret):
            return found
        return self._refuse(
            path, found, f"Write `name: value` into `{self._secrets.file.name}` and `!secret name` here."
        )

    def _env(self, written: str, path: Where) -> Leaf:
        parts = _ENV.fullmatch(written.strip())
        if parts is None:
            return self._refuse(
                path, "`!env` takes the name of a variable", "Write `!env NAME` or `!env NAME default`."
            )
        name, default = parts.groups()
        if (value := self._environ.get(name, default)) is None:
            mend = f"Set it, or give a default: `!env {shown(name)} default`."
            return self._refuse(path, f"the environment has no variable `{shown(name)}`", mend)
        return value

    def _unknown_tag(self, path: Where) -> Leaf:
        mend = "Use `!secret name` or `!env NAME`; put text that begins with `!` in quotes."
        return self._refuse(path, "a tag `!` that is not known here", mend)

    def _refuse(self, path: Where, text: str, mend: str) -> Leaf:
        self._tree.add(path, text, mend)
        self._tree.broken.add(path)
        return None
