"""A transform as somebody else would write it: it reads a needle on a dial, and says when it is too high."""

from dataclasses import dataclass, replace

import numpy as np

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Measure, MeasureInfo
from blikk_edge.core.stages import Step
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import number
from blikk_edge.kinds.kind import Kind
from blikk_edge.transforms.kinds import CameraContext

DIAL = Box(0.25, 0.2, 0.75, 0.8)
DARK = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedleOptions:
    """Above how many degrees it is too high."""

    high: float = 45.0


class Needle(Step):
    """The angle of a dark needle on a light dial, in degrees from the right, counter-clockwise, 0..180."""

    name = "needle"
    measures = (MeasureInfo(name="needle_angle", unit="°", min_change=2.0, alerts=("too_high",)),)

    def __init__(self, options: NeedleOptions, _context: CameraContext) -> None:
        self._high = options.high

    def __call__(self, scene: Scene) -> Scene:
        """The scene with the angle, where a needle is to be seen."""
        luma = scene.frame.luma
        x1, y1, x2, y2 = DIAL.pixels(luma.shape[1], luma.shape[0])
        y, x = np.nonzero(luma[y1:y2, x1:x2] < DARK)
        if len(x) < 100:
            return scene
        # it begins in the middle of the dial's lower border
        angle = float(np.degrees(np.arctan2((y2 - y1) - y.mean(), x.mean() - (x2 - x1) / 2)))
        alert = "too_high" if angle > self._high else None
        measure = Measure(name="needle_angle", value=angle, unit="°", box=DIAL, alert=alert)
        return replace(scene, measures=(*scene.measures, measure))


KIND = Kind(
    name="needle",
    meaning="The angle of a needle.",
    options=Section(
        of=NeedleOptions, keys=(Key(name="high", value=number(0, 180), meaning="Above which angle it is too high."),)
    ),
    make=Needle,
)
