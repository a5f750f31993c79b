"""Day, low light or infrared, told from the picture itself; and contrast for the detector where there is little."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Lighting

SAMPLE: Final = 8
"""Every eighth pixel of every eighth row: 6400 of 480p."""

GREY: Final = (3.0, 6.0)
"""How far apart the colours of a pixel are, grey levels, up to which nine of ten pixels are in infrared, and from which
one of ten is not, once they were.
"""

DARK: Final = (62.0, 78.0)
"""The mean grey level up to which a picture in colour is one of low light, and from which it is not, once it was."""

HOLD_S: Final = 2.0
"""Another kind of light must be seen for so long: at a switch the exposure is far off for a second."""

SHARES: Final = (1.0, 99.0)
"""Percentiles between which the contrast is measured: a lamp in the picture is no contrast."""

MOST_GAIN: Final = 10.0
NOISE_ROOM: Final = 25.0
"""Grey levels that the noise may have after stretching."""

# Evens out what differs less than the steps of a person do, over 5 pixels.
_REACH_PX, _STEP, _SIGMA_PX = 5, 20.0, 1.5


class LightMeter:
    """The lighting of one camera's view, measured in the frames that are looked at, with hysteresis."""

    def __init__(self) -> None:
        self.lighting: Lighting | None = None
        self._other: Lighting | None = None
        self._since = 0.0

    def reset(self) -> None:
        """Begin anew: the next picture decides at once."""
        self.lighting = self._other = None

    def measure(self, bgr: Pixels, time: float) -> Lighting:
        """The lighting by now, of a (h, w, 3) uint8 picture taken at this time."""
        seen = self._seen(bgr)
        if self.lighting is None:
            self.lighting = seen
        if seen is self.lighting:
            self._other = None
        elif seen is not self._other or time < self._since:
            self._other, self._since = seen, time
        elif time - self._since >= HOLD_S:
            self.lighting, self._other = seen, None
        return self.lighting

    def _seen(self, bgr: Pixels) -> Lighting:
        sample = bgr[::SAMPLE, ::SAMPLE].reshape(-1, 3)
        spread = np.percentile(sample.max(axis=1) - sample.min(axis=1), 90)
        if spread < GREY[self.lighting is Lighting.INFRARED]:
            return Lighting.INFRARED
        return Lighting.LOW if sample.mean() < DARK[self.lighting is Lighting.LOW] else Lighting.DAY


def stretched(bgr: Pixels) -> Pixels:
    """A copy of a (h, w, 3) uint8 picture with as much contrast as its noise allows, for a detector's eyes only.

    The noise is evened out first, edges are kept; black pixels, as private areas are, do not count and stay black.
    """
    even = cv2.bilateralFilter(bgr, _REACH_PX, _STEP, _SIGMA_PX)
    grey = np.asarray(cv2.cvtColor(even, cv2.COLOR_BGR2GRAY), np.uint8)
    shown = grey[bgr.any(axis=2)]
    if shown.size == 0:
        return bgr
    low, high = (float(level) for level in np.percentile(shown, SHARES))
    most = min(MOST_GAIN, NOISE_ROOM / max(0.5, noise(grey)))
    gain = max(1.0, min(255.0 / max(1.0, high - low), most))
    spare = max(0.0, 255.0 - gain * (high - low)) / 2
    levels = np.clip((np.arange(256) - low) * gain + spare, 0, 255).astype(np.uint8)
    levels[0] = 0
    return cv2.LUT(even, levels)  # type: ignore[return-value]  # uint8 in, uint8 out


def noise(grey: NDArray[np.uint8]) -> float:
    """The standard deviation of the noise of a (h, w) picture, grey levels; edges do not count.

    Immerkær, Fast Noise Variance Estimation (1996), by the median.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel)))) / 0.6745 / 6
