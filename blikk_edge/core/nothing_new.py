"""What a source says while its camera answers and has no new picture, and when it said so last."""

from typing import Protocol

from blikk_edge.core.clock import Clock


class NothingNew(Protocol):
    """Called by a source, in its own thread, that the camera lives though no frame comes."""

    def __call__(self) -> None:
        """The camera has just answered that its picture is the one that was given last."""
        ...


class LastAnswer:
    """When a camera last answered that it has nothing new; said by its reader's thread, read by any. A `NothingNew`."""

    __slots__ = ("_clock", "at")

    def __init__(self, clock: Clock) -> None:
        self.at: float | None = None
        self._clock = clock

    def __call__(self) -> None:
        """It has just answered so."""
        self.at = self._clock.monotonic()
