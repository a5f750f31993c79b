"""From a model's output tensors to boxes worth reporting, in numpy; pure. Thresholds first: little is decoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.errors import ModelError
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.models import blaze
from blikk_edge.transforms.models.labels import label_of
from blikk_edge.transforms.models.registry import OutputFormat
from blikk_edge.transforms.models.tflite import Tensor, dequantised

Floats = NDArray[np.float32]
Ints = NDArray[np.intp]

STRIDES = (8, 16, 32)
"""Cell sizes of the three YOLOX grids, in input pixels (YOLOX, arXiv 2107.08430)."""

NMS_IOU = 0.6
"""Two boxes of one Label that share more than this are one object. For YOLOX-nano 0.5 costs 0.01 AP, and 0.7 adds false
boxes (bench/detector.py)."""

MOST_CANDIDATES = 300
"""More boxes than this are never compared: the best go on. It bounds the time of a picture full of noise."""

_LABELS = tuple(Label)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """What a model's output says, one row for each box.

    Attributes:
        boxes: (n, 4), as x1 y1 x2 y2 in input pixels.
        scores: (n,), 0..1.
        classes: (n,), rows of the model's class names.
        heads: (n, 4), boxes of heads, in input pixels; None of a model that reports none.
    """

    boxes: Floats
    scores: Floats
    classes: Ints
    heads: Floats | None = None

    def at(self, rows: Ints) -> "Candidates":
        """These alone, in this order."""
        return Candidates(
            boxes=self.boxes[rows],
            scores=self.scores[rows],
            classes=self.classes[rows],
            heads=None if self.heads is None else self.heads[rows],
        )


class Classes:
    """A model's class names by row, each with its Label and the score it must reach to be reported.

    A class without a Label, or whose Label has no threshold, is never reported. Raises ModelError where none is left.
    """

    def __init__(self, names: Sequence[str], thresholds: Mapping[Label, float]) -> None:
        self.names = tuple(names)
        self.labels = tuple(label_of(name) for name in names)
        self.groups: Ints = np.array([-1 if x is None else _LABELS.index(x) for x in self.labels], dtype=np.intp)
        asked = [np.inf if x is None else thresholds.get(x, np.inf) for x in self.labels]
        self.thresholds: Floats = np.array(asked, dtype=np.float32)
        if not np.isfinite(self.thresholds).any():
            wanted = ", ".join(sorted(thresholds)) or "nothing"
            raise ModelError(f"the model finds none of what is asked for ({wanted}); its classes: {_some(names)}")
        self.lowest = float(self.thresholds.min())

    def __len__(self) -> int:
        return len(self.names)


class Decode(Protocol):
    """Reads the outputs of one run, in the order of the model's outputs; keeps no view of them."""

    def __call__(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """What reached its threshold."""
        ...


def decoder(
    kind: OutputFormat, *, classes: Classes, width_px: int, height_px: int, outputs: Sequence[Tensor], model: str
) -> Decode:
    """The decoder of a model with these outputs; raises ModelError where their shapes are not those of `kind`."""
    if kind in {OutputFormat.YOLOX, OutputFormat.YOLOX_DECODED}:
        anchors = sum((height_px // stride) * (width_px // stride) for stride in STRIDES)
        wanted = (1, anchors, 5 + len(classes))
        if len(outputs) != 1 or outputs[0].shape != wanted:
            raise _wrong_outputs(model, kind, f"one output {wanted} for {len(classes)} classes", outputs)
        return Yolox(classes, width_px, height_px, outputs[0], decoded=kind is OutputFormat.YOLOX_DECODED)
    if kind is OutputFormat.BLAZEPOSE:
        shapes = blaze.output_shapes(width_px, blaze.POSE_ANCHORS, blaze.POSE_POINTS)
        order = blaze.output_order([output.shape for output in outputs], shapes)
        if order is None or len(classes) != 1:
            raise _wrong_outputs(model, kind, f"rows and logits {shapes} for one class", outputs)
        return BlazePose(classes, width_px, order)
    if kind is OutputFormat.SSD:
        return Ssd(classes, width_px, height_px, ssd_order(outputs, model))
    raise ModelError(f"model {model} is a {kind} model, not an object detector")


class Yolox:
    """YOLOX: score = objectness x class score; centre = (offset + cell) x stride and size = exp(log size) x stride.

    With `decoded` centre and size come in input pixels already.
    """

    def __init__(self, classes: Classes, width_px: int, height_px: int, output: Tensor, *, decoded: bool) -> None:
        self._classes = classes
        self._output = output
        self._decoded = decoded
        self._cells, self._strides = grid(width_px, height_px)

    def __call__(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """What reached its threshold, boxes not yet clipped."""
        rows = dequantised(outputs[0][0], self._output)
        anchors = np.flatnonzero(rows[:, 4] >= self._classes.lowest)
        rows = rows[anchors]
        best = rows[:, 5:].argmax(axis=1)
        scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + best]
        kept = scores >= self._classes.thresholds[best]
        rows, anchors = rows[kept], anchors[kept]
        centres, sizes = rows[:, :2], rows[:, 2:4]
        if not self._decoded:
            stride = self._strides[anchors, None]
            centres, sizes = (centres + self._cells[anchors]) * stride, np.exp(sizes) * stride
        boxes: Floats = np.concatenate((centres - sizes / 2, centres + sizes / 2), axis=1)
        return Candidates(boxes=boxes, scores=scores[kept], classes=best[kept])


class Ssd:
    """TFLite_Detection_PostProcess: boxes ymin xmin ymax xmax 0..1, class rows, scores; already sorted and merged."""

    def __init__(self, classes: Classes, width_px: int, height_px: int, order: tuple[int, int, int]) -> None:
        self._classes = classes
        self._scale = np.array((width_px, height_px, width_px, height_px), dtype=np.float32)
        self._order = order

    def __call__(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """What reached its threshold. Rows past the model's count have score 0."""
        boxes, classes, scores = (outputs[index][0] for index in self._order)
        rows = np.nan_to_num(classes, nan=-1.0).astype(np.intp)
        rows = np.where((rows >= 0) & (rows < len(self._classes)), rows, -1)
        kept = np.flatnonzero((rows >= 0) & (scores >= self._classes.thresholds[rows]))
        return Candidates(
            boxes=boxes[kept][:, (1, 0, 3, 2)] * self._scale, scores=scores[kept].copy(), classes=rows[kept]
        )


class BlazePose:
    """BlazePose's detector: one class, boxes made from its points; who leans scores less (`blaze.persons`)."""

    def __init__(self, classes: Classes, side_px: int, order: tuple[int, int]) -> None:
        self._least = classes.lowest
        self._rows, self._logits = order
        self._centres = blaze.anchors(side_px, blaze.POSE_ANCHORS)

    def __call__(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """What reached its threshold, boxes not yet clipped."""
        scores = blaze.sigmoid(outputs[self._logits][0, :, 0] + blaze.LOGIT_SHIFT)
        likely = np.flatnonzero(scores >= self._least)
        boxes, heads, upright = blaze.persons(outputs[self._rows][0][likely], self._centres[likely])
        scores = np.where(upright, scores[likely], blaze.LEANING_SHARE * scores[likely])
        kept = np.flatnonzero((scores >= self._least) & np.isfinite(boxes).all(axis=1))
        found = Candidates(boxes=boxes, scores=scores, classes=np.zeros(len(scores), dtype=np.intp), heads=heads)
        return found.at(kept)


def grid(width_px: int, height_px: int) -> tuple[Floats, Floats]:
    """The cell (column, row) and stride of each YOLOX anchor: (n, 2) and (n,), finest grid first, row by row."""
    cells, strides = [], []
    for stride in STRIDES:
        ys, xs = np.mgrid[0 : height_px // stride, 0 : width_px // stride]
        cells.append(np.stack((xs.ravel(), ys.ravel()), axis=1))
        strides.append(np.full(xs.size, stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def ssd_order(outputs: Sequence[Tensor], model: str) -> tuple[int, int, int]:
    """Where boxes, classes and scores are among the outputs of TFLite_Detection_PostProcess; raises ModelError.

    TensorFlow 1 exports give boxes, classes, scores, count; TensorFlow 2 exports number them the other way round.
    """
    by_name = sorted(range(len(outputs)), key=lambda index: outputs[index].name)
    shapes = [outputs[index].shape for index in by_name]
    rows = next((shape[1] for shape in shapes if len(shape) == 3), 0)
    tensorflow_1: list[tuple[int, ...]] = [(1, rows, 4), (1, rows), (1, rows), (1,)]
    if shapes == tensorflow_1:
        return by_name[0], by_name[1], by_name[2]
    if shapes == tensorflow_1[::-1]:
        return by_name[3], by_name[2], by_name[1]
    raise _wrong_outputs(model, OutputFormat.SSD, "boxes (1, n, 4), classes (1, n), scores (1, n), count (1)", outputs)


def merged(found: Candidates, classes: Classes) -> Candidates:
    """Greedy non-maximum suppression within each Label, best score first; equal scores keep the model's order."""
    order = np.argsort(-found.scores, kind="stable")[:MOST_CANDIDATES]
    boxes, groups = found.boxes[order], classes.groups[found.classes[order]]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    alive = np.ones(len(order), dtype=bool)
    for best in range(len(order)):
        if not alive[best]:
            continue
        corner = np.maximum(boxes[best, :2], boxes[best + 1 :, :2])
        far = np.minimum(boxes[best, 2:], boxes[best + 1 :, 2:])
        shared = np.clip(far - corner, 0, None).prod(axis=1)
        union = areas[best] + areas[best + 1 :] - shared
        alive[best + 1 :] &= (shared <= NMS_IOU * union) | (groups[best + 1 :] != groups[best])
    return found.at(order[alive])


def _wrong_outputs(model: str, kind: OutputFormat, wanted: str, outputs: Sequence[Tensor]) -> ModelError:
    got = ", ".join(str(output.shape) for output in outputs)
    return ModelError(
        f"model {model} does not fit decoder {kind}: wanted {wanted}, it has {got}; check decoder and labels_file"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
