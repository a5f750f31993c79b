"""A call that wakes somebody who sleeps in another thread, and looks now and then whether there was one."""


class WakeCall:
    """Safe from any thread: of two calls at once one is enough."""

    def __init__(self) -> None:
        self._given = False

    def give(self) -> None:
        """Call."""
        self._given = True

    def take(self) -> bool:
        """Whether there was a call since this was asked last."""
        given, self._given = self._given, False
        return given
