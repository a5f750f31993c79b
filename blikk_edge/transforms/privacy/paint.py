"""Paints and blurs pixels so that it cannot be undone, and encodes JPEG. Knows nothing of faces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.geometry import WHOLE, Box, Polygon
from blikk_edge.core.scene import Pixels

SAMPLES = 1
"""Steps of the lattice across a region's shorter side at most: with 2 detectors take more blurred heads for faces."""

MAX_SAMPLES = 5
"""Steps along a region's longer side at most."""

FADE_STEPS = 0.08
"""How far a region fades into the picture, in steps of its lattice."""

BELL = 0.35
"""The standard deviation of the bell under which a sample is the mean, in steps."""

_LIGHT_STEP = 16
_COLOUR_STEP = 8


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse with upright axes in picture coordinates; it may reach beyond the picture.

    Attributes:
        x: Its middle, as a share of the picture's width.
        y: Its middle, as a share of the picture's height.
        across: Half its width, as a share of the picture's.
        down: Half its height, as a share of the picture's.
    """

    x: float
    y: float
    across: float
    down: float


Region = Box | Ellipse
"""What is blurred: all pixels that it touches."""


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


def blur(bgr: Pixels, regions: Sequence[Region]) -> None:
    """Blur regions of a (h, w, 3) picture in place, so that few samples of each survive.

    Samples lie on a lattice that stands still in the picture; how wide its steps are depends on the size of a region
    alone. Each is the mean under a bell as wide as a step, rounded to 16 levels of light and few of colour; drawn, they
    run into each other: the result is a function of those numbers. So a region that trembles over a still head adds
    nothing to what one frame shows, and a head that moves nothing finer than the bell. Where regions overlap, the
    coarsest is seen; outside they fade into the picture, where nothing was to be hidden.
    """
    height, width = bgr.shape[:2]
    alike: dict[int, list[Region]] = {}
    for region in regions:
        x1, y1, x2, y2 = bounds(region, width, height)
        if x1 < x2 and y1 < y2:
            alike.setdefault(lattice_step(x2 - x1, y2 - y1), []).append(region)
    raw = bgr.copy()
    for step in sorted(alike):
        _blur_alike(bgr, raw, alike[step], step)


def lattice_step(width_px: int, height_px: int) -> int:
    """How far apart the samples are of a region of this size: 4, 6, 8, 12, 16, 24 px and so on."""
    shorter, longer = sorted((width_px, height_px))
    least = max(shorter / SAMPLES, longer / MAX_SAMPLES)
    step = 4
    while step < least:
        step = step * 3 // 2 if step & (step - 1) == 0 else step * 4 // 3
    return step


def bounds(region: Region, width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """The pixels around a region, x1 y1 x2 y2, ends exclusive, within the picture."""
    if isinstance(region, Box):
        return region.pixels(width_px, height_px)
    box = Box.clipped(
        region.x - region.across, region.y - region.down, region.x + region.across, region.y + region.down
    )
    return (0, 0, 0, 0) if box is None else box.pixels(width_px, height_px)


def covered(regions: Iterable[Region], width_px: int, height_px: int) -> NDArray[np.bool_]:
    """(h, w), the pixels of which nothing raw is shown."""
    mask = np.zeros((height_px, width_px), np.uint8)
    for region in regions:
        _fill(mask, region, (width_px, height_px))
    return mask > 0


def _blur_alike(bgr: Pixels, raw: Pixels, regions: Sequence[Region], step: int) -> None:
    """Blur regions of one lattice; `raw` is the picture before anything was blurred."""
    height, width = bgr.shape[:2]
    fade = max(1, round(step * FADE_STEPS))
    rects = np.array([bounds(region, width, height) for region in regions])
    left, top = (max(0, int(side) - fade) for side in rects[:, :2].min(axis=0))
    right, bottom = (int(side) + fade for side in rects[:, 2:].max(axis=0))
    right, bottom = min(width, right), min(height, bottom)
    solid = np.zeros((bottom - top, right - left), np.uint8)
    for region in regions:
        _fill(solid, region, (width, height), left=left, top=top)
    share = _shares_of_raw(solid, fade)
    drawn = _drawn(raw, (left, top, right, bottom), step)
    around = bgr[top:bottom, left:right]
    around[:] = cv2.blendLinear(drawn, np.ascontiguousarray(around), 1 - share, share)


def _fill(mask: Pixels, region: Region, size: tuple[int, int], *, left: int = 0, top: int = 0) -> None:
    """Mark each pixel that the region touches with 1; the mask shows the picture from `left`, `top` on."""
    width, height = size
    if isinstance(region, Box):
        x1, y1, x2, y2 = region.pixels(width, height)
        mask[max(0, y1 - top) : max(0, y2 - top), max(0, x1 - left) : max(0, x2 - left)] = 1
        return
    middle = (region.x * width - 0.5 - left, region.y * height - 0.5 - top)
    axes = (2 * region.across * width + 1, 2 * region.down * height + 1)
    cv2.ellipse(mask, (middle, axes, 0.0), 1, -1)


def _drawn(raw: Pixels, part: tuple[int, int, int, int], step: int) -> Pixels:
    """The part x1 y1 x2 y2 of the picture drawn from the samples of the lattice, of this step, that reach into it."""
    height, width = raw.shape[:2]
    fine = 4 if step & (step - 1) == 0 else 6  # pixels of a step after the picture was made smaller
    scale = step // fine
    x1, y1, x2, y2 = part
    # A bell reaches a step and a half, what is drawn of it two: three steps around are enough.
    left, top = (max(0, (side // step - 4) * step) for side in (x1, y1))
    right, bottom = (min(end, (side // step + 5) * step) for side, end in ((x2, width), (y2, height)))
    down, across = (top - bottom) % step, (left - right) % step
    around = cv2.copyMakeBorder(raw[top:bottom, left:right], 0, down, 0, across, cv2.BORDER_REFLECT)
    small = cv2.resize(around, (around.shape[1] // scale, around.shape[0] // scale), interpolation=cv2.INTER_AREA)
    side = 2 * round(2.5 * BELL * fine) + 1
    bells = cv2.GaussianBlur(small, (side, side), fine * BELL, borderType=cv2.BORDER_REFLECT)
    samples = _rough(np.ascontiguousarray(bells[fine // 2 :: fine, fine // 2 :: fine]))
    drawn = cv2.resize(samples, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
    drawn = cv2.GaussianBlur(drawn, (fine + 1, fine + 1), fine * 0.4, borderType=cv2.BORDER_REPLICATE)
    drawn = cv2.resize(drawn, (around.shape[1], around.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(drawn[y1 - top : y2 - top, x1 - left : x2 - left], np.uint8)


def _shares_of_raw(solid: Pixels, fade: int) -> NDArray[np.float32]:
    """(h, w) float32, how much of a raw pixel is shown: 0 in the regions, 1 further from them than `fade` px."""
    distances = cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_5)
    way = np.minimum(distances / (fade + 1), np.float32(1))
    return np.asarray(way * way * (3 - 2 * way), np.float32)


def _rough(bgr: Pixels) -> Pixels:
    """Light rounded to steps of 16, the differences of colour to steps of 8; grey stays grey."""
    light, *differences = cv2.split(cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb).astype(np.int64))
    light = light // _LIGHT_STEP * _LIGHT_STEP + _LIGHT_STEP // 2
    half = _COLOUR_STEP // 2
    rounded = [np.minimum((each + half) // _COLOUR_STEP * _COLOUR_STEP, 255) for each in differences]
    return np.asarray(cv2.cvtColor(cv2.merge([light, *rounded]).astype(np.uint8), cv2.COLOR_YCrCb2BGR), np.uint8)


def encode(bgr: Pixels, quality: int) -> bytes:
    """The picture as JPEG, `quality` 1..100, without metadata or thumbnail; raises PrivacyError where that fails."""
    try:
        done, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    except cv2.error as error:
        raise PrivacyError(f"no JPEG of {bgr.shape[1]} x {bgr.shape[0]} pixels: {error}") from error
    if not done:
        raise PrivacyError(f"no JPEG of {bgr.shape[1]} x {bgr.shape[0]} pixels")
    return jpeg.tobytes()
