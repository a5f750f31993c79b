"""The frameworks whose agents get tools; each is imported when its tools are asked for."""

import difflib
import importlib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from blikk_edge.agents.tools import Tool
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.installing import pip_install

FRAMEWORKS: Final = ("langchain", "llamaindex")

Make: TypeAlias = Callable[[Sequence[Tool]], list[Any]]


def framework_of(name: str) -> Make:
    """What makes its tools of ours; raises ConfigError where there is no such framework, or it is not installed."""
    if name not in FRAMEWORKS:
        near = difflib.get_close_matches(str(name).lower()[:40], FRAMEWORKS, n=1)
        mend = f"did you mean {near[0]!r}?" if near else f"use {' or '.join(map(repr, FRAMEWORKS))}"
        raise ConfigError(f"there are no tools for {str(name)[:40]!r}: {mend}")
    try:
        made: Make = importlib.import_module(f"blikk_edge.agents.{name}").tools
    except ImportError as error:
        raise ConfigError(
            f"tools for {name} need another package ({error.name} is missing): {pip_install(f'blikk-edge[{name}]')}"
        ) from error
    return made
