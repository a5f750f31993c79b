"""The motion gate: does anything move in this frame, and where?"""

import math
from dataclasses import replace

import cv2
import numpy as np

from blikk_edge.core.geometry import Box, Polygon
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Cells, Motion, View
from blikk_edge.core.stages import Needs, Step
from blikk_edge.transforms.motion.background import Background
from blikk_edge.transforms.motion.grid import Grid, Mask, reduce, visible
from blikk_edge.transforms.motion.light import compare
from blikk_edge.transforms.motion.regions import Regions, find, judge, merge, speckle

_SPREAD = 0.01
_SAME_VIEW = 0.45
_OTHER_VIEW = 0.35
_MUCH = 0.3
_STANDS = 0.7
_JUMP = 15.0
_LIGHT_PACE_S = 0.2
_LONGEST_LIGHT_S = 5.0
# Of the picture: so much moves at once where an infrared filter crosses it, and at most so much moved before.
_SUDDEN, _CALM, _SUDDEN_S = 0.08, 0.03, 0.3
# After a jump of the light the picture stands once less of it changes from frame to frame, for so long.
_CHANGING, _STANDS_S, _LONGEST_HOLD_S = 0.1, 0.8, 4.0
# Between frames that are further apart than this it became dark or light by itself.
_LIGHT_GAP_S = 1.0
_QUIET = Motion(view=View.QUIET)


def score(moving_fraction: float) -> float:
    """The motion score of a frame: `1 - exp(-moving_fraction / 0.01)`, 0..1.

    `moving_fraction` is the share of the picture's area that lies in moving regions: connected parts that differ from
    the background by more than noise, without speckle (below .06 % of the picture) and without what only got brighter
    or darker. So 0.3 means that .36 % of the picture moves (a person 50 px high at 480p), .63 means 1 %, and above 5 %
    it is 1 to two digits. The share is taken on a grid of about the same size for every resolution, so one threshold
    serves all.
    """
    return 1.0 - math.exp(-moving_fraction / _SPREAD)


