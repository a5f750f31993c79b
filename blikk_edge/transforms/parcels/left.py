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
from blikk_edge.transforms.parcels.nearby import AWAY, EVERY_S, SAME_TIME_S, Nearby, Visit, nearness
from blikk_edge.transforms.parcels.present import Present
from blikk_edge.transforms.parcels.regions import LEAST_PX, around, regions, within
from blikk_edge.transforms.parcels.settled import SETTLED_S, STILL_S, SettledView

ALONE_S: Final = 3.0
"""So long nobody must have been near: whoever puts something down and picks it up again has left nothing."""

UNSEEN_S: Final = 20.0
"""As `ALONE_S`, where nobody was seen to walk off: who sits there unseen moves within that time."""

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
            score = 0.0
            if (visit := candidate.visit) is not None and _may_be_left(candidate.box, visit, present.others, aspect):
                kept_still_s = float(np.quantile(view.age_s[cells], 0.1))
                if not self._is_alone(candidate, present, nearby, kept_still_s, time):
                    continue
                score = self._score(candidate.box, visit, view, cells) / math.sqrt(max(1.0, len(seen) / 4))
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
        visit = nearby.at(box, since - SAME_TIME_S, since + EVERY_S)
        self._candidates.append(Candidate(box, since, visit, time))
        return self._candidates[-1]

    def _is_alone(self, candidate: Candidate, present: Present, nearby: Nearby, still_s: float, time: float) -> bool:
        """Whether nobody has been near for long enough; `still_s` is how long it has kept still, edges and all."""
        if any(nearness(person, candidate.box) > AWAY for person in present.people):
            candidate.alone_since = None
            return False
        if candidate.alone_since is None:
            candidate.alone_since = time
        if nearby.walked_off(candidate.box):
            return time - candidate.alone_since >= ALONE_S
        return min(time - candidate.alone_since, still_s) >= UNSEEN_S

    def _score(self, box: Box, visit: Visit, view: SettledView, cells: Mask) -> float:
        """How sure it is that this was left, 0..1."""
        if self._returned(box, view):
            return 0.0
        part = around(box, view.shape, 0.4, least=4)
        evidence = weigh(view.before[part], view.now[part], cells[part], view.noise)
        return evidence.score * (0.5 + 0.5 * visit.near.score)

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
