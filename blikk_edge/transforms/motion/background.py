"""What the view looks like when nothing moves: one mean and one noise level per cell, and how they are learnt."""

import math

import cv2
import numpy as np

from blikk_edge.transforms.motion.grid import Grid, Mask
from blikk_edge.transforms.motion.light import Light, fit

_UNKNOWN = -1e4
_SIGMAS = 4.0
_FLOOR = 7.0
"""Grey levels below which nothing counts as different, however quiet the camera."""
_NOISE = (0.4, 16.0)
_FRAME_NOISE = 8.0
_WITHIN = 0.683
"""Share of normal noise within one standard deviation: the quantile that the noise level follows."""
_ROUGH = 0.3
_STEP = 4
_LEARN_S = 8.0
_NOISE_S = 6.0
_NOISE_EVERY_S = 1.0
_CALM_EVERY_S = 1.0
_SOON_S = 1.0
_BLINK_S = 1.0
"""The longest time that one pair of frames can vouch for, in streams slower than a frame a second."""


class Background:
    """The model of one view; made anew for each view and grid size.

    Follows light and slow drift. What differs is held against a candidate; when a cell has kept to its candidate for
    `absorb_s`, the candidate becomes the background. Of the backgrounds a cell has had, the one that served longest is
    remembered, so that a visitor who stood still and leaves uncovers what is still known.
    """

    def __init__(self, grid: Grid, *, visible: Mask | None, absorb_s: float) -> None:
        self.mean = grid.copy()
        self.light = Light()
        self._visible = visible
        self._absorb_s = absorb_s
        self._noise = np.full_like(grid, 1.0)
        self._before = np.full_like(grid, _UNKNOWN)
        self._before_s = np.zeros_like(grid)
        self._clock_s = 0.0
        self._since_s = np.zeros_like(grid)
        self._candidate = grid.copy()
        self._age = np.zeros_like(grid)
        self._soon = np.zeros(grid.shape, np.bool_)
        self._relit = np.zeros_like(grid)
        self._expected = self.mean
        self._distance = np.zeros_like(grid)
        self._threshold = np.zeros_like(grid)
        self._reach = _SIGMAS * self._noise
        self._unlearnt_s = 0.0
        self._calm_s = 0.0
        self._busy = False
        self._frames = 1
        self._sample_mask = None if visible is None else visible[::_STEP, ::_STEP].ravel()

    @property
    def frames(self) -> int:
        """How many frames it has learnt from while settling."""
        return self._frames

    @property
    def frame_noise(self) -> float:
        """Standard deviation of the noise in the last frame, grey levels."""
        return max(_NOISE[0], min(self.light.noise, _FRAME_NOISE))

    @property
    def distance(self) -> Grid:
        """How far each cell of the last frame is from the background, grey levels."""
        return self._distance

    @property
    def threshold(self) -> Grid:
        """How far a cell of the last frame needs to be from the background to differ, grey levels."""
        return self._threshold

    @property
    def expected(self) -> Grid:
        """What the background looks like in the light of the last frame."""
        return self._expected

    def settle(self, grid: Grid) -> None:
        """Learn from a frame of the first moments: all frames count the same."""
        self._frames += 1
        cv2.absdiff(grid, self._candidate, dst=self._distance)
        np.copyto(self._candidate, grid)
        # The mean of |x - y| of two normal samples is 1.128 standard deviations.
        share = 1.0 / self._frames
        pace = 1.0 if self._frames == 2 else share
        level = np.float32(1 / 1.128) * cv2.blur(self._distance, (5, 5))
        self._noise += (level - self._noise) * np.float32(pace)
        np.clip(self._noise, *_NOISE, out=self._noise)
        np.multiply(self._noise, _SIGMAS, out=self._reach)
        self.mean += (grid - self.mean) * share

    def calm(self, grid: Grid) -> bool:
        """Whether no cell can differ, however little it may: the quick answer for most frames of an idle scene.

        False says nothing: ask `differs`.
        """
        if not self.light.same:
            return False
        cv2.absdiff(grid, self.mean, dst=self._distance)
        self._expected = self.mean
        return cv2.minMaxLoc(self._distance)[1] <= _FLOOR

    def differs(self, grid: Grid) -> Mask:
        """Cells that differ from the background in the present light."""
        self.light = light = self._fit(grid)
        self._expected = self.mean
        if not light.same:
            self._expected = np.multiply(self.mean, light.gain, out=self._relit)
            self._expected += light.offset
        if abs(light.shift) > 4.0:
            # What was or is saturated does not follow the gain.
            darkest, brightest, _, _ = cv2.minMaxLoc(grid)
            np.clip(self._expected, darkest, brightest, out=self._expected)
        cv2.absdiff(grid, self._expected, dst=self._distance)
        np.maximum(self._reach, max(_FLOOR, _SIGMAS * self.frame_noise), out=self._threshold)
        if abs(light.shift) > 4.0:
            # One gain for all is a rough model of an exposure change: allow for a part of what it explains.
            self._threshold += _ROUGH * cv2.absdiff(self._expected, self.mean)
        different: Mask = self._distance > self._threshold
        if self._visible is not None:
            different &= self._visible
        return different

    def differs_strongly(self) -> Mask:
        """Cells of the last frame that differ half as much again as they need to; call after `differs`."""
        strong: Mask = self._distance > 1.5 * self._threshold
        return strong

    def known(self, grid: Grid) -> Mask:
        """Cells that look as they did before something that stood there was absorbed."""
        before = self._before * self.light.gain + self.light.offset
        known: Mask = np.abs(grid - before) <= 1.5 * self._threshold
        return known

    def learn(self, grid: Grid, elapsed_s: float) -> None:
        """Take in a frame without motion, `elapsed_s` after the last one; call after `differs`."""
        pace = 1.0 - math.exp(-elapsed_s / _LEARN_S)
        self._clock_s += elapsed_s
        cv2.accumulateWeighted(grid, self.mean, pace)
        if self._busy:
            self._age.fill(0.0)
            self._soon.fill(False)
            self._busy = False
        self._learn_noise(None, elapsed_s)

    def learn_calm(self, grid: Grid, elapsed_s: float) -> None:
        """Take in a calm frame; several of them count as one, for the cost."""
        self._calm_s += elapsed_s
        if self._calm_s >= _CALM_EVERY_S or self._busy:
            self.learn(grid, self._calm_s)
            self._calm_s = 0.0

    def learn_around(self, grid: Grid, aside: Mask, *, soon: Mask, known: Mask, elapsed_s: float) -> None:
        """Take in a frame of which the cells `aside` do not look like the background.

        They are absorbed after `absorb_s`, those in `soon` after a second; those in `known` return to what they were.
        """
        pace = 1.0 - math.exp(-elapsed_s / _LEARN_S)
        self._clock_s += elapsed_s
        steady = self._follow(grid, aside, min(elapsed_s, _BLINK_S))
        self._restore(known & (self._age >= _SOON_S))
        # What was once judged stays judged while it stands: as parts of a ghost are learnt, the rest loses its outline.
        self._soon &= steady
        self._soon |= soon
        self._absorb((self._age >= self._absorb_s) | (self._soon & (self._age >= _SOON_S)))
        cv2.accumulateWeighted(np.where(aside, self._expected, grid), self.mean, pace)
        self._before += (self._before * self.light.gain + self.light.offset - self._before) * pace
        self._learn_noise(steady, elapsed_s)
        self._busy = True

    def wait(self, grid: Grid, cells: Mask, elapsed_s: float) -> None:
        """Take in a frame in which nothing of `cells` is distinct from a passing disturbance: learn nothing yet."""
        self._follow(grid, cells, min(elapsed_s, _BLINK_S))
        self._busy = True

    def rebase(self, grid: Grid, pace: float) -> None:
        """Go towards another light by `pace` 0..1; what was known before it is known no more."""
        cv2.accumulateWeighted(grid, self.mean, pace)
        self._before.fill(_UNKNOWN)
        self._before_s.fill(0.0)
        self._age.fill(0.0)
        self._soon.fill(False)
        self.light = Light()

    def steady_share(self, cells: Mask, since_s: float) -> float:
        """The share of `cells` that have kept to one look for `since_s`."""
        count = int(np.count_nonzero(cells))
        return int(np.count_nonzero(self._age[cells] >= since_s)) / count if count else 0.0

    def _fit(self, grid: Grid) -> Light:
        before = self.mean[::_STEP, ::_STEP].ravel()
        now = grid[::_STEP, ::_STEP].ravel()
        if self._sample_mask is not None:
            before, now = before[self._sample_mask], now[self._sample_mask]
        if before.size < 16:
            return Light()
        return fit(before, now, start=self.light, tolerance=_FLOOR + 3.0 * self.frame_noise)

    def _follow(self, grid: Grid, aside: Mask, elapsed_s: float) -> Mask:
        steady: Mask = np.abs(grid - self._candidate) <= self._threshold
        steady &= aside
        self._age += elapsed_s
        self._age *= steady
        np.copyto(self._candidate, grid, where=~steady)
        return steady

    def _restore(self, back: Mask) -> None:
        self.mean[back] = self._candidate[back]
        self._since_s[back] = self._clock_s - self._before_s[back]
        self._before[back] = _UNKNOWN
        self._before_s[back] = 0.0
        self._age[back] = 0.0

    def _absorb(self, due: Mask) -> None:
        if not due.any():
            return
        served_s = self._clock_s - self._since_s
        longer = due & (served_s > self._before_s)
        self._before[longer] = self.mean[longer]
        self._before_s[longer] = served_s[longer]
        self.mean[due] = self._expected[due] = self._candidate[due]
        self._since_s[due] = self._clock_s - self._absorb_s
        self._age[due] = 0.0

    def _learn_noise(self, steady: Mask | None, elapsed_s: float) -> None:
        self._unlearnt_s += elapsed_s
        if self._unlearnt_s < _NOISE_EVERY_S:
            return
        pace = min(1.0, self._unlearnt_s / _NOISE_S)
        self._unlearnt_s = 0.0
        # Follows a quantile, not a mean: a passer-by leaves no trace, leaves that wave a third of the time do.
        above = self._distance > self._noise
        if steady is not None:
            above &= ~steady
        self._noise *= np.where(above, np.float32(1.0 + pace * _WITHIN), np.float32(1.0 - pace * (1.0 - _WITHIN)))
        np.clip(self._noise, *_NOISE, out=self._noise)
        np.multiply(self._noise, _SIGMAS, out=self._reach)
