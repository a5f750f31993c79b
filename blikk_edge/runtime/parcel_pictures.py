"""Pictures of who is at a parcel, kept until it is known whether it was taken: redacted, like all that is kept."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, Protocol

from blikk_edge.core.parcels import Lying, ParcelChange
from blikk_edge.core.picture import Picture
from blikk_edge.core.scene import Scene
from blikk_edge.core.stages import Step

EVERY_S: Final = 2.0
"""So often a Picture of one visit is made anew where the later one shows no less."""


class ParcelStep(Step, Protocol):
    """The step that sees what was left behind.

    Attributes:
        ask: Called with a time in seconds since 1970 UTC from which a look of the detector is wanted.
    """

    ask: Callable[[float], None]

    @property
    def lying(self) -> tuple[Lying, ...]:
        """What lies there now."""
        ...

    def visited(self, scene: Scene) -> dict[int, float]:
        """At which parcels somebody is in this scene, by id, and how near, 0..1."""
        ...


class ParcelPictures:
    """The best Picture of the present visit to each parcel.

    It is made while somebody is there, and comes out when a revision of an Event says that the parcel was taken.
    """

    def __init__(self, step: ParcelStep | None) -> None:
        self._step = step
        self._kept: dict[int, tuple[float, Picture]] = {}
        self._due: Picture | None = None

    def of(self, scene: Scene, event: str | None, make: Callable[[], Picture | None]) -> Iterator[Picture]:
        """What comes out at a scene, of the `event` that says so in it, if any; `make` makes a Picture of it."""
        if self._step is None:
            return
        for parcel in scene.parcels:
            if parcel.change is ParcelChange.TAKEN and (kept := self._kept.pop(parcel.track.id, None)) is not None:
                self._due = kept[1]
        if event is not None and self._due is not None:
            yield replace(self._due, event=event)
            self._due = None
        visited = self._step.visited(scene) if scene.analysed and scene.parcels else {}
        worth = {key: near for key, near in visited.items() if self._worth(key, near, scene.frame.time)}
        if worth and (picture := make()) is not None:
            self._kept.update({key: (near, picture) for key, near in worth.items()})
        lying = {parcel.track.id for parcel in scene.parcels}
        self._kept = {key: kept for key, kept in self._kept.items() if key in lying}

    def _worth(self, key: int, near: float, time: float) -> bool:
        if key not in self._kept:
            return True
        before, picture = self._kept[key]
        return time - picture.time >= EVERY_S and near >= 0.9 * before
