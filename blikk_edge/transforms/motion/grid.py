"""The small grid on which the motion gate works: averaging the luma plane down, and masking what is private."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.geometry import Polygon
from blikk_edge.core.scene import Pixels

Grid: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

LONG_SIDE = 160
"""Cells along the longer side: 640x480 gives 160x120, 1920x1080 gives 160x90."""


def size_of(luma: Pixels) -> tuple[int, int]:
    """Rows and columns of the grid for this plane: never more cells than pixels."""
    height, width = luma.shape
    scale = min(1.0, LONG_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def reduce(luma: Pixels) -> Grid:
    """The plane averaged to its grid, then over 3x3 cells: (rows, columns) float32, grey levels 0..255.

    The plane is read in place, halved until it is near the grid (OpenCV halves with SIMD: .02 ms at 480p, .08 ms at
    1080p; going to the grid in one step takes .1 and .5 ms). The 3x3 mean takes away two thirds of what noise is left.
    """
    rows, columns = size_of(luma)
    plane = luma
    while plane.shape[0] >= 2 * rows and plane.shape[1] >= 2 * columns:
        height, width = plane.shape[0] // 2, plane.shape[1] // 2
        plane = cv2.resize(plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]  # cv2 widens uint8
    if plane.shape != (rows, columns):
        # Less than a halving is left: interpolating misses little, and takes a third of the time of averaging.
        plane = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]  # as above
    return cv2.boxFilter(plane, cv2.CV_32F, (3, 3))  # type: ignore[return-value]  # CV_32F is float32


def visible(shape: tuple[int, int], private: tuple[Polygon, ...]) -> Mask | None:
    """Cells outside of all private polygons (a cell that a polygon touches is private); None where all are visible."""
    if not private:
        return None
    rows, columns = shape
    hidden = np.zeros(shape, np.uint8)
    for polygon in private:
        inside, sides = (
            np.rint(np.array([(x * columns - 0.5, y * rows - 0.5) for x, y in points]).reshape(-1, 1, 2))
            for points in (polygon.outline, polygon.points)
        )
        if len(inside):
            cv2.fillPoly(hidden, [inside.astype(np.int32)], 1)
        cv2.polylines(hidden, [sides.astype(np.int32)], isClosed=True, color=1)
    # The 3x3 mean of `reduce` carries private pixels one cell outward.
    open_: Mask = cv2.dilate(hidden, np.ones((3, 3), np.uint8)) == 0
    return open_
