"""What somebody left: regions that differ from the view, keep still, and lie where a person was who has gone."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from blikk_edge.core.geometry import Box, intersection, iou
from blikk_edge.transforms.motion.grid import Grid, Mask
from blikk_edge.transforms.parcels.evidence import found_again, plausible, weigh
from blikk_edge.transforms.parcels.nearby import SAME_TIME_S, Nearby, Visit, nearness
from blikk_edge.transforms.parcels.present import Present
from blikk_edge.transforms.parcels.regions import LEAST_PX, around, regions, within
from blikk_edge.transforms.parcels.settled import SETTLED_S, STILL_S, SettledView

ALONE_S: Final = 3.0
"""So long nobody must have been near: whoever puts something down and picks it up again has left nothing."""

AWAY: Final = 0.35
"""Whoever is this near to it (`nearness`) is still there."""

REJECTED_S: Final = 12.0
"""So long something that is no parcel differs from the view until it belongs to it."""

HIDES_S: Final = 300.0
"""As `REJECTED_S`, of what lies over a parcel."""

LEAST_SCORE: Final = 0.5
MOST_REGIONS: Final = 12
"""Where more of them differ at once, it is the weather or the light."""

SAME_PLACE_IOU: Final = 0.4
EXPLAINED: Final = 0.3
"""The share of a region that something else which was detected must cover to explain it."""

FORMER: Final = 16
"""So many places are remembered where something stood that was no parcel."""

RETURNED: Final = 0.75
"""What correlates so far with how a place looked before is there again."""

_VISIT_S: Final = 0.4


@dataclass(slots=True)
class Candidate:
    """A region that changed and has kept still since.

    Attributes:
        box: Where.
        since: Since when, seconds since 1970 UTC.
        visit: Who was there then.
        seen: When it last differed, as `since`.
        alone_since: Since when nobody has been near, as `since`.
    """

    box: Box
    since: float
    visit: Visit | None
    seen: float
    alone_since: float | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """Something that somebody left.

    Attributes:
        candidate: The region.
        cells: Its pixels.
        score: How sure it is, 0..1.
    """

    candidate: Candidate
    cells: Mask
    score: float


class LeftBehind:
    """Finds what somebody left."""

    def __init__(self) -> None:
        self._candidates: list[Candidate] = []
        self._former: deque[tuple[Box, Grid]] = deque(maxlen=FORMER)

    def forget(self) -> None:
        """Nothing that differs now was left by anybody."""
        self._candidates.clear()

    def forget_view(self) -> None:
        """As `forget`, and what stood where before."""
        self._candidates.clear()
        self._former.clear()

    def done(self, candidate: Candidate) -> None:
        """It is a parcel now."""
        self._candidates.remove(candidate)

    def find(
        self,
        view: SettledView,
        differs: Mask,
        present: Present,
        nearby: Nearby,
        lying: Sequence[Box],
        *,
        aspect: float,
        time: float,
    ) -> Iterator[Left]:
        """What was left, as long as it differs from the view.

        `differs` is where it does; `lying` is where parcels lie; `aspect` is the picture's width by its height. What is
        no parcel is taken into the view after a while.
        """
        settled = differs & (view.age_s >= SETTLED_S)
        found = regions(settled, view.shape) if np.count_nonzero(settled) >= LEAST_PX else []
        if len(found) > MOST_REGIONS:
            found = []
        seen = [(self._candidate(cells, box, view, nearby, time), cells) for box, cells in found]
        self._candidates = [c for c in self._candidates if time - c.seen <= 2 * SAME_TIME_S]
        for candidate, cells in seen:
            age_s = float(np.median(view.age_s[cells]))
            if age_s < STILL_S:
                continue
            score = self._score(candidate, present, view, cells, len(seen), aspect, time)
            if score is None:
                continue
            if score >= LEAST_SCORE:
                yield Left(candidate, cells, score)
                continue
            hides = any(intersection(candidate.box, box) > 0 for box in lying)
            if age_s >= (HIDES_S if hides else REJECTED_S):
                self._former.append((candidate.box, view.before[within(candidate.box, view.shape)].copy()))
                view.accept(cells)

    def _candidate(self, cells: Mask, box: Box, view: SettledView, nearby: Nearby, time: float) -> Candidate:
        for candidate in self._candidates:
            if iou(candidate.box, box) >= SAME_PLACE_IOU:
                candidate.box, candidate.seen = box, time
                return candidate
        since = time - float(np.median(view.age_s[cells]))
        visit = nearby.at(box, since - SAME_TIME_S, since + _VISIT_S)
        self._candidates.append(Candidate(box, since, visit, time))
        return self._candidates[-1]

    def _score(
        self,
        candidate: Candidate,
        present: Present,
        view: SettledView,
        cells: Mask,
        count: int,
        aspect: float,
        time: float,
    ) -> float | None:
        """How sure it is that this was left; 0 for what was not, None while that is open."""
        visit, box = candidate.visit, candidate.box
        if visit is None or not _may_be_left(box, visit, present.others, aspect):
            return 0.0
        if any(nearness(person, box) > AWAY for person in present.people):
            candidate.alone_since = None
            return None
        if candidate.alone_since is None:
            candidate.alone_since = time
        if time - candidate.alone_since < ALONE_S:
            return None
        if self._returned(box, view):
            return 0.0
        part = around(box, view.shape, 0.4, least=4)
        evidence = weigh(view.before[part], view.now[part], cells[part], view.noise)
        return evidence.score * (0.5 + 0.5 * visit.near.score) / math.sqrt(max(1.0, count / 4))

    def _returned(self, box: Box, view: SettledView) -> bool:
        """Whether this place looks as it did before something that was no parcel stood there."""
        for former, patch in self._former:
            if iou(former, box) < SAME_PLACE_IOU:
                continue
            now = view.now[within(former, view.shape)]
            if now.shape == patch.shape and found_again(patch, np.ascontiguousarray(now))[0] >= RETURNED:
                return True
        return False


def _may_be_left(box: Box, visit: Visit, others: Sequence[Box], aspect: float) -> bool:
    """Whether it lies where who was there can have put it, fits them, and is nothing that was detected."""
    if visit.near.score < 0.5 or box.y2 < visit.box.y1 + 0.4 * visit.box.height:
        return False
    explained = any(intersection(other, box) >= EXPLAINED * box.area for other in others)
    return plausible(box, visit.height, aspect) and not explained
