"""A vision worker: one thread with its own interpreter that looks at what the cameras pass on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.heap import give_back
from blikk_edge.runtime.camera import CameraRun
from blikk_edge.runtime.mailbox import Intake
from blikk_edge.runtime.pipeline import VisionTools
from blikk_edge.runtime.scheduler import SupervisedThread

TAKE_S: Final = 10.0
"""How long a worker waits before it looks whether it shall end; closing the intake wakes it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a worker looks at now.

    Attributes:
        camera: The camera's id.
        ticket: That of its lane.
        since: Since when, monotonic seconds.
    """

    camera: str
    ticket: int
    since: float


class VisionWorker:
    """Takes scenes from the intake and looks at them. `make_tools` is called in the worker's thread, once a start.

    What it returns gives the tools for each camera by its id; it raises ModelError where a model cannot be opened. It
    is called anew when `tools_round` gives another number: better models have come.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        cameras: Mapping[str, CameraRun],
        make_tools: Callable[[], Callable[[str], VisionTools]],
        clock: Clock,
        tools_round: Callable[[], int] = lambda: 0,
        stuck_after_s: float = 30.0,
    ) -> None:
        self._intake = intake
        self._cameras = cameras
        self._make_tools = make_tools
        self._tools_round = tools_round
        self._clock = clock
        self._stuck_after_s = stuck_after_s
        self._held: Held | None = None

    def run(self, thread: SupervisedThread) -> None:
        """The body of the worker's thread."""
        made, tools_for = self._tools_round(), self._make_tools()
        give_back()
        thread.well()
        while not thread.stop.is_set():
            if (newest := self._tools_round()) != made:
                made, tools_for = newest, self._make_tools()
            taken = self._intake.take(TAKE_S)
            if taken is None:
                continue
            camera = taken.scene.frame.camera
            self._held = Held(camera=camera, ticket=taken.ticket, since=self._clock.monotonic())
            try:
                self._cameras[camera].look(taken.scene, tools_for(camera))
            finally:
                self._held = None
                self._intake.done(camera, taken.ticket)

    def stuck(self) -> Held | None:
        """What it has been looking at for longer than `stuck_after_s`."""
        held = self._held
        return held if held and self._clock.monotonic() - held.since > self._stuck_after_s else None
