"""`blikk.yaml` in, Settings out, or every problem there is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import voluptuous as vol

from blikk_edge.config.grammar import grammar
from blikk_edge.config.listening import in_the_clear, inside_app, shared_ports, without_server
from blikk_edge.config.moved import moved, old_address
from blikk_edge.config.settings import DetectorSettings, Settings
from blikk_edge.config.yaml_lines import Tree, read_tree
from blikk_edge.grammar.leaf import Leaf, Where
from blikk_edge.grammar.problem import ConfigErrors, Moved, Problem, Wrong, dotted

PAGE: Final = "docs/ref/config.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file as it was read.

    Attributes:
        settings: None where they cannot be had.
        problems: Everything that is wrong, in the order of lines; what is wrong in another file comes last.
        tree: The text of every value, and where each key stands.
    """

    settings: Settings | None
    problems: tuple[Problem, ...]
    tree: Tree = field(repr=False)

    def problem(self, wrong: Wrong) -> Problem:
        """A problem that was found elsewhere, with the line of its key or of the nearest key above it."""
        where: Where = tuple(step if isinstance(step, int) else str(step) for step in wrong.path)
        spot = self.tree.spot(where)
        return Problem(file=spot.file, line=spot.line, path=dotted(where), text=wrong.msg, mend=wrong.mend)


def load(path: Path, *, environ: Mapping[str, str]) -> Settings:
    """The Settings in a file; raises ConfigErrors with everything that is wrong. Opens no camera, no network."""
    reading = read(path, environ)
    if reading.settings is None or reading.problems:
        raise ConfigErrors(reading.problems)
    return reading.settings


def check(path: Path, environ: Mapping[str, str]) -> list[Problem]:
    """Everything that is wrong with a file, in the order of its lines; empty where `load` would give Settings."""
    return list(read(path, environ).problems)


def read(path: Path, environ: Mapping[str, str], raw: bytes | None = None) -> Reading:
    """The file, read as far as that goes; problems are in the order of their lines. `raw` is what it would hold."""
    return understood(read_tree(path, environ, raw), path.absolute().parent, environ)


def understood(tree: Tree, folder: Path, environ: Mapping[str, str]) -> Reading:
    """What is in the tree, whose relative paths start at `folder`; problems are in the order of their lines."""
    settings = None
    if () not in tree.broken:
        try:
            settings = grammar(folder)(tree.value)
        except vol.MultipleInvalid as several:
            tree.note(_with_one_section(tree, several.errors), PAGE)
        except Wrong as wrong:
            tree.note([wrong], PAGE)
        noted = {problem.path for problem in tree.problems}
        tree.note([wrong for wrong in _across(tree.value) if dotted(wrong.path) not in noted], PAGE)
    if settings is not None:
        tree.note(
            [
                *shared_ports(settings),
                *in_the_clear(settings, environ),
                *without_server(settings),
                *old_address(settings),
            ],
            PAGE,
        )
        settings = inside_app(settings, environ)
    order = {problem: (str(problem.file) != str(tree.file), problem.line, problem.path) for problem in tree.problems}
    problems = tuple(sorted(order, key=lambda problem: order[problem]))
    return Reading(settings=settings, problems=problems, tree=tree)


def _with_one_section(tree: Tree, wrongs: list[vol.Invalid]) -> list[vol.Invalid]:
    """All keys that `http` serves now, as one thing to mend."""
    gone = [wrong for wrong in wrongs if isinstance(wrong, Moved)]
    if not gone:
        return wrongs
    others = [wrong for wrong in wrongs if not isinstance(wrong, Moved)]
    return [moved(tree.value, gone, lambda place: tree.spot(place).line), *others]


def _across(value: Leaf) -> Iterator[Wrong]:
    """What only shows when several keys are seen together. Looks at raw values: parts of them may be wrong."""
    root = _mapping(value)
    if "cameras" not in root and "fleet" not in root and (value is None or isinstance(value, dict)):
        yield Wrong("`cameras` is missing", "Add `cameras:` with one entry for each camera.", "cameras")
    detectors = {DetectorSettings().name, *_mapping(root.get("detectors"))}
    pins: dict[str, str] = {}
    for camera, below in _mapping(root.get("cameras")).items():
        keys = _mapping(below)
        detector = keys.get("detector")
        if isinstance(detector, str) and detector not in detectors:
            mend = "Add it below `detectors:`, or remove this key for the default one."
            yield Wrong("there is no detector of that name", mend, "cameras", camera, "detector")
        pin = _mapping(keys.get("ring")).get("gpio")
        if isinstance(pin, str) and pins.setdefault(pin.strip(), camera) != camera:
            yield Wrong("two cameras share this pin", "Give each its own.", "cameras", camera, "ring", "gpio")


def _mapping(value: Leaf) -> dict[str, Leaf]:
    return value if isinstance(value, dict) else {}
