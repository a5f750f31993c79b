"""The last texts about each camera: what a new one follows on."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.ports import History
from blikk_edge.core.summary import Summary
from blikk_edge.enrichers.summaries.context import RECENT_S

KEPT: Final = 4


class Recent:
    """The newest KEPT texts of each camera, of an event its newest revision; from before the start out of `history`."""

    def __init__(self, *, history: History | None, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._texts: dict[str, list[Summary]] = {}
        self._asked: set[str] = set()

    def add(self, summary: Summary) -> None:
        """One more was written, about a camera."""
        camera = str(summary.camera)
        others = [one for one in self._texts.get(camera, []) if summary.event is None or one.event != summary.event]
        self._texts[camera] = [*others, summary][-KEPT:]

    def forget(self) -> None:
        """Something of it was forgotten: what is left is read again out of the history."""
        self._texts.clear()
        self._asked.clear()

    async def of(self, camera: str) -> tuple[Summary, ...]:
        """What was written about it, the newest last. A store that cannot be read now is asked no more."""
        while self._history is not None and camera not in self._asked:
            self._asked.add(camera)
            kept: Sequence[Summary] = ()
            with contextlib.suppress(StoreError):
                since = self._clock.now() - RECENT_S
                kept = await asyncio.to_thread(self._history.summaries, camera=camera, since=since, limit=KEPT)
            if camera not in self._asked:
                continue  # it was forgotten while it was read
            known = {one.id for one in self._texts.get(camera, [])}
            older = [one for one in reversed(kept) if one.id not in known]
            self._texts[camera] = [*older, *self._texts.get(camera, [])][-KEPT:]
        return tuple(self._texts.get(camera, ()))
