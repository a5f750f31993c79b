"""People cut out of clips with ground truth, to walk by in other views, as small as one likes.

Four cross a lawn (PETS09-S2L1, seconds of their own way), two pass a house (TUD-Campus, a few steps again and again).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from empty_scenes import decoded, median

from blikk_edge.core.scene import Pixels

FPS = 10
BEFORE_S = 6.0
"""Nobody is there for so long, at first and between two visits."""

LONGEST_S = 12.0
DIFFERS = (12.0, 37.0)
"""Grey levels by which a pixel differs from the empty view: from the first on a little, from the second whole."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Whom to cut out: a clip, its truth and the size it is given in, id and frames (from 1), and every how many."""

    clip: str
    truth: str
    size: tuple[int, int]
    person: int
    first: int
    last: int
    step: float = 1.0


LAWN = ("video/vtest_pets09s2l1/vtest_first400.mp4", "annotations/mot15/PETS09-S2L1/gt_first400.txt", (768, 576))
HOUSE = ("video/mot15/TUD-Campus/TUD-Campus.mp4", "video/mot15/TUD-Campus/gt/gt.txt", (640, 480))
CUTS = (
    Cut(*LAWN, person=13, first=168, last=303),
    Cut(*HOUSE, person=7, first=43, last=69, step=2.5),
    Cut(*LAWN, person=9, first=172, last=292),
    Cut(*LAWN, person=17, first=172, last=280),
    Cut(*HOUSE, person=1, first=1, last=21, step=2.5),
    Cut(*LAWN, person=14, first=231, last=299),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One frame of somebody: (h, w, 4) float32, BGR and how much of it covers (0..1); the feet's way in heights."""

    picture: np.ndarray
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Passer:
    """Somebody, step by step. `height_px` is the median in the clip; `again` says that the steps are repeated."""

    steps: tuple[Step, ...]
    height_px: float
    again: bool


def passer(data: Path, cut: Cut) -> Passer:
    """Somebody, cut out by what differs from the empty view."""
    clip = data / cut.clip
    numbers = [round(number) for number in np.arange(cut.first, cut.last + 1, cut.step)]
    with (data / cut.truth).open() as rows:
        boxes = {
            int(row[0]): np.array([float(value) for value in row[2:6]])
            for row in csv.reader(rows)
            if int(row[1]) == cut.person
        }
    empty = median(clip, range(0, 400, 5 if cut.step == 1 else 1))
    height, width = empty.shape[:2]
    scale = np.array([width / cut.size[0], height / cut.size[1]] * 2)
    heights = [boxes[number][3] * scale[3] for number in numbers]
    tall = float(np.median(heights))
    steps: list[Step] = []
    for number, bgr in enumerate(decoded(clip), start=1):
        if number > cut.last:
            break
        if number not in numbers:
            continue
        x, y, w, h = boxes[number] * scale
        left, top = max(0, int(x - 0.1 * w)), max(0, int(y - 0.05 * h))
        part = np.s_[top : int(y + 1.05 * h), left : int(x + 1.1 * w)]
        steps.append(Step(_cut_out(bgr[part], empty[part]), (x + w / 2) / tall, (y + h) / tall))
    return Passer(tuple(steps), tall, again=cut.step != 1)


def _cut_out(bgr: Pixels, empty: Pixels) -> np.ndarray:
    differs = np.abs(bgr.astype(np.float32) - empty).max(axis=2)
    covers = np.clip((differs - DIFFERS[0]) / (DIFFERS[1] - DIFFERS[0]), 0, 1)
    covers = cv2.morphologyEx(covers, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.dstack((bgr.astype(np.float32), cv2.GaussianBlur(covers, (0, 0), 0.7)))


def visits(view: Pixels, passers: list[Passer], height_px: int) -> Iterator[tuple[Pixels, bool]]:
    """The view at 10 fps, in which one after the other walks by, so many pixels high; and whether somebody is there."""
    height, width = view.shape[:2]
    for one in passers:
        for _ in range(round(BEFORE_S * FPS)):
            yield view, False
        ways = [(step.x - one.steps[0].x, step.y - one.steps[0].y) for step in one.steps]
        along = ways[-1][0] * (len(ways) + 1) / len(ways) if one.again else 0.0
        start = width / 2 - height_px * (max(x for x, _ in ways) + min(x for x, _ in ways)) / 2
        if one.again:
            start = (0.12 if along > 0 else 0.88) * width
        for number in range(round(LONGEST_S * FPS) if one.again else len(one.steps)):
            turn, at = divmod(number, len(one.steps))
            x = start + (ways[at][0] + turn * along) * height_px
            y = 0.7 * height + ways[at][1] * height_px
            if not 0.03 * width < x < 0.97 * width:
                break
            yield put(view, one.steps[at].picture, height_px / one.height_px, (x, y)), True
    for _ in range(round(BEFORE_S * FPS)):
        yield view, False


def put(view: Pixels, picture: np.ndarray, scale: float, feet: tuple[float, float]) -> Pixels:
    """A copy of the view with somebody who stands there."""
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    shown = view.copy()
    top, left = int(feet[1]) - small.shape[0], int(feet[0]) - small.shape[1] // 2
    y, x = max(0, top), max(0, left)
    place = shown[y : top + small.shape[0], x : left + small.shape[1]]
    small = small[y - top :, x - left :][: place.shape[0], : place.shape[1]]
    covers = np.clip(small[:, :, 3:], 0, 1)
    place[:] = np.clip(covers * small[:, :, :3] + (1 - covers) * place, 0, 255).astype(np.uint8)
    return shown
