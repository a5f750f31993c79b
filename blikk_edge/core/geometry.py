"""Boxes and polygons in picture coordinates 0..1, x to the right, y down."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from blikk_edge.core.outlines import Point, area, convex_hull, crosses_itself, tidied

MAX_POINTS: Final = 1000
"""Of a polygon: whether its sides cross is found by comparing each with each."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-parallel box, always 0..1 of the picture, `x1 <= x2` and `y1 <= y2`.

    Raises ValueError for coordinates outside 0..1, in the wrong order or not finite; `Box.clipped` mends them.

    Attributes:
        x1: The left edge, as a share of the picture's width.
        y1: The upper edge, as a share of the picture's height.
        x2: The right edge, as a share of the picture's width.
        y2: The lower edge, as a share of the picture's height.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.x1 <= self.x2 <= 1.0 and 0.0 <= self.y1 <= self.y2 <= 1.0):
            raise ValueError(f"not a box in 0..1: ({self.x1}, {self.y1}, {self.x2}, {self.y2})")

    @classmethod
    def clipped(cls, x1: float, y1: float, x2: float, y2: float) -> Self | None:
        """The part of any four numbers that lies in the picture; None where nothing of it does or one is NaN."""
        if any(math.isnan(v) for v in (x1, y1, x2, y2)):
            return None
        left, right = max(0.0, min(x1, x2)), min(1.0, max(x1, x2))
        top, bottom = max(0.0, min(y1, y2)), min(1.0, max(y1, y2))
        return cls(left, top, right, bottom) if left < right and top < bottom else None

    @property
    def width(self) -> float:
        """Width as a share of the picture's."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height as a share of the picture's."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Area as a share of the picture's."""
        return self.width * self.height

    @property
    def centre(self) -> Point:
        """The middle."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    @property
    def bottom_centre(self) -> Point:
        """Where the object stands on the ground."""
        return (self.x1 + self.x2) / 2, self.y2

    def grown(self, share: float) -> "Box":
        """Each side moved outward by `share` of the box's width or height, clipped to the picture."""
        dx, dy = self.width * share, self.height * share
        return Box(max(0.0, self.x1 - dx), max(0.0, self.y1 - dy), min(1.0, self.x2 + dx), min(1.0, self.y2 + dy))

    def pixels(self, width_px: int, height_px: int) -> tuple[int, int, int, int]:
        """The same box in whole pixels, rounded outward and clipped: x1, y1, x2, y2 (ends exclusive)."""
        return (
            max(0, math.floor(self.x1 * width_px)),
            max(0, math.floor(self.y1 * height_px)),
            min(width_px, math.ceil(self.x2 * width_px)),
            min(height_px, math.ceil(self.y2 * height_px)),
        )

    def placed(self, part: "Box") -> "Box":
        """Where it is in the picture, where its own coordinates are those of a part of it."""
        return Box(
            min(1.0, part.x1 + self.x1 * part.width),
            min(1.0, part.y1 + self.y1 * part.height),
            min(1.0, part.x1 + self.x2 * part.width),
            min(1.0, part.y1 + self.y2 * part.height),
        )

    def touches_border(self, margin: float = 0.01) -> bool:
        """Whether a side lies within `margin` of the picture's border."""
        return self.x1 <= margin or self.y1 <= margin or self.x2 >= 1 - margin or self.y2 >= 1 - margin


WHOLE: Final = Box(0.0, 0.0, 1.0, 1.0)
"""All of the picture."""


def intersection(a: Box, b: Box) -> float:
    """The shared area of two boxes, as a share of the picture's."""
    return max(0.0, min(a.x2, b.x2) - max(a.x1, b.x1)) * max(0.0, min(a.y2, b.y2) - max(a.y1, b.y1))


def iou(a: Box, b: Box) -> float:
    """Intersection over union (Jaccard index), 0..1; 0 where both are empty."""
    shared = intersection(a, b)
    union = a.area + b.area - shared
    return shared / union if union > 0 else 0.0


def hull(boxes: Iterable[Box]) -> Box | None:
    """The smallest box around all; None for none."""
    every = tuple(boxes)
    if not every:
        return None
    return Box(min(b.x1 for b in every), min(b.y1 for b in every), max(b.x2 for b in every), max(b.y2 for b in every))


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed outline of 3 to 1000 points in 0..1; raises ValueError otherwise.

    What it encloses is the same for whoever paints it and whoever asks for a point: `outline`, which never crosses
    itself. Where the points do, it is their convex hull, for nobody can tell what lies inside of them; so a private
    area is larger then than it was meant, never smaller.

    Attributes:
        points: As they were given.
        outline: The corners around what it encloses: the points without doubles and spikes, or their convex hull.
        crosses_itself: Whether sides cross, touch or run over each other.
    """

    points: tuple[Point, ...]
    outline: tuple[Point, ...] = field(init=False, repr=False, compare=False)
    crosses_itself: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 3 <= len(self.points) <= MAX_POINTS:
            raise ValueError(f"a polygon needs 3 to {MAX_POINTS} points, got {len(self.points)}")
        if not all(0.0 <= v <= 1.0 for point in self.points for v in point):
            raise ValueError("polygon points must lie in 0..1")
        tidy = tidied(self.points)
        around = convex_hull(self.points)
        crosses = area(around) > 0 and (len(tidy) < 3 or crosses_itself(tidy))
        object.__setattr__(self, "outline", around if crosses else tidy)
        object.__setattr__(self, "crosses_itself", crosses)

    @classmethod
    def of(cls, points: Sequence[Sequence[float]]) -> Self:
        """From pairs of numbers."""
        return cls(tuple((float(x), float(y)) for x, y in points))

    @property
    def area(self) -> float:
        """What it encloses, as a share of the picture's area."""
        return area(self.outline)

    def contains(self, point: Point) -> bool:
        """Whether the point lies inside the outline: half-open edges (W. R. Franklin's PNPOLY)."""
        x, y = point
        inside = False
        for (x1, y1), (x2, y2) in zip(self.outline, (*self.outline[1:], *self.outline[:1]), strict=True):
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside = not inside
        return inside
