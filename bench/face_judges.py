"""Face detectors that are not asked to blur but to judge: do they still find a face in what would leave?

YuNet (through OpenCV), Ultra-Light RFB-320 and BlazeFace (full range, and `back` of 256 px), each at a score of .5, on
the whole picture and on a piece of three face widths around every annotated face, magnified.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from annotated_faces import YUNET, AnnotatedFace

from blikk_edge.core.scene import Pixels
from blikk_edge.transforms.models.tflite import Network

SCORE = 0.5
PIECE_PX = 256
WHOLE_PX = 640
FOLDER = Path("models/face")

Boxes = np.ndarray
"""(n, 4) float: x1 y1 x2 y2 in pixels of the picture that was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """One detector."""

    name: str
    find: Callable[[Pixels], Boxes]


def judges(data: Path) -> tuple[Judge, ...]:
    """All of them; raises ModelError where a model is missing."""
    return (
        Judge(name="YuNet", find=_yunet(data / YUNET)),
        Judge(name="Ultra-Light", find=_ultralight(data / FOLDER / "ultralight")),
        Judge(
            name="BlazeFace", find=_blazeface(data / FOLDER / "blazeface/face_detection_full_range.tflite", ((48, 1),))
        ),
        Judge(
            name="BlazeFace back",
            find=_blazeface(data / FOLDER / "blazeface/face_detection_back.tflite", ((16, 2), (8, 6))),
        ),
    )


def cascades() -> tuple[Judge, ...]:
    """What OpenCV carries itself, where no models are to be had."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")  # type: ignore[attr-defined]  # not in its stubs

    def find(bgr: Pixels) -> Boxes:
        boxes = np.array(cascade.detectMultiScale(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), 1.1, 5), float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes

    return (Judge(name="Haar", find=find),)


def found(every: Sequence[Judge], bgr: Pixels, faces: Sequence[AnnotatedFace]) -> list[set[str]]:
    """For each face the judges that find it in this picture."""
    names: list[set[str]] = [set() for _ in faces]
    scale = min(1.0, WHOLE_PX / max(bgr.shape[:2]))
    small = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for judge in every:
        boxes = judge.find(np.asarray(small, np.uint8)) / scale
        for face, hit in zip(faces, names, strict=True):
            if _at(face, boxes):
                hit.add(judge.name)
    for face, hit in zip(faces, names, strict=True):
        piece, moved = _piece(bgr, face)
        hit |= {judge.name for judge in every if judge.name not in hit and _at(moved, judge.find(piece))}
    return names


def _at(face: AnnotatedFace, boxes: Boxes) -> bool:
    """Whether a box lies on the face and is of its size: one around half the picture recognises nobody."""
    x, y = face.centre
    width = boxes[:, 2] - boxes[:, 0]
    on = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
    return bool((on & (width <= 2.0 * face.width_px) & (width >= 0.5 * face.width_px)).any())


def _piece(bgr: Pixels, face: AnnotatedFace) -> tuple[Pixels, AnnotatedFace]:
    (x, y), half = face.centre, max(12.0, 1.5 * face.width_px)
    height, width = bgr.shape[:2]
    x1, y1 = max(0, round(x - half)), max(0, round(y - half))
    x2, y2 = min(width, round(x + half)), min(height, round(y + half))
    scale = PIECE_PX / max(x2 - x1, y2 - y1)
    piece = cv2.resize(bgr[y1:y2, x1:x2], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.asarray(piece, np.uint8), face.shifted(-x1, -y1).scaled(scale)


def _yunet(path: Path) -> Callable[[Pixels], Boxes]:
    yunet = cv2.FaceDetectorYN.create(str(path), "", (PIECE_PX, PIECE_PX), SCORE, 0.3, 500)

    def find(bgr: Pixels) -> Boxes:
        yunet.setInputSize((bgr.shape[1], bgr.shape[0]))
        rows = yunet.detect(bgr)[1]
        boxes = np.zeros((0, 4)) if rows is None else rows[:, :4].astype(float)
        boxes[:, 2:] += boxes[:, :2]
        return boxes

    return find


def _ultralight(folder: Path) -> Callable[[Pixels], Boxes]:
    """Linzaer's 1 MB detector: anchors of four layers, centre variance .1, size variance .2."""
    network = Network(folder / "version-RFB-320_without_postprocessing.tflite")
    width, height = 320, 240
    anchors = np.array(
        [
            ((column + 0.5) * stride, (row + 0.5) * stride, side, side)
            for stride, sides in ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256)))
            for row in range(-(-height // stride))
            for column in range(-(-width // stride))
            for side in sides
        ]
    )

    def find(bgr: Pixels) -> Boxes:
        canvas, scale = _letterboxed(bgr, width, height)
        values = (canvas[:, :, ::-1].astype(np.float32) - 127) / 128
        raw, scores = network.run(lambda t: np.copyto(t[0], values), lambda out: (out[0][0].copy(), out[1][0].copy()))
        good = scores[:, 1] >= SCORE
        middle = raw[good, :2] * 0.1 * anchors[good, 2:] + anchors[good, :2]
        size = np.exp(raw[good, 2:] * 0.2) * anchors[good, 2:]
        return np.hstack([middle - size / 2, middle + size / 2]) / scale

    return find


def _blazeface(path: Path, layers: tuple[tuple[int, int], ...]) -> Callable[[Pixels], Boxes]:
    """MediaPipe's detector: `layers` are the grids' side and the anchors of each cell, all of the size of the input."""
    network = Network(path)
    side = network.inputs[0].shape[1]
    anchors = np.array(
        [
            ((column + 0.5) / grid * side, (row + 0.5) / grid * side)
            for grid, count in layers
            for row in range(grid)
            for column in range(grid)
            for _ in range(count)
        ]
    )

    def find(bgr: Pixels) -> Boxes:
        canvas, scale = _letterboxed(bgr, side, side)
        values = canvas[:, :, ::-1].astype(np.float32) / 127.5 - 1
        raw, logits = network.run(lambda t: np.copyto(t[0], values), lambda out: (out[0][0].copy(), out[1][0].copy()))
        good = logits[:, 0] >= np.log(SCORE / (1 - SCORE))
        middle, size = raw[good, :2] + anchors[good], raw[good, 2:4]
        return np.hstack([middle - size / 2, middle + size / 2]) / scale

    return find


def _letterboxed(bgr: Pixels, width: int, height: int) -> tuple[Pixels, float]:
    scale = min(width / bgr.shape[1], height / bgr.shape[0])
    small = cv2.resize(bgr, (round(bgr.shape[1] * scale), round(bgr.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small[:height, :width]
    return canvas, scale
