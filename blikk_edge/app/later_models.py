"""The models in use now, and those that could not be had at the start: they are tried again while the node runs."""

import asyncio
from collections.abc import Callable
from typing import Final

from blikk_edge.app.stand_ins import ProgressOf
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.config.settings import Settings
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import ModelError
from blikk_edge.core.stages import AppearanceReader
from blikk_edge.runtime import log
from blikk_edge.runtime.pipeline import VisionTools
from blikk_edge.runtime.scheduler import Supervisor

LAST_S: Final = 1800.0
"""A network that comes is there within seconds of a boot; one that is not may stay away for days."""


class LaterModels:
    """What the vision workers look with. `run` fetches what is missing when it can be had, and they change over.

    `round` is one higher each time; `make_reader` gives each worker who reads looks, where that is done. Raises
    ModelError as VisionModels does, at the start only.
    """

    name = "fetching models"
    """A part of its own: that it works does not mean that the models are here."""

    def __init__(
        self,
        settings: Settings,
        supervisor: Supervisor,
        clock: Clock,
        *,
        progress: ProgressOf | None = None,
        make_reader: Callable[[], AppearanceReader | None] = lambda: None,
    ) -> None:
        self.round = 0
        self._settings = settings
        self._supervisor = supervisor
        self._clock = clock
        self._make_reader = make_reader
        self._now = VisionModels(settings, progress=progress)
        self._report()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is looked with now, and what that does not find."""
        return self._now.notes

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be had, and what serves in its place."""
        return self._now.problems

    def tools(self) -> Callable[[str], VisionTools]:
        """The tools of one vision worker, by camera id; raises ModelError where a model cannot be opened."""
        return self._now.tools(self._settings, self._make_reader())

    async def run(self) -> None:
        """Try again, ever more rarely, until nothing is missing."""
        backoff = Backoff(last_s=LAST_S)
        while self._now.missing and not self._settings.models.offline:
            await self._clock.sleep(backoff.next_s())
            found = await asyncio.to_thread(self._find)
            if found is not None and found.missing < self._now.missing:
                self._now = found
                self.round += 1
                self._report()
                for text in found.notes:
                    log.part("models").info("from now on: %s", text)

    def _find(self) -> VisionModels | None:
        """What can be had now, opened once; None where that fails."""
        try:
            found = VisionModels(self._settings)
            if found.missing < self._now.missing:
                found.tools(self._settings)
        except ModelError:
            return None
        return found

    def _report(self) -> None:
        if self._now.problems:
            self._supervisor.problems["models"] = "; ".join(self._now.problems)
        else:
            self._supervisor.problems.pop("models", None)
