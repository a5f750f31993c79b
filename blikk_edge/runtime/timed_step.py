"""A step whose time is measured."""

from collections.abc import Callable

from blikk_edge.core.probe import CameraProbe
from blikk_edge.core.scene import Scene
from blikk_edge.core.stages import Step


class TimedStep(Step):
    """Does what `step` does, and reports to `probe` how long it took, as `stage`; a scene left as it was is no call."""

    def __init__(self, step: Step, stage: str, probe: CameraProbe, stopwatch: Callable[[], float]) -> None:
        self.name = step.name
        self.needs = step.needs
        self.measures = step.measures
        self._step = step
        self._stage = stage
        self._probe = probe
        self._stopwatch = stopwatch

    def __call__(self, scene: Scene) -> Scene:
        """The scene as `step` returns it."""
        began = self._stopwatch()
        after = self._step(scene)
        if after is not scene:
            self._probe.spent(self._stage, (began, self._stopwatch()))
        return after

    def reset(self) -> None:
        """Have `step` forget earlier frames."""
        self._step.reset()
