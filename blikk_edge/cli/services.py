"""Running something that goes on until it is asked to stop."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from blikk_edge.cli import stopping


class Restart:
    """Asked for from within: what runs is ended as by a signal, and this very command line is carried out anew."""

    def __init__(self) -> None:
        self.asked = False
        self._stop: Callable[[], None] = lambda: None

    def ask(self) -> None:
        """End what runs, and start it again."""
        self.asked = True
        stopping.start_again_later()
        self._stop()

    def on_ask(self, stop: Callable[[], None]) -> None:
        """From now on `ask` calls this."""
        self._stop = stop


def serve(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]], restart: Restart | None = None) -> None:
    """Run until SIGTERM or SIGINT; see `stopping.on_stop` for a second one. Does not return where `restart` was asked.

    The process stays the same one, so that whoever started it need not know.
    """
    asyncio.run(_until_stopped(run, restart))
    if restart is not None and restart.asked:
        stopping.start_again()


def say_what_looks(log: logging.Logger, *, notes: Sequence[str], problems: Sequence[str]) -> None:
    """Log what is looked with; what stands in for something better, and what that does not find, as one warning."""
    if problems:
        log.warning("%s", "; ".join(problems))
    for text in notes:
        if text not in problems:
            log.info("%s", text)


async def _until_stopped(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]], restart: Restart | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(stop.set)

    stopping.on_stop(ask)
    if restart is not None:
        restart.on_ask(ask)
    await run(stop)
