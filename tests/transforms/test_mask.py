"""What lies in a private polygon is not looked at."""

import numpy as np

from blikk_edge.core.geometry import Polygon
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection
from blikk_edge.transforms.mask import MaskedDetector

LEFT = Polygon.of([(0, 0), (0.5, 0), (0.5, 1), (0, 1)])


class Eye:
    name = "eye"

    def __init__(self) -> None:
        self.seen: Pixels | None = None

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        self.seen = bgr
        return ()


def test_the_detector_sees_black_where_the_polygon_is_and_the_frame_is_untouched() -> None:
    eye, bgr = Eye(), np.full((40, 60, 3), 200, np.uint8)
    bgr.flags.writeable = False
    MaskedDetector(eye, [LEFT]).detect(bgr)
    assert eye.seen is not None
    assert eye.seen[:, :30].max() == 0
    assert eye.seen[:, 36:].min() == 200
    assert bgr.min() == 200


def test_without_polygons_nothing_is_copied() -> None:
    eye, bgr = Eye(), np.zeros((40, 60, 3), np.uint8)
    MaskedDetector(eye, []).detect(bgr)
    assert eye.seen is bgr
