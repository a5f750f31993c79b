"""The last resort where no model can be had: people by their face, with the cascade that OpenCV 4 carries itself."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import cv2.data
import numpy as np

from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.grammar.schema import Section
from blikk_edge.kinds.kind import Kind
from blikk_edge.transforms.kinds import DetectorContext

NAME = "opencv-builtin"

SHORT_SIDE_PX = 480
"""Larger pictures are scaled down to this: the time grows with the area."""

FACE_CASCADE = "haarcascade_frontalface_alt2.xml"
"""The default cascade found as many of the test faces with 4 false among 31, this one 2 among 34; of the upper-body
cascade not one box came on any of the test pictures."""

SMALLEST_FACE_PX = 30
FACE_NEIGHBOURS = 4
"""A face is reported when this many scans agree; its score is n / (n + 4), 0.5 at the least."""

BODY_ABOVE, BODY_BESIDE, BODY_BELOW = 0.45, 1.0, 6.0
"""What a person has around the face, in heights and widths of it; fitted to the person boxes of YOLOX."""

MISSES = "vehicles, animals, parcels, and people who do not face the camera"
"""What cannot be found so, in words."""


class BuiltinDetector:
    """People only, showing their face. Not shared between threads.

    The same picture gives the same Detections. `inference_ms` stays None.
    """

    name = NAME
    inference_ms: float | None = None

    def __init__(self, *, threshold: float = 0.45) -> None:
        self._threshold = threshold

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        """People in a (h, w, 3) uint8 BGR picture, best score first; raises ModelError for anything but a picture."""
        if bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.size == 0:
            raise ModelError(f"not a (h, w, 3) uint8 picture: {bgr.shape} {bgr.dtype}")
        return tuple(
            Detection(label=Label.PERSON, sub_label="face", score=score, box=box)
            for box, score in self._by_face(_small_luma(bgr))
            if score >= self._threshold
        )

    def people_by_face(self, bgr: Pixels) -> tuple[Box, ...]:
        """The whole persons of the faces in a (h, w, 3) uint8 BGR picture, best first; raises ModelError."""
        return tuple(box for box, _ in self._by_face(_small_luma(bgr)))

    def _by_face(self, luma: Pixels) -> list[tuple[Box, float]]:
        faces, counts = self._faces.detectMultiScale2(
            luma, scaleFactor=1.15, minNeighbors=FACE_NEIGHBOURS, minSize=(SMALLEST_FACE_PX, SMALLEST_FACE_PX)
        )
        people = []
        for face, count in zip(np.reshape(faces, (-1, 4)).tolist(), np.ravel(counts).tolist(), strict=True):
            x, y, width, height = face
            box = _box(
                luma,
                x - BODY_BESIDE * width,
                y - BODY_ABOVE * height,
                x + (1 + BODY_BESIDE) * width,
                y + (1 + BODY_BELOW) * height,
            )
            if box is not None:
                people.append((box, count / (count + FACE_NEIGHBOURS)))
        # OpenCV's threads hand in faces as they find them: those of one score need an order too
        return sorted(people, key=lambda person: (-person[1], person[0].x1, person[0].y1, person[0].x2, person[0].y2))

    @cached_property
    def _faces(self) -> cv2.CascadeClassifier:
        path = Path(cv2.data.haarcascades) / FACE_CASCADE
        cascade = cv2.CascadeClassifier(str(path))
        if cascade.empty():
            raise ModelError(f"this OpenCV has no {FACE_CASCADE}; install opencv-python-headless 4.x")
        return cascade


def _small_luma(bgr: Pixels) -> Pixels:
    luma: Pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    scale = SHORT_SIDE_PX / min(luma.shape)
    if scale < 1:
        luma = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return luma


def _box(luma: Pixels, x1: float, y1: float, x2: float, y2: float) -> Box | None:
    height_px, width_px = luma.shape
    return Box.clipped(x1 / width_px, y1 / height_px, x2 / width_px, y2 / height_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinOptions:
    """There are none."""


def _make(_options: BuiltinOptions, context: DetectorContext) -> BuiltinDetector:
    return BuiltinDetector(threshold=context.thresholds.get(Label.PERSON, 0.0))


KIND: Kind[DetectorContext, BuiltinDetector] = Kind(
    name="opencv",
    meaning="People by their face, with OpenCV's own means, without any model.",
    options=Section(of=BuiltinOptions, keys=()),
    make=_make,
)
