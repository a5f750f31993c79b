"""A closer look at what moves and no detection explains: a square of the camera's own pixels, magnified."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.core.geometry import Box, intersection, iou
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Detection, Label, Track, View
from blikk_edge.transforms.lookalikes import CLEAR, Lookalikes
from blikk_edge.transforms.models.registry import REGISTRY, OutputFormat

WITH: Final = frozenset(
    entry.name for entry in REGISTRY.values() if entry.decoder in {OutputFormat.YOLOX, OutputFormat.YOLOX_DECODED}
)
"""The detectors whose scores `EVIDENCE` is right for: it was measured with YOLOX-nano on COCO's classes."""

LARGEST: Final = 0.45
"""Of the picture's height: who is taller is found in the whole picture."""

ROOM: Final = 1.6
"""The side of the square by the longer side of what moves: only a part of a person may be moving."""

LEAST_PX: Final = 160
"""The least side of a square, in pixels of the stream: magnified more than two or three times nothing is gained."""

EXPLAINED: Final = 0.5
"""The share of a moving region that a detection must cover to explain it."""

TOUCHED: Final = 0.25
"""The share of the smaller one by which a detection and what moves must overlap: a poster nearby did not move."""

PRIOR: Final = -3.0
"""Log-odds of a person where something small moves, before anybody looked closer: 1 to 20."""

EVIDENCE: Final = ((0.1, -1.0), (0.2, -0.5), (0.3, 0.5), (0.45, 1.0), (0.6, 2.0), (0.75, 3.0), (math.inf, 4.0))
"""Log-likelihood ratio of a person by the best score of a closer look, which is below the first number."""

DISMISSED: Final = -3.0
"""Evidence from which nobody is taken to be there."""

DOUBTED: Final = -1.5
"""Evidence with which a place begins anew where nobody was found."""

MOST: Final = 6.0
"""More evidence is not kept, so that who left is noticed."""

UNMOVED: Final = 2.0
"""More evidence does not count of somebody who has not moved from where he was first found: a bush that looks like a
person does so in every look, whatever moves before it. It is too little for a person.
"""

WALKED: Final = 0.35
"""Of his height: how far somebody has got, his longest step left out. What the detector makes of one thing sways by .3,
and between two bushes it jumps once.
"""

CLEAR_LOOKS: Final = 2
"""Who is clear so often need not have moved."""

PACE: Final = 1.5
"""Heights a second that somebody may move."""

ALIKE: Final = 1.8
"""How much taller one may be than the other where both are the same person, a moment later."""

BURST: Final = 30
"""Looks in a row."""

FOLLOW_S: Final = 0.5
"""Who is followed is looked at again after this, and others at once."""

ANEW_S: Final = 2.0
"""What did not move for so long and moves again is looked at again."""

FIRST_REST_S: Final = 1.0
"""How long a place is left alone where nobody was found; twice as long each time, up to the longest."""

LONGEST_REST_S: Final = 300.0
FORGET_S: Final = 600.0
"""A place where nothing moved for so long is a new one."""

PLACES: Final = 64
"""So many are remembered: in a street they come and go all day."""


