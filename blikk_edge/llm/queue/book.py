"""What the language model has cost, kept over restarts."""

import asyncio
import contextlib
import logging
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.ports import Memory
from blikk_edge.core.trouble import Trouble
from blikk_edge.llm.queue.budget import Budget

LOG = logging.getLogger("blikk.llm")

KEY: Final = "llm.budget"
SAVE_EVERY_S: Final = 5.0


class Book:
    """Writes the counters of `budget` into `memory`, at most every few seconds; without one it does nothing.

    Nothing is written before the old counters were read. A memory that fails is logged once and tried again.
    """

    def __init__(self, budget: Budget, memory: Memory | None, clock: Clock) -> None:
        self._budget = budget
        self._memory = memory
        self._clock = clock
        self._recalled = False
        self._changed = asyncio.Event()
        self._trouble = Trouble(LOG)

    def changed(self) -> None:
        """The counters are not those that were written."""
        self._changed.set()

    async def recall(self) -> None:
        """Add the counters of an earlier process, once."""
        if self._memory is None or self._recalled:
            return
        try:
            text = await asyncio.to_thread(self._memory.recall, KEY)
        except StoreError as error:
            self._went(error)
            return
        self._recalled = True
        if text is not None:
            try:
                self._budget.restore(text)
            except ValueError as error:
                LOG.warning("what was spent before cannot be read (%s); counting starts at 0", error)

    async def keep(self) -> None:
        """Write for ever, until cancelled."""
        while True:
            await self._changed.wait()
            await self.save()
            await self._clock.sleep(SAVE_EVERY_S)

    async def save(self) -> None:
        """Write what has changed. A cancellation waits for the end of it: two writes must not overtake each other."""
        if self._memory is None or not self._changed.is_set():
            return
        await self.recall()
        if not self._recalled:
            return
        self._changed.clear()
        writing = asyncio.ensure_future(asyncio.to_thread(self._memory.remember, KEY, self._budget.to_text()))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreError):
                await writing
            raise
        except StoreError as error:
            self._changed.set()
            self._went(error)
        else:
            self._trouble.end("what was spent is kept now")

    def _went(self, error: StoreError) -> None:
        self._trouble.start(f"what was spent is not kept over a restart: {error}")
