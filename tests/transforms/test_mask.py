"""What lies in a private polygon is not looked at."""

import numpy as np

from blikk_edge.core.geometry import Polygon
from blikk_edge.core.scene import Frame, Pixels
from blikk_edge.core.sightings import Detection, Lighting
from blikk_edge.transforms.privacy.mask import MaskedDetector, masked

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


def test_a_detector_that_knows_nothing_of_light_is_given_more_contrast_where_it_is_not_day() -> None:
    eye = Eye()
    dim = np.tile(np.arange(40, 100, dtype=np.uint8)[None, :, None], (40, 1, 3))
    MaskedDetector(eye, [LEFT]).detect(dim, lighting=Lighting.INFRARED)
    assert eye.seen is not None
    assert eye.seen[:, :30].max() == 0
    assert np.ptp(eye.seen[:, 36:]) > 2 * np.ptp(dim[:, 36:])
    assert (dim.min(), dim.max()) == (40, 99)


def bright() -> Frame:
    luma, bgr = np.full((80, 120), 200, np.uint8), np.full((40, 60, 3), 200, np.uint8)
    return Frame(camera="door", seq=3, time=5.0, luma=luma, convert=lambda: bgr, aspect=2.0, timeline=1)


def test_a_masked_frame_is_black_where_the_polygon_is_in_luma_and_colour_and_the_frame_is_untouched() -> None:
    frame = bright()
    seen = masked(frame, [LEFT])
    for pixels in (seen.luma, seen.bgr()):
        middle = pixels.shape[1] // 2
        assert pixels[:, :middle].max() == 0
        assert pixels[:, middle + 6 :].min() == 200
        assert not pixels.flags.writeable
    assert (frame.luma.min(), frame.bgr().min()) == (200, 200)
    assert all(getattr(seen, each) == getattr(frame, each) for each in ("camera", "seq", "time", "aspect", "timeline"))


def test_a_frame_without_private_parts_is_itself() -> None:
    frame = bright()
    assert masked(frame, []) is frame
