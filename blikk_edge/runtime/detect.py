"""The step that has the detector look."""

from collections.abc import Callable, Collection
from dataclasses import replace

from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.core.stages import Detector, Step


class Detect(Step):
    """A Step that sets `detections` and `analysed` where `look` is set; raises ModelError.

    `detector` is that of the vision worker whose turn it is. Only `labels` and persons count; `faint` are persons of
    the last scene with a score below `faint_below`, who are no detections, but are blurred like anybody. What an edge
    client found in a frame before it blurred it stands for a look. `inference_ms` is a moving mean.
    """

    name = "detect"

    def __init__(self, *, labels: Collection[Label], faint_below: float, stopwatch: Callable[[], float]) -> None:
        self.detector: Detector | None = None
        self.faint: tuple[Detection, ...] = ()
        self.inferences = 0
        self.inference_ms: float | None = None
        self._labels = frozenset(labels) | {Label.PERSON}
        self._faint_below = faint_below
        self._stopwatch = stopwatch

    def __call__(self, scene: Scene) -> Scene:
        """The scene with what was found, if it shall be looked at."""
        if not scene.look:
            return scene
        found = self.find(scene) if scene.frame.found is None else scene.frame.found
        kept = [d for d in found if d.label in self._labels]
        self.faint = tuple(d for d in kept if d.label is Label.PERSON and d.score < self._faint_below)
        return replace(scene, analysed=True, detections=tuple(d for d in kept if d not in self.faint))

    def find(self, scene: Scene) -> tuple[Detection, ...]:
        """What our own detector finds in the frame, whatever others found."""
        assert self.detector is not None
        started = self._stopwatch()
        found = self.detector.detect(scene.frame.bgr())
        spent = (self._stopwatch() - started) * 1000
        self.inferences += 1
        self.inference_ms = spent if self.inference_ms is None else 0.9 * self.inference_ms + 0.1 * spent
        return found
