"""The edge client: a source whose redacted frames go to a node elsewhere. Frames are kept in memory only."""

import asyncio
from dataclasses import replace
from pathlib import Path

from blikk_edge.app.replays import DEFAULTS
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import ModelError, PrivacyError
from blikk_edge.core.push_queue import Pushed
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.core.trouble import Trouble
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.runtime import log
from blikk_edge.runtime.camera import READER_END_S
from blikk_edge.runtime.pipeline import VisionTools
from blikk_edge.runtime.scheduler import Scheduler, SupervisedThread, Supervisor
from blikk_edge.sinks.edge import EdgeLink
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.terms import Terms
from blikk_edge.transforms.motion.gate import MotionGate

CAMERA = "edge"
MOVING_FOR_S = 3.0
"""A camera counts as moving for so long after the last motion: the end of a visit is worth its frames too."""


class Pusher:
    """Reads `source`, redacts, and sends to the ingestion server at `to`, until stopped.

    `height_px` is 480 or 720; `rotate` turns the picture clockwise by so many degrees. Raises ModelError or SinkError
    where that cannot even begin.
    """

    def __init__(
        self,
        source: str,
        to: str,
        token: str,
        *,
        clock: Clock,
        height_px: int = 480,
        rotate: int = 0,
        ca: Path | None = None,
    ):
        url = SourceUrl(source)
        self._settings = replace(
            DEFAULTS, cameras=(replace(DEFAULTS.cameras[0], id=CAMERA, source=url, height_px=height_px),)
        )
        self._clock = clock
        self._source = open_source(
            source, Terms(camera=CAMERA, shown=url.public, clock=clock, height_px=height_px, rotate=rotate)
        )
        self._gate = MotionGate()
        self._vision_models = VisionModels(self._settings)
        self._tools: VisionTools | None = None
        self._newest: Scene | None = None
        self._moved_at = float("-inf")
        self._blind = Trouble(log.part("push"), "no frame leaves: %s")
        self.notes = self._vision_models.notes
        self.problems = self._vision_models.problems
        self.link = EdgeLink(to, token, newest=self._pushed, moving=self._moving, clock=clock, ca=ca)

    async def run(self, stop: asyncio.Event) -> None:
        """Push until `stop` is set."""
        scheduler = Scheduler(self._clock, Supervisor(self._clock))
        scheduler.thread("camera", self._read, leave_after_s=READER_END_S)
        scheduler.task("push", self.link.run)
        try:
            await stop.wait()
        finally:
            await scheduler.end_threads()
            await scheduler.end_tasks()

    def _read(self, thread: SupervisedThread) -> None:
        """The newest frame, and whether it moves; in the reader's thread."""
        self._gate.reset()
        for frame in self._source.frames(thread.stop):
            thread.well()
            scene = self._gate(Scene(frame=frame, motion=Motion(view=View.SETTLING)))
            if scene.motion.view is View.NEW_SCENE or scene.motion.score >= DEFAULTS.cameras[0].event_threshold:
                self._moved_at = self._clock.monotonic()
            self._newest = scene

    def _moving(self) -> bool:
        return self._clock.monotonic() - self._moved_at < MOVING_FOR_S

    async def _pushed(self, seq: int) -> Pushed | None:
        """The newest frame, redacted; None when there is none yet, or when faces cannot be looked for."""
        scene, self._newest = self._newest, None
        return None if scene is None else await asyncio.to_thread(self._redacted, scene, seq)

    def _redacted(self, scene: Scene, seq: int) -> Pushed | None:
        try:
            if self._tools is None:
                self._tools = self._vision_models.tools(self._settings)(CAMERA)
            found = self._tools.detector.detect(scene.frame.bgr())
            picture = self._tools.redactor.picture(replace(scene, analysed=True, detections=found), name="frame")
        except (PrivacyError, ModelError) as error:
            self._blind.start(str(error))
            return None
        self._blind.end("frames leave now")
        return Pushed(seq=seq, time=picture.time, jpeg=picture.jpeg, found=found)
