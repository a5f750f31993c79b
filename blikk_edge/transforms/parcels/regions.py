"""Parts of the small view: masks of boxes and polygons, rows and columns of a box, connected regions that differ."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from blikk_edge.core.geometry import Box, Polygon, intersection
from blikk_edge.transforms.motion.grid import Mask

LEAST_PX: Final = 30
"""Regions of fewer pixels are noise."""


def same_thing(a: Box, b: Box) -> bool:
    """Whether two boxes may be of one thing: they share half of the smaller, and are of much the same size."""
    return intersection(a, b) >= 0.5 * min(a.area, b.area) and max(a.area, b.area) <= 4 * min(a.area, b.area)


def mask_of(shape: tuple[int, ...], *, boxes: Sequence[Box] = (), polygons: Sequence[Polygon] = ()) -> Mask:
    """The pixels within any of these; a polygon with its edge."""
    rows, columns = shape[:2]
    filled = np.zeros((rows, columns), np.uint8)
    for box in boxes:
        x1, y1, x2, y2 = box.pixels(columns, rows)
        filled[y1:y2, x1:x2] = 1
    for polygon in polygons:
        points = np.rint(np.array([(x * columns, y * rows) for x, y in polygon.outline])).astype(np.int32)
        cv2.fillPoly(filled, [points.reshape(-1, 1, 2)], 1)
        cv2.polylines(filled, [points.reshape(-1, 1, 2)], isClosed=True, color=1, thickness=3)
    mask: Mask = filled > 0
    return mask


def within(box: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a box."""
    rows, columns = shape
    x1, y1, x2, y2 = box.pixels(columns, rows)
    return slice(y1, y2), slice(x1, x2)


def around(box: Box, shape: tuple[int, int], share: float, *, least: int) -> tuple[slice, slice]:
    """Rows and columns of a box and what is around it: a share of its sides, and `least` so many pixels."""
    rows, columns = shape
    x1, y1, x2, y2 = box.pixels(columns, rows)
    dx, dy = (max(least, round(share * side)) for side in (x2 - x1, y2 - y1))
    return slice(max(0, y1 - dy), min(rows, y2 + dy)), slice(max(0, x1 - dx), min(columns, x2 + dx))


def outlined(box: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a parcel with its outline, and of little else."""
    return around(box, shape, 0.08, least=2)


def regions(different: Mask, shape: tuple[int, int]) -> list[tuple[Box, Mask]]:
    """Connected regions without their holes and hairs, as boxes and cells."""
    cells = cv2.morphologyEx(different.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    cells = cv2.morphologyEx(cells, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cells)
    rows, columns = shape
    found = []
    for number in range(1, count):
        x, y, width, height, area = (int(v) for v in stats[number])
        if area >= LEAST_PX:
            box = Box(x / columns, y / rows, min(1.0, (x + width) / columns), min(1.0, (y + height) / rows))
            found.append((box, labels == number))
    return found
