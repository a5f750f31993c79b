"""Who and what is in the picture now, as boxes, also between two looks of the detector."""

from typing import Final

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.motion.grid import Mask
from blikk_edge.transforms.parcels.regions import mask_of

LAST_S: Final = 1.5
"""So long whoever a look found is taken to be there where nobody looked again."""

_AROUND: Final = 0.06
_OTHERS: Final = frozenset({Label.VEHICLE, Label.ANIMAL})


class Present:
    """Who is there now.

    Attributes:
        people: Where people are.
        others: Where vehicles and animals are.
    """

    def __init__(self) -> None:
        self.people: list[Box] = []
        self.others: list[Box] = []
        self._looked = float("-inf")
        self._found: list[Box] = []

    def see(self, scene: Scene) -> None:
        """Take in the next scene."""
        time = scene.frame.time
        self.people = people_of(scene)
        if scene.analysed:
            self._looked, self._found = time, self.people
        elif time - self._looked <= LAST_S:
            self.people = [*self.people, *self._found]
        tracks = [t.box for t in scene.tracks if t.label in _OTHERS and not t.missed]
        self.others = [*(d.box for d in scene.detections if d.label in _OTHERS), *tracks]

    def mask(self, shape: tuple[int, ...]) -> Mask | None:
        """The pixels that they cover; None where nobody is there."""
        boxes = [*self.people, *self.others]
        return mask_of(shape, boxes=[box.grown(_AROUND) for box in boxes]) if boxes else None


def people_of(scene: Scene) -> list[Box]:
    """Everybody who is seen now, however faintly, or was a moment ago; who stood still has not gone unseen."""
    people = [d.box for d in scene.detections if d.label is Label.PERSON]
    tracks = [t for t in scene.tracks if t.label is Label.PERSON and t.confirmed]
    return people + [t.box for t in tracks if t.missed <= 1 or t.still_since is not None]
