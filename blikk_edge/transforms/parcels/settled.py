"""The settled view in small: what it looked like before somebody came, what it looks like now, and since when."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.scene import Pixels
from blikk_edge.transforms.motion.grid import Grid, Mask
from blikk_edge.transforms.motion.light import Light, fit

LONG_SIDE = 320
"""Pixels along the longer side: of 640x480 every second. A parcel of 12 px there is told from noise."""

STILL_S: Final = 3.0
"""So long something must not have changed to count as lying there, or as gone."""

SETTLED_S: Final = 0.7 * STILL_S
"""As STILL_S, of each pixel: noise moves some of them now and then."""

_FLOOR = 8.0
"""Grey levels below which nothing has changed, however quiet the camera."""
_SIGMAS = 5.0
_NOISE = (0.4, 12.0)
_LONGEST_STEP_S = 1.5
_SHORT_PACE = 0.2
_LONG_PACE_S = 20.0
_STEP = 4
_ANOTHER = 0.3
"""Where more of the view than this has changed, it is the light, or another view."""


def small(luma: Pixels) -> Grid:
    """The luma plane averaged to `LONG_SIDE`, and over 3x3 of its pixels: float32, grey levels 0..255."""
    height, width = luma.shape
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    plane = luma if size == (width, height) else cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return cv2.boxFilter(plane, cv2.CV_32F, (3, 3))  # type: ignore[return-value]  # CV_32F is float32


@dataclass(frozen=True, slots=True)
class Gradients:
    """The edges of a grey picture, in grey levels a pixel: (h, w) float32 arrays.

    Attributes:
        x: From left to right.
        y: From top to bottom.
    """

    x: Grid
    y: Grid

    @classmethod
    def of(cls, grey: Grid) -> "Gradients":
        """By Sobel's operator."""
        x, y = (cv2.Sobel(grey, cv2.CV_32F, *way, scale=0.25) for way in ((1, 0), (0, 1)))
        return cls(x, y)  # type: ignore[arg-type]  # CV_32F is float32

    @property
    def strength(self) -> Grid:
        """How strong they are."""
        return cv2.magnitude(self.x, self.y)  # type: ignore[return-value]  # as above


class SettledView:
    """Two looks of one view, pixel by pixel: `before`, which is learnt slowly, and `now`, which has lasted for `age_s`.

    What is covered by somebody, or differs from `before`, is not learnt: it stays as it was before they came, until
    `accept` is called. What was covered from the start is learnt once it is not. The light of the whole view (gain and
    offset) is followed.
    """

    def __init__(self, grey: Grid, covered: Mask | None = None) -> None:
        self.before = grey.copy()
        self.now = grey.copy()
        self.age_s: NDArray[np.float32] = np.zeros_like(grey)
        self._unseen = covered
        self.noise = 2.0
        self._last = grey

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.before.shape[0], self.before.shape[1]

    @property
    def reach(self) -> float:
        """The grey levels from which a pixel has changed."""
        return max(_FLOOR, _SIGMAS * self.noise)

    def learn(self, grey: Grid, elapsed_s: float, covered: Mask | None) -> bool:
        """Take in the next picture; whether it shows the same view in much the same light.

        Where not, it has begun anew with this picture.
        """
        self._measure_noise(grey)
        self._relight(grey)
        differs = self.differs(grey)
        if covered is not None:
            differs &= ~covered
        if np.count_nonzero(differs) > _ANOTHER * differs.size:
            self._restart(grey, covered)
            return False
        steady = np.abs(grey - self.now) <= self.reach
        if covered is not None:
            steady &= ~covered
        self.age_s += np.float32(min(max(0.0, elapsed_s), _LONGEST_STEP_S))
        self.age_s *= steady
        moved = ~steady
        self.now += np.float32(_SHORT_PACE) * (grey - self.now)
        np.copyto(self.now, grey, where=moved)
        pace = np.float32(min(1.0, elapsed_s / _LONG_PACE_S))
        calm = steady & ~differs
        self.before += np.where(calm, pace * (grey - self.before), np.float32(0.0))
        if self._unseen is not None:
            settled = self._unseen & (self.age_s >= SETTLED_S)
            self.accept(settled)
            self._unseen = self._unseen & ~settled
        return True

    def differs(self, grey: Grid) -> Mask:
        """What has changed since before."""
        changed: Mask = np.abs(grey - self.before) > self.reach
        return changed if self._unseen is None else changed & ~self._unseen

    def accept(self, cells: Mask) -> None:
        """What these pixels show now belongs to the view."""
        np.copyto(self.before, self.now, where=cells)

    def _restart(self, grey: Grid, covered: Mask | None) -> None:
        """Begin anew: another light, or another view."""
        self.before = grey.copy()
        self.now = grey.copy()
        self.age_s.fill(0.0)
        self._unseen = covered

    def _measure_noise(self, grey: Grid) -> None:
        apart = np.abs(grey[::_STEP, ::_STEP] - self._last[::_STEP, ::_STEP]).ravel()
        self._last = grey
        # the lower quartile of |x - y| of two normal samples is .45 standard deviations
        level = float(np.partition(apart, apart.size // 4)[apart.size // 4]) / 0.45
        self.noise += 0.2 * (min(max(level, _NOISE[0]), _NOISE[1]) - self.noise)

    def _relight(self, grey: Grid) -> None:
        """Bring what is remembered into the light of this picture."""
        before, now = (view[::_STEP, ::_STEP].ravel() for view in (self.before, grey))
        light = fit(before, now, start=Light(), tolerance=_FLOOR + 3.0 * self.noise)
        if light.same:
            return
        for remembered in (self.before, self.now):
            np.clip(remembered * np.float32(light.gain) + np.float32(light.offset), 0.0, 255.0, out=remembered)
