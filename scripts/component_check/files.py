"""Reads the files that are checked, and says where they are."""

import json
from pathlib import Path
from typing import Any

import yaml

DOMAIN = "blikk"
COMPONENT = Path("custom_components") / DOMAIN


class UnreadableError(Exception):
    """A file is missing or cannot be read; the text names it."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML that names a key once, and knows Home Assistant's `!input`."""


class Input(str):
    """The name behind an `!input`."""

    __slots__ = ()


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key, _value in node.value:
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("!input", lambda loader, node: Input(loader.construct_scalar(node)))


def text(root: Path, name: Path | str) -> str:
    """A file as text."""
    try:
        return (root / name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{name}: {error}") from None


def load_json(root: Path, name: Path | str) -> dict[str, Any]:
    """An object from a JSON file; a key that is there twice is refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"{sorted(twice)} is there twice")
        return dict(pairs)

    try:
        content = json.loads(text(root, name), object_pairs_hook=once)
    except ValueError as error:
        raise UnreadableError(f"{name}: {error}") from None
    if not isinstance(content, dict):
        raise UnreadableError(f"{name}: it is no object")
    return content


def load_yaml(root: Path, name: Path | str) -> dict[str, Any]:
    """A mapping from a YAML file."""
    try:
        content = yaml.load(text(root, name), _Loader)
    except yaml.YAMLError as error:
        raise UnreadableError(f"{name}: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UnreadableError(f"{name}: it is no mapping")
    return content


def modules(root: Path) -> dict[str, str]:
    """The component's own modules by name, as text: they are written for a newer Python than this may run on."""
    return {path.stem: text(root, path.relative_to(root)) for path in sorted((root / COMPONENT).glob("*.py"))}
