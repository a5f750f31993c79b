"""The step that sees what was left behind, and what was taken: by what changed where somebody was, whatever it is."""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np

from blikk_edge.core.geometry import Box, Polygon, hull, intersection, iou
from blikk_edge.core.parcels import FIRST_ID, LEFT_BEHIND, Lying, Parcel, ParcelChange
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Label, Track, View
from blikk_edge.core.stages import Step
from blikk_edge.transforms.motion.grid import Grid, Mask
from blikk_edge.transforms.parcels.evidence import (
    Presence,
    edges_of,
    found_again,
    likeness,
    plausible,
    weigh,
)
from blikk_edge.transforms.parcels.nearby import SAME_TIME_S, Nearby, Visit, nearness
from blikk_edge.transforms.parcels.settled import SettledView, small

EVERY_S: Final = 0.4
"""So often the view is compared, at most."""

STILL_S: Final = 3.0
"""So long something must not have changed to count as lying there, or as gone."""

ALONE_S: Final = 3.0
"""So long nobody must have been near: whoever puts something down and picks it up again has left nothing."""

AWAY: Final = 0.35
"""Whoever is this near to it (`nearness`) is still there."""

GONE_UNSEEN_S: Final = 12.0
"""What is gone though nobody was seen near it must be gone for so long."""

REJECTED_S: Final = 12.0
"""So long something that is no parcel differs from the view until it belongs to it."""

LEAST_SCORE: Final = 0.5
LEAST_PX: Final = 30
MOST_REGIONS: Final = 12
SAME_PLACE_IOU: Final = 0.4
EXPLAINED: Final = 0.3
"""The share of a region that something else which was detected must cover to explain it."""

FORMER: Final = 16
RETURNED: Final = 0.75
"""So many places are remembered where something stood that was no parcel; what correlates so far is there again."""

PRESENT: Final = 0.5
ABSENT: Final = 0.3
LITTLE: Final = 0.2
MOVED: Final = 0.7
"""Correlation from which something that is no longer at its place is found beside it: it was pushed."""

SAME_EDGES: Final = 0.85
OTHER_LOOK_S: Final = 300.0
"""What neither looks like the parcel nor like its place without it hides it; after so long it is how it looks now."""

ARRIVED: Final = 0.3
LARGER: Final = 1.7
PEOPLE_LAST_S: Final = 1.5
GONE_FOR: Final = 120.0


@dataclass(slots=True)
class _Candidate:
    """A region that changed and has kept still since."""

    box: Box
    since: float
    visit: Visit | None
    seen: float
    alone_since: float | None = None


@dataclass(slots=True)
class _Placed:
    """A parcel that lies there."""

    id: int
    box: Box
    since: float
    score: float
    sub_label: str
    best_score: float
    presence: Presence | None
    patch: Grid | None
    edges: bytes
    seen: float
    known: bool = False
    checked: bool = True
    gone_since: float | None = None
    odd_since: float | None = None


@dataclass(slots=True)
class _Around:
    """Who and what is in the picture now, as boxes."""

    people: list[Box] = field(default_factory=list)
    others: list[Box] = field(default_factory=list)


