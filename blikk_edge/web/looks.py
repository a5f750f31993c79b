"""Looks at the disk for the API: one at a time, and only for who still waits."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")


class Looks:
    """One look at a time: many would take every thread of the process, and hold up its stop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def look(self, request: "web.Request", look: Callable[[], T]) -> T:
        """What the blocking function gives; raises ConnectionResetError where who asked has gone meanwhile.

        A page drops what it asked for as somebody types on. Looks for nobody would keep the others waiting. Who gives
        up waiting leaves the look its turn until it is done: a disk that does not answer holds one thread.
        """
        await self._turn.acquire()
        if request.transport is None:
            self._turn.release()
            raise ConnectionResetError("the client is gone")
        looking = asyncio.ensure_future(asyncio.to_thread(look))
        looking.add_done_callback(self._looked)
        return await asyncio.shield(looking)

    def _looked(self, looking: "asyncio.Future[Any]") -> None:
        self._turn.release()
        if not looking.cancelled():
            looking.exception()  # who asked may not wait for it any more
