"""Which frames the detector looks at."""

from collections.abc import Iterable
from enum import StrEnum

from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Track, View


class Reason(StrEnum):
    """Why a frame is worth a look."""

    FIRST = "first"
    SCENE = "scene"  # another view, or the light has just changed
    MOTION = "motion"
    FOLLOW = "follow"  # a known object moves or was missed
    SAMPLE = "sample"


class Selector:
    """Decides frame by frame, in capture order, after the motion gate; one selector per camera.

    `threshold` is the motion score from which a frame counts as moving (`event_threshold`); it may be set at any time.
    Motion is looked at until `tail_s` after it ended, so that a departure is noticed. A track is followed while it does
    not stand still or is missed, until it has not been seen for `lost_s`. Without any of this one frame is looked at
    every `every_s` (0: never). With `motion=False` or `scene_change=False` those reasons do not count.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.3,
        motion: bool = True,
        scene_change: bool = True,
        every_s: float = 60.0,
        tail_s: float = 1.0,
        lost_s: float = 5.0,
    ) -> None:
        self.threshold = threshold
        self._motion = motion
        self._scene_change = scene_change
        self._every_s = every_s
        self._tail_s = tail_s
        self._lost_s = lost_s
        self.reset()

    def reset(self) -> None:
        """Start anew, as after a reconnect: the next frame is the first."""
        self._view: View | None = None
        self._looked: float | None = None
        self._moved: float | None = None

    def look(self, scene: Scene, tracks: Iterable[Track]) -> Reason | None:
        """Why the detector should look at this frame, or None; `tracks` are those of the last look."""
        reason = self._reason(scene, tracks)
        self._view = scene.motion.view
        if reason is not None:
            self._looked = scene.frame.time
        return reason

    def _reason(self, scene: Scene, tracks: Iterable[Track]) -> Reason | None:
        time, motion = scene.frame.time, scene.motion
        if motion.view is View.MOVING and motion.score >= self.threshold:
            self._moved = time
        if self._looked is None:
            return Reason.FIRST
        if self._scene_change and self._scene_changed(motion.view):
            return Reason.SCENE
        if self._motion and self._moved is not None and time - self._moved <= self._tail_s:
            return Reason.MOTION
        if any(self._follows(track, time) for track in tracks):
            return Reason.FOLLOW
        if 0 < self._every_s <= time - self._looked:
            return Reason.SAMPLE
        return None

    def _scene_changed(self, view: View) -> bool:
        return view is View.NEW_SCENE or (self._view is View.LIGHT and view is not View.LIGHT)

    def _follows(self, track: Track, time: float) -> bool:
        moving = track.still_since is None or track.missed > 0
        return moving and time - track.last_seen <= self._lost_s
