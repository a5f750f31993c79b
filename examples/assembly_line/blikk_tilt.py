"""Measures how far each component on a belt is turned, for Blikk Edge: the smallest rectangle around it says so.

What is bright is parted from the belt by the belt itself, column by column: light that changes, or that is uneven,
changes both alike. Components pass from one side to the other; each is measured a few times in the middle.
"""

import statistics
from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Measure, MeasureInfo
from blikk_edge.core.stages import Step
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import POINT, number
from blikk_edge.kinds.kind import Kind
from blikk_edge.transforms.kinds import CameraContext

WIDTH_PX: Final = 640
"""The picture is made this wide before it is looked at."""
CONTRAST: Final = 1.35
"""A component is so many times as bright as the belt, at least."""
BELT_PERCENTILE: Final = 20
"""Of the brightness down a column of the lane: so dark is the belt, as a component leaves a fifth of it free."""
RECTANGULAR: Final = 0.75
"""So much of the rectangle around it a component fills, at least."""
SAME: Final = 0.12
"""So far from where it is expected, in widths of the picture, a component may be found."""


@dataclass(frozen=True, kw_only=True)
class TiltOptions:
    """Where components are looked for, and what is wrong with one.

    Attributes:
        over: From this angle on, in degrees, a component is askew.
        lane: The upper and the lower edge of the belt, as parts of the picture's height.
        gate: From where to where components are measured, as parts of its width.
        smallest: What is smaller is no component, as a part of the picture's area.
    """

    over: float = 5.0
    lane: tuple[float, float] = (0.0, 1.0)
    gate: tuple[float, float] = (0.3, 0.7)
    smallest: float = 0.005


@dataclass(slots=True)
class _Passing:
    """A component on its way: its number, where its middle was seen last and when, and each angle that was measured."""

    number: int
    x: float
    time: float
    angles: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A component in one picture: by how many degrees it is turned, and where it is."""

    angle: float
    box: Box

    @property
    def x(self) -> float:
        return (self.box.x1 + self.box.x2) / 2


class Tilt(Step):
    """Gives the measure `tilt` of the component nearest to the middle: the median of what was measured of it so far."""

    name = "tilt"
    measures = (MeasureInfo(name="tilt", unit="°", min_change=1.0, alerts=("askew",)),)

    def __init__(self, options: TiltOptions, _context: CameraContext) -> None:
        self._options = options
        self._counted = 0
        self._speed: float | None = None
        self._passing: list[_Passing] = []

    def reset(self) -> None:
        """Forget what was on the belt. Components are counted on: a number is never used twice."""
        self._passing, self._speed = [], None

    def __call__(self, scene: Scene) -> Scene:
        """The scene with the tilt of the component that is measured now, where there is one."""
        found = self._find(scene)
        now = scene.frame.time
        passing = [self._follow(each, now) for each in sorted(found, key=lambda each: each.x)]
        self._passing = [each for each in self._passing if now - each.time < 1.0]
        first, last = self._options.gate
        measured = [(p, f) for p, f in zip(passing, found, strict=True) if first <= f.x <= last]
        if not measured:
            return scene
        component, seen = min(measured, key=lambda each: abs(each[1].x - 0.5))
        component.angles.append(seen.angle)
        angle = statistics.median(component.angles)
        askew = "askew" if abs(angle) > self._options.over else None
        measure = Measure(
            name="tilt", value=round(angle, 1), unit="°", box=seen.box, alert=askew, item=component.number
        )
        return replace(scene, measures=(*scene.measures, measure))

    def _find(self, scene: Scene) -> list[_Found]:
        """The components that are wholly in the picture, from left to right."""
        height = round(WIDTH_PX / scene.frame.aspect)
        grey = cv2.resize(scene.frame.luma, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        top, bottom = (round(part * height) for part in self._options.lane)
        white = self._parted(grey[top:bottom].astype(np.float32))
        outlines, _ = cv2.findContours(white, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        least_px = self._options.smallest * WIDTH_PX * height
        found = [self._measured(outline, top, height) for outline in outlines if cv2.contourArea(outline) >= least_px]
        return sorted((each for each in found if each is not None), key=lambda each: each.x)

    def _parted(self, lane: NDArray[np.float32]) -> NDArray[np.uint8]:
        """White where a component is: half way between the belt, which is made 1, and what is bright."""
        belt = cv2.blur(np.percentile(lane, BELT_PERCENTILE, axis=0).astype(np.float32)[None], (41, 1)) + 1.0
        bright = cv2.GaussianBlur(lane / belt, (0, 0), 1.0)
        high = float(np.percentile(bright, 95))
        limit = max(CONTRAST, (1.0 + high) / 2)
        return (bright > limit).astype(np.uint8) * 255

    @staticmethod
    def _measured(outline: NDArray[np.int32], top: int, height: int) -> _Found | None:
        x, y, wide, high = cv2.boundingRect(outline)
        (_, _), (a, b), _ = rectangle = cv2.minAreaRect(outline)
        cut_off = x <= 0 or x + wide >= WIDTH_PX
        if cut_off or not a * b or cv2.contourArea(outline) / (a * b) < RECTANGULAR:
            return None
        corners = cv2.boxPoints(rectangle)
        sides = [corners[1] - corners[0], corners[2] - corners[1]]
        across, down = max(sides, key=lambda side: float(np.hypot(*side)))
        angle = (float(np.degrees(np.arctan2(down, across))) + 90.0) % 180.0 - 90.0
        box = Box(x / WIDTH_PX, (top + y) / height, (x + wide) / WIDTH_PX, min(1.0, (top + y + high) / height))
        return _Found(angle, box)

    def _follow(self, found: _Found, now: float) -> _Passing:
        """The component that this is: one that should be about here by now, or a new one."""

        def away(each: _Passing) -> float:
            return abs(each.x + (self._speed or 0.0) * (now - each.time) - found.x)

        free = [each for each in self._passing if each.time < now]
        nearest = min(free, key=away, default=None)
        if nearest is None or away(nearest) > SAME:
            self._counted += 1
            new = _Passing(self._counted, found.x, now)
            self._passing.append(new)
            return new
        speed = (found.x - nearest.x) / (now - nearest.time)
        self._speed = speed if self._speed is None else 0.7 * self._speed + 0.3 * speed
        nearest.x, nearest.time = found.x, now
        return nearest


KIND = Kind(
    name="tilt",
    meaning="How far components on a belt are turned.",
    options=Section(
        of=TiltOptions,
        keys=(
            Key(name="over", value=number(0.1, 90), meaning="From this angle on, in degrees, a component is askew."),
            Key(name="lane", value=POINT, meaning="The upper and the lower edge of the belt, as parts of the height."),
            Key(name="gate", value=POINT, meaning="From where to where they are measured, as parts of the width."),
            Key(name="smallest", value=number(0.0001, 1), meaning="The smallest, as a part of the picture's area."),
        ),
    ),
    make=Tilt,
)
