"""The step that sees what was left behind, and what was taken: by what changed where somebody was, whatever it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from blikk_edge.core.geometry import Box, Polygon, iou
from blikk_edge.core.parcels import Lying, Parcel, ParcelChange
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Label, Track, View
from blikk_edge.core.stages import Step
from blikk_edge.transforms.motion.grid import Mask
from blikk_edge.transforms.parcels.left import Left, LeftBehind
from blikk_edge.transforms.parcels.lying import LyingParcels
from blikk_edge.transforms.parcels.nearby import EVERY_S, Nearby, nearness
from blikk_edge.transforms.parcels.present import Present, people_of
from blikk_edge.transforms.parcels.regions import mask_of, same_thing
from blikk_edge.transforms.parcels.settled import SettledView, small

VISITS: Final = 0.5
"""Whoever is nearer to a parcel than this (`nearness`) is at it."""

ASKED_EVERY_S: Final = 1.0
GONE_FOR_S: Final = 120.0
"""So long the detector's old track of what was taken is not a parcel of its own."""


class Parcels(Step):
    """A Step that adds what lies there as a track of label PACKAGE, and says in `Scene.parcels` what was left or taken.

    It compares the settled view of before somebody came with that of after they went, in a grey picture of 320 pixels.
    What is reported as left: a region that differs, by its edges and not by its light alone; has kept still for
    `STILL_S`; lies where a person just was; has a size that fits them; is not explained by anything that was detected;
    and near which nobody has been for `ALONE_S`. What is reported as taken: that whose own edges are gone from its
    place, and not found beside it.

    `lying` are those of an earlier run; `private` is not looked at. `ask` is called with a time where a look of the
    detector is wanted: nothing is reported as left in a scene that was not looked at. Detections of label PACKAGE at
    the place of a parcel are that parcel, and no tracks of their own.
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
        self._placed = LyingParcels(lying)
        self._view: SettledView | None = None
        self._hidden: Mask | None = None
        self._nearby = Nearby()
        self._present = Present()
        self._left = LeftBehind()
        self._taken: list[tuple[Box, float]] = []
        self._asked = float("-inf")
        self._last = float("-inf")
        self._timeline = 0

    @property
    def lying(self) -> tuple[Lying, ...]:
        """What lies there now, to be handed to a later run; an equal value unless one came, went or was moved."""
        return self._placed.lying

    def reset(self) -> None:
        """What is seen afterwards is seen for the first time; what lay there is remembered, and looked for."""
        self._forget_view()
        self._placed.restart()

    def visited(self, scene: Scene) -> dict[int, float]:
        """At which parcels somebody is in this scene, by id, and how near."""
        people = people_of(scene)
        near = {p.id: max((nearness(box, p.box) for box in people), default=0.0) for p in self._placed if p.checked}
        return {key: score for key, score in near.items() if score > VISITS}

    def __call__(self, scene: Scene) -> Scene:
        """The scene with the parcels that lie there, and what happened to them."""
        time = scene.frame.time
        if scene.frame.timeline != self._timeline:
            self._timeline = scene.frame.timeline
            self._forget_people()
        self._present.see(scene)
        people = [t for t in scene.tracks if t.label is Label.PERSON and t.confirmed and not t.missed]
        self._nearby.see(time, [(t.id, t.box) for t in people])
        changes: list[Parcel] = []
        if scene.motion.view is View.NEW_SCENE:
            self._forget_view()
            self._placed.forget()
        elif scene.analysed or not 0 <= time - self._last < EVERY_S:
            changes = list(self._compare(scene, time))
        told = {parcel.track.id: parcel for parcel in changes}
        there = [told.get(placed.id) or Parcel(track=placed.track, known=placed.known) for placed in self._placed]
        gone = [parcel for parcel in changes if parcel.change is ParcelChange.TAKEN]
        self._taken = [(box, at) for box, at in self._taken if time - at < GONE_FOR_S]
        self._taken += [(parcel.track.box, time) for parcel in gone]
        others = (track for track in scene.tracks if not self._is_parcel(track))
        return replace(scene, tracks=(*others, *(parcel.track for parcel in there)), parcels=(*there, *gone))

    def _forget_view(self) -> None:
        self._view = None
        self._left.forget_view()
        self._forget_people()

    def _forget_people(self) -> None:
        self._nearby.reset()
        self._present = Present()
        self._left.forget()
        self._taken.clear()
        self._last = float("-inf")

    def _compare(self, scene: Scene, time: float) -> Iterator[Parcel]:
        grey = small(scene.frame.luma)
        elapsed_s = max(0.0, time - self._last)
        self._last = time
        view = self._view
        if view is None or view.shape != grey.shape:
            self._hidden = mask_of(grey.shape, polygons=self._private) if self._private else None
            self._view = SettledView(grey, self._covered(grey.shape))
            return
        covered = self._covered(view.shape)
        if not view.learn(grey, elapsed_s, covered):
            self._left.forget()
            self._placed.relight()
            return
        yield from self._placed.check(view, self._present.people, self._nearby, time)
        differs = view.differs(grey)
        if covered is not None:
            differs &= ~covered
        lefts = self._left.find(
            view, differs, self._present, self._nearby, self._placed.boxes, aspect=scene.frame.aspect, time=time
        )
        for left in lefts:
            if scene.analysed:
                yield self._place(left, scene, view)
            elif time - self._asked >= ASKED_EVERY_S:
                self._asked = time
                self.ask(time)

    def _covered(self, shape: tuple[int, ...]) -> Mask | None:
        present = self._present.mask(shape)
        if present is None or self._hidden is None:
            return self._hidden if present is None else present
        return present | self._hidden

    def _place(self, left: Left, scene: Scene, view: SettledView) -> Parcel:
        candidate = left.candidate
        same = [
            t
            for t in scene.tracks
            if t.label is Label.PACKAGE and t.confirmed and not t.missed and same_thing(t.box, candidate.box)
        ]
        track = max(same, key=lambda t: iou(t.box, candidate.box), default=None)
        placed = self._placed.add(left, track, view, scene.frame.time)
        self._left.done(candidate)
        view.accept(cv2.dilate(left.cells.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)
        near = None if candidate.visit is None else candidate.visit.near
        return Parcel(track=placed.track, change=ParcelChange.LEFT_BEHIND, near=near)

    def _is_parcel(self, track: Track) -> bool:
        """Whether this track of the detector is a parcel that lies there, or one that was taken."""
        if track.label is not Label.PACKAGE:
            return False
        if any(same_thing(track.box, box) for box in self._placed.boxes):
            return True
        return any(same_thing(track.box, box) and track.last_seen <= at for box, at in self._taken)
