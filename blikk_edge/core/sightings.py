"""What was seen, without pixels: motion, detections, tracks, measures."""

import math
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from numbers import Real
from typing import Final

from blikk_edge.core.geometry import Box

WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
"""What names a measure, an alert or a step: a part of ids in Home Assistant."""

EXPECTED_S: Final = 1.0
"""Nobody is expected to walk straight on for longer."""

UNIT_MAX: Final = 16
ALERTS_MAX: Final = 8
VALUE_MAX: Final = 1e15
"""Beyond it a float64 cannot tell one from the next, and a measure is a mistake."""


class Label(StrEnum):
    """What an object is to the user; a detector's own class stays beside it as `sub_label`."""

    PERSON = "person"
    VEHICLE = "vehicle"
    ANIMAL = "animal"
    PACKAGE = "package"


BLURRED: Final = frozenset({Label.PERSON, Label.VEHICLE})
"""Of what something is blurred: heads, number plates."""


class View(StrEnum):
    """What the motion gate made of the whole picture."""

    SETTLING = "settling"  # the background is being learnt, after start or a change of the whole view
    QUIET = "quiet"
    MOVING = "moving"
    LIGHT = "light"  # the light changed everywhere (IR switch, cloud, exposure): no motion
    NEW_SCENE = "new_scene"  # another view altogether: the camera was turned, or covered


class Lighting(StrEnum):
    """By which light a camera sees."""

    DAY = "day"
    LOW = "low"  # in colour, but dark
    INFRARED = "infrared"  # without colour


class Reason(StrEnum):
    """Why a frame is worth a look of the detector."""

    FIRST = "first"
    SCENE = "scene"  # another view, or the light has just changed
    MOTION = "motion"
    SMALL = "small"  # motion below the threshold, of somebody small or far away
    FOLLOW = "follow"  # a known object moves or was missed
    SAMPLE = "sample"
    HINT = "hint"  # somebody else saw something, as the camera itself


