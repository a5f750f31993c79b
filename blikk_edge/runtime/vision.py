"""A vision worker: one thread with its own interpreter that looks at what the cameras pass on."""

from collections.abc import Callable, Mapping
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.runtime.camera import CameraRun
from blikk_edge.runtime.mailbox import Intake
from blikk_edge.runtime.pipeline import Eyes
from blikk_edge.runtime.scheduler import Life

TAKE_S: Final = 2.0
"""How long a worker waits before it looks whether it shall end; closing the intake wakes it at once."""


class VisionWorker:
    """Takes scenes from the intake and looks at them. `make_eyes` is called in the worker's thread, once a start.

    What it returns gives the eyes for each camera by its id; it raises ModelError where a model cannot be opened.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        cameras: Mapping[str, CameraRun],
        make_eyes: Callable[[], Callable[[str], Eyes]],
        clock: Clock,
    ) -> None:
        self._intake = intake
        self._cameras = cameras
        self._make_eyes = make_eyes
        self._clock = clock
        self._since: float | None = None

    def run(self, life: Life) -> None:
        """The body of the worker's thread."""
        eyes_for = self._make_eyes()
        life.well()
        while not life.stop.is_set():
            scene = self._intake.take(TAKE_S)
            if scene is None:
                continue
            self._since = self._clock.monotonic()
            camera = scene.frame.camera
            try:
                self._cameras[camera].look(scene, eyes_for(camera))
            finally:
                self._since = None
                self._intake.done(camera)

    def stuck_s(self) -> float:
        """For how long it has been looking at one scene; 0 while it waits."""
        since = self._since
        return 0.0 if since is None else self._clock.monotonic() - since
