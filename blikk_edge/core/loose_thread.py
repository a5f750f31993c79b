"""Threads that the end of a process does not wait for."""

import threading
from collections.abc import Callable


class LooseThread(threading.Thread):
    """A daemon thread that may wait in a library when the process ends.

    One that comes back from C while the interpreter is being taken down crashes the process. So a process in which one
    is `running` is to end by `os._exit`.
    """

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        super().__init__(target=run, name=name, daemon=True)


def running() -> bool:
    """Whether such a thread of this process has not ended."""
    return any(isinstance(thread, LooseThread) for thread in threading.enumerate())
