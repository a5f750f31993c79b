"""Kinds that a configuration names and that are not there, or are refused."""

from collections.abc import Iterator, Mapping

from blikk_edge.app.plugins import named
from blikk_edge.config.settings import Settings
from blikk_edge.grammar.problem import Wrong


def plugins(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """Those that cannot be had; a node runs without them."""
    for chosen, path in named(settings):
        if chosen.refused:
            yield Wrong(chosen.refused, "Until then the node runs without it.", *path)
