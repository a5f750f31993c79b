"""The parcels that lie there: whether each still does, was pushed aside, or was taken."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from blikk_edge.core.geometry import Box, hull, intersection, iou
from blikk_edge.core.parcels import FIRST_ID, LEFT_BEHIND, Lying, Parcel, ParcelChange
from blikk_edge.core.sightings import Label, Track
from blikk_edge.transforms.motion.grid import Grid
from blikk_edge.transforms.parcels.evidence import Presence, edges_of, found_again, likeness
from blikk_edge.transforms.parcels.left import SAME_PLACE_IOU, Left
from blikk_edge.transforms.parcels.nearby import SAME_TIME_S, Nearby
from blikk_edge.transforms.parcels.regions import around, mask_of, outlined, regions, same_thing, within
from blikk_edge.transforms.parcels.settled import SETTLED_S, STILL_S, SettledView

GONE_UNSEEN_S: Final = 12.0
"""What is gone though nobody was seen near it must be gone for so long."""

PRESENT: Final = 0.5
ABSENT: Final = 0.3
LITTLE: Final = 0.2
MOVED: Final = 0.7
"""Correlation from which something that is no longer at its place is found beside it: it was pushed."""

SAME_EDGES: Final = 0.78
"""`likeness` from which it is the same parcel in another light; a bare ground comes to .73."""

OTHER_LOOK_S: Final = 300.0
"""What neither looks like the parcel nor like its place without it hides it; after so long it is how it looks now."""

ARRIVED: Final = 0.3
LARGER: Final = 1.7


@dataclass(slots=True)
class Placed:
    """A parcel that lies there.

    Attributes:
        id: Of its Track.
        box: Where.
        since: When it was put there, seconds since 1970 UTC.
        score: How sure it is that something was left, 0..1.
        sub_label: What the detector calls it, or LEFT_BEHIND.
        best_score: The best of its detections or of `score`.
        edges: As in `Lying`.
        seen: When it was last seen, as `since`.
        presence: What its place looks like with it; None where that is yet to be learnt.
        patch: Its grey levels, for as long as `presence` is known.
        known: Whether it lay there before the stream began.
        checked: Whether it was found where it is remembered.
        gone_since: Since when its place has looked empty, as `since`.
        odd_since: Since when its place has looked neither like it nor empty, as `since`.
    """

    id: int
    box: Box
    since: float
    score: float
    sub_label: str
    best_score: float
    edges: bytes
    seen: float
    presence: Presence | None = None
    patch: Grid | None = None
    known: bool = False
    checked: bool = True
    gone_since: float | None = None
    odd_since: float | None = None

    @property
    def track(self) -> Track:
        """As it stands among the tracks of a scene."""
        return Track(
            id=self.id,
            label=Label.PACKAGE,
            sub_label=self.sub_label,
            score=self.score,
            best_score=self.best_score,
            box=self.box,
            first_seen=self.since,
            last_seen=max(self.seen, self.since),
            confirmed=True,
            still_since=self.since,
        )

    def learn(self, view: SettledView, presence: Presence, time: float) -> None:
        """It lies there as the view shows it now."""
        self.presence = presence
        self.patch = view.now[within(self.box, view.shape)].copy()
        self.edges = edges_of(view.now[outlined(self.box, view.shape)])
        self.seen, self.gone_since, self.odd_since = time, None, None

    def unlearn(self) -> None:
        """It looks different now."""
        self.presence = self.patch = self.gone_since = self.odd_since = None


class LyingParcels:
    """All parcels that lie in view; `lying` are those of an earlier run."""

    def __init__(self, lying: Sequence[Lying]) -> None:
        self._ids = itertools.count(FIRST_ID)
        self._placed = [self._remembered(each) for each in lying]

    def __iter__(self) -> Iterator[Placed]:
        return iter(tuple(self._placed))

    @property
    def boxes(self) -> list[Box]:
        """Where they lie."""
        return [placed.box for placed in self._placed]

    @property
    def lying(self) -> tuple[Lying, ...]:
        """As they are remembered; an equal value unless one came, went or was moved."""
        return tuple(Lying(box=p.box, since=p.since, score=p.score, edges=p.edges) for p in self._placed)

    def forget(self) -> None:
        """None lies there."""
        self._placed.clear()

    def restart(self) -> None:
        """They are looked for where they are remembered, as after a start."""
        self._placed = [self._remembered(each) for each in self.lying]

    def relight(self) -> None:
        """Another light: they look different now, and are learnt anew."""
        for placed in self._placed:
            placed.unlearn()

    def add(self, left: Left, track: Track | None, view: SettledView, time: float) -> Placed:
        """One more was left; `track` is that of the detector, where it has found it too."""
        box = left.candidate.box
        part = outlined(box, view.shape)
        placed = Placed(
            id=next(self._ids) if track is None else track.id,
            box=box,
            since=left.candidate.since,
            score=left.score,
            sub_label=LEFT_BEHIND if track is None else track.sub_label,
            best_score=left.score if track is None else max(left.score, track.best_score),
            edges=b"",
            seen=time,
        )
        placed.learn(view, Presence(view.now[part].copy(), view.before[part].copy(), view.noise), time)
        self._placed.append(placed)
        return placed

    def check(self, view: SettledView, people: Sequence[Box], nearby: Nearby, time: float) -> Iterator[Parcel]:
        """Those that were found to be taken; they lie there no more."""
        for placed in self:
            if any(intersection(person.grown(0.1), placed.box) > 0 for person in people):
                placed.gone_since = placed.odd_since = None
            elif float(np.quantile(view.age_s[within(placed.box, view.shape)], 0.2)) < SETTLED_S:
                placed.gone_since = None
            elif (taken := self._check(placed, view, nearby, time)) is not None:
                self._placed.remove(placed)
                view.accept(mask_of(view.shape, boxes=[placed.box.grown(0.25)]))
                yield taken

    def _check(self, placed: Placed, view: SettledView, nearby: Nearby, time: float) -> Parcel | None:
        """What its place shows now that it has settled; the parcel where it is gone."""
        now = view.now[outlined(placed.box, view.shape)]
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
        if empty and share <= PRESENT and not _covered_over(placed, view):
            return _gone(placed, nearby, time)
        placed.gone_since = None
        placed.odd_since = time if placed.odd_since is None else placed.odd_since
        if time - placed.odd_since > OTHER_LOOK_S:
            placed.unlearn()
        return None

    def _recognise(self, placed: Placed, view: SettledView, now: Grid, time: float) -> None:
        """What lies there, in this light or since the start; what is not there any more is forgotten."""
        if likeness(edges_of(now), placed.edges) < SAME_EDGES:
            self._placed.remove(placed)
            return
        placed.checked = True
        placed.learn(view, Presence(now.copy(), None, view.noise), time)

    def _pushed(self, placed: Placed, view: SettledView, time: float) -> bool:
        """Whether it lies beside its place now; it is there from now on."""
        if placed.patch is None:
            return False
        rows, columns = around(placed.box, view.shape, 1.5, least=4)
        best, x, y = found_again(placed.patch, np.ascontiguousarray(view.now[rows, columns]))
        height, width = placed.patch.shape
        top, left = rows.start + y, columns.start + x
        there = slice(top, top + height), slice(left, left + width)
        if best < MOVED or (view.age_s[there] < SETTLED_S).mean() > 0.2:
            return False
        box = Box.clipped(
            left / view.shape[1],
            top / view.shape[0],
            (left + width) / view.shape[1],
            (top + height) / view.shape[0],
        )
        if box is None or any(same_thing(box, other.box) for other in self._placed if other is not placed):
            return False
        if iou(box, placed.box) < SAME_PLACE_IOU and float(view.differs(view.now)[there].mean()) < ARRIVED:
            return False  # something that was there before looks like it
        view.accept(mask_of(view.shape, boxes=[placed.box.grown(0.3), box.grown(0.3)]))
        placed.box = box
        placed.learn(view, Presence(view.now[outlined(box, view.shape)].copy(), None, view.noise), time)
        return True

    def _remembered(self, lying: Lying) -> Placed:
        return Placed(
            id=next(self._ids),
            box=lying.box,
            since=lying.since,
            score=lying.score,
            sub_label=LEFT_BEHIND,
            best_score=lying.score,
            edges=lying.edges,
            seen=lying.since,
            known=True,
            checked=False,
        )


def _gone(placed: Placed, nearby: Nearby, time: float) -> Parcel | None:
    """The parcel, where it has been gone for long enough."""
    placed.gone_since = time if placed.gone_since is None else placed.gone_since
    visit = nearby.at(placed.box, placed.seen - SAME_TIME_S, placed.gone_since)
    if time - placed.gone_since < (STILL_S * 0.5 if visit is not None else GONE_UNSEEN_S):
        return None
    near = None if visit is None else visit.near
    return Parcel(track=placed.track, change=ParcelChange.TAKEN, near=near, known=placed.known)


def _covered_over(placed: Placed, view: SettledView) -> bool:
    """Whether what is there now is larger than what was taken: somebody whom the detector does not see."""
    found = [box for box, _ in regions(view.differs(view.now), view.shape) if intersection(box, placed.box) > 0]
    whole = hull(found)
    if whole is None:
        return False
    return whole.height > LARGER * placed.box.height or whole.width > LARGER * placed.box.width
