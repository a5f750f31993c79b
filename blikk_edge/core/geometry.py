"""Boxes and polygons in picture coordinates 0..1, x to the right, y down."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-parallel box, always 0..1 of the picture, `x1 <= x2` and `y1 <= y2`.

    Raises ValueError for coordinates outside 0..1, in the wrong order or not finite; `Box.clipped` mends them.
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

    def touches_border(self, margin: float = 0.01) -> bool:
        """Whether a side lies within `margin` of the picture's border."""
        return self.x1 <= margin or self.y1 <= margin or self.x2 >= 1 - margin or self.y2 >= 1 - margin


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
    """A closed outline of at least three points in 0..1; raises ValueError otherwise."""

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if len(self.points) < 3:
            raise ValueError(f"a polygon needs at least 3 points, got {len(self.points)}")
        if not all(0.0 <= v <= 1.0 for point in self.points for v in point):
            raise ValueError("polygon points must lie in 0..1")

    @classmethod
    def of(cls, points: Sequence[Sequence[float]]) -> Self:
        """From pairs of numbers."""
        return cls(tuple((float(x), float(y)) for x, y in points))

    def contains(self, point: Point) -> bool:
        """Whether the point lies inside: even-odd rule, half-open edges (W. R. Franklin's PNPOLY)."""
        x, y = point
        inside = False
        previous = self.points[-1]
        for current in self.points:
            (x1, y1), (x2, y2) = previous, current
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside = not inside
            previous = current
        return inside
