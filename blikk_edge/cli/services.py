"""Running something that goes on until it is asked to stop."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from blikk_edge.cli import stopping


def serve(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run until SIGTERM or SIGINT; see `stopping.on_stop` for a second one."""
    asyncio.run(_until_stopped(run))


def say_what_looks(log: logging.Logger, *, notes: Sequence[str], problems: Sequence[str]) -> None:
    """Log what is looked with; what stands in for something better, and what that does not find, as one warning."""
    if problems:
        log.warning("%s", "; ".join(problems))
    for text in notes:
        if text not in problems:
            log.info("%s", text)


async def _until_stopped(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(stop.set)

    stopping.on_stop(ask)
    await run(stop)
