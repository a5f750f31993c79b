"""Finds faces on the whole picture, and says where the head of a person may be."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box, hull
from blikk_edge.core.heap import give_back
from blikk_edge.core.scene import Pixels
from blikk_edge.transforms.models.registry import OutputFormat
from blikk_edge.transforms.privacy.face_networks import face_network

# Of faces of 6..20 px, with the pixels of a 16:9 frame of 480 lines 49 of 52 are found, with 640 x 360 45, with
# 480 x 270 40. Half as much again in width takes twice the time, and of 420 faces of 12 px and more (bench/privacy.py)
# misses 25 instead of 27.
FINE_PIXELS = 854 * 480
# YuNet sees large faces in smooth or enlarged surfaces (640 px wide: 4.7 % of the area of empty roads, 320 px: none):
# a fine look counts for faces up to 80 px, which lie whole in one of its quarters, and larger ones must show in the
# coarse look, where they are 34 px and more. With 120 px as many are found, for 9 ms of 67 and 4 MB more.
COARSE_PIXELS = 320 * 240
FINE_FACE_PX = 80
# Small, dark and smeared faces score low, and what a small one costs where it is none grows with the square of its
# size: one of half the network's `sure_px` counts from half the score, down to a quarter.
_LEAST_SHARE = 0.25
_FAINT_SHARE = 0.5
# A picture whose mean luma, without what is black, is below DARK_BELOW is looked at with a gamma that brings it to
# DARK_TO. Of 143 faces in pictures made dark 5 stay bare without it, and 1 with it (bench/privacy.py).
DARK_BELOW = 85
DARK_TO = 118
_LEAST_GAMMA = 0.4
OFTEN_S = 0.5
"""Pictures that follow each other so fast, as those of a live view, are worth keeping the network open for."""
_SAME_IOU = 0.35
_INSIDE = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face in one picture.

    Attributes:
        box: Its bounds.
        score: The model's confidence, 0..1.
        front: How surely it is seen from the front, 0..1.
        doubt: How unsure it is where its bounds are, 0..1; 1 below the threshold.
    """

    box: Box
    score: float
    front: float = 0.0
    doubt: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen in one picture.

    Attributes:
        faces: Each face once, best score first.
        faint: What scores too low for its size, but at least half the threshold. One face may be there several times.
    """

    faces: tuple[Face, ...]
    faint: tuple[Face, ...] = ()


def head_region(person: Box, width_px: int, height_px: int) -> Box:
    """Where the head of a person may be, whatever the pose: the upper part of the box, generously, over its full width.

    A standing head is a seventh of the height; the quarter leaves room for a bent neck and a loose box. A close-up is
    wide for its height, so the region reaches down at least four fifths of the width; who is cut by the left or right
    border counts as twice as wide. A box wider than high (lying, or a face that fills the picture) is taken whole.
    """
    width, height = person.width * width_px, person.height * height_px
    cut = person.x1 * width_px <= 2 or person.x2 * width_px >= width_px - 2
    reach = height if width >= height else min(height, max(0.25 * height, (1.6 if cut else 0.8) * width))
    sides, up = 0.1 * person.width, 0.06 * person.height
    return Box(
        max(0.0, person.x1 - sides),
        max(0.0, person.y1 - up),
        min(1.0, person.x2 + sides),
        min(1.0, person.y1 + reach / height_px) if reach < height else min(1.0, person.y2 + up),
    )


class FaceFinder:
    """Looks for faces with YuNet or, by `kind`, with BlazeFace; opened at the first look.

    `model` is the file; `threshold` 0..1 is the least score that counts of a face of the network's `sure_px`, in a
    picture of FINE_PIXELS; of a smaller one less counts (`least_score`). Not shared between threads; the cameras that
    one vision worker serves may share one. Where pictures are rare its memory is given back after each.
    """

    def __init__(
        self,
        model: Path,
        *,
        threshold: float = 0.4,
        kind: OutputFormat = OutputFormat.YUNET,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self.threshold = threshold
        self._network = face_network(model, kind, threshold * _LEAST_SHARE)
        self._stopwatch = stopwatch
        self._ended = -math.inf

    def find(self, bgr: Pixels) -> tuple[Face, ...]:
        """Faces in a (h, w, 3) uint8 BGR picture, each once, best score first; raises ModelError as `look` does."""
        return self.look(bgr).faces

    def look(self, bgr: Pixels) -> Seen:
        """What is seen in a (h, w, 3) uint8 BGR picture.

        Raises ModelError where the model is missing, damaged, not of its kind, or fails.
        """
        often = self._stopwatch() - self._ended < OFTEN_S
        try:
            bgr = _lifted(bgr)
            every = self._coarse(bgr) + self._fine(bgr)
        except cv2.error as error:
            raise ModelError(f"face model {self.model}: {_reason(error)}; fetch it anew") from error
        finally:
            if not often:
                self._network.close()
                give_back()
            self._ended = self._stopwatch()
        likely = [face.score >= self.least_score(face.box) for face in every]
        faces = _each_once([face for face, counts in zip(every, likely, strict=True) if counts])
        least = self.threshold * _FAINT_SHARE
        faint = tuple(face for face, counts in zip(every, likely, strict=True) if not counts and face.score >= least)
        return Seen(faces=faces, faint=faint)

    def least_score(self, box: Box) -> float:
        """From which score a face in this box counts: in proportion to its size, down to a quarter of the threshold."""
        size_px = math.sqrt(box.area * FINE_PIXELS)
        return self.threshold * min(1.0, max(_LEAST_SHARE, size_px / self._network.sure_px))

    def _coarse(self, bgr: Pixels) -> list[Face]:
        canvas = _scaled(bgr, COARSE_PIXELS)
        return self._placed(self._look(canvas), canvas)

    def _fine(self, bgr: Pixels) -> list[Face]:
        """Looks at overlapping parts: YuNet's are quarters, as two at halves take 16 MB more at their peak."""
        canvas = _scaled(bgr, FINE_PIXELS)
        height, width = canvas.shape[:2]
        faces = []
        for top, bottom in self._network.parts(height, FINE_FACE_PX):
            for left, right in self._network.parts(width, FINE_FACE_PX):
                found = self._look(canvas[top:bottom, left:right])
                faces += self._placed(found, canvas, largest_px=FINE_FACE_PX, left=left, top=top)
        return faces

    def _look(self, bgr: Pixels) -> np.ndarray:
        """Run the model once; (n, 5) faces, each left, top, width, height in px, and score."""
        found = self._network.look(bgr)
        if not np.isfinite(found).all():
            raise ModelError(f"face model {self.model}: its numbers are not finite; fetch it anew")
        return found

    def _placed(
        self, found: np.ndarray, canvas: Pixels, *, largest_px: float = math.inf, left: int = 0, top: int = 0
    ) -> list[Face]:
        """Those faces of up to `largest_px`; they were found in the canvas from `left`, `top` on."""
        height, width = canvas.shape[:2]
        faces = []
        for across, down, w, h, score in found.tolist():
            x, y = left + across, top + down
            box = Box.clipped(x / width, y / height, (x + w) / width, (y + h) / height)
            if box is not None and max(w, h) <= largest_px:
                front = float(np.interp(score, self._network.front_scores, (0.0, 1.0)))
                doubt = float(np.interp(score, (self.threshold, self._network.front_scores[0]), (1.0, 0.0)))
                faces.append(Face(box=box, score=min(1.0, max(0.0, score)), front=front, doubt=doubt))
        return faces


