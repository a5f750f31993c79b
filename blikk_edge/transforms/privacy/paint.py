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

FADE_STEPS = 0.12
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


@dataclass(frozen=True, slots=True)
class Rounded:
    """A box with round ends, in picture coordinates; at the border of the picture it is not rounded.

    Attributes:
        box: Its bounds.
    """

    box: Box


Region = Box | Ellipse | Rounded
"""What is blurred: all pixels that it touches."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Regions that are blurred in one go.

    Attributes:
        step_px: How far apart the samples are that they are drawn from.
        fade_px: How far they fade into the picture.
        regions: The regions.
    """

    step_px: int
    fade_px: int
    regions: tuple[Region, ...]


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
    alone, and of those that touch on the largest. Each is the mean under a bell as wide as a step, rounded to 16 levels
    of light and few of colour; drawn, they run into each other: the result is a function of those numbers. So a region
    that trembles over a still head adds nothing to what one frame shows, and a head that moves nothing finer than the
    bell. Outside the regions fade into the picture, where nothing was to be hidden.
    """
    height, width = bgr.shape[:2]
    raw = bgr.copy()
    for alike in alikes(regions, width, height):
        _blur_alike(bgr, raw, alike)


def alikes(regions: Sequence[Region], width_px: int, height_px: int) -> list[Alike]:
    """The regions within the picture, the finest first; those whose bounds touch have one lattice, the coarsest."""
    pairs = [(region, bounds(region, width_px, height_px)) for region in regions]
    pairs = [(region, sides) for region, sides in pairs if sides[0] < sides[2] and sides[1] < sides[3]]
    if not pairs:
        return []
    x1, y1, x2, y2 = np.array([sides for _, sides in pairs]).T
    own = np.array([lattice_step(right - left, bottom - top) for _, (left, top, right, bottom) in pairs])
    touch = (x1[:, None] <= x2) & (x1 <= x2[:, None]) & (y1[:, None] <= y2) & (y1 <= y2[:, None])
    steps = own
    while not np.array_equal(wider := np.where(touch, steps, 0).max(axis=1), steps):
        steps = wider
    kinds: dict[tuple[int, int], list[Region]] = {}
    for (region, _), step, own_step in zip(pairs, steps.tolist(), own.tolist(), strict=True):
        kinds.setdefault((step, max(1, round(own_step * FADE_STEPS))), []).append(region)
    return [Alike(step, fade, tuple(alike)) for (step, fade), alike in sorted(kinds.items())]


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
    if isinstance(region, Rounded):
        return region.box.pixels(width_px, height_px)
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


def shares_of_raw(alike: Alike, width_px: int, height_px: int) -> NDArray[np.float32]:
    """(h, w) float32, how much of each raw pixel these regions leave to see: 0 in them, 1 where they have faded."""
    mask = np.zeros((height_px, width_px), np.uint8)
    for region in alike.regions:
        _fill(mask, region, (width_px, height_px))
    return _shares_of_raw(mask, alike.fade_px)


def _blur_alike(bgr: Pixels, raw: Pixels, alike: Alike) -> None:
    """Blur regions of one lattice; `raw` is the picture before anything was blurred."""
    height, width = bgr.shape[:2]
    rects = np.array([bounds(region, width, height) for region in alike.regions])
    left, top = (max(0, int(side) - alike.fade_px) for side in rects[:, :2].min(axis=0))
    right, bottom = (int(side) + alike.fade_px for side in rects[:, 2:].max(axis=0))
    right, bottom = min(width, right), min(height, bottom)
    solid = np.zeros((bottom - top, right - left), np.uint8)
    for region in alike.regions:
        _fill(solid, region, (width, height), left=left, top=top)
    share = _shares_of_raw(solid, alike.fade_px)
    drawn = _drawn(raw, (left, top, right, bottom), alike.step_px)
    around = bgr[top:bottom, left:right]
    around[:] = cv2.blendLinear(drawn, np.ascontiguousarray(around), 1 - share, share)


def _fill(mask: Pixels, region: Region, size: tuple[int, int], *, left: int = 0, top: int = 0) -> None:
    """Mark each pixel that the region touches with 1; the mask shows the picture from `left`, `top` on."""
    width, height = size
    if isinstance(region, Ellipse):
        middle = (region.x * width - 0.5 - left, region.y * height - 0.5 - top)
        cv2.ellipse(mask, (middle, (2 * region.across * width + 1, 2 * region.down * height + 1), 0.0), 1, -1)
        return
    x1, y1, x2, y2 = bounds(region, width, height)
    if isinstance(region, Rounded):
        _fill_rounded(mask, (x1, y1, x2, y2), size, left=left, top=top)
    else:
        mask[max(0, y1 - top) : max(0, y2 - top), max(0, x1 - left) : max(0, x2 - left)] = 1


def _fill_rounded(
    mask: Pixels, sides: tuple[int, int, int, int], size: tuple[int, int], *, left: int, top: int
) -> None:
    x1, y1, x2, y2 = sides
    radius = min(x2 - x1, y2 - y1) // 2
    # What is cut by the border goes on behind it.
    x1, y1 = (side - radius if side == 0 else side for side in (x1, y1))
    x2, y2 = (side + radius if side == end else side for side, end in zip((x2, y2), size, strict=True))
    x1, y1, x2, y2 = x1 - left, y1 - top, x2 - left, y2 - top
    cv2.rectangle(mask, (x1 + radius, y1), (x2 - radius - 1, y2 - 1), 1, -1)
    cv2.rectangle(mask, (x1, y1 + radius), (x2 - 1, y2 - radius - 1), 1, -1)
    for x in (x1 + radius, x2 - radius - 1):
        for y in (y1 + radius, y2 - radius - 1):
            cv2.circle(mask, (x, y), radius, 1, -1)


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
