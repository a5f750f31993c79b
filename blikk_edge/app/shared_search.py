"""A node that leaves looks at redacted crops to the workers of its site, as `search.workers` says."""

import asyncio
from typing import Final

from blikk_edge.app.search_model import PROBLEM, SearchModel, at_hand, name_of
from blikk_edge.app.vision_models import model_folders
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import ModelError
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.shared_looks import SharedLooks
from blikk_edge.runtime import log
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.transforms.embedding.options import Shared
from blikk_edge.transforms.embedding.reader import LookReader, SecondLook
from blikk_edge.transforms.embedding.shared import SharedTowers, crop
from blikk_edge.transforms.embedding.towers import TwoTowers

LOOK_S: Final = 5.0
"""How often it is looked whether the workers answer."""

_WHAT: Final = {
    Shared.EMBEDDING: "pictures are compared with words by their model",
    Shared.DETECTOR: "their detector says more exactly what appeared",
}


class SharedSearch:
    """A part of a node in the place of a SearchModel: some of its looks are jobs for workers.

    Where they compare pictures with words, this node's own copy of that model is opened when they do not answer, and
    only if it is here. Where they only find, its own model is used as ever. A larger detector has nobody who stands in
    for it: what the node's own calls an object stays.
    """

    name = "search model"

    def __init__(self, settings: Settings, supervisor: Supervisor, clock: Clock) -> None:
        assert settings.search is not None
        assert settings.fleet is not None  # the grammar has seen to it
        node, fleet = settings.node.id, settings.fleet
        self._looks = {
            shared: SharedLooks(Link(fleet, name=f"{node}.{shared}"), Names(fleet.site), node=node, clock=clock)
            for shared in _WHAT
            if shared in settings.search.workers
        }
        self._towers: TwoTowers | None = None
        self._own: TwoTowers | None = None
        self._model = SearchModel(settings, supervisor, clock)
        self._settings = settings
        self._supervisor = supervisor
        self._clock = clock

    @property
    def towers(self) -> TwoTowers | None:
        """What compares pictures with words now."""
        shared = self._looks.get(Shared.EMBEDDING)
        if shared is None:
            return self._model.towers
        return self._towers if self._towers is not None and shared.answers else self._own

    def reader(self) -> LookReader:
        """Who looks at the Pictures of one vision worker."""
        if Shared.EMBEDDING not in self._looks:
            return LookReader(lambda: self.towers, failed=self._model.failed, second=self._second)
        return LookReader(lambda: self.towers, failed=_passed_over, second=self._second)

    async def run(self) -> None:
        """Have jobs done until cancelled."""
        for what, looks in self._looks.items():
            looks.attach()
            log.part(PROBLEM).info("left to the workers of the site: %s", _WHAT[what])
        try:
            if (shared := self._looks.get(Shared.EMBEDDING)) is not None:
                await self._stand_in(shared)
            else:
                await self._model.run()
                await asyncio.get_running_loop().create_future()
        finally:
            for looks in self._looks.values():
                await looks.close()

    def _second(self) -> SecondLook | None:
        looks = self._looks.get(Shared.DETECTOR)
        return (lambda pixels: looks.found(crop(pixels))) if looks is not None and looks.answers else None

    async def _stand_in(self, shared: SharedLooks) -> None:
        """Open this node's own copy once the workers do not answer, if it is here."""
        options = self._settings.search
        assert options is not None
        self._towers = SharedTowers(await asyncio.to_thread(name_of, options), shared)
        tried = False
        while True:
            await self._clock.sleep(LOOK_S)
            problem = shared.problem
            if problem is None and (refused := shared.refused) is not None:
                self._supervisor.problems[PROBLEM] = f"{refused}; until then labels and colours alone are searched"
            elif problem is None:
                self._supervisor.problems.pop(PROBLEM, None)
            elif not tried:
                tried = True
                self._own = await asyncio.to_thread(at_hand, options, model_folders(self._settings))
            if problem is not None:
                stands_in = "this node's own model" if self._own else "until then labels and colours alone"
                self._supervisor.problems[PROBLEM] = f"{problem}; searches use {stands_in}"


def _passed_over(error: ModelError) -> None:
    """Of this object there are colours; the next is offered again, or looked at by this node."""
    log.part(PROBLEM).debug("%s", error)
