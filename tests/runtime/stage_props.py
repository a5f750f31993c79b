"""Stand-ins for what has eyes: frames that cost nothing and detectors that read from a script."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from blikk_edge.core.errors import PrivacyError, SourceError
from blikk_edge.core.geometry import Box
from blikk_edge.core.live import Audience
from blikk_edge.core.picture import Picture
from blikk_edge.core.probe import CameraProbe
from blikk_edge.core.reporter import EventReporter, ReportRules
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection, Label, Measure, MeasureInfo, Motion, View
from blikk_edge.core.stages import Needs, Step
from blikk_edge.runtime.pipeline import Pipeline, VisionTools
from blikk_edge.transforms.motion.select import Selector
from blikk_edge.transforms.tracking.tracker import Tracker
from blikk_edge.transforms.tracking.zones import Zone, Zones

PIXELS = np.zeros((48, 64), np.uint8)
PERSON = Detection(label=Label.PERSON, sub_label="person", score=0.9, box=Box(0.4, 0.2, 0.6, 0.9))


def frame(at: float, camera: str = "door", *, timeline: int = 0) -> Frame:
    return Frame(
        camera=camera,
        seq=int(at * 5),
        time=at,
        luma=PIXELS,
        convert=lambda: np.zeros((48, 64, 3), np.uint8),
        timeline=timeline,
    )


class ScriptedGate(Step):
    """Motion in the frames whose time `moving` says."""

    name = "motion"
    needs = Needs.FRAMES

    def __init__(self, moving: Callable[[float], bool]) -> None:
        self.moving = moving
        self.resets = 0

    def __call__(self, scene: Scene) -> Scene:
        moves = self.moving(scene.frame.time)
        motion = Motion(view=View.MOVING if moves else View.QUIET, score=0.8 if moves else 0.0)
        return replace(scene, motion=motion)

    def reset(self) -> None:
        self.resets += 1


class ScriptedDetector:
    """Finds at the n-th look what the script says; repeats its last entry."""

    name = "scripted"

    def __init__(self, found: Callable[[int], tuple[Detection, ...]]) -> None:
        self.found = found
        self.looks = 0

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        self.looks += 1
        return self.found(self.looks)


class StampRedactor:
    """Makes a Picture of nothing, or fails where it is asked to."""

    def __init__(self) -> None:
        self.broken = False

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        if self.broken:
            raise PrivacyError("the face model is damaged")
        return Picture(
            camera=scene.frame.camera,
            name=name,
            time=scene.frame.time,
            jpeg=b"jpeg",
            width_px=64,
            height_px=48,
            event=event,
        )


def pipeline(
    camera: str = "door",
    *,
    moving: Callable[[float], bool] = lambda at: True,
    labels: tuple[Label, ...] = tuple(Label),
    zones: tuple[Zone, ...] = (),
    steps: tuple[Step, ...] = (),
    audience: Audience | None = None,
    probe: CameraProbe | None = None,
) -> Pipeline:
    return Pipeline(
        camera=camera,
        gate=ScriptedGate(moving),
        select=Selector(),
        track=Tracker(),
        zones=Zones(zones),
        reporter=EventReporter(camera, ReportRules(labels=labels)),
        labels=labels,
        steps=steps,
        audience=audience,
        probe=probe,
    )


class Gauge(Step):
    """Measures an angle: what the script says of the frame's time, or None for no measure."""

    name = "gauge"
    measures = (MeasureInfo(name="angle", unit="°", alerts=("too_high",)),)

    def __init__(self, value: Callable[[float], float | None] = lambda at: 12.0) -> None:
        self.value = value

    def __call__(self, scene: Scene) -> Scene:
        value = self.value(scene.frame.time)
        if value is None:
            return scene
        measure = Measure(name="angle", value=value, unit="°", alert="too_high" if value > 45 else None)
        return replace(scene, measures=(*scene.measures, measure))


def tools(found: Callable[[int], tuple[Detection, ...]] = lambda look: (PERSON,)) -> VisionTools:
    return VisionTools(ScriptedDetector(found), StampRedactor())


class ScriptedSource:
    """Frames every `gap_s` of real time until `last`, then whatever `then` does."""

    def __init__(
        self,
        camera: str = "door",
        *,
        last: int = 10**9,
        gap_s: float = 0.02,
        then: Callable[[threading.Event], None] = lambda stop: None,
    ) -> None:
        self.camera = camera
        self.last = last
        self.gap_s = gap_s
        self.then = then
        self.connections = 0
        self._seq = 0

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        self.connections += 1
        for _ in range(self.last):
            if stop.wait(self.gap_s):
                return
            self._seq += 1
            yield frame(1000.0 + self._seq * 0.2, self.camera)
        self.then(stop)


def refuse(stop: threading.Event) -> None:
    raise SourceError("rtsp://cam: connection refused")
