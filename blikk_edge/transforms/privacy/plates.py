"""Finds what may be a number plate on vehicles: where upright strokes stand close together, as in writing."""

from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.geometry import Box, iou
from blikk_edge.core.scene import Pixels

LEAST_PX: Final = 60
"""The width of a plate from which on it is looked for, px of the picture that leaves."""

WITHOUT_PLATES: Final = frozenset({"train", "boat"})
"""Classes of vehicles that carry none; fences and bridges often look a little like a train."""

# A plate of 520 mm is .29 of a car from the front and .36 of its height, the one of a motorcycle is more of it: with
# room for loose boxes. Of a vehicle that is cut by the picture's border one side, or both, say nothing.
_SHARE_OF_WIDTH = 0.36
_SHARE_OF_HEIGHT = 0.45
_BORDER_PX = 2
# Plates at the side of a vehicle stick out of its box now and then.
_MARGIN = 0.07
# Plates are below this part of a vehicle, the middle of all that was measured below .66; windows and roofs are not.
_ROOF = 0.45
# Two boxes of one vehicle, of which the surer one is looked at; the other is often too large.
_SAME_VEHICLE_IOU = 0.5

# A character of the smallest plate is 9 px high and 6 px wide.
_STROKE_PX = 5
_HALF_PX = (13, 9)
_AROUND_PX = (41, 21)
_DARK = 12.0
_STRONGEST = 0.5
# Of 94 plates of 60 and 72 px, most of them at night, .037 hides all, and blurs 39 % of near vehicles, which are mostly
# buses with writing on them; .04 hides 91, with 35 %. Of 104 of 60, 90 and 200 px .045 hides 102, .05 hides 97.
_DENSE = 0.037
_LEAST_PX = (16, 4)
# From the characters to the edge of a plate; less leaves its rim.
_GROWN_PX = (16, 8)
# Long rows of strokes, and what hangs together over a whole vehicle, are covered piece by piece.
_PIECE_PX = 64


def may_show_plate(vehicle: Box, width_px: int, height_px: int) -> bool:
    """Whether a plate of LEAST_PX fits on a vehicle of this size, in a picture of so many pixels."""
    left, top, right, bottom = vehicle.pixels(width_px, height_px)
    whole_across = left > _BORDER_PX and right < width_px - _BORDER_PX
    whole_down = top > _BORDER_PX and bottom < height_px - _BORDER_PX
    too_narrow = whole_across and _SHARE_OF_WIDTH * (right - left) < LEAST_PX
    too_low = whole_down and _SHARE_OF_HEIGHT * (bottom - top) < LEAST_PX
    return not too_narrow and not too_low and min(right - left, bottom - top) >= LEAST_PX / 2


def find_plates(bgr: Pixels, vehicles: Sequence[Box]) -> tuple[Box, ...]:
    """Where plates may be on these vehicles of a (h, w, 3) picture.

    All that looks like writing is meant: what is blurred in vain costs little on a vehicle. Of boxes of one vehicle the
    first counts. One that is too small for a plate of LEAST_PX costs nothing.
    """
    height, width = bgr.shape[:2]
    near: list[Box] = []
    for vehicle in vehicles:
        if may_show_plate(vehicle, width, height) and all(iou(vehicle, other) < _SAME_VEHICLE_IOU for other in near):
            near.append(vehicle)
    return tuple(box for vehicle in near for box in _written_on(bgr, vehicle))


def _written_on(bgr: Pixels, vehicle: Box) -> Iterator[Box]:
    height, width = bgr.shape[:2]
    left, top, right, bottom = vehicle.grown(_MARGIN).pixels(width, height)
    if top > _BORDER_PX:  # else its upper part may be out of sight, and the plate anywhere
        top += round(_ROOF * (bottom - top))
    luma = np.asarray(cv2.cvtColor(bgr[top:bottom, left:right], cv2.COLOR_BGR2GRAY), np.uint8)
    for small in _sizes(luma):
        across, down = luma.shape[1] / small.shape[1] / width, luma.shape[0] / small.shape[0] / height
        for x1, y1, x2, y2 in _rows_of_strokes(small):
            at, row = left / width, top / height
            box = Box.clipped(at + x1 * across, row + y1 * down, at + x2 * across, row + y2 * down)
            if box is not None:
                yield box


def _sizes(luma: Pixels) -> Iterator[Pixels]:
    """The picture, and at half its size again and again, as long as a plate may be LEAST_PX wide there."""
    while min(luma.shape) > max(_HALF_PX):
        yield luma
        size = luma.shape[1] // 2, luma.shape[0] // 2
        if _SHARE_OF_HEIGHT * size[0] < LEAST_PX:
            return
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)


def strokes(luma: Pixels) -> NDArray[np.float32]:
    """(h, w) float32, how many strokes, edges from dark to bright and back, stand around each pixel of (h, w) uint8.

    An edge is some pixels high, and counts by its share of the light around it, for a plate in the dark can be made
    bright again. Of the two kinds of edge, to the left and to the right of a pixel, the least counts: a single edge is
    no stroke, and a single stroke no writing.
    """
    light = luma.astype(np.float32)
    steps = cv2.filter2D(light, -1, np.array([[-0.5, 0.0, 0.5]], np.float32)) / (cv2.blur(light, _AROUND_PX) + _DARK)
    steps = cv2.blur(steps, (1, _STROKE_PX))
    rising = cv2.blur(np.clip(steps, 0.0, _STRONGEST), _HALF_PX)
    falling = cv2.blur(np.clip(-steps, 0.0, _STRONGEST), _HALF_PX)
    both = 2 * np.minimum(rising, falling)
    half = _HALF_PX[0] // 2
    beside = cv2.copyMakeBorder(both, 0, 0, half, half, cv2.BORDER_REPLICATE)
    return np.asarray(np.minimum(beside[:, : -2 * half], beside[:, 2 * half :]), np.float32)


def _rows_of_strokes(luma: Pixels) -> Iterator[tuple[int, int, int, int]]:
    """Where strokes are dense, x1 y1 x2 y2, in pieces."""
    dense = (strokes(luma) > _DENSE).astype(np.uint8)
    count, names, found, _ = cv2.connectedComponentsWithStats(dense, connectivity=8)
    across, down = _GROWN_PX
    for name, (x, y, width, height, _) in enumerate(found[1:count].tolist(), 1):
        if width < _LEAST_PX[0] or height < _LEAST_PX[1]:
            continue
        pieces = max(1, round(width / _PIECE_PX))
        for x1, x2 in ((x + at * width // pieces, x + (at + 1) * width // pieces) for at in range(pieces)):
            rows = np.flatnonzero((names[y : y + height, x1:x2] == name).any(axis=1))
            yield x1 - across, y + int(rows[0]) - down, x2 + across, y + int(rows[-1]) + 1 + down
