"""`blikk.yaml` in, frozen `Settings` out; every error with file, line, path and how to mend it."""

from blikk_edge.config.loading import check, load
from blikk_edge.config.problem import ConfigErrors, Problem
from blikk_edge.config.settings import Settings

__all__ = ["ConfigErrors", "Problem", "Settings", "check", "load"]
