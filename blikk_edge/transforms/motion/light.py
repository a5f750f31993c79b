"""Light or matter: a global gain and offset between two grids, and whether their edges agree."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.transforms.motion.grid import Grid, Mask

Values = NDArray[np.float32]

GAIN = (0.2, 5.0)
_RIDGE = 25.0
"""Grey levels squared that hold the gain at 1 where the picture has no contrast to measure it by."""
_DRIFT = 0.3
_FOLLOWS = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """`now = gain * before + offset` over the unmoved part of the picture.

    Attributes:
        gain: Within GAIN; 1 where the light is that of the background.
        offset: In grey levels.
        share: The part of the cells that follows it, 0..1.
        noise: The standard deviation of the rest from its quietest quarter, in grey levels.
        shift: The mean change, in grey levels.
    """

    gain: float = 1.0
    offset: float = 0.0
    share: float = 1.0
    noise: float = 0.0
    shift: float = 0.0

    @property
    def same(self) -> bool:
        """Whether the light is that of the background."""
        return self.gain == 1.0 and self.offset == 0.0


def fit(before: Values, now: Values, *, start: Light, tolerance: float) -> Light:
    """The gain and offset that most cells follow, by least squares over inliers; 1-D samples of both grids.

    Starts from the last frame's light, and keeps it while it still fits, which is nearly always. Where fewer than half
    the cells follow it, also tries matching the quartiles of both samples (exact for any global linear change, whatever
    its size), and takes the one that more cells follow.
    """
    rest = now - before if start.same else now - (start.gain * before + start.offset)
    drift = float(rest.clip(-tolerance, tolerance).sum()) / rest.size
    np.abs(rest, out=rest)
    if abs(drift) < _DRIFT and np.count_nonzero(rest < tolerance) > _FOLLOWS * rest.size:
        return Light(gain=start.gain, offset=start.offset, noise=_noise(rest), shift=start.shift)
    best = _refine(before, now, start.gain, start.offset, tolerance)
    if best.share < 0.5:
        low, middle, high = np.percentile(before, (25, 50, 75))
        low2, middle2, high2 = np.percentile(now, (25, 50, 75))
        gain = float(np.clip((high2 - low2 + 1.0) / (high - low + 1.0), *GAIN))
        other = _refine(before, now, gain, float(middle2 - gain * middle), tolerance)
        best = max(best, other, key=lambda light: light.share)
    return best


def _refine(before: Values, now: Values, gain: float, offset: float, tolerance: float) -> Light:
    for _ in range(2):
        inside = np.abs(now - gain * before - offset) < tolerance
        count = int(np.count_nonzero(inside))
        if count < 0.2 * before.size:
            break
        x, y = before[inside], now[inside]
        x_mean, y_mean = float(x.mean()), float(y.mean())
        x -= x_mean
        ridge = _RIDGE * count
        gain = float(np.clip((float(x @ (y - y_mean)) + ridge) / (float(x @ x) + ridge), *GAIN))
        offset = y_mean - gain * x_mean
    rest = np.abs(now - gain * before - offset)
    share = float(np.count_nonzero(rest < tolerance)) / rest.size
    shift = (gain - 1.0) * float(before.mean()) + offset
    noise = _noise(rest)
    if abs(gain - 1.0) < 0.01 and abs(shift) < _DRIFT:
        return Light(share=share, noise=noise)
    return Light(gain=gain, offset=offset, share=share, noise=noise, shift=shift)


def _noise(rest: Values) -> float:
    # .3186 is the lower quartile of |x| of a normal distribution of deviation 1.
    return float(np.partition(rest, rest.size // 4)[rest.size // 4]) / 0.3186


@dataclass(frozen=True, slots=True)
class Structure:
    """The edges of two grids, each (rows, columns).

    Attributes:
        before: How strong they were, in grey levels.
        now: How strong they are, in grey levels.
        weight: The stronger of both, above noise, in grey levels.
        agreement: How far their directions agree, -1..1; 0 where one of them is no more than noise.
    """

    before: Grid
    now: Grid
    weight: Grid
    agreement: Grid

    def over(self, cells: Mask | None) -> float:
        """Mean agreement of the edges in `cells` (None: everywhere), -1..1.

        Near 1 for the same view in another light, near 0 for another view; 1 where neither has edges.
        """
        weight, agreement = (
            (self.weight, self.agreement) if cells is None else (self.weight[cells], self.agreement[cells])
        )
        total = float(weight.sum())
        return float((weight * agreement).sum()) / total if total > 0 else 1.0


def compare(background: Grid, grid: Grid, *, noise: float) -> Structure:
    """Edge directions of both grids, compared regardless of sign: cos(2 * angle between the gradients).

    Directions outlive what changes contrast and even its sign, as day colours against infrared do. The weight of a
    cell is the stronger of its two edges, above what `noise` (grey levels) makes by itself.
    """
    bx, by = _gradient(background)
    nx, ny = _gradient(grid)
    before, now = cv2.magnitude(bx, by), cv2.magnitude(nx, ny)
    cosine = (bx * nx + by * ny) / np.maximum(before * now, np.float32(1e-3))
    agreement = 2 * cosine * cosine - 1
    agreement[np.minimum(before, now) < 2 * noise] = 0.0
    weight: Grid = np.maximum(np.maximum(before, now) - np.float32(max(2.0, 3.0 * noise)), np.float32(0.0))
    return Structure(before, now, weight, agreement)  # type: ignore[arg-type]  # float32 in, float32 out


def _gradient(grid: Grid) -> tuple[Grid, Grid]:
    x = cv2.Sobel(grid, cv2.CV_32F, 1, 0, scale=0.25)
    y = cv2.Sobel(grid, cv2.CV_32F, 0, 1, scale=0.25)
    return x, y  # type: ignore[return-value]  # CV_32F is float32