class Parcels(Step):
    """A Step that adds what lies there as a track of label PACKAGE, and says in `Scene.parcels` what was left or taken.

    It compares the settled view of before somebody came with that of after they went, in a grey picture of 320 pixels.
    What is told as left: a region that differs, by its edges and not by its light alone; has kept still for `STILL_S`;
    lies where a person just was; has a size that fits them; is not explained by anything that was detected; and near
    which nobody has been for `ALONE_S`. What is told as taken: that whose own edges are gone from its place, and not
    found beside it.

    `lying` are those of an earlier run; `private` is not looked at. `ask` is called with a time where a look of the
    detector is wanted: nothing is told as left in a scene that was not looked at. Detections of label PACKAGE at the
    place of a parcel are that parcel, and no tracks of their own.
    """

    name = "parcels"

    def __init__(
        self,
        *,
        lying: Sequence[Lying] = (),
        private: Sequence[Polygon] = (),
        ask: Callable[[float], None] = lambda _time: None,
    ) -> None:
        self.ask = ask
        self._private = tuple(private)
        self._ids = itertools.count(FIRST_ID)
        self._placed = [self._remembered(each) for each in lying]
        self._view: SettledView | None = None
        self._hidden: Mask | None = None
        self._nearby = Nearby()
        self._around = _Around()
        self._looked = float("-inf")
        self._found: list[Box] = []
        self._candidates: list[_Candidate] = []
        self._taken: list[tuple[Box, float]] = []
        self._former: deque[tuple[Box, Grid]] = deque(maxlen=FORMER)
        self._asked = float("-inf")
        self._last = float("-inf")
        self._timeline = 0

    @property
    def lying(self) -> tuple[Lying, ...]:
        """What lies there now, to be handed to a later run; an equal value unless one came, went or was moved."""
        return tuple(Lying(box=p.box, since=p.since, score=p.score, edges=p.edges) for p in self._placed)

    def reset(self) -> None:
        """What is seen afterwards is seen for the first time; what lay there is remembered, and looked for."""
        self._view = None
        self._former.clear()
        self._forget_people()
        self._placed = [self._remembered(each) for each in self.lying]

    def visited(self, scene: Scene) -> dict[int, float]:
        """At which parcels somebody is in this scene, by id, and how near."""
        found = {}
        for placed in self._placed:
            near = max((nearness(box, placed.box) for box in _people(scene)), default=0.0)
            if near > 0.5 and placed.checked:
                found[placed.id] = near
        return found

    def __call__(self, scene: Scene) -> Scene:
        """The scene with the parcels that lie there, and what happened to them."""
        time = scene.frame.time
        if scene.frame.timeline != self._timeline:
            self._timeline = scene.frame.timeline
            self._forget_people()
            self._last = float("-inf")
        self._notice(scene, time)
        changes: list[Parcel] = []
        if scene.motion.view is View.NEW_SCENE:
            self._view = None
            self._former.clear()
            self._placed.clear()
            self._forget_people()
        elif scene.analysed or not 0 <= time - self._last < EVERY_S:
            changes = list(self._compare(scene, time))
        told = {parcel.track.id: parcel for parcel in changes}
        there = [
            told.get(placed.id) or Parcel(track=self._track(placed), known=placed.known) for placed in self._placed
        ]
        gone = [parcel for parcel in changes if parcel.change is ParcelChange.TAKEN]
        return replace(scene, tracks=self._with(scene.tracks, there, time), parcels=(*there, *gone))

    # -- who is there --------------------------------------------------------------------------------------------

    def _forget_people(self) -> None:
        self._nearby.reset()
        self._around = _Around()
        self._looked, self._found = float("-inf"), []
        self._candidates.clear()
        self._taken.clear()

    def _notice(self, scene: Scene, time: float) -> None:
        people = _people(scene)
        if not scene.analysed and time - self._looked <= PEOPLE_LAST_S:
            people += self._found
        elif scene.analysed:
            self._looked, self._found = time, people
        others = [d.box for d in scene.detections if d.label in {Label.VEHICLE, Label.ANIMAL}]
        others += [t.box for t in scene.tracks if t.label in {Label.VEHICLE, Label.ANIMAL} and not t.missed]
        self._around = _Around(people, others)
        tracks = [t for t in scene.tracks if t.label is Label.PERSON and t.confirmed and not t.missed]
        self._nearby.see(time, [(t.id, t.box) for t in tracks])

    # -- what changed --------------------------------------------------------------------------------------------

    def _compare(self, scene: Scene, time: float) -> Iterator[Parcel]:
        grey = small(scene.frame.luma)
        elapsed_s = max(0.0, time - self._last)
        self._last = time
        view = self._view
        if view is None or view.shape != grey.shape:
            self._view = SettledView(grey)
            self._hidden = _mask(grey.shape, polygons=self._private) if self._private else None
            return
        covered = self._covered(view)
        if not view.learn(grey, elapsed_s, covered):
            self._relight()
            return
        yield from self._check_placed(view, time)
        yield from self._find_new(scene, view, grey, covered, time)

    def _covered(self, view: SettledView) -> Mask | None:
        around = self._around
        boxes = [*around.people, *around.others]
        if not boxes and self._hidden is None:
            return None
        covered = _mask(view.shape, boxes=[box.grown(0.06) for box in boxes])
        return covered if self._hidden is None else covered | self._hidden

    def _relight(self) -> None:
        """Another light: what lies there looks different now, and is learnt anew."""
        self._candidates.clear()
        for placed in self._placed:
            placed.presence = placed.patch = None
            placed.gone_since = placed.odd_since = None

    # -- what was left -------------------------------------------------------------------------------------------

    def _find_new(
        self, scene: Scene, view: SettledView, grey: Grid, covered: Mask | None, time: float
    ) -> Iterator[Parcel]:
        different = view.differs(grey)
        different &= view.age_s >= STILL_S * 0.7
        if covered is not None:
            different &= ~covered
        regions = _regions(different, view.shape) if np.count_nonzero(different) >= LEAST_PX else []
        if len(regions) > MOST_REGIONS:
            regions = []
        found = [(self._candidate(cells, box, view, time), cells) for box, cells in regions]
        self._candidates = [c for c in self._candidates if time - c.seen <= 2 * SAME_TIME_S]
        for candidate, cells in found:
            age_s = float(np.median(view.age_s[cells]))
            verdict = self._judge(candidate, scene, view, cells, len(found), time) if age_s >= STILL_S else None
            if verdict is None:
                continue
            if verdict < LEAST_SCORE:
                hides = any(intersection(candidate.box, placed.box) > 0 for placed in self._placed)
                if age_s >= (OTHER_LOOK_S if hides else REJECTED_S):
                    former = view.before[_padded(candidate.box, view.shape, 0.0, least=1)].copy()
                    self._former.append((candidate.box, former))
                    view.accept(cells)
                continue
            if not scene.analysed:
                if time - self._asked >= 1.0:
                    self._asked = time
                    self.ask(time)
                continue
            yield self._place(candidate, scene, view, cells, verdict, time)

    def _candidate(self, cells: Mask, box: Box, view: SettledView, time: float) -> _Candidate:
        for candidate in self._candidates:
            if iou(candidate.box, box) >= SAME_PLACE_IOU:
                candidate.box, candidate.seen = box, time
                return candidate
        since = time - float(np.median(view.age_s[cells]))
        visit = self._nearby.at(box, since - SAME_TIME_S, since + EVERY_S)
        self._candidates.append(_Candidate(box, since, visit, time))
        return self._candidates[-1]

    def _judge(
        self, candidate: _Candidate, scene: Scene, view: SettledView, cells: Mask, regions: int, time: float
    ) -> float | None:
        """How sure it is that this was left; 0 for what was not, None while that is open."""
        visit, box = candidate.visit, candidate.box
        if visit is None or not self._may_be_left(box, visit, scene.frame.aspect):
            return 0.0
        if any(nearness(person, box) > AWAY for person in self._around.people):
            candidate.alone_since = None
            return None
        if candidate.alone_since is None:
            candidate.alone_since = time
        if time - candidate.alone_since < ALONE_S:
            return None
        if self._returned(box, view):
            return 0.0
        part = _padded(box, view.shape, 0.4, least=4)
        evidence = weigh(view.before[part], view.now[part], cells[part], view.noise)
        return evidence.score * (0.5 + 0.5 * visit.near.score) / math.sqrt(max(1.0, regions / 4))

    def _may_be_left(self, box: Box, visit: Visit, aspect: float) -> bool:
        """Whether it lies where who was there can have put it, fits them, and is nothing that was detected."""
        if visit.near.score < 0.5 or box.y2 < visit.box.y1 + 0.4 * visit.box.height:
            return False
        explained = any(intersection(other, box) >= EXPLAINED * box.area for other in self._around.others)
        return plausible(box, visit.height, aspect) and not explained

    def _returned(self, box: Box, view: SettledView) -> bool:
        """Whether this place looks as it did before something that was no parcel stood there."""
        for former, patch in self._former:
            if iou(former, box) < SAME_PLACE_IOU:
                continue
            now = view.now[_padded(former, view.shape, 0.0, least=1)]
            if now.shape == patch.shape and found_again(patch, np.ascontiguousarray(now))[0] >= RETURNED:
                return True
        return False

    def _place(
        self, candidate: _Candidate, scene: Scene, view: SettledView, cells: Mask, score: float, time: float
    ) -> Parcel:
        part = _at(candidate.box, view.shape)
        same = [
            t
            for t in scene.tracks
            if t.label is Label.PACKAGE and t.confirmed and not t.missed and _same_thing(t.box, candidate.box)
        ]
        track = max(same, key=lambda t: iou(t.box, candidate.box), default=None)
        placed = _Placed(
            id=next(self._ids) if track is None else track.id,
            box=candidate.box,
            since=candidate.since,
            score=score,
            sub_label=LEFT_BEHIND if track is None else track.sub_label,
            best_score=score if track is None else max(score, track.best_score),
            presence=Presence(view.now[part].copy(), view.before[part].copy(), view.noise),
            patch=view.now[_padded(candidate.box, view.shape, 0.0, least=1)].copy(),
            edges=edges_of(view.now[part]),
            seen=time,
        )
        self._placed.append(placed)
        self._candidates.remove(candidate)
        view.accept(cv2.dilate(cells.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)
        near = None if candidate.visit is None else candidate.visit.near
        return Parcel(track=self._track(placed), change=ParcelChange.LEFT_BEHIND, near=near)

    # -- what lies there, and what was taken ---------------------------------------------------------------------

    def _check_placed(self, view: SettledView, time: float) -> Iterator[Parcel]:
        around = self._around
        for placed in list(self._placed):
            close = _padded(placed.box, view.shape, 0.0, least=1)
            if any(intersection(p.grown(0.1), placed.box) > 0 for p in around.people):
                placed.gone_since = placed.odd_since = None
                continue
            if float(np.quantile(view.age_s[close], 0.2)) < STILL_S * 0.7:
                placed.gone_since = None
                continue
            taken = self._check(placed, view, time)
            if taken is not None:
                self._placed.remove(placed)
                self._taken = [(box, at) for box, at in self._taken if time - at < GONE_FOR]
                self._taken.append((placed.box, time))
                view.accept(_mask(view.shape, boxes=[placed.box.grown(0.25)]))
                yield taken

    def _check(self, placed: _Placed, view: SettledView, time: float) -> Parcel | None:
        """What its place shows now that it has settled; the parcel where it is gone."""
        now = view.now[_at(placed.box, view.shape)]
        if placed.presence is None:
            self._recognise(placed, view, now, time)
            return None
        share, like = placed.presence.share(now, view.noise)
        if like >= PRESENT:
            placed.presence.learn(now)
            placed.seen, placed.gone_since, placed.odd_since = time, None, None
            return None
        if self._pushed(placed, view, time):
            return None
        empty = (like <= ABSENT or share <= LITTLE) and placed.presence.bare(now)
        if not empty or share > PRESENT or self._covered_over(placed, view):
            placed.gone_since = None
            placed.odd_since = time if placed.odd_since is None else placed.odd_since
            if time - placed.odd_since > OTHER_LOOK_S:  # something lies there that looks different now
                placed.presence = placed.patch = None
            return None
        return self._gone(placed, time)

    def _recognise(self, placed: _Placed, view: SettledView, now: Grid, time: float) -> None:
        """What lies there, in this light or since the start; what was gone before anybody looked is forgotten."""
        if not placed.checked and likeness(edges_of(now), placed.edges) < SAME_EDGES:
            self._placed.remove(placed)
            return
        placed.checked = True
        placed.presence = Presence(now.copy(), None, view.noise)
        placed.patch = view.now[_padded(placed.box, view.shape, 0.0, least=1)].copy()
        placed.edges, placed.seen = edges_of(now), time

    def _gone(self, placed: _Placed, time: float) -> Parcel | None:
        """The parcel, where it has been gone for long enough."""
        placed.gone_since = time if placed.gone_since is None else placed.gone_since
        near = self._nearby.at(placed.box, placed.seen - SAME_TIME_S, placed.gone_since)
        if time - placed.gone_since < (STILL_S * 0.5 if near is not None else GONE_UNSEEN_S):
            return None
        return Parcel(
            track=self._track(placed),
            change=ParcelChange.TAKEN,
            near=None if near is None else near.near,
            known=placed.known,
        )

    @staticmethod
    def _covered_over(placed: _Placed, view: SettledView) -> bool:
        """Whether what is there now is larger than what was taken: somebody whom the detector does not see."""
        found = [box for box, _ in _regions(view.differs(view.now), view.shape) if intersection(box, placed.box) > 0]
        around = hull(found)
        if around is None:
            return False
        return around.height > LARGER * placed.box.height or around.width > LARGER * placed.box.width

    def _pushed(self, placed: _Placed, view: SettledView, time: float) -> bool:
        """Whether it lies beside its place now; it is there from now on."""
        if placed.patch is None:
            return False
        rows, columns = _padded(placed.box, view.shape, 1.5, least=4)
        best, x, y = found_again(placed.patch, np.ascontiguousarray(view.now[rows, columns]))
        height, width = placed.patch.shape
        top, left = rows.start + y, columns.start + x
        if best < MOVED or (view.age_s[top : top + height, left : left + width] < STILL_S * 0.7).mean() > 0.2:
            return False
        box = Box.clipped(
            left / view.shape[1],
            top / view.shape[0],
            (left + width) / view.shape[1],
            (top + height) / view.shape[0],
        )
        if box is None or any(_same_thing(box, other.box) for other in self._placed if other is not placed):
            return False
        arrived = view.differs(view.now)[top : top + height, left : left + width]
        if iou(box, placed.box) < SAME_PLACE_IOU and float(arrived.mean()) < ARRIVED:
            return False  # something that was there before looks like it
        view.accept(_mask(view.shape, boxes=[placed.box.grown(0.3), box.grown(0.3)]))
        placed.box, placed.seen, placed.gone_since, placed.odd_since = box, time, None, None
        placed.presence = Presence(view.now[_at(box, view.shape)].copy(), None, view.noise)
        placed.edges = edges_of(view.now[_at(box, view.shape)])
        return True

    # -- as tracks -----------------------------------------------------------------------------------------------

    def _with(self, tracks: tuple[Track, ...], there: Sequence[Parcel], time: float) -> tuple[Track, ...]:
        """The tracks, of which those that are parcels stand for themselves no more."""
        boxes = [placed.box for placed in self._placed]
        self._taken = [(box, at) for box, at in self._taken if time - at < GONE_FOR]

        def own(track: Track) -> bool:
            if track.label is not Label.PACKAGE:
                return True
            if any(_same_thing(track.box, box) for box in boxes):
                return False
            return not any(_same_thing(track.box, box) and track.last_seen <= at for box, at in self._taken)

        return (*(track for track in tracks if own(track)), *(parcel.track for parcel in there))

    def _track(self, placed: _Placed) -> Track:
        return Track(
            id=placed.id,
            label=Label.PACKAGE,
            sub_label=placed.sub_label,
            score=placed.score,
            best_score=placed.best_score,
            box=placed.box,
            first_seen=placed.since,
            last_seen=max(placed.seen, placed.since),
            confirmed=True,
            still_since=placed.since,
        )

    def _remembered(self, lying: Lying) -> _Placed:
        return _Placed(
            id=next(self._ids),
            box=lying.box,
            since=lying.since,
            score=lying.score,
            sub_label=LEFT_BEHIND,
            best_score=lying.score,
            presence=None,
            patch=None,
            edges=lying.edges,
            seen=lying.since,
            known=True,
            checked=False,
        )


def _people(scene: Scene) -> list[Box]:
    """Everybody who is seen now, however faintly, or was a moment ago; who stood still has not gone unseen."""
    people = [d.box for d in scene.detections if d.label is Label.PERSON]
    tracks = [t for t in scene.tracks if t.label is Label.PERSON and t.confirmed]
    return people + [t.box for t in tracks if t.missed <= 1 or t.still_since is not None]


def _same_thing(a: Box, b: Box) -> bool:
    return intersection(a, b) >= 0.5 * min(a.area, b.area) and max(a.area, b.area) <= 4 * min(a.area, b.area)


def _mask(shape: tuple[int, ...], *, boxes: Sequence[Box] = (), polygons: Sequence[Polygon] = ()) -> Mask:
    rows, columns = shape[:2]
    filled = np.zeros((rows, columns), np.uint8)
    for box in boxes:
        x1, y1, x2, y2 = box.pixels(columns, rows)
        filled[y1:y2, x1:x2] = 1
    for polygon in polygons:
        points = np.rint(np.array([(x * columns, y * rows) for x, y in polygon.outline])).astype(np.int32)
        cv2.fillPoly(filled, [points.reshape(-1, 1, 2)], 1)
        cv2.polylines(filled, [points.reshape(-1, 1, 2)], isClosed=True, color=1, thickness=3)
    mask: Mask = filled > 0
    return mask


def _padded(box: Box, shape: tuple[int, int], share: float, *, least: int) -> tuple[slice, slice]:
    """Rows and columns of a box and what is around it."""
    rows, columns = shape
    x1, y1, x2, y2 = box.pixels(columns, rows)
    dx, dy = (max(least, round(share * side)) if share else 0 for side in (x2 - x1, y2 - y1))
    return slice(max(0, y1 - dy), min(rows, y2 + dy)), slice(max(0, x1 - dx), min(columns, x2 + dx))


def _at(box: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a parcel with its outline, and of little else."""
    return _padded(box, shape, 0.08, least=2)


def _regions(different: Mask, shape: tuple[int, int]) -> list[tuple[Box, Mask]]:
    """Connected regions without their holes and hairs, as boxes and cells."""
    cells = cv2.morphologyEx(different.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    cells = cv2.morphologyEx(cells, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cells)
    rows, columns = shape
    found = []
    for number in range(1, count):
        x, y, width, height, area = (int(v) for v in stats[number])
        if area >= LEAST_PX:
            box = Box(x / columns, y / rows, min(1.0, (x + width) / columns), min(1.0, (y + height) / rows))
            found.append((box, labels == number))
    return found
