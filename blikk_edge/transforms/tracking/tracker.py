"""Follows detections over time: Scene with detections -> Scene with tracks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from blikk_edge.core.geometry import intersection, iou
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Detection, Label, Motion, Track, View
from blikk_edge.core.stages import Step
from blikk_edge.transforms.lookalikes import Lookalikes
from blikk_edge.transforms.tracking.assign import assign
from blikk_edge.transforms.tracking.follow import Follow

DEFAULT_THRESHOLD = 0.45

CONFIRM_HITS = 2
CONFIRM_LOOKS = 3
COST_LIMIT = 0.9
FAINT_SHARE = 0.6  # of the threshold: what scores lower is noise
FAINT_COST_LIMIT = 0.5  # a faint detection continues a track only where it is expected
SAME_IOU = 0.6  # a second box on an object that was found already is not a new object

LEFT_S = 1.5  # gone over the border
HIDDEN_S = 4.0  # behind something, inside the picture
UNDISTURBED_S = 60.0  # stood still, and nothing has moved there since: the detector lost it, it did not go


class Tracker(Step):
    """A Step that gives every object an id it keeps: two-stage association after ByteTrack (Zhang et al. 2021).

    Per label, confident detections (score at least `thresholds[label]`, 0.45 where none is given) are assigned first,
    then those above 0.6 of that continue tracks that found none; they never start a track. A track is confirmed by its
    second confident detection within three looks, otherwise dropped. One that is not found stays among the tracks with
    `missed` > 0 and its last box: 1.5 s where it was leaving over the border, 4 s elsewhere, 60 s where it stood still
    and nothing moved there. These seconds count from the first look that missed it: while nobody looks nothing ages.

    What is found faintly at one place again and again is part of the view and starts no track (see Lookalikes).

    `still_s` is how long a box must not move until `still_since` is set. Scenes must come in capture order; a time
    that steps back is taken as no time passed. Where `analysed` is false, the tracks of the last look pass unchanged.
    """

    name = "track"

    def __init__(self, *, thresholds: Mapping[Label, float] | None = None, still_s: float = 10.0) -> None:
        self._thresholds = dict(thresholds or {})
        self._still_s = still_s
        self._follows: list[Follow] = []
        self._last_id = 0
        self._lookalikes = Lookalikes()

    def __call__(self, scene: Scene) -> Scene:
        """The scene with `tracks`, in order of id."""
        if scene.analysed:
            self._look(scene)
        self._disturb(scene.motion)
        return replace(scene, tracks=self._tracks())

    def reset(self) -> None:
        """Forget all tracks, after a long gap or another view; ids are not used again."""
        self._follows.clear()
        self._lookalikes = Lookalikes()

    def _tracks(self) -> tuple[Track, ...]:
        tracks = [follow.track() for follow in self._follows]
        return tuple(replace(t, rest_s=0.0) if t.rest_s and _meets_somebody(t, tracks) else t for t in tracks)

    def _look(self, scene: Scene) -> None:
        time = scene.frame.time
        aspect = scene.frame.aspect
        for follow in self._follows:
            follow.predict(time)
            follow.looks += 1
        known = [follow.track() for follow in self._follows if follow.confirmed]
        self._lookalikes.see(scene.detections, known, time)
        for label in Label:
            self._follow_label(label, [d for d in scene.detections if d.label is label], time, aspect)
        self._follows = [f for f in self._follows if not self._gone(f, time)]

    def _follow_label(self, label: Label, detections: Sequence[Detection], time: float, aspect: float) -> None:
        threshold = self._thresholds.get(label, DEFAULT_THRESHOLD)
        # Scores are compared with a hair's breadth to spare: a detector's float32 0.45 is a little below 0.45.
        clear = [d for d in detections if d.score >= threshold - 1e-6]
        faint = [d for d in detections if FAINT_SHARE * threshold <= d.score < threshold - 1e-6]
        known = [f for f in self._follows if f.label is label and f.confirmed]
        fresh = [f for f in self._follows if f.label is label and not f.confirmed]

        known, clear = _associate(known, clear, time, COST_LIMIT)
        known, _ = _associate(known, faint, time, FAINT_COST_LIMIT)
        fresh, clear = _associate(fresh, clear, time, COST_LIMIT)
        for follow in (*known, *fresh):
            follow.miss(time)
        for follow in self._follows:
            follow.confirmed = follow.confirmed or follow.hits >= CONFIRM_HITS
        for detection in clear:
            self._start(detection, time, aspect)

    def _start(self, detection: Detection, time: float, aspect: float) -> None:
        same = (f for f in self._follows if f.label is detection.label and not f.missed)
        if any(iou(f.box, detection.box) > SAME_IOU for f in same) or self._lookalikes.know(detection):
            return
        self._last_id += 1
        self._follows.append(
            Follow(track_id=self._last_id, detection=detection, time=time, aspect=aspect, still_s=self._still_s)
        )

    def _gone(self, follow: Follow, time: float) -> bool:
        if not follow.confirmed:
            return follow.looks >= CONFIRM_LOOKS
        if follow.missing_since is None:
            return False
        patience = LEFT_S if follow.leaving else UNDISTURBED_S if self._undisturbed(follow) else HIDDEN_S
        return time - follow.missing_since >= patience

    @staticmethod
    def _undisturbed(follow: Follow) -> bool:
        return follow.at_rest and not follow.disturbed

    def _disturb(self, motion: Motion) -> None:
        for follow in self._follows:
            if follow.missed and (
                motion.view is View.NEW_SCENE or any(follow.overlap(box) > 0.0 for box in motion.boxes)
            ):
                follow.disturbed = True


def _meets_somebody(track: Track, tracks: Sequence[Track]) -> bool:
    """Whether it may be taken for another of its label by the time it is looked at again."""
    if track.rest_s == math.inf:
        return False
    own = track.expected(track.last_seen + track.rest_s)
    others = (t.expected(t.last_seen + track.rest_s) for t in tracks if t.id != track.id and t.label is track.label)
    return own is not None and any(other is not None and intersection(own, other) > 0.0 for other in others)


def _associate(
    follows: list[Follow], detections: list[Detection], time: float, limit: float
) -> tuple[list[Follow], list[Detection]]:
    """Let the tracks see the detections that fit them best together; gives back what found no partner."""
    costs = [[follow.cost(detection, time) for detection in detections] for follow in follows]
    pairs = assign(costs, limit)
    for row, column in pairs:
        follows[row].see(detections[column], time)
    rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
    return (
        [f for i, f in enumerate(follows) if i not in rows],
        [d for i, d in enumerate(detections) if i not in columns],
    )
