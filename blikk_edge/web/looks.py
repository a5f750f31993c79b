"""Looks at the disk for the API: one at a time, and only for who still waits."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")


class Looks:
    """One look at a time: many would take every thread of the process, and hold up its stop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def look(self, request: "web.Request", look: Callable[[], T]) -> T:
        """What the blocking function gives; raises ConnectionResetError where who asked has gone meanwhile.

        A page drops what it asked for as somebody types on. Looks for nobody would keep the others waiting.
        """
        async with self._turn:
            if request.transport is None:
                raise ConnectionResetError("the client is gone")
            return await asyncio.to_thread(look)
