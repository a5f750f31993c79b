"""Parameters of a program in, Settings of one camera out: the keys of `blikk.yaml`, by the same grammar."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final

from blikk_edge.config.grammar import grammar
from blikk_edge.config.loading import understood
from blikk_edge.config.settings import Settings
from blikk_edge.config.yaml_lines import Tree
from blikk_edge.grammar.leaf import Leaf, Where
from blikk_edge.grammar.problem import ConfigErrors, Problem, did_you_mean, shown
from blikk_edge.grammar.schema import ById, Section
from blikk_edge.grammar.secrets import Secret

NODE: Final = "stream"
"""The id of a node that a program runs for itself."""

NODES: Final = frozenset({"node", "mqtt", "cameras", "home_assistant", "inputs", "ingest", "webhook"})
"""Keys of a whole node, which a program that watches one camera has no use for."""


def settings_of(
    parameters: Mapping[str, Any], *, camera: str, folder: Path, environ: Mapping[str, str], who: str
) -> Settings:
    """The settings of a node that watches one camera, of its keys and those of the node, as values of Python.

    Durations may be a `timedelta`, secrets a `Secret`. Relative paths start at `folder`; `who` stands for the file in
    messages. Raises ConfigErrors with everything that is wrong.
    """
    tree = Tree(Path(who))
    top = {key.name for key in grammar(folder).keys} - NODES
    below = _camera_keys(folder)
    keys: dict[str, Leaf] = {}
    own: dict[str, Leaf] = {}
    for name, value in parameters.items():
        if name not in below and name not in top:
            tree.add((name,), *_unknown(name, [*below, *top]))
            continue
        try:
            leaf = leaf_of(value)
        except TypeError:
            text = f"a value of the type {shown(type(value).__name__)}, which no key has"
            tree.add((name,), text, "Write a text, a number, a list or a dict of these.")
            continue
        (keys if name in below else own)[name] = leaf
    tree.value = {"node": NODE, "mqtt": "false", **own, "cameras": {camera: dict(keys)}}
    reading = understood(tree, folder, environ)
    if reading.settings is None or reading.problems:
        raise ConfigErrors(_placed(problem, camera) for problem in reading.problems)
    return reading.settings


def leaf_of(value: Any) -> Leaf:
    """A value as it would stand in `blikk.yaml`; raises TypeError for what cannot stand there."""
    if isinstance(value, Enum):
        value = value.value
    match value:
        case None | Secret():
            return value
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f"{value.total_seconds():.3f}s"
        case str() | int() | float() | Path():
            return str(value)
        case Mapping():
            return {str(key): leaf_of(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [leaf_of(each) for each in value]
    raise TypeError


def _camera_keys(folder: Path) -> set[str]:
    cameras = next(key.value for key in grammar(folder).keys if key.name == "cameras")
    assert isinstance(cameras, ById)
    assert isinstance(cameras.section, Section)
    return {key.name for key in cameras.section.keys}


def _unknown(name: str, known: list[str]) -> tuple[str, str]:
    if name in NODES:
        return f"`{name}` is a key of a node", "Run one with `blikk run`, and connect to it with `Stream.connect`."
    return f"the parameter `{shown(name)}` is not known", did_you_mean(name, sorted(known))


def _placed(problem: Problem, camera: str) -> Problem:
    """The problem with the name of the parameter in place of its line."""
    prefix: Where = ("cameras", camera)
    path = problem.path.removeprefix(".".join(map(str, prefix))).removeprefix(".")
    return replace(problem, line=0, path=path)
