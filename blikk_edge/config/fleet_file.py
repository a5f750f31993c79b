"""The files of a site beside `blikk.yaml`: `worker.yaml` and `collect.yaml`, each with a grammar of its own."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import voluptuous as vol

from blikk_edge.config.yaml_lines import read_tree
from blikk_edge.config.yaml_nodes import EXAMPLE
from blikk_edge.grammar.problem import ConfigErrors, Problem
from blikk_edge.grammar.schema import Section
from blikk_edge.grammar.values import errors_of

PAGE: Final = "docs/guide/fleet.md"


def settings_in(path: Path, grammar: Callable[[Path], Section], *, environ: Mapping[str, str]) -> Any:
    """What `grammar` makes of a file, whose relative paths start at its folder.

    Raises ConfigErrors with everything that is wrong.
    """
    tree = read_tree(path, environ)
    settings = None
    if () not in tree.broken:
        try:
            settings = grammar(path.absolute().parent)(tree.value)
        except vol.Invalid as wrong:
            tree.note(errors_of(wrong), PAGE)
    if settings is None or tree.problems:
        raise ConfigErrors([_mended(problem) for problem in tree.problems])
    return settings


def _mended(problem: Problem) -> Problem:
    """Of a file that is not there, or empty: where there is one to begin with, and not how `blikk.yaml` looks."""
    return replace(problem, mend=f"{PAGE} shows one.") if EXAMPLE in problem.mend else problem
