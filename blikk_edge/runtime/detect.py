"""The step that has the detector look."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from blikk_edge.core.geometry import WHOLE, Box
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import BLURRED, Detection, Label, Lighting
from blikk_edge.core.stages import PartDetector, Step


class Closer(Protocol):
    """Looks again at parts of a frame, where the whole of it was not enough; with detectors of these names."""

    @property
    def detectors(self) -> Collection[str]:
        """Whose scores it knows what to make of."""
        ...

    def look(
        self, scene: Scene, found: Sequence[Detection], detect: Callable[[Box], Sequence[Detection]]
    ) -> tuple[Detection, ...]:
        """What was `found` in the whole frame, and who was found beside.

        `detect` finds objects in a part, in coordinates of the picture; it is called at most once.
        """
        ...

    def reset(self) -> None:
        """Forget what was seen."""
        ...


class Meter(Protocol):
    """Says by which light a camera sees, from the frames that are looked at."""

    def measure(self, bgr: Pixels, time: float) -> Lighting:
        """The lighting by now, of a (h, w, 3) uint8 picture taken at this time."""
        ...

    def reset(self) -> None:
        """Begin anew."""
        ...


class Detect(Step):
    """A Step that sets `detections` and `analysed` where `look` is set; raises ModelError.

    `detector` is that of the vision worker whose turn it is. Only `labels` and persons count, with a score of
    at least that of their label in `faint_below`; `faint` are the other persons and vehicles of the last scene, who are
    no detections, but are blurred like any other. What an edge client found in a frame before it blurred it stands for
    a look. The `meter` sets `lighting`; where it is not day the detector sees parts with more contrast. `inference_ms`
    is a moving mean.
    """

    name = "detect"

    def __init__(
        self,
        *,
        labels: Collection[Label],
        faint_below: Mapping[Label, float],
        stopwatch: Callable[[], float],
        closer: Closer | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.detector: PartDetector | None = None
        self.faint: tuple[Detection, ...] = ()
        self.inferences = 0
        self.inference_ms: float | None = None
        self._labels = frozenset(labels) | {Label.PERSON}
        self._faint_below = faint_below
        self._stopwatch = stopwatch
        self._closer = closer
        self._meter = meter

    def reset(self) -> None:
        """Forget earlier frames."""
        if self._closer is not None:
            self._closer.reset()
        if self._meter is not None:
            self._meter.reset()

    def __call__(self, scene: Scene) -> Scene:
        """The scene with what was found, if it shall be looked at."""
        if not scene.look:
            return scene
        if self._meter is not None and scene.frame.found is None:
            scene = replace(scene, lighting=self._meter.measure(scene.frame.bgr(), scene.frame.time))
        found = self._closer_look(scene) if scene.frame.found is None else scene.frame.found
        self.faint = tuple(d for d in found if d.label in BLURRED and not self._counts(d))
        return replace(scene, analysed=True, detections=tuple(d for d in found if self._counts(d)))

    def _counts(self, found: Detection) -> bool:
        return found.label in self._labels and found.score >= self._faint_below.get(found.label, 0.0)

    def _closer_look(self, scene: Scene) -> tuple[Detection, ...]:
        """What is found in the frame, and in a part of it that is worth it."""
        found = self.find(scene)
        if self._closer is None or self.detector is None or self.detector.name not in self._closer.detectors:
            return found
        return self._closer.look(scene, found, partial(self._detect, scene.frame, lighting=scene.lighting))

    def find(self, scene: Scene) -> tuple[Detection, ...]:
        """What our own detector finds in the frame, whatever others found."""
        return self._detect(scene.frame)

    def _detect(self, frame: Frame, part: Box = WHOLE, *, lighting: Lighting = Lighting.DAY) -> tuple[Detection, ...]:
        """What is found in a part, in coordinates of the picture."""
        assert self.detector is not None
        started = self._stopwatch()
        if part == WHOLE:
            found = self.detector.detect(frame.bgr())
        else:
            found = tuple(d.within(part) for d in self.detector.detect(frame.part(part), part, lighting))
        spent = (self._stopwatch() - started) * 1000
        self.inferences += 1
        self.inference_ms = spent if self.inference_ms is None else 0.9 * self.inference_ms + 0.1 * spent
        return found
