"""`blikk.yaml` in, frozen `Settings` out; every error with file, line, path and how to mend it."""

from blikk_edge.config.finding import find
from blikk_edge.config.loading import check, load
from blikk_edge.config.settings import Settings
from blikk_edge.grammar.problem import ConfigErrors, Problem

__all__ = ["ConfigErrors", "Problem", "Settings", "check", "find", "load"]
