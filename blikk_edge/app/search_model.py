"""The model that compares pictures with words: found or fetched while the node runs, and shared by all who ask it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from blikk_edge.app.vision_models import model_folders
from blikk_edge.config.settings import Settings
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import ModelError
from blikk_edge.runtime import log
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.transforms.embedding.options import SearchOptions
from blikk_edge.transforms.embedding.reader import LookReader
from blikk_edge.transforms.embedding.towers import Towers
from blikk_edge.transforms.models.folders import ModelFolders, resolve, sha256_of
from blikk_edge.transforms.models.registry import REGISTRY

LAST_S: Final = 1800.0
"""The longest pause between two tries to fetch it."""

PROBLEM: Final = "search"


def opened(options: SearchOptions, where: ModelFolders) -> Towers:
    """The model of these options; raises ModelError where it cannot be had from these folders, or not be used."""
    entry = REGISTRY.get(options.model)
    if entry is None:
        model = Path(options.model)
        assert options.tokenizer is not None  # the grammar has seen to it
        # of two models that are called the same no embeddings are compared
        return Towers(f"{model.stem}-{sha256_of(model)[:8]}", model, options.tokenizer)
    found = resolve(entry.name, model_folders=where)
    (tokenizer,) = (resolve(name, model_folders=where) for name in entry.needs)
    return Towers(entry.name, found.path, tokenizer.path)


def at_hand(options: SearchOptions | None, where: ModelFolders) -> Towers | None:
    """The model, where it is here: nobody waits for a download to search. None, which is logged, where it is not."""
    if options is None or not options.by_words:
        return None
    try:
        return opened(options, replace(where, offline=True))
    except ModelError as error:
        log.part("search").error("%s; only labels and colours are searched", error)
        return None


class SearchModel:
    """A part of a node: opens the model, and tries again where it cannot be had yet.

    `towers` are None until then; until then colours serve. A model that fails is not asked again before the next start.
    Only one that is damaged, or whose package is missing, is a lasting problem.
    """

    name = "search model"

    def __init__(self, settings: Settings, supervisor: Supervisor, clock: Clock) -> None:
        assert settings.search is not None
        self.towers: Towers | None = None
        self._options = settings.search
        self._settings = settings
        self._supervisor = supervisor
        self._clock = clock
        self._broken = False

    def reader(self) -> LookReader:
        """Who looks at the Pictures of one vision worker."""
        return LookReader(lambda: self.towers, failed=self._failed)

    async def run(self) -> None:
        """Open it; ever more rarely, until it is there."""
        if not self._options.by_words:
            return
        backoff = Backoff(last_s=LAST_S)
        while self.towers is None and not self._broken:
            try:
                found = await asyncio.to_thread(self._open)
            except ModelError as error:
                self._report(error)
                if self._settings.models.offline:
                    return
                await self._clock.sleep(backoff.next_s())
            else:
                self.towers = found
                self._supervisor.problems.pop(PROBLEM, None)
                log.part(PROBLEM).info("pictures are compared with words by %s", found.name)

    def _open(self) -> Towers:
        return opened(self._options, model_folders(self._settings))

    def _failed(self, error: ModelError) -> None:
        """Called in a vision worker."""
        self._broken, self.towers = True, None
        self._report(error)

    def _report(self, error: ModelError) -> None:
        problem = f"{error}; until then only labels and colours are searched"
        if self._supervisor.problems.get(PROBLEM) != problem:
            self._supervisor.problems[PROBLEM] = problem
            log.part(PROBLEM).warning("%s", problem)


def text_towers(model: SearchModel | None) -> Callable[[], Towers | None]:
    """Who turns words into embeddings, where there is a model by now."""
    return (lambda: None) if model is None else (lambda: model.towers)
