"""What a live view shows of one frame: the redacted Picture, and what was found in it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Cells, Motion, Track

LIVE: Final = "live"
"""The name of Pictures of a live view: only who looks gets them."""

LIVE_FPS: Final = 5.0
"""So many a second at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFrame:
    """One frame of a live view.

    Attributes:
        camera: The camera's id.
        time: Capture time, seconds since 1970 UTC.
        motion: What the motion gate saw.
        cells: The single cells that move; None where none does.
        tracks: What is followed, with boxes of this frame.
        threshold: The motion score from which something is reported, 0..1.
        picture: The redacted JPEG; None where none could be made.
        problem: Why there is no Picture, in a sentence.
    """

    camera: str
    time: float
    motion: Motion
    cells: Cells | None = None
    tracks: tuple[Track, ...] = ()
    threshold: float = 0.3
    picture: Picture | None = None
    problem: str | None = None


class Audience(Protocol):
    """Who looks at the cameras of a node now. Safe from any thread, and never blocks."""

    def looks_at(self, camera: str) -> bool:
        """Whether somebody looks at this camera."""
        ...

    def due(self, camera: str, time: float) -> bool:
        """Whether a frame of this capture time is to be shown: somebody looks, and the last one is long enough ago."""
        ...

    def show(self, frame: LiveFrame) -> None:
        """Show it to all who look."""
        ...


class LiveView(Protocol):
    """Where viewers get frames."""

    def watch(self, camera: str) -> AbstractAsyncContextManager[AsyncIterator[LiveFrame]]:
        """The frames of a camera while the context is open; the newest one counts for who is slow."""
        ...

    def viewers(self, camera: str) -> int:
        """How many look at it now."""
        ...
