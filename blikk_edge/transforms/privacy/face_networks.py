"""The networks that look for faces in a picture or a part of it: YuNet through OpenCV, BlazeFace through TFLite."""

import math
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.errors import ModelError
from blikk_edge.core.scene import Pixels
from blikk_edge.transforms.models import blaze
from blikk_edge.transforms.models.detect import Canvas, input_spec
from blikk_edge.transforms.models.registry import REGISTRY, OutputFormat
from blikk_edge.transforms.models.tflite import Network

GRID_PX: Final = 32  # the coarsest stride of YuNet
TILE_PX: Final = 288
"""The sides of BlazeFace's parts, which it sees at two thirds of their size. With parts of its own 192 px it finds no
more faces, in two and a half times the time, and four times as much of roads is blurred (bench/privacy.py)."""

_ANY_SIZE = (320, 320)
_NMS_IOU = 0.3
_TOP_K = 500

Spans = tuple[tuple[int, int], ...]
"""Parts of a side, begin and end in px."""


class FaceNetwork(Protocol):
    """What looks for faces; opened at the first look. Not shared between threads."""

    @property
    def sure_px(self) -> int:
        """From which size on a face must reach the whole threshold (`FaceFinder.least_score`)."""
        ...

    @property
    def front_scores(self) -> tuple[float, float]:
        """Between these scores a face is ever more surely seen from the front; 1, 2 where none of them says so."""
        ...

    def look(self, bgr: Pixels) -> NDArray[np.float64]:
        """Run it once over a (h, w, 3) uint8 BGR picture; (n, 5) faces, each left, top, width, height in px, and score.

        Raises ModelError, or OpenCV's own error.
        """
        ...

    def parts(self, side_px: int, overlap_px: int) -> Spans:
        """How a side of a picture is cut for looks at its parts, which overlap by so much or more."""
        ...

    def close(self) -> None:
        """Let go of the memory that the next look takes again, where that costs less than a look."""
        ...


def face_network(model: Path, kind: OutputFormat, least: float) -> FaceNetwork:
    """The network in this file, of this kind, which gives faces of this score and more."""
    return BlazeFace(model, least) if kind is OutputFormat.BLAZEFACE else YuNet(model, least)


class YuNet:
    """YuNet (https://github.com/ShiqiYu/libfacedetection.train); takes pictures of any size."""

    # With the wider margin of doubtful faces 9 of 491 faces of 12 px and more (four lights, and mirrored) are missed
    # instead of the 18 where all count from the whole threshold; with 80 or 120 px it is 10 or 9, with 64 px 14. Where
    # nobody is, 5.7 instead of 4.4 % of photographs is blurred, 0.4 instead of 0 % of roads.
    sure_px: Final = 96
    # Of 143 annotated faces none that scores .92 is seen from the side; with .89 a man who eats a banana is.
    front_scores: Final = (0.86, 0.92)

    def __init__(self, model: Path, least: float) -> None:
        self._model = model
        self._least = least
        self._yunet: cv2.FaceDetectorYN | None = None

    def look(self, bgr: Pixels) -> NDArray[np.float64]:
        """(n, 5) faces, each left, top, width, height in px, and score."""
        if self._yunet is None:
            self._yunet = self._open()
        self._yunet.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = self._yunet.detect(bgr)
        if rows is None:
            return np.empty((0, 5))
        return rows[:, (0, 1, 2, 3, 14)].astype(float)

    def parts(self, side_px: int, overlap_px: int) -> Spans:
        """Two halves, on the model's grid: as it sees them in the whole picture."""
        reach = math.ceil((side_px + overlap_px) / 2 / GRID_PX) * GRID_PX
        if reach >= side_px:
            return ((0, side_px),)
        return (0, reach), (math.ceil((side_px - reach) / GRID_PX) * GRID_PX, side_px)

    def close(self) -> None:
        """Let go of the network: 2 ms and 15 MB."""
        self._yunet = None

    def _open(self) -> cv2.FaceDetectorYN:
        _must_be_there(self._model)
        return cv2.FaceDetectorYN.create(str(self._model), "", _ANY_SIZE, self._least, _NMS_IOU, _TOP_K)


class BlazeFace:
    """MediaPipe's full-range BlazeFace, of the registry's shape; a picture is scaled to the square that it takes."""

    # With 96 px it sees up to 16 faces in a pavement. Of 72 faces 65 are covered, with 96 px 66, with 32 px 60; where
    # nobody is, 1.7 % of the picture is blurred instead of 6.1 and 1.4 %.
    sure_px: Final = 40
    front_scores: Final = (1.0, 2.0)

    def __init__(self, model: Path, least: float) -> None:
        self._model = model
        self._least = least
        self._opened: _OpenBlazeFace | None = None

    def look(self, bgr: Pixels) -> NDArray[np.float64]:
        """(n, 5) faces, each left, top, width, height in px, and score; one face often has several."""
        if self._opened is None:
            _must_be_there(self._model)
            self._opened = _OpenBlazeFace(self._model)
        return self._opened.look(bgr, self._least)

    def parts(self, side_px: int, overlap_px: int) -> Spans:
        """As few of TILE_PX as there can be, evenly."""
        if side_px <= TILE_PX:
            return ((0, side_px),)
        count = math.ceil((side_px - overlap_px) / (TILE_PX - overlap_px))
        begins = [round(number * (side_px - TILE_PX) / (count - 1)) for number in range(count)]
        return tuple((begin, begin + TILE_PX) for begin in begins)

    def close(self) -> None:
        """Opening it takes longer than a look: it stays."""


class _OpenBlazeFace:
    """The loaded network, with the buffer that its pictures are drawn in."""

    def __init__(self, model: Path) -> None:
        self._network = Network(model)
        entry = REGISTRY["blazeface-full"]
        spec = input_spec(entry, self._network.inputs)
        shapes = blaze.output_shapes(spec.width_px, blaze.FACE_ANCHORS, blaze.FACE_POINTS)
        order = blaze.output_order([output.shape for output in self._network.outputs], shapes)
        if order is None:
            raise ModelError(f"face model {model} is no {entry.name}: its outputs are not {shapes}")
        self._rows, self._logits = order
        self._canvas = Canvas(spec)
        self._centres = blaze.anchors(spec.width_px, blaze.FACE_ANCHORS)

    def look(self, bgr: Pixels, least: float) -> NDArray[np.float64]:
        width, height = self._canvas.draw(bgr)

        def read(outputs: tuple[NDArray[Any], ...]) -> NDArray[np.float64]:
            scores = blaze.sigmoid(outputs[self._logits][0, :, 0])
            likely = np.flatnonzero(scores >= least)
            boxes = blaze.faces(outputs[self._rows][0][likely], self._centres[likely])
            return np.column_stack((boxes, scores[likely])).astype(float)

        found = self._network.run(self._canvas.fill, read)
        found[:, 2:4] -= found[:, :2]
        across, down = bgr.shape[1] / width, bgr.shape[0] / height
        return found * (across, down, across, down, 1.0)


def _must_be_there(model: Path) -> None:
    if not model.is_file():
        raise ModelError(f"face model {model}: no such file; `blikk models pull` fetches it")
