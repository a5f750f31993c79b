"""Ports of the stages that see pixels: Source, WakeDetector, Detector, Step, Redactor, AppearanceReader."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from blikk_edge.core.appearance import Look
from blikk_edge.core.geometry import WHOLE, Box
from blikk_edge.core.observation import Sighting
from blikk_edge.core.picture import Picture
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection, Lighting, MeasureInfo

MEASURES_MAX: Final = 32
"""So many measures a camera has at most."""


class Source(Protocol):
    """One camera's frames, one connection at a time; whoever drives it reconnects."""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Connect and yield frames in capture order until the stream ends or `stop` is set.

        A stop should be noticed within a second, and must be within the limits of connecting and reading; what comes
        later is thrown away. Returns when a file has ended. Raises SourceError when the stream cannot be opened, stands
        still or breaks; calling again reconnects. Capture times never go back, over reconnects too.
        """
        ...


class WakeDetector(Protocol):
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


class PartDetector(Protocol):
    """Finds objects in pixels of one camera, of which some may be private. Not shared between threads."""

    name: str

    def detect(self, bgr: Pixels, part: Box = WHOLE, lighting: Lighting = Lighting.DAY) -> tuple[Detection, ...]:
        """Objects in a (h, w, 3) uint8 BGR picture that shows this part of the camera's, best score first.

        Where it is not day, they are given as much contrast as their noise allows. The boxes are shares of the pixels
        that are given. Raises ModelError.
        """
        ...


class Needs(StrEnum):
    """Which scenes a step is given."""

    FRAMES = "frames"  # every frame, in the thread that decoded it: for the pipeline's own steps alone
    PASSED = "passed"  # those that may show something; of a quiet scene one in five seconds, asleep a keyframe
    ANALYSED = "analysed"  # those that the detector has looked at
    TRACKS = "tracks"  # and in which somebody or something is followed

    def met_by(self, scene: Scene) -> bool:
        """Whether a step with these needs is given this scene."""
        match self:
            case Needs.ANALYSED:
                return scene.analysed
            case Needs.TRACKS:
                return scene.analysed and bool(scene.tracks)
            case _:
                return True


class Step(Protocol):
    """One step of the way from Frame to Observation; classes that name it as their base inherit its defaults.

    Used by one thread at a time, which need not be the same each time. Pixels are read only.

    Attributes:
        name: A word (`sightings.WORD`), unique within its pipeline.
        needs: Which scenes it is given.
        measures: What it may measure; only of what is declared here something leaves.
    """

    name: str
    needs: Needs = Needs.PASSED
    measures: tuple[MeasureInfo, ...] = ()

    def __call__(self, scene: Scene) -> Scene:
        """The scene with what this step found added: `dataclasses.replace(scene, ...)`."""
        ...

    def reset(self) -> None:
        """Forget earlier frames: what they showed has nothing to do with the next."""
        return


class Redactor(Protocol):
    """Makes Pictures: the only way out for pixels."""

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        """A redacted JPEG of the scene; raises PrivacyError where faces could not be looked for."""
        ...


class AppearanceReader(Protocol):
    """Reads how things look, in what may leave: it is given Pictures, never a Frame. Not shared between threads."""

    def look(self, picture: Picture, objects: Sequence[Sighting], concepts: Mapping[str, str]) -> Sequence[Look]:
        """How each of these objects looks, with its score for each of the concepts; some may have no Look."""
        ...

    def whole(self, picture: Picture) -> Look | None:
        """How all of a Picture looks."""
        ...
