"""Measures the angle of a gauge's needle, for Blikk Edge."""

import math
from dataclasses import dataclass, replace

import numpy as np

from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Measure, MeasureInfo
from blikk_edge.core.stages import Step
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import POINT, SLUG, number
from blikk_edge.kinds.kind import Kind
from blikk_edge.transforms.kinds import CameraContext

DEGREES = np.radians(np.arange(360))


@dataclass(frozen=True, kw_only=True)
class AngleOptions:
    """Where the gauge is in the picture: its centre, and how far the needle reaches, as a part of the height."""

    centre: tuple[float, float]
    radius: float = 0.2
    name: str = "angle"


class Angle(Step):
    """The direction from the centre in which the picture is darkest: 0 is up, 90 is right."""

    def __init__(self, options: AngleOptions, context: CameraContext) -> None:
        self.name = options.name
        self.measures = (MeasureInfo(name=options.name, unit="°", min_change=2.0),)
        self._options = options

    def __call__(self, scene: Scene) -> Scene:
        luma = scene.frame.luma
        height, width = luma.shape
        x, y = self._options.centre
        reach = np.linspace(0.3, 1.0, 24) * self._options.radius * height
        across = reach / (scene.frame.aspect * height / width)  # where the pixels of a stream are not square
        columns = np.clip(x * width + np.outer(np.sin(DEGREES), across), 0, width - 1).astype(int)
        rows = np.clip(y * height - np.outer(np.cos(DEGREES), reach), 0, height - 1).astype(int)
        darkness = 255.0 - luma[rows, columns].mean(axis=1)
        weight = np.where(darkness > darkness.max() * 0.8, darkness, 0.0)
        angle = math.degrees(math.atan2(weight @ np.sin(DEGREES), weight @ np.cos(DEGREES))) % 360
        measure = Measure(name=self.name, value=round(angle, 1), unit="°")
        return replace(scene, measures=(*scene.measures, measure))


KIND = Kind(
    name="angle",
    meaning="The angle of a gauge's needle.",
    options=Section(
        of=AngleOptions,
        keys=(
            Key(name="centre", value=POINT, required=True, meaning="Where the needle turns."),
            Key(name="radius", value=number(0.01, 1), meaning="How far it reaches, as a part of the picture's height."),
            Key(name="name", value=SLUG, meaning="What the measure is called, where a camera has several."),
        ),
    ),
    make=Angle,
)
