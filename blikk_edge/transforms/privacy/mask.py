"""What looks at a picture cannot see its private parts: they are painted before everything else."""

from collections.abc import Sequence

import cv2

from blikk_edge.core.geometry import WHOLE, Box, Polygon
from blikk_edge.core.scene import Frame, Pixels
from blikk_edge.core.sightings import Detection, Lighting
from blikk_edge.core.stages import Detector
from blikk_edge.transforms.lighting import stretched
from blikk_edge.transforms.privacy.paint import paint


def masked(frame: Frame, private: Sequence[Polygon]) -> Frame:
    """The frame with the polygons painted black, in luma and colour; without any it is the frame itself."""
    if not private:
        return frame
    luma = frame.luma.copy()
    paint(luma, private)

    def convert() -> Pixels:
        bgr = frame.bgr().copy()
        paint(bgr, private)
        return bgr

    return Frame(
        camera=frame.camera,
        seq=frame.seq,
        time=frame.time,
        luma=luma,
        convert=convert,
        aspect=frame.aspect,
        found=frame.found,
        timeline=frame.timeline,
    )


class MaskedDetector:
    """Shows `detector` every picture with the polygons painted black; without any it is handed on as it is."""

    def __init__(self, detector: Detector, private: Sequence[Polygon]) -> None:
        self.name = detector.name
        self._detector = detector
        self._private = tuple(private)

    def detect(self, bgr: Pixels, part: Box = WHOLE, lighting: Lighting = Lighting.DAY) -> tuple[Detection, ...]:
        """Objects outside the polygons; the given pixels, which show this part, are left as they are.

        Where it is not day the detector sees a copy with more contrast. Raises ModelError.
        """
        if self._private:
            bgr = bgr.copy()
            paint(bgr, self._private, part)
        if lighting is not Lighting.DAY:
            bgr = stretched(bgr)
        return self._detector.detect(bgr)


def one_thread() -> None:
    """Keep OpenCV from starting threads of its own, for the whole process: the vision workers are the parallelism."""
    cv2.setNumThreads(1)
