"""What a step of somebody else's sees, and what of it can leave."""

from dataclasses import replace

import numpy as np

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS
from blikk_edge.core.geometry import Polygon
from blikk_edge.core.picture import Picture
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection
from blikk_edge.core.stages import Step
from blikk_edge.runtime.pipeline import VisionTools

LEFT = Polygon.of([(0, 0), (0.5, 0), (0.5, 1), (0, 1)])


class Blind:
    """Finds nobody."""

    name = "blind"

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        return ()


class Seeing:
    """Keeps what it is to redact."""

    def __init__(self) -> None:
        self.seen: list[Frame] = []

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        self.seen.append(scene.frame)
        return Picture(camera="camera", name=name, time=0.0, jpeg=b"", width_px=2, height_px=2, event=event)


class Curious(Step):
    """Keeps what it sees."""

    name = "curious"

    def __init__(self) -> None:
        self.seen: list[Frame] = []

    def __call__(self, scene: Scene) -> Scene:
        self.seen.append(scene.frame)
        return scene


def test_private_polygons_are_painted_before_an_added_step_looks() -> None:
    camera = replace(DEFAULTS.cameras[0], private=(LEFT,))
    frame = Frame(
        camera="camera",
        seq=0,
        time=0.0,
        luma=np.full((480, 640), 200, np.uint8),
        convert=lambda: np.full((480, 640, 3), 200, np.uint8),
    )
    redactor, step = Seeing(), Curious()
    line = pipeline(DEFAULTS, camera, (), (step,))
    scene = line.glance(frame)
    assert scene is not None
    list(line.step(scene, VisionTools(Blind(), redactor)))
    (seen,) = step.seen
    assert (seen.luma[:, :320].max(), seen.bgr()[:, :320].max()) == (0, 0)
    assert seen.luma.max() == 200
    assert redactor.seen == [frame]  # which paints by itself
