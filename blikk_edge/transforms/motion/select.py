"""Which frames the detector looks at."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from blikk_edge.core.geometry import Box, intersection, iou
from blikk_edge.core.probe import RUN_GAP_S, begins_run
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Label, Motion, Reason, Track, View, moves
from blikk_edge.core.stages import Needs, Step

# A walker 50 px high leaves the place of his last look in one frame at 5 fps, a person who sways stays there.
_SAME_PLACE_IOU = 0.6
# Capture times are rounded: a look that is due at 0.6 s may not wait for the frame after.
_ROUNDING_S = 1e-3
# Of what moves, the share where somebody who is followed is expected, with so much of his size around him.
_EXPLAINED, _ROUND_ABOUT = 0.6, 0.15
# Of the threshold: the score of somebody 35 px high at 480p, where 50 px reach the default threshold.
_SMALL = 0.4
# So many looks at small motion in a row, and a minute: leaves move all day.
_SMALL_BURST, _SMALL_A_MINUTE = 10, 10
# Where look after look finds nothing, each waits longer than the last, up to so many times `every_s`.
_RAREST = 5


class Selector(Step):
    """A Step that sets `look`, frame by frame, in capture order, after the motion gate; one selector per camera.

    `threshold` is the motion score from which a frame counts as moving (`event_threshold`); it may be set at any
    time. Motion is looked at in every frame for `fresh_s` after it began, and wherever it gets to a place that the
    last look did not see moving; while it keeps to its place once in `again_s`; and twice until `tail_s` after it
    ended, so that a departure is noticed. Where a track that may rest is expected, motion is explained, and is
    nothing new; a parked vehicle explains none. A track is followed in the frame nearest to `rest_s` after it was
    last seen, until it has not been seen for `lost_s`. With `small`, so is motion below the threshold, of somebody
    small or far away, in at most ten frames in a row and a minute. Without any of this one frame is looked at every
    `every_s` (0: never) while there are tracks; without them the pause grows by `every_s` with each such look, to
    five times as long. With `motion=False` or `scene_change=False` those reasons do not count. `reason` is why the
    last frame is worth a look, None where it is not.
    """

    name = "select"
    needs = Needs.FRAMES

    def __init__(
        self,
        *,
        threshold: float = 0.3,
        motion: bool = True,
        scene_change: bool = True,
        small: bool = False,
        every_s: float = 60.0,
        fresh_s: float = 1.0,
        again_s: float = 1.0,
        tail_s: float = RUN_GAP_S,
        lost_s: float = 5.0,
    ) -> None:
        self.threshold = threshold
        self.reason: Reason | None = None
        self._motion = motion
        self._scene_change = scene_change
        self._small = small
        self._every_s = every_s
        self._fresh_s = fresh_s
        self._again_s = again_s
        self._tail_s = tail_s
        self._lost_s = lost_s
        self.reset()

    def __call__(self, scene: Scene) -> Scene:
        """The scene, whose `tracks` are those of the last look, with `look` where the detector should look at it."""
        self.reason = self.look(scene, scene.tracks)
        return scene if self.reason is None else replace(scene, look=True)

    def reset(self) -> None:
        """Start anew, as after a reconnect: the next frame is the first."""
        self._view: View | None = None
        self._frame_at: float | None = None
        self._looked: float | None = None
        self._looked_at: tuple[Box, ...] = ()
        self._began = 0.0
        self._moved: float | None = None
        self._samples = 0
        self._small_left = float(_SMALL_BURST)
        self._small_at: float | None = None

    def look(self, scene: Scene, tracks: Sequence[Track]) -> Reason | None:
        """Why the detector should look at this frame, or None; `tracks` are those of the last look."""
        reason = self._reason(scene, tracks)
        self._view = scene.motion.view
        self._frame_at = scene.frame.time
        if reason is not None:
            self._looked = scene.frame.time
            self._looked_at = scene.motion.boxes
            self._samples = self._samples + 1 if reason is Reason.SAMPLE else 0
        return reason

    def _reason(self, scene: Scene, tracks: Sequence[Track]) -> Reason | None:
        time, motion = scene.frame.time, scene.motion
        moving = moves(motion.view, motion.score, self.threshold)
        if moving:
            if begins_run(time, self._moved, self._tail_s):
                self._began = time
            self._moved = time
        if self._looked is None:
            return Reason.FIRST
        if self._scene_change and self._scene_changed(motion.view):
            return Reason.SCENE
        since_s = time - self._looked + _ROUNDING_S
        if self._motion and self._is_due(motion if moving else None, tracks, time, since_s=since_s):
            return Reason.MOTION
        gap_s = 0.0 if self._frame_at is None else time - self._frame_at
        if any(self._follows(track, time, gap_s) for track in tracks):
            return Reason.FOLLOW
        if self._small and self._motion and not moving and self._small_is_due(motion, time):
            return Reason.SMALL
        pause_s = self._every_s * (1 if tracks else min(1 + self._samples, _RAREST))
        return Reason.SAMPLE if 0 < pause_s <= time - self._looked else None

    def _scene_changed(self, view: View) -> bool:
        return view is View.NEW_SCENE or (self._view is View.LIGHT and view is not View.LIGHT)

    def _is_due(self, motion: Motion | None, tracks: Sequence[Track], time: float, *, since_s: float) -> bool:
        """Whether motion, or the end of it (None), calls for a look `since_s` after the last one."""
        if motion is None:
            ended_s = inf if self._moved is None else time - self._moved
            return ended_s <= self._tail_s and since_s >= self._tail_s / 2
        if since_s >= self._again_s:
            return True
        resting = [box for track in tracks if _may_move(track) and (box := track.expected(time)) is not None]
        new = [box for box in motion.boxes if not _explained(box, resting)]
        if time - self._began <= self._fresh_s:
            return bool(new) or not motion.boxes
        return any(all(iou(box, seen) < _SAME_PLACE_IOU for seen in self._looked_at) for box in new)

    def _small_is_due(self, motion: Motion, time: float) -> bool:
        """Whether motion below the threshold is worth one of the few looks that there are for it."""
        passed_s = 0.0 if self._small_at is None else max(0.0, time - self._small_at)
        self._small_left = min(_SMALL_BURST, self._small_left + passed_s * _SMALL_A_MINUTE / 60)
        self._small_at = time
        if not moves(motion.view, motion.score, _SMALL * self.threshold) or self._small_left < 1:
            return False
        self._small_left -= 1
        return True

    def _follows(self, track: Track, time: float, gap_s: float) -> bool:
        # from when it was seen, not from when a frame was chosen, which may have been dropped since
        rested_s = time - track.last_seen + gap_s / 2 + _ROUNDING_S
        return rested_s >= track.rest_s and time - track.last_seen <= self._lost_s


def _may_move(track: Track) -> bool:
    """Whether motion may be that of a track which rests. What moves in front of a parked car is not the car."""
    parked = track.still_since is not None and track.label in (Label.VEHICLE, Label.PACKAGE)
    return track.rest_s > 0 and not parked


def _explained(box: Box, expected: Sequence[Box]) -> bool:
    """Whether most of a moving region lies where those who are followed are expected."""
    around = (where.grown(_ROUND_ABOUT) for where in expected)
    return sum(intersection(box, where) for where in around) >= _EXPLAINED * box.area
