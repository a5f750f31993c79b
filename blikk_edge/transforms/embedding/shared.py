"""Looks at crops of Pictures on another machine: the node's half, and that of the machine that looks.

What goes out is cut from a Picture, so its faces are blurred; nothing here is handed a Frame.
"""

import threading
from functools import lru_cache
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.errors import ModelError
from blikk_edge.core.sightings import Detection
from blikk_edge.core.stages import Detector
from blikk_edge.transforms.embedding.towers import Towers, Vector

SIDE_PX: Final = 448
"""A larger crop goes out in this size: no model of these looks more closely."""

QUALITY: Final = 92
PIXELS_MAX: Final = 2048 * 2048


class Elsewhere(Protocol):
    """Who has models, and looks by them. Safe from any thread; raises ModelError."""

    def embedding(self, model: str, *, jpeg: bytes | None = None, words: str | None = None) -> Vector:
        """What the model of this name makes of a crop, or of words; of unit length."""
        ...

    def found(self, jpeg: bytes) -> tuple[Detection, ...]:
        """What a detector finds in a crop, best score first."""
        ...


class SharedTowers:
    """The model `name` of somebody else; as `Towers`."""

    def __init__(self, name: str, elsewhere: Elsewhere) -> None:
        self.name = name
        self._elsewhere = elsewhere
        self.text = lru_cache(maxsize=256)(self._text)

    def picture(self, bgr: NDArray[np.uint8]) -> Vector:
        """The embedding, of unit length, of a (h, w, 3) uint8 BGR crop of a Picture; raises ModelError."""
        return self._elsewhere.embedding(self.name, jpeg=crop(bgr))

    def _text(self, text: str) -> Vector:
        return self._elsewhere.embedding(self.name, words=text)


class ServedTowers:
    """Towers for others: they send JPEGs."""

    def __init__(self, towers: Towers) -> None:
        self.name = towers.name
        self._towers = towers

    def of_jpeg(self, jpeg: bytes) -> Vector:
        """The embedding of a picture; raises ModelError."""
        return self._towers.picture(_pixels(jpeg))

    def of_words(self, words: str) -> Vector:
        """The embedding of a text; raises ModelError."""
        return self._towers.text(words)


class ServedDetector:
    """A detector for others: they send JPEGs, at the same time if they like."""

    def __init__(self, detector: Detector) -> None:
        self.name = detector.name
        self._detector = detector
        self._turn = threading.Lock()

    def in_jpeg(self, jpeg: bytes) -> tuple[Detection, ...]:
        """What is in a picture, best score first; raises ModelError."""
        pixels = _pixels(jpeg)
        with self._turn:
            return self._detector.detect(pixels)


def crop(bgr: NDArray[np.uint8]) -> bytes:
    """The JPEG of a (h, w, 3) uint8 BGR crop of a Picture, no larger than SIDE_PX; raises ModelError."""
    scale = SIDE_PX / max(1, *bgr.shape[:2])
    if scale < 1.0:
        bgr = np.asarray(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    try:
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    except cv2.error as error:
        raise ModelError(f"a crop that is no picture: {bgr.shape}") from error


def _pixels(jpeg: bytes) -> NDArray[np.uint8]:
    try:
        pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    except cv2.error as error:
        raise ModelError("a crop that is no picture, or too large") from error
    if pixels is None or pixels.shape[0] * pixels.shape[1] > PIXELS_MAX:
        raise ModelError("a crop that is no picture, or too large")
    return np.asarray(pixels, np.uint8)
