"""Keeps watch for a source that sleeps: a motion gate of its own, for the few frames that are decoded."""

from collections.abc import Callable

from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.transforms.motion.gate import MotionGate


class GateWakeDetector:
    """Implements `core.stages.WakeDetector`. Whatever is not quiet stirs, however little: waking costs only work.

    While `watched` everything stirs: who looks at the live view sees every frame.
    """

    def __init__(self, gate: MotionGate, *, watched: Callable[[], bool] = lambda: False) -> None:
        self._gate = gate
        self._watched = watched

    def reset(self) -> None:
        """The stream was opened anew."""
        self._gate.reset()

    def stirs(self, frame: Frame) -> bool:
        """Whether anything but a quiet, known view is to be seen."""
        quiet = self._gate(Scene(frame=frame, motion=Motion(view=View.SETTLING))).motion.view is View.QUIET
        return not quiet or self._watched()
