"""Finds faces with YuNet: on the whole picture, and again on each person, magnified."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box, hull, intersection, iou
from blikk_edge.core.scene import Pixels

# Measured by bench/blur.py and on the same faces shrunk to 6..20 px: with the pixels of a 16:9 frame of 480 lines 49 of
# 52 are covered, with 640 x 360 45, with 480 x 270 40.
FINE_PIXELS = 854 * 480
# YuNet sees large faces in smooth or enlarged surfaces (640 px wide: 4.7 % of the area of empty roads, 320 px: none):
# a fine look counts for faces up to 120 px, and larger ones must show in the coarse look.
COARSE_PIXELS = 320 * 240
FINE_FACE_PX = 120
# On those shrunk faces the magnified look finds what the whole picture does not; tiles of 96 px lose faces, larger ones
# find no more.
TILE_PX = 160
TILE_COLUMNS = 4
TILE_ROWS = 2
# Two canvases of tiles. Persons beyond are still searched with the whole picture; who shows no face there has the head
# blurred, so that a crowd costs time that is bounded and nobody is skipped.
MAX_TILES = 2 * TILE_COLUMNS * TILE_ROWS

# Tiles do not touch, so that no face is put together from two of them.
_GAP_PX = 8
_MIN_LOOK_PX = 16
_NMS_IOU = 0.3
_TOP_K = 500
_SAME_IOU = 0.35
_INSIDE = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face in one picture; `score` 0..1 is the model's confidence."""

    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class _Tile:
    """A piece of the picture, x1 y1 x2 y2 in its pixels, drawn at `left`, `top` of a canvas magnified by `scale`."""

    x1: int
    y1: int
    x2: int
    y2: int
    left: int
    top: int
    scale: float

    def box(self, corners: tuple[float, float, float, float], size: tuple[int, int]) -> Box | None:
        """Corners on the canvas as a Box of the picture; None where nothing of it lies there."""
        left, top, right, bottom = corners
        return Box.clipped(
            (self.x1 + (left - self.left) / self.scale) / size[0],
            (self.y1 + (top - self.top) / self.scale) / size[1],
            (self.x1 + (right - self.left) / self.scale) / size[0],
            (self.y1 + (bottom - self.top) / self.scale) / size[1],
        )


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
    """YuNet (https://github.com/ShiqiYu/libfacedetection.train) through OpenCV, opened at the first look.

    `model` is the ONNX file; `threshold` 0..1 is the least score that counts. Not shared between threads; the cameras
    that one vision worker serves may share one.
    """

    def __init__(self, model: Path, *, threshold: float = 0.4) -> None:
        self.model = model
        self.threshold = threshold
        self._yunet: cv2.FaceDetectorYN | None = None

    def find(self, bgr: Pixels, persons: Sequence[Box]) -> tuple[Face, ...]:
        """Faces in a (h, w, 3) uint8 BGR picture, each once, best score first.

        The first MAX_TILES of `persons` are looked at magnified too. Raises ModelError where the model is missing,
        damaged, no YuNet, or fails.
        """
        try:
            found = self._coarse(bgr) + self._fine(bgr)
            for first in range(0, min(len(persons), MAX_TILES), TILE_COLUMNS * TILE_ROWS):
                last = min(first + TILE_COLUMNS * TILE_ROWS, MAX_TILES)
                found += self._tiles(bgr, persons[first:last])
        except cv2.error as error:
            raise ModelError(f"face model {self.model}: {_reason(error)}; fetch it anew") from error
        return _each_once(found)

    def _coarse(self, bgr: Pixels) -> list[Face]:
        height, width = bgr.shape[:2]
        scale = math.sqrt(COARSE_PIXELS / (height * width))
        tile = _Tile(0, 0, width, height, 0, 0, scale)
        return self._look(_scaled(bgr, scale), [tile], (width, height), math.inf)

    def _fine(self, bgr: Pixels) -> list[Face]:
        """Two looks at overlapping halves: one at the whole takes 14 MB more at its peak."""
        height, width = bgr.shape[:2]
        scale = math.sqrt(FINE_PIXELS / (height * width))
        reach = math.ceil((max(width, height) + FINE_FACE_PX / scale) / 2)
        if width >= height:
            halves = (0, 0, reach, height), (max(0, width - reach), 0, width, height)
        else:
            halves = (0, 0, width, reach), (0, max(0, height - reach), width, height)
        found = []
        for x1, y1, x2, y2 in halves:
            tile = _Tile(x1, y1, x2, y2, 0, 0, scale)
            found += self._look(_scaled(bgr[y1:y2, x1:x2], scale), [tile], (width, height), FINE_FACE_PX)
        return found

    def _tiles(self, bgr: Pixels, persons: Sequence[Box]) -> list[Face]:
        height, width = bgr.shape[:2]
        rows = math.ceil(len(persons) / TILE_COLUMNS)
        canvas = np.zeros((rows * TILE_PX, TILE_COLUMNS * TILE_PX, 3), np.uint8)
        tiles = []
        for place, person in enumerate(persons):
            row, column = divmod(place, TILE_COLUMNS)
            x1, y1, x2, y2 = _head_square(person, width, height)
            if min(x2 - x1, y2 - y1) < 2:
                continue
            scale = (TILE_PX - _GAP_PX) / max(x2 - x1, y2 - y1)
            piece = _scaled(bgr[y1:y2, x1:x2], scale)
            left, top = column * TILE_PX, row * TILE_PX
            canvas[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
            tiles.append(_Tile(x1, y1, x2, y2, left, top, scale))
        return self._look(canvas, tiles, (width, height), FINE_FACE_PX) if tiles else []

    def _look(self, canvas: Pixels, tiles: Sequence[_Tile], size: tuple[int, int], largest_px: float) -> list[Face]:
        """Run the model once and put what it found on the canvas back to where the tiles were cut.

        `size` is the picture's width and height; faces above `largest_px` on the canvas do not count.
        """
        if self._yunet is None:
            self._yunet = self._open()
        self._yunet.setInputSize((canvas.shape[1], canvas.shape[0]))
        _, rows = self._yunet.detect(canvas)
        faces = []
        for row in () if rows is None else rows:
            x, y, w, h, score = (float(row[i]) for i in (0, 1, 2, 3, 14))
            if not all(map(math.isfinite, (x, y, w, h, score))):
                raise ModelError(f"face model {self.model}: its numbers are not finite; fetch it anew")
            tile = _tile_at(tiles, x + w / 2, y + h / 2)
            box = tile.box((x, y, x + w, y + h), size) if tile is not None else None
            if box is not None and max(w, h) <= largest_px:
                faces.append(Face(box=box, score=min(1.0, max(0.0, score))))
        return faces

    def _open(self) -> cv2.FaceDetectorYN:
        if not self.model.is_file():
            raise ModelError(f"face model {self.model}: no such file; `blikk models pull` fetches it")
        return cv2.FaceDetectorYN.create(str(self.model), "", (TILE_PX, TILE_PX), self.threshold, _NMS_IOU, _TOP_K)


def _head_square(person: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The piece to magnify, in pixels: the head region and some room, about as wide as high."""
    head = head_region(person, width, height)
    x, y = head.centre[0] * width, head.centre[1] * height
    half = max(head.width * width, head.height * height, _MIN_LOOK_PX) * 0.6
    return (
        max(0, math.floor(x - half)),
        max(0, math.floor(y - half)),
        min(width, math.ceil(x + half)),
        min(height, math.ceil(y + half)),
    )


def _scaled(bgr: Pixels, scale: float) -> Pixels:
    size = max(1, round(bgr.shape[1] * scale)), max(1, round(bgr.shape[0] * scale))
    resized = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _tile_at(tiles: Sequence[_Tile], x: float, y: float) -> _Tile | None:
    """The tile that shows this point of the canvas; None between tiles."""
    for tile in tiles:
        right, bottom = tile.left + (tile.x2 - tile.x1) * tile.scale, tile.top + (tile.y2 - tile.y1) * tile.scale
        if tile.left <= x <= right and tile.top <= y <= bottom:
            return tile
    return None


def _each_once(found: Sequence[Face]) -> tuple[Face, ...]:
    """What several looks saw of one face as one box around all of it."""
    faces: list[Face] = []
    for face in sorted(found, key=lambda f: -f.score):
        same = next((i for i, kept in enumerate(faces) if _same(kept.box, face.box)), None)
        if same is None:
            faces.append(face)
        else:
            around = hull((faces[same].box, face.box))
            assert around is not None
            faces[same] = Face(box=around, score=faces[same].score)
    return tuple(faces)


def _same(a: Box, b: Box) -> bool:
    return iou(a, b) >= _SAME_IOU or intersection(a, b) >= _INSIDE * min(a.area, b.area)


def _reason(error: cv2.error) -> str:
    """OpenCV's own words, without its source paths."""
    return " ".join((getattr(error, "err", "") or str(error)).split())[:120]
