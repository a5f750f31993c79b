"""Paints and blurs pixels so that it cannot be undone, and encodes JPEG. Knows nothing of faces."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.geometry import WHOLE, Box, Polygon
from blikk_edge.core.scene import Pixels

SAMPLES = 2
"""Samples kept of a region's shorter side: with 3 face detectors take several times as many blurred faces for faces."""

MAX_SAMPLES = 4
"""Samples kept of a region's longer side at most."""

FADE_PX = 24
"""A region fades into the picture over half a cell, and over so much at most."""

_MIN_CELL_PX = 4
_LIGHT_STEP = 16
_COLOUR_STEP = 8

Rect = tuple[int, int, int, int]


def paint(picture: Pixels, polygons: Iterable[Polygon], part: Box = WHOLE) -> None:
    """Paint polygons black, in place, in BGR or luma that shows a part of the picture they are drawn in.

    Every pixel that a polygon touches is covered.
    """
    height, width = picture.shape[:2]
    if part.area == 0:
        return
    # The outline lies up to a pixel off after rounding, and a part begins up to two pixels beside its place.
    thickness = 3 if part == WHOLE else 7
    across, down = width / part.width, height / part.height
    for polygon in polygons:
        inside, sides = (
            np.floor(
                np.array([((x - part.x1) * across, (y - part.y1) * down) for x, y in points]).reshape(-1, 1, 2)
            ).astype(np.int32)
            for points in (polygon.outline, polygon.points)
        )
        if len(inside):
            cv2.fillPoly(picture, [inside], (0, 0, 0))
            cv2.polylines(picture, [inside], isClosed=True, color=(0, 0, 0), thickness=thickness)
        cv2.polylines(picture, [sides], isClosed=True, color=(0, 0, 0), thickness=thickness)


def blur(bgr: Pixels, regions: Sequence[Box]) -> None:
    """Blur regions of a (h, w, 3) picture in place, so that few samples of each survive.

    Each region is averaged over nearly square cells, SAMPLES to its shorter side; the averages are rounded to 16 levels
    of light and few of colour, and drawn so that they run into each other: the result is a function of those numbers
    alone. Around the region they fade into the picture, where nothing was to be hidden. Regions that overlap or touch
    are one region with the largest cells among them, so that no second grid adds samples and no raw pixel stays
    between. A region so keeps at most SAMPLES x MAX_SAMPLES, one of several together a row and a column more.
    """
    height, width = bgr.shape[:2]
    rects = [rect for rect in (box.pixels(width, height) for box in regions) if rect[0] < rect[2] and rect[1] < rect[3]]
    for group in _groups(rects):
        _blur_group(bgr, group)


def cell_px(width_px: int, height_px: int) -> float:
    """The least side of the cells that a region of this size is averaged over."""
    shorter, longer = sorted((width_px, height_px))
    return max(_MIN_CELL_PX, shorter / SAMPLES, longer / MAX_SAMPLES)


def cell_edges(side_px: int, cell: float) -> np.ndarray:
    """(n + 1,) px: where n cells along a side begin and end, evenly, for a sliver at the end would keep raw pixels."""
    count = max(1, int(side_px / cell))
    return np.arange(count + 1) * side_px // count


def grid_of(rects: Sequence[Rect]) -> tuple[np.ndarray, np.ndarray]:
    """Where the cells of regions that touch begin and end, px of the picture: (rows + 1,) and (columns + 1,)."""
    x1, y1 = min(r[0] for r in rects), min(r[1] for r in rects)
    x2, y2 = max(r[2] for r in rects), max(r[3] for r in rects)
    cell = max(cell_px(r[2] - r[0], r[3] - r[1]) for r in rects)
    return y1 + cell_edges(y2 - y1, cell), x1 + cell_edges(x2 - x1, cell)


def _blur_group(bgr: Pixels, rects: Sequence[Rect]) -> None:
    rows, columns = grid_of(rects)
    (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
    inside = bgr[top:bottom, left:right]
    sums = np.add.reduceat(inside, rows[:-1] - top, axis=0, dtype=np.int64)
    sums = np.add.reduceat(sums, columns[:-1] - left, axis=1)
    means = sums // np.outer(np.diff(rows), np.diff(columns))[:, :, np.newaxis]
    few = _rough(means.astype(np.uint8))
    drawn = cv2.resize(few, (int(right - left), int(bottom - top)), interpolation=cv2.INTER_LINEAR)

    height, width = bgr.shape[:2]
    fade = min(FADE_PX, int(np.diff(rows).max()) // 2)
    above, below = min(fade, int(top)), min(fade, int(height - bottom))
    before, after = min(fade, int(left)), min(fade, int(width - right))
    drawn = cv2.copyMakeBorder(drawn, above, below, before, after, cv2.BORDER_REPLICATE)
    raw = _shares_of_raw(drawn.shape[:2], rects, left=left - before, top=top - above, fade=fade)
    around = bgr[top - above : bottom + below, left - before : right + after]
    around[:] = cv2.blendLinear(drawn, np.ascontiguousarray(around), 1 - raw, raw)


def _shares_of_raw(size: tuple[int, ...], rects: Sequence[Rect], *, left: int, top: int, fade: int) -> np.ndarray:
    """(h, w) float32, how much of a raw pixel is shown: 0 in the rectangles, 1 further from them than `fade` px."""
    outside = np.ones(size, np.uint8)
    for x1, y1, x2, y2 in rects:
        outside[y1 - top : y2 - top, x1 - left : x2 - left] = 0
    distances = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.minimum(distances / (fade + 1), np.float32(1))


def _rough(bgr: Pixels) -> Pixels:
    """Light rounded to steps of 16, the differences of colour to steps of 8; grey stays grey."""
    light, *differences = cv2.split(cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb).astype(np.int64))
    light = light // _LIGHT_STEP * _LIGHT_STEP + _LIGHT_STEP // 2
    half = _COLOUR_STEP // 2
    rounded = [np.minimum((each + half) // _COLOUR_STEP * _COLOUR_STEP, 255) for each in differences]
    return np.asarray(cv2.cvtColor(cv2.merge([light, *rounded]).astype(np.uint8), cv2.COLOR_YCrCb2BGR), np.uint8)


def _groups(rects: Sequence[Rect]) -> list[list[Rect]]:
    """Rectangles that overlap or touch, directly or over others, together."""
    groups: list[list[Rect]] = []
    for rect in rects:
        near = [group for group in groups if any(_touch(rect, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([rect, *(other for group in near for other in group)])
    return groups


def _touch(a: Rect, b: Rect) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def encode(bgr: Pixels, quality: int) -> bytes:
    """The picture as JPEG, `quality` 1..100, without metadata or thumbnail; raises PrivacyError where that fails."""
    try:
        done, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    except cv2.error as error:
        raise PrivacyError(f"no JPEG of {bgr.shape[1]} x {bgr.shape[0]} pixels: {error}") from error
    if not done:
        raise PrivacyError(f"no JPEG of {bgr.shape[1]} x {bgr.shape[0]} pixels")
    return jpeg.tobytes()