class MotionGate(Step):
    """A Step that sets `motion`, from the luma plane alone; one gate per camera.

    Time is `frame.time`: the same scene at any frame rate gives the same answers. `settle_s` is how long the background
    is learnt after a start; what has stood without a change for `absorb_s` belongs to the background; after the light
    changed everywhere nothing counts as motion for `light_s`; another view must stand still for `decide_s` before it is
    a new scene. What changes from one frame to the next in a good part of the picture, where nothing moved before, is
    held back for .3 s: an infrared filter crosses it so. Where the light jumped everywhere it is held back until the
    picture has stood for .8 s, at most 4 s. What lies in `private` polygons is not looked at.
    `Motion.boxes` are at most `most_boxes`.

    `cells` are those of the last frame's grid that move, None where none does or the whole view changed.

    Views: SETTLING and LIGHT have score 0 and no boxes. LIGHT is said while the light changes everywhere, and for at
    most `decide_s` while it is open whether the light or the view changed. NEW_SCENE is said in one frame, with the
    score of what changed, and SETTLING follows.
    """

    name = "motion"
    needs = Needs.FRAMES

    def __init__(
        self,
        *,
        private: tuple[Polygon, ...] = (),
        settle_s: float = 1.0,
        absorb_s: float = 8.0,
        light_s: float = 1.0,
        decide_s: float = 1.5,
        most_boxes: int = 8,
    ) -> None:
        self._private = private
        self._settle_s = settle_s
        self._absorb_s = absorb_s
        self._light_s = light_s
        self._decide_s = decide_s
        self._most_boxes = most_boxes
        self._background: Background | None = None
        self._luma_shape = (0, 0)
        self._visible: Mask | None = None
        self.cells: Mask | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the view, as after a reconnect; a change of the luma plane's size does the same by itself."""
        self._background = None
        self._timeline = 0
        self._started = 0.0
        self._last = 0.0
        self._fraction = 0.0
        self._light_since: float | None = None
        self._light_until: float | None = None
        self._open_since: float | None = None
        self._held_since: float | None = None
        self._still_since = 0.0
        self._sudden_until = -math.inf
        self._jumped = False
        self._calm = True
        self._previous: Grid | None = None

    def packed(self) -> Cells | None:
        """The `cells` of the last frame as a value; None where there are none."""
        if self.cells is None:
            return None
        rows, columns = self.cells.shape
        return Cells(rows=rows, columns=columns, bits=np.packbits(self.cells).tobytes())

    def __call__(self, scene: Scene) -> Scene:
        """The scene with the motion of its frame."""
        self.cells = None
        return replace(scene, motion=self._look(scene))

    def _look(self, scene: Scene) -> Motion:
        luma, time = scene.frame.luma, scene.frame.time
        if scene.frame.timeline != self._timeline:
            self._timeline = scene.frame.timeline
            self._shift(time - self._last)
        grid = reduce(luma)
        background = self._background
        if background is None or luma.shape != self._luma_shape:
            self._luma_shape = luma.shape
            self._visible = visible(grid.shape, self._private)
            self._start(grid, time)
            return Motion(view=View.SETTLING)
        elapsed_s = max(0.0, time - self._last)
        self._last = max(time, self._last)
        if time - self._started < self._settle_s or background.frames < 3:
            background.settle(grid)
            return Motion(view=View.SETTLING)
        return self._held_back(background, grid, time, elapsed_s, self._watch(background, grid, time, elapsed_s))

    def _held_back(self, background: Background, grid: Grid, time: float, elapsed_s: float, motion: Motion) -> Motion:
        """LIGHT in the place of what came all at once, for as long as it may be no more than light."""
        share = 0.0
        if motion.view is View.MOVING:  # what only got brighter counts as well: it came with the rest
            share = self._fraction if self.cells is not None else 1.0
        calm, self._calm = self._calm, share < _CALM
        if self._jumped and self._held_since is None and elapsed_s <= _LIGHT_GAP_S:
            self._held_since, self._previous = time, None
        if self._held_since is not None:
            return self._until_still(background, grid, time, motion)
        sudden = calm and share >= _SUDDEN and elapsed_s <= _SUDDEN_S
        if motion.view is not View.MOVING or not (sudden or time < self._sudden_until):
            return motion
        if sudden:
            self._sudden_until = time + _SUDDEN_S
        self._calm, self.cells = False, None
        return Motion(view=View.LIGHT)

    def _until_still(self, background: Background, grid: Grid, time: float, motion: Motion) -> Motion:
        """Another light is learnt as soon as the picture stands, whatever it looks like."""
        before, self._previous = self._previous, grid
        if before is None or np.count_nonzero(cv2.absdiff(grid, before) > background.threshold) > _CHANGING * grid.size:
            self._still_since = time
        assert self._held_since is not None
        ended = time - self._held_since >= _LONGEST_HOLD_S
        if motion.view is View.NEW_SCENE or ended:
            self._held_since = None
            return motion
        if self._open_since is None and time - self._still_since >= _STANDS_S:
            background.rebase(grid, 1.0)
            self._held_since = None
        self.cells = None
        return Motion(view=View.LIGHT)

    def _shift(self, seconds: float) -> None:
        """The wall clock was set by so much: the view is still the same."""
        self._started += seconds
        self._last += seconds
        self._still_since += seconds
        self._sudden_until += seconds
        self._light_since, self._light_until, self._open_since, self._held_since = (
            None if time is None else time + seconds
            for time in (self._light_since, self._light_until, self._open_since, self._held_since)
        )

    def _start(self, grid: Grid, time: float) -> None:
        timeline = self._timeline
        self.reset()
        self._timeline = timeline
        self._background = Background(grid, visible=self._visible, absorb_s=self._absorb_s)
        self._started = self._last = time

    def _watch(self, background: Background, grid: Grid, time: float, elapsed_s: float) -> Motion:
        held = self._light_until is not None and time < self._light_until
        self._jumped = False
        if not held and self._open_since is None and background.calm(grid):
            background.learn_calm(grid, elapsed_s)
            self._fraction = 0.0
            return _QUIET
        shift_before = background.light.shift
        different = background.differs(grid)
        self._jumped = jumped = abs(background.light.shift - shift_before) > _JUMP
        known: Mask | None = None
        regions: Regions | None = None
        if np.count_nonzero(different) >= speckle(grid.shape):
            known = background.known(grid) & different
            different &= ~known
            regions = find(different, different & background.differs_strongly())
        fraction = regions.fraction if regions is not None else 0.0
        if jumped or held or fraction >= _MUCH or self._open_since is not None:
            of_view = self._view_motion(background, grid, time, elapsed_s, regions, changed=jumped or fraction >= _MUCH)
            if of_view is not None:
                return of_view
        self._fraction = fraction
        return self._region_motion(background, grid, elapsed_s, regions, known)

    def _region_motion(
        self, background: Background, grid: Grid, elapsed_s: float, regions: Regions | None, known: Mask | None
    ) -> Motion:
        if regions is None or known is None:
            background.learn(grid, elapsed_s)
            return _QUIET
        moving, soon = regions, known
        if regions.boxes:
            structure = compare(background.expected, grid, noise=background.frame_noise)
            moving, soon = judge(regions, structure, distance=background.distance, threshold=background.threshold)
        background.learn_around(grid, regions.cells | known, soon=soon, known=known, elapsed_s=elapsed_s)
        return self._moving(moving) if moving.boxes else _QUIET

    def _view_motion(
        self,
        background: Background,
        grid: Grid,
        time: float,
        elapsed_s: float,
        regions: Regions | None,
        *,
        changed: bool,
    ) -> Motion | None:
        """What became of the whole view: LIGHT, NEW_SCENE or moving; None where it is still the same."""
        structure = compare(background.mean, grid, noise=background.frame_noise)
        whole = structure.over(self._visible)
        if whole < _OTHER_VIEW:
            return self._decide(background, grid, time, elapsed_s)
        changed |= self._open_since is not None
        self._open_since = None
        if changed and whole >= _SAME_VIEW and (regions is None or structure.over(regions.cells) >= _SAME_VIEW):
            return self._light(background, grid, time, 1.0)
        if self._light_until is not None and time < self._light_until:
            return self._light(background, grid, None, 1.0 - math.exp(-elapsed_s / _LIGHT_PACE_S))
        return None

    def _light(self, background: Background, grid: Grid, since: float | None, pace: float) -> Motion | None:
        """Learn the new light; hold on for `light_s` after it changed at `since`, but not for ever."""
        if since is not None:
            if self._light_since is None or since > (self._light_until or since) + self._light_s:
                self._light_since = since
            if since - self._light_since > _LONGEST_LIGHT_S:
                return None
            self._light_until = since + self._light_s
        background.rebase(grid, pace)
        self._fraction = 0.0
        return Motion(view=View.LIGHT)

    def _decide(self, background: Background, grid: Grid, time: float, elapsed_s: float) -> Motion:
        """The edges of the whole view are gone: open until the picture has stood still for `decide_s`."""
        everywhere = np.ones(grid.shape, np.bool_) if self._visible is None else self._visible
        background.wait(grid, everywhere, elapsed_s)
        moving = Motion(view=View.MOVING, score=score(1.0), boxes=(Box(0.0, 0.0, 1.0, 1.0),))
        if background.steady_share(everywhere, self._decide_s) > _STANDS:
            self._start(grid, time)
            return replace(moving, view=View.NEW_SCENE)
        if self._open_since is None:
            self._open_since = time
        sudden = self._fraction < _MUCH
        if sudden and time - self._open_since <= self._decide_s:
            return Motion(view=View.LIGHT)
        return moving

    def _moving(self, regions: Regions) -> Motion:
        self.cells = regions.cells
        return Motion(
            view=View.MOVING,
            score=score(regions.fraction),
            boxes=merge(regions.boxes, most=self._most_boxes),
        )
