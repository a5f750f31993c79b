"""Motion gates as other camera software describes its own, written anew for the bench; none of it is shipped.

Each is fed at 5 fps without pauses after a hit or holding times, which only ever helps its figures here.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.transforms.motion.gate import MotionGate

QUIET = Motion(view=View.QUIET)
FIRED = Motion(view=View.MOVING, score=1.0)
SAME_AREA = 0.0036
"""The share of the picture that our motion score of 0.3 stands for."""


class Gate(Protocol):
    """A luma plane in, what moves out."""

    def __call__(self, time: float, luma: Pixels) -> Motion:
        """Look at the next frame."""
        ...


def shown(time: float, luma: Pixels) -> Frame:
    """A frame of this plane that has no colours."""
    return Frame(camera="bench", seq=0, time=time, luma=luma, convert=_no_colour)


def _no_colour() -> Pixels:
    raise AssertionError("a gate asked for colour")


class Ours:
    """Blikk's own."""

    def __init__(self) -> None:
        self._gate = MotionGate()

    def __call__(self, time: float, luma: Pixels) -> Motion:
        return self._gate(Scene(frame=shown(time, luma), motion=QUIET)).motion


class RunningAverage:
    """100 lines, contrast stretched between the 4th and 96th percentile, blur, a slow mean, threshold 30, contours."""

    def __init__(self) -> None:
        self._mean: np.ndarray | None = None
        self._range: deque[tuple[float, float]] = deque([(0.0, 255.0)] * 50, 50)
        self._calibrating = True
        self._moving = 0

    def __call__(self, time: float, luma: Pixels) -> Motion:
        height, width = luma.shape
        small = cv2.resize(luma, (round(width * 100 / height), 100), interpolation=cv2.INTER_NEAREST)
        low, high = np.percentile(small, (4, 96))
        if high > low:
            self._range.append((float(low), float(high)))
            low, high = np.mean(self._range, axis=0)
            small = ((np.clip(small, low, high) - low) * (255 / (high - low))).astype(np.uint8)
        small = cv2.GaussianBlur(small, (3, 3), 1)
        if self._mean is None:
            self._mean = np.zeros(small.shape, np.float32)
        far = cv2.threshold(cv2.absdiff(small, cv2.convertScaleAbs(self._mean)), 30, 255, cv2.THRESH_BINARY)[1]
        contours, _ = cv2.findContours(cv2.dilate(far, None), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        areas = [cv2.contourArea(contour) for contour in contours]
        moving, boxes = sum(areas) / small.size, sum(area > 10 for area in areas)
        if moving < 0.05 and boxes <= 4:
            self._calibrating = False
        elif moving > 0.8:
            self._calibrating = True
        self._moving = self._moving + 1 if boxes else 0
        if self._moving == 0 or self._moving >= 10:
            cv2.accumulateWeighted(small, self._mean, 0.2 if self._calibrating else 0.01)
        return FIRED if boxes and not self._calibrating else QUIET


class Mog2:
    """300 x 300, MOG2 with history 500 and threshold 15, learning rate .01; fires from a contour of `area`."""

    def __init__(self, *, area: float, every_s: float = 0.0) -> None:
        self._model = cv2.createBackgroundSubtractorMOG2(history=500, varThreshold=15, detectShadows=False)
        self._area = area
        self._every_s = every_s
        self._due = 0.0

    def __call__(self, time: float, luma: Pixels) -> Motion:
        if time < self._due - 1e-3:
            return QUIET
        self._due = time + self._every_s
        mask = self._model.apply(cv2.resize(luma, (300, 300)), learningRate=0.01)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        largest = max((cv2.contourArea(contour) for contour in contours), default=0.0)
        return FIRED if largest >= self._area * mask.size else QUIET


class FrameDifference:
    """300 columns, blur 5, the difference to the frame before, threshold 50, area 200."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def __call__(self, time: float, luma: Pixels) -> Motion:
        height, width = luma.shape
        small = cv2.GaussianBlur(cv2.resize(luma, (300, round(height * 300 / width))), (5, 5), 0)
        before, self._before = self._before, small
        if before is None:
            return QUIET
        far = cv2.threshold(cv2.absdiff(small, before), 50, 255, cv2.THRESH_BINARY)[1]
        return FIRED if cv2.countNonZero(far) >= 200 else QUIET


class PixelReference:
    """Every pixel against a reference, noise level tuned on quiet frames, despeckled, 1,500 pixels of 640 x 480.

    A pixel that differs for ten seconds joins the reference; when half the picture differs, the light was switched, and
    the next five frames are not looked at.
    """

    def __init__(self) -> None:
        self._reference: np.ndarray | None = None
        self._age = np.zeros((0, 0), np.uint8)
        self._noise = 32.0
        self._skip = 0
        self._square = np.ones((3, 3), np.uint8)
        self._cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

    def __call__(self, time: float, luma: Pixels) -> Motion:
        if self._reference is None or self._skip > 0:
            self._skip = max(0, self._skip - 1)
            self._reference, self._age = luma.copy(), np.zeros_like(luma)
            return QUIET
        distance = cv2.absdiff(luma, self._reference)
        far = cv2.threshold(distance, self._noise, 1, cv2.THRESH_BINARY)[1]
        if cv2.countNonZero(far) > 0.5 * luma.size:
            self._skip = 5
            return QUIET
        kept = cv2.dilate(cv2.erode(cv2.erode(far, self._square), self._cross), self._square)
        _, _, stats, _ = cv2.connectedComponentsWithStats(kept)
        self._age = cv2.multiply(cv2.add(self._age, far), far)
        accepted = cv2.compare(self._age, 50, cv2.CMP_GT) | cv2.compare(far, 0, cv2.CMP_EQ)
        cv2.copyTo(luma, accepted, self._reference)
        fires = stats[1:, cv2.CC_STAT_AREA].max(initial=0) >= 1500 / (640 * 480) * luma.size
        if not fires:
            quiet = cv2.mean(distance, cv2.compare(far, 0, cv2.CMP_EQ))[0]
            self._noise = 0.9 * self._noise + 0.1 * min(64.0, max(8.0, 4 + 3 * quiet))
        return FIRED if fires else QUIET


GATES: dict[str, Callable[[], Gate]] = {
    "blikk": Ours,
    "running average": RunningAverage,
    "MOG2, area 8 %, 1 fps": lambda: Mog2(area=0.08, every_s=1.0),
    "MOG2, our area": lambda: Mog2(area=SAME_AREA),
    "frame difference": FrameDifference,
    "pixel reference": PixelReference,
}
