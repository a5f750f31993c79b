"""What another file of a site's cameras changes: which of them, and which of their keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from blikk_edge.config.site_cameras import CAMERAS
from blikk_edge.config.yaml_nodes import compose


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """One key of a camera that has another value.

    Attributes:
        key: With its path, such as `zones.drive`.
        before: What stood there, as one line of YAML; None: nothing.
        after: What stands there now; None: nothing.
    """

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How cameras differ from those of before, by id.

    Attributes:
        added: Those that are new.
        changed: Those of which anything is another.
        removed: Those that are gone.
        keys: What is another, of each that is changed.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    keys: Mapping[str, tuple[KeyChange, ...]] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is a difference."""
        return bool(self.added or self.changed or self.removed)


def changes(before: str, after: str) -> Changes:
    """What another text changes; one that is empty has no cameras. Secrets stay names."""
    old, new = _each(before), _each(after)
    keys = {name: tuple(_between(old[name], new[name])) for name in new if name in old and old[name] != new[name]}
    return Changes(
        added=tuple(name for name in new if name not in old),
        changed=tuple(keys),
        removed=tuple(name for name in old if name not in new),
        keys=keys,
    )


def _between(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[KeyChange]:
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            yield KeyChange(key=key, before=old.get(key), after=new.get(key))


def _each(text: str) -> dict[str, dict[str, str]]:
    """The values of each camera by key, by id."""
    root = compose(Path(CAMERAS), [], text.encode()) if text else None
    cameras = dict(_pairs(root)).get(CAMERAS)
    return {name: dict(_values(node, () if _has_keys(node) else ("source",))) for name, node in _pairs(cameras)}


def _pairs(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        yield str(key.value), value


def _has_keys(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and bool(node.value)


def _values(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each value that has no keys of its own, by its path."""
    if not _has_keys(node):
        yield ".".join(path), _line(node)
    for key, value in _pairs(node):
        yield from _values(value, (*path, key))


_WIDE: Final = 10**6
"""Of a line, for YAML to break none."""


def _line(node: yaml.Node) -> str:
    """A value as one line of YAML."""
    if node.tag.startswith("!") and isinstance(node, yaml.ScalarNode) and node.value.isprintable():
        return f"{node.tag} {node.value}"
    if isinstance(node, yaml.CollectionNode):
        node = type(node)(node.tag, node.value, flow_style=True)
    return str(yaml.serialize(node, width=_WIDE)).removesuffix("...\n").strip()
