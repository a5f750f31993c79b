"""Ports of the stages that see pixels: Source, Sentry, Detector, Transform, Redactor."""

import threading
from collections.abc import Iterator
from typing import Protocol

from blikk_edge.core.picture import Picture
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection


class Source(Protocol):
    """One camera's frames, one connection at a time; whoever drives it reconnects."""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Connect and yield frames in capture order until the stream ends or `stop` is set.

        Returns when a file has ended. Raises SourceError when the stream cannot be opened, stands still or breaks;
        calling again reconnects. Capture times never go back, over reconnects too.
        """
        ...


class Sentry(Protocol):
    """Sees the frames that a sleeping source decodes, in capture order, and says when to wake it."""

    def reset(self) -> None:
        """The stream was opened anew."""
        ...

    def stirs(self, frame: Frame) -> bool:
        """Whether something may be going on in this frame; a frame may be seen again after later ones."""
        ...


class Detector(Protocol):
    """Finds objects in pixels. Not shared between threads."""

    name: str

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        """Objects in a (h, w, 3) uint8 BGR picture, best score first; raises ModelError."""
        ...


class Transform(Protocol):
    """One step of the way from Frame to Observation."""

    def __call__(self, scene: Scene) -> Scene:
        """The scene with what this step found added."""
        ...


class Redactor(Protocol):
    """Makes Pictures: the only way out for pixels."""

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        """A redacted JPEG of the scene; raises PrivacyError where faces could not be looked for."""
        ...