@dataclass(slots=True)
class _Suspect:
    """A place where something moves that may be a person. Times are capture times.

    Attributes:
        box: Where it moved last.
        evidence: The sum of log-likelihood ratios.
        moved: When something last moved there, or was followed.
        due: When it may be looked at again.
        rest_s: How long it is left alone once nobody is found there.
        first: Where a person was first found, of those who can be the same one.
        last: Where a person was last found.
        found: When that was.
        longest: The longest way from one look to the next since, in heights of the picture.
        walked: Whether the person has moved since.
        clear: How often the person was clear since.
    """

    box: Box
    evidence: float = 0.0
    moved: float = -math.inf
    due: float = -math.inf
    rest_s: float = FIRST_REST_S
    first: Box | None = None
    last: Box | None = None
    found: float = -math.inf
    longest: float = 0.0
    walked: bool = False
    clear: int = 0

    @property
    def moved_or_clear(self) -> bool:
        """Whether it is more than something that looks a little like a person."""
        return self.walked or self.clear >= CLEAR_LOOKS

    def see(self, person: Box, score: float, time: float, aspect: float) -> None:
        """Somebody may be here: the same one as last time, or another."""
        if self.first is None or self.last is None or not _same(self.last, person, time - self.found, aspect):
            self.forget()
            self.first = self.last = person
        self.clear += score >= CLEAR
        self.longest = max(self.longest, _distance(self.last, person, aspect))
        away = _distance(self.first, person, aspect) - self.longest
        self.walked |= away > WALKED * max(self.first.height, person.height)
        self.last, self.found = person, time

    def forget(self) -> None:
        """Nobody is here, or somebody else."""
        self.evidence = min(self.evidence, 0.0)
        self.first = self.last = None
        self.longest, self.walked, self.clear = 0.0, False, 0


class CloserLook:
    """Looks again where something moves that is small and that no detection explains; at most once a frame.

    What several looks at one place make of it is added up as evidence (Wald's sequential test): a person is given as a
    Detection once there is enough of it, and a place where nobody is found is left alone for longer and longer. There
    are at most `per_minute` looks a minute, and `BURST` in a row. `threshold` is the score from which a detection in
    the whole frame explains what moves. `detectors` are those that it knows what to make of.
    """

    def __init__(self, *, threshold: float = 0.45, per_minute: float = 120.0) -> None:
        self.detectors = WITH
        self._threshold = threshold
        self._per_s = per_minute / 60
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self._suspects: list[_Suspect] = []
        self._lookalikes = Lookalikes()
        self._left = float(BURST)
        self._time: float | None = None

    def look(
        self, scene: Scene, found: Sequence[Detection], detect: Callable[[Box], Sequence[Detection]]
    ) -> tuple[Detection, ...]:
        """What was `found` in the whole frame, and who was found by looking closer, in the place of fainter ones."""
        time = scene.frame.time
        if self._time is None or time < self._time:
            self.reset()
        else:
            self._left = min(BURST, self._left + self._per_s * (time - self._time))
        self._time = time
        self._suspects = [s for s in self._suspects if time - s.moved < FORGET_S]
        suspect = self._next(scene, found, time)
        if suspect is None or self._left < 1:
            return tuple(found)
        self._left -= 1
        person = self._judge(suspect, scene, detect)
        if person is None or _explained(person.box, [d for d in found if d.score >= self._threshold]):
            return tuple(found)
        return (*(d for d in found if d.label is not Label.PERSON or not _explained(person.box, [d])), person)

    def _next(self, scene: Scene, every: Sequence[Detection], time: float) -> _Suspect | None:
        """Whose turn it is: who is known, then the most suspicious, then the largest."""
        found = [d for d in every if d.score >= self._threshold]
        known = [t.box for t in scene.tracks if _followed(t) and not _explained(t.box, found)]
        moving = [b for b in scene.motion.boxes if scene.motion.view is View.MOVING and not _explained(b, found)]
        due: list[tuple[bool, float, float, _Suspect]] = []
        for box in (*known, *moving):
            if max(box.width * scene.frame.aspect, box.height) > LARGEST:
                continue
            suspect = self._suspect(box, scene.frame.aspect)
            if time - suspect.moved > ANEW_S:
                suspect.forget()
                suspect.evidence, suspect.due = 0.0, -math.inf
            suspect.box, suspect.moved = box, time
            if suspect.due <= time:
                due.append((box in known, suspect.evidence, box.area, suspect))
        return max(due, key=lambda entry: entry[:3])[3] if due else None

    def _suspect(self, box: Box, aspect: float) -> _Suspect:
        """The one that moved here before, or a new one."""
        near = [s for s in self._suspects if _near(s.box, box, aspect)]
        if near:
            return max(near, key=lambda s: iou(s.box, box))
        suspect = _Suspect(box)
        self._suspects = [*sorted(self._suspects, key=lambda s: s.moved)[1 - PLACES :], suspect]
        return suspect

    def _judge(
        self,
        suspect: _Suspect,
        scene: Scene,
        detect: Callable[[Box], Sequence[Detection]],
    ) -> Detection | None:
        """The person who is there by now, if the evidence is enough for one."""
        time = scene.frame.time
        square = _square(suspect.box, scene)
        seen = [
            d for d in detect(square) if intersection(d.box, suspect.box) >= TOUCHED * min(d.box.area, suspect.box.area)
        ]
        best = max((d for d in seen if d.label is Label.PERSON), key=lambda d: d.score, default=None)
        score = 0.0 if best is None else best.score
        if all(d.score <= max(score, self._threshold) for d in seen):  # else it may be something else
            ratio = next(ratio for below, ratio in EVIDENCE if score < below)
            if best is not None and self._known(best, scene):
                ratio = min(0.0, ratio)
            elif best is not None and ratio > 0:
                suspect.see(best.box, score, time, scene.frame.aspect)
            suspect.evidence = min(MOST, suspect.evidence + ratio)
        followed = any(_followed(t) and intersection(t.box, suspect.box) > 0 for t in scene.tracks)
        counted = suspect.evidence if followed or suspect.moved_or_clear else min(UNMOVED, suspect.evidence)
        posterior = 1 / (1 + math.exp(-PRIOR - counted))
        if suspect.evidence <= DISMISSED:
            suspect.forget()
            suspect.evidence = DOUBTED
            suspect.due = time + suspect.rest_s
            suspect.rest_s = min(LONGEST_REST_S, 2 * suspect.rest_s)
            return None
        if followed:
            suspect.due = time + FOLLOW_S
            suspect.rest_s = FIRST_REST_S
        if best is None:
            return None
        suspect.box = best.box
        return replace(best, score=min(0.95, posterior))

    def _known(self, best: Detection, scene: Scene) -> bool:
        """Whether something that looks like a person has been here all the time."""
        known = self._lookalikes.know(best)
        self._lookalikes.see([best], [track for track in scene.tracks if track.confirmed], scene.frame.time)
        return known


