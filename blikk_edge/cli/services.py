"""Running something that goes on until it is asked to stop."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from blikk_edge.cli import stopping


def serve(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run until SIGTERM or SIGINT; see `stopping.on_stop` for a second one."""
    asyncio.run(_until_stopped(run))


async def _until_stopped(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(stop.set)

    stopping.on_stop(ask)
    await run(stop)
