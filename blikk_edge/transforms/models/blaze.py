"""How MediaPipe's Blaze models are read: their anchors, people from BlazePose's detector, faces from BlazeFace; pure.

Both are SSDs with anchors of one size: a row is the centre's offset from its anchor, width and height, then points, all
in input pixels; its score is a logit beside it. Anchors as MediaPipe's SsdAnchorsCalculator makes them from the options
in mediapipe/modules/pose_detection/pose_detection_cpu.pbtxt and face_detection_full_range.pbtxt (Apache-2.0): strides
8, 16, 32, 32, 32 with two anchors a layer and cell; stride 4 with one.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

POSE_ANCHORS: Final = ((8, 2), (16, 2), (32, 6))
"""Stride in input pixels and anchors of each cell, layer by layer."""

FACE_ANCHORS: Final = ((4, 1),)

POSE_POINTS: Final = 4
FACE_POINTS: Final = 6

LOGIT_SHIFT: Final = -0.6
"""Added to BlazePose's logits, so that its .6 is .45, our default threshold. With the next constant it tells
none of 200 pictures without people (COCO, roads, animals), 20 of 64 tall persons of COCO, and 254 of 264 frames of six
people who walk through a room. At its own .5, with who leans, it is 23 of 64 persons, and 7 of 29 photographs of COCO
without one, a motorway and a cat are reported as people."""

UPRIGHT: Final = 0.6
"""The least cosine between straight up and the way from hips to head of who is reported: 53 degrees. In 64 pictures
of COCO three false persons of .6 and more lean further, all that there are, and none of 22 true ones."""

LEANING_SHARE: Final = 0.2
"""What the score of who does not stand upright counts: too little to be reported, enough to be blurred."""

HALF_WIDTH, ABOVE, BELOW = 0.45, 1.05, 1.0
"""A person's box, in lengths of the way from the hips to the top: to both sides of the middle of that way, above and
below the hips. Fitted to COCO's boxes (mean IoU .62 of 29 persons, many half hidden or seated) and, on a clip of people
who walk, to YOLOX's (.86 of 82)."""


HEAD_DOWN, HEAD_HALF = 0.12, 0.3
"""A head's middle, below the top, and half the side of the square that holds it in any light and pose, in the same."""


def anchors(side_px: int, layers: Sequence[tuple[int, int]]) -> Floats:
    """The centres (n, 2) x y of all anchors of a square input, layer by layer, row by row."""
    centres = []
    for stride, count in layers:
        across = (np.arange(side_px // stride, dtype=np.float32) + 0.5) * stride
        ys, xs = np.meshgrid(across, across, indexing="ij")
        centres.append(np.stack((xs.ravel(), ys.ravel()), axis=1).repeat(count, axis=0))
    return np.concatenate(centres)


def output_shapes(side_px: int, layers: Sequence[tuple[int, int]], points: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of the two outputs of a model with these anchors and points: rows, logits."""
    count = sum((side_px // stride) ** 2 * each for stride, each in layers)
    return (1, count, 4 + 2 * points), (1, count, 1)


def output_order(shapes: Sequence[tuple[int, ...]], wanted: Sequence[tuple[int, ...]]) -> tuple[int, int] | None:
    """Where rows and logits are among outputs of these shapes; None where they are not those that are wanted."""
    if len(shapes) != 2 or set(shapes) != set(wanted):
        return None
    return shapes.index(wanted[0]), shapes.index(wanted[1])


def sigmoid(logits: NDArray[Any]) -> Floats:
    """Scores 0..1 of logits; what is no number scores 0."""
    clipped = np.clip(np.nan_to_num(logits, nan=-80.0), -80.0, 80.0)
    return np.asarray(1.0 / (1.0 + np.exp(-clipped)), dtype=np.float32)


def persons(rows: NDArray[Any], centres: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """People of rows and their anchors' centres: their boxes and the boxes that hold their heads, who is UPRIGHT (n,).

    Boxes are (n, 4) x1 y1 x2 y2 in input pixels. The model gives a face box, always of the same size and often on the
    chest, and four points; of these the first two are the middle of the hips and the top of a circle about them that
    holds the whole person. Both boxes are made from these two.
    """
    hips, tops = rows[:, 4:6] + centres, rows[:, 6:8] + centres
    way = hips - tops
    length = np.hypot(way[:, 0], way[:, 1])
    across, down = (hips[:, 0] + tops[:, 0]) / 2, hips[:, 1]
    boxes = np.stack(
        (across - HALF_WIDTH * length, down - ABOVE * length, across + HALF_WIDTH * length, down + BELOW * length),
        axis=1,
    )
    middles, half = tops + HEAD_DOWN * way, HEAD_HALF * length[:, np.newaxis]
    heads = np.concatenate((middles - half, middles + half), axis=1)
    return boxes.astype(np.float32), heads.astype(np.float32), way[:, 1] >= UPRIGHT * length


def faces(rows: NDArray[Any], centres: Floats) -> Floats:
    """Boxes (n, 4) x1 y1 x2 y2 in input pixels of faces, of rows and their anchors' centres."""
    middles, halves = rows[:, :2] + centres, rows[:, 2:4] / 2
    return np.concatenate((middles - halves, middles + halves), axis=1).astype(np.float32)
