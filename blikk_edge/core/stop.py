"""An event that also calls whoever cannot wait for it."""

import threading
from collections.abc import Callable


class Stop(threading.Event):
    """Asks a thread to end; `listen` is for what blocks in a library and must be stopped from outside."""

    def __init__(self) -> None:
        super().__init__()
        self._listener: Callable[[], None] | None = None

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when this is set, in the thread that sets it; at once if it is. One at a time."""
        self._listener = listener
        if self.is_set():
            listener()

    def set(self) -> None:
        """Ask; may be called again."""
        super().set()
        if self._listener is not None:
            self._listener()