def moves(view: View, score: float, threshold: float) -> bool:
    """Whether a frame with this view and motion score counts as moving."""
    return view is View.MOVING and score >= threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What the gate saw in one frame.

    Attributes:
        view: What became of the whole picture.
        score: 0..1, comparable over resolutions (its definition: `transforms.motion.score`).
        boxes: The moving regions.
    """

    view: View
    score: float = 0.0
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of the motion gate's grid that move.

    Attributes:
        rows: How many rows the grid has.
        columns: How many columns.
        bits: One bit for each cell, row after row, the first cell in the highest bit; the rest of the last byte is 0.
    """

    rows: int
    columns: int
    bits: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One object found in one frame.

    Attributes:
        label: What it is to the user.
        sub_label: The detector's own class.
        score: The detector's confidence, 0..1.
        box: Where it is.
        head: Where a person's head is, with room around it, where the detector reports that.
    """

    label: Label
    sub_label: str
    score: float
    box: Box
    head: Box | None = None

    def within(self, part: Box) -> "Detection":
        """The same in the picture, where its coordinates are those of a part of it."""
        return replace(self, box=self.box.placed(part), head=None if self.head is None else self.head.placed(part))


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A detection followed over time. Times are capture times, seconds since 1970 UTC.

    Attributes:
        id: Unique within a camera since its start.
        label: What it is to the user.
        sub_label: The detector's own class.
        score: The detector's confidence when it was last found, 0..1.
        best_score: The highest so far.
        box: Where it is.
        first_seen: When it was first found.
        last_seen: When it was last found.
        hits: In how many analysed frames it was found.
        missed: The analysed frames since it was last found.
        confirmed: Turns true once, when the track is worth reporting.
        still_since: Since when it stands still; None while it moves.
        zones: The names of the zones it is in now.
        velocity: How fast its middle moves, in shares of the picture's width and height a second.
        rest_s: For so many seconds after a look it need not be looked at again, where nothing else calls for it; 0: not
            even until the next frame, inf: until something moves.
    """

    id: int
    label: Label
    sub_label: str
    score: float
    best_score: float
    box: Box
    first_seen: float
    last_seen: float
    hits: int = 1
    missed: int = 0
    confirmed: bool = False
    still_since: float | None = None
    zones: tuple[str, ...] = ()
    velocity: tuple[float, float] = (0.0, 0.0)
    rest_s: float = 0.0

    def expected(self, time: float) -> Box | None:
        """Where it is expected at a time after it was last seen; None outside the picture."""
        ahead_s = min(EXPECTED_S, max(0.0, time - self.last_seen))
        dx, dy = self.velocity[0] * ahead_s, self.velocity[1] * ahead_s
        return Box.clipped(self.box.x1 + dx, self.box.y1 + dy, self.box.x2 + dx, self.box.y2 + dy)

    @property
    def dwell_s(self) -> float:
        """Seconds from when it was first seen to when it was last seen."""
        return self.last_seen - self.first_seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number read from the pixels of one frame, as its step declared it; only words and numbers.

    Raises ValueError for anything else.

    Attributes:
        name: A `WORD`.
        value: Finite, within ±1e15.
        unit: Home Assistant's, such as `°C`.
        box: Where it was read.
        alert: What is wrong with it, a `WORD` such as `too_high`; None while nothing is.
        item: Which one was measured, counted from 1, where things come by one after the other; the alert of another one
            is another alert. None where there is but one.
    """

    name: str
    value: float
    unit: str | None = None
    box: Box | None = None
    alert: str | None = None
    item: int | None = None

    def __post_init__(self) -> None:
        _check_word("name", self.name)
        _check_unit(self.unit)
        if self.alert is not None:
            _check_word("alert", self.alert)
        if self.item is not None and (type(self.item) is not int or not 0 < self.item <= VALUE_MAX):
            raise ValueError(f"the item of a measure is a whole number in 1..{VALUE_MAX:g}")
        if self.box is not None:
            if type(self.box) is not Box:
                raise ValueError("the box of a measure is a Box")
            sides = (self.box.x1, self.box.y1, self.box.x2, self.box.y2)
            object.__setattr__(self, "box", Box(*(_number("box", side, least=0.0) for side in sides)))
        object.__setattr__(self, "value", _number("value", self.value, least=-VALUE_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureInfo:
    """What a step declares of a measure before it measures: Home Assistant makes a sensor of it. Raises ValueError.

    Attributes:
        name: A `WORD`.
        unit: Home Assistant's, such as `°C`.
        device_class: One of Home Assistant's for sensors.
        min_change: The change in its unit from which a new value is worth reporting, 0 for any.
        alerts: The words that its `alert` can be, at most 8.
    """

    name: str
    unit: str | None = None
    device_class: str | None = None
    min_change: float = 0.0
    alerts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_word("name", self.name)
        _check_unit(self.unit)
        if self.device_class is not None:
            _check_word("device_class", self.device_class)
        object.__setattr__(self, "min_change", _number("min_change", self.min_change, least=0.0))
        if type(self.alerts) is not tuple or len(set(self.alerts)) != len(self.alerts) or len(self.alerts) > ALERTS_MAX:
            raise ValueError(f"the alerts of a measure are a tuple of at most {ALERTS_MAX} different words")
        for alert in self.alerts:
            _check_word("alert", alert)


def _check_word(field: str, value: object) -> None:
    if type(value) is not str or not WORD.fullmatch(value):
        raise ValueError(f"the {field} of a measure begins with a-z and has at most 32 of a-z, 0-9 and _")


def _check_unit(unit: object) -> None:
    if unit is not None and (type(unit) is not str or not 0 < len(unit) <= UNIT_MAX or not unit.isprintable()):
        raise ValueError(f"the unit of a measure has 1 to {UNIT_MAX} characters that can be printed")


def _number(field: str, value: object, *, least: float) -> float:
    number = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    if not least <= number <= VALUE_MAX:
        raise ValueError(f"the {field} of a measure is a number in {least:g}..{VALUE_MAX:g}")
    return number