def _lifted(bgr: Pixels) -> Pixels:
    """The picture itself or, where it is dark, a brighter one: the networks have seen few faces in the dark."""
    luma = cv2.cvtColor(_scaled(bgr, COARSE_PIXELS), cv2.COLOR_BGR2GRAY)
    # What is private was painted black; it says nothing of the light.
    shown = luma[luma > 0]
    mean = float(shown.mean()) if shown.size else 0.0
    if not 1 < mean < DARK_BELOW:
        return bgr
    gamma = max(_LEAST_GAMMA, math.log(DARK_TO / 255) / math.log(mean / 255))
    table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return np.asarray(cv2.LUT(bgr, table), np.uint8)


def _scaled(bgr: Pixels, pixels: int) -> Pixels:
    """The picture with about so many pixels."""
    scale = math.sqrt(pixels / (bgr.shape[0] * bgr.shape[1]))
    size = max(1, round(bgr.shape[1] * scale)), max(1, round(bgr.shape[0] * scale))
    resized = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _each_once(found: Sequence[Face]) -> tuple[Face, ...]:
    """What several looks saw of one face as one box around all of it. A crowd far off is hundreds of boxes."""
    faces: list[Face] = []
    kept = np.empty((len(found), 4))
    for face in sorted(found, key=lambda f: -f.score):
        same = _same(kept[: len(faces)], face.box)
        if same.size == 0:
            at = len(faces)
            faces.append(face)
        else:
            at = int(same[0])
            around = hull((faces[at].box, face.box))
            assert around is not None
            faces[at] = replace(faces[at], box=around)
        box = faces[at].box
        kept[at] = box.x1, box.y1, box.x2, box.y2
    return tuple(faces)


def _same(boxes: np.ndarray, box: Box) -> np.ndarray:
    """Which rows of (n, 4) boxes, x1 y1 x2 y2, hold the face of this box."""
    x1, y1, x2, y2 = boxes.T
    width = np.minimum(x2, box.x2) - np.maximum(x1, box.x1)
    height = np.minimum(y2, box.y2) - np.maximum(y1, box.y1)
    shared = np.maximum(0.0, width) * np.maximum(0.0, height)
    areas = (x2 - x1) * (y2 - y1)
    alike = shared >= _SAME_IOU * (areas + box.area - shared)
    inside = shared >= _INSIDE * np.minimum(areas, box.area)
    return np.flatnonzero(alike | inside)


def _reason(error: cv2.error) -> str:
    """OpenCV's own words, without its source paths."""
    return " ".join((getattr(error, "err", "") or str(error)).split())[:120]