def _followed(track: Track) -> bool:
    return track.label is Label.PERSON and track.confirmed


def _explained(box: Box, found: Sequence[Detection]) -> bool:
    """Whether a detection covers most of a region, or lies in it and makes up a good part."""
    return any(
        intersection(box, d.box) >= EXPLAINED * min(box.area, d.box.area) and d.box.area >= EXPLAINED**2 * box.area
        for d in found
    )


def _same(last: Box, now: Box, elapsed_s: float, aspect: float) -> bool:
    """Whether one person may have been here and be there so much later."""
    low, high = sorted((last.height, now.height))
    return high <= ALIKE * low and _distance(last, now, aspect) <= (0.5 + PACE * elapsed_s) * high


def _distance(one: Box, other: Box, aspect: float) -> float:
    """Between the middles of two boxes, in heights of the picture."""
    (x1, y1), (x2, y2) = one.centre, other.centre
    return math.hypot((x1 - x2) * aspect, y1 - y2)


def _near(one: Box, other: Box, aspect: float) -> bool:
    """Whether something may have got from the one to the other between two looks."""
    return _distance(one, other, aspect) <= max(one.width * aspect, one.height, other.width * aspect, other.height)


def _square(box: Box, scene: Scene) -> Box:
    """A square around a region, as far as the picture goes; its sides in shares of the picture."""
    height_px = scene.frame.luma.shape[0]
    aspect = scene.frame.aspect
    side = min(1.0, aspect, max(ROOM * max(box.width * aspect, box.height), LEAST_PX / height_px))
    x, y = box.centre
    width = side / aspect
    left = min(max(0.0, x - width / 2), 1 - width)
    top = min(max(0.0, y - side / 2), 1 - side)
    return Box(left, top, min(1.0, left + width), min(1.0, top + side))
