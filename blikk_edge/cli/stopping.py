"""SIGTERM and SIGINT, from the first moment to the last.

A thread of its own learns of signals through a pipe that Python's C handler writes to, so that one is heeded whatever
the main thread does: import a large library, open a model, wait for a name server.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from blikk_edge.cli import exits
from blikk_edge.core import loose_thread

SERVICES: Final = ("run", "worker", "setup", "push", "mcp", "debug")
"""The commands that go on until they are asked to stop: that is no failure."""

END_S: Final = 4.5
"""How long a service may take to end: a name server that does not answer keeps a thread for half a minute."""

CLOSE_S: Final = 0.4
"""How long what `close_first` was given may take after END_S; before `on_stop` it has all of END_S."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_more_s = 0.0
_stop: Callable[[], None] | None = None
_close: Callable[[], None] | None = None


def arm(arguments: list[str] | None = None) -> None:
    """Let SIGTERM and SIGINT end this process: at once, or by what `on_stop` was given. From the main thread only."""
    service = next(iter(sys.argv[1:] if arguments is None else arguments), "") in SERVICES
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for each in _SIGNALS:
        signal.signal(each, _heard)
    threading.Thread(target=_watch, args=(reader, service), name="signals", daemon=True).start()


def on_stop(stop: Callable[[], None]) -> None:
    """From now on the first signal calls `stop`, in another thread; a second one, or END_S, ends the process."""
    global _stop  # noqa: PLW0603 - signals belong to the process
    _stop = stop


def allow(more_s: float) -> None:
    """What runs may take so much longer than END_S to end."""
    global _more_s  # noqa: PLW0603 - as above
    _more_s = more_s


def leave(status: int) -> int:
    """The status to end with; where a thread may come back from a library, the process ends here and now."""
    if not loose_thread.running():
        return status
    import logging

    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or never there
            stream.flush()
    os._exit(status)


def close_first(close: Callable[[], None]) -> None:
    """Have `close` called, in another thread, before a signal ends this process without `on_stop`, or after END_S."""
    global _close  # noqa: PLW0603 - as above
    _close = close


def start_again(arguments: Sequence[str] | None = None) -> NoReturn:
    """Carry out this command line anew, or another one of ours, in this process; what it has open is closed."""
    import logging

    logging.shutdown()
    given = sys.orig_argv[1:] if arguments is None else [*_before_arguments(), *arguments]
    os.execv(sys.executable, [sys.executable, *given])  # noqa: S606  # ourselves


def start_again_later() -> None:
    """`start_again` after END_S, should this process not have come to it by then."""

    def late() -> None:
        time.sleep(END_S + _more_s)
        if _close is not None:
            _close()
        start_again()

    threading.Thread(target=late, name="restart", daemon=True).start()


def _before_arguments() -> list[str]:
    """What stands before the arguments of the command line: options of Python, and our program or module."""
    own = len(sys.argv) - 1
    return sys.orig_argv[1 : len(sys.orig_argv) - own]


def _heard(_number: int, _frame: object) -> None:
    """Nothing: Python's C handler has already written to the pipe."""


def _watch(reader: int, service: bool) -> None:
    number = _next(reader, None)
    if _stop is None:
        if sys.stderr is not None and os.isatty(2):
            os.write(2, b"\n")  # the shell's prompt must not stand behind ^C or a progress bar
        _end(exits.OK if service else exits.SIGNAL + (number or 0), END_S)
    _stop()
    second = _next(reader, END_S + _more_s)
    _end(exits.OK if second is None else exits.SIGNAL + second, CLOSE_S)


def _end(status: int, within_s: float) -> NoReturn:
    """End the process; what was to be closed first is, if that is done in time: a disk may hang."""
    if _close is not None:
        closing = threading.Thread(target=_close, name="closing", daemon=True)
        closing.start()
        closing.join(within_s)
    os._exit(status)


def _next(reader: int, within_s: float | None) -> int | None:
    """The number of the next of our signals; None when none comes in time."""
    while select.select([reader], [], [], within_s)[0]:
        for number in os.read(reader, 1):
            if number in _SIGNALS:
                return number
    return None
