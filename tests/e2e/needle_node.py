"""`blikk` with a step of somebody else's in each pipeline: it reads the angle of a needle on a dial.

Run as a program with the arguments of `blikk`.
"""

from dataclasses import replace

import numpy as np

from blikk_edge.app import pipelines, wiring
from blikk_edge.cli import main
from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.geometry import Box
from blikk_edge.core.parked import Parked
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Measure, MeasureInfo
from blikk_edge.core.stages import Step
from blikk_edge.runtime.pipeline import Pipeline

DIAL = Box(0.25, 0.2, 0.75, 0.8)
DARK = 90
HIGH_DEG = 45.0


class Needle(Step):
    """The angle of a dark needle on a light dial, in degrees from the right, counter-clockwise, 0..180."""

    name = "needle"
    measures = (MeasureInfo(name="needle_angle", unit="°", min_change=2.0, alerts=("too_high",)),)

    def __call__(self, scene: Scene) -> Scene:
        """The scene with the angle, where a needle is to be seen."""
        luma = scene.frame.luma
        x1, y1, x2, y2 = DIAL.pixels(luma.shape[1], luma.shape[0])
        y, x = np.nonzero(luma[y1:y2, x1:x2] < DARK)
        if len(x) < 100:
            return scene
        # it begins in the middle of the dial's lower border
        angle = float(np.degrees(np.arctan2((y2 - y1) - y.mean(), x.mean() - (x2 - x1) / 2)))
        alert = "too_high" if angle > HIGH_DEG else None
        measure = Measure(name="needle_angle", value=angle, unit="°", box=DIAL, alert=alert)
        return replace(scene, measures=(*scene.measures, measure))


def pipeline(settings: Settings, camera: CameraSettings, parked: tuple[Parked, ...]) -> Pipeline:
    """As the node makes it, with a step of its own."""
    return pipelines.pipeline(settings, camera, parked, (Needle(),))


if __name__ == "__main__":
    wiring.pipeline = pipeline  # type: ignore[assignment]
    raise SystemExit(main())
