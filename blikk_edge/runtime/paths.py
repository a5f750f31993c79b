"""Brings the paths of events that ended from the vision workers to the store."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from blikk_edge.core.errors import StoreError
from blikk_edge.core.paths import EventPath

WAITING_MAX: Final = 200
"""Paths that wait while the store has a problem; the oldest go first."""


class Paths:
    """A part of a node; `keep` takes a path from any thread, before it runs and after. `write` is blocking.

    What the store refuses waits; it says itself what is wrong with it.
    """

    name = "paths"

    def __init__(self, write: Callable[[EventPath], None]) -> None:
        self._write = write
        self._waiting: deque[EventPath] = deque(maxlen=WAITING_MAX)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()

    def keep(self, path: EventPath) -> None:
        """Have a path written soon."""
        self._waiting.append(path)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def run(self) -> None:
        """Write what comes until cancelled, then what is left."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.to_thread(self._write_all)
                await self._arrived.wait()
                self._arrived.clear()
        finally:
            self._write_all()

    def _write_all(self) -> None:
        while self._waiting:
            path = self._waiting[0]
            try:
                self._write(path)
            except StoreError:
                return
            if self._waiting and self._waiting[0] is path:
                self._waiting.popleft()
