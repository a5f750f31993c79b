"""Things of the view that look a little like something else: found faintly at one place, again and again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.geometry import iou
from blikk_edge.core.sightings import Detection, Track

SAME_IOU: Final = 0.5
OFTEN: Final = 3
"""So often something is found before it is taken for a part of the view."""

LONG_S: Final = 4.0
"""And for so long: who passes is found at one place for a moment."""

ABOVE: Final = 0.2
"""What is really there scores so much more than what only looks like it."""

CLEAR: Final = 0.78
"""Who scores so much is really there, whatever was found there before. A bush scored .73 at most."""

FORGET_S: Final = 1800.0
PLACES: Final = 32


@dataclass(slots=True)
class _Place:
    detection: Detection
    best: float
    first: float
    last: float
    times: int = 1


class Lookalikes:
    """Remembers where something was found again and again that never was clear enough to be followed.

    A lane mark in the rain scores as a bird in every third look, around the threshold; twice in a row it would be one.
    What is found at such a place counts only with a score of `ABOVE` more than it ever had there until then, or of
    `CLEAR`.
    """

    def __init__(self) -> None:
        self._places: list[_Place] = []

    def see(self, detections: Iterable[Detection], tracks: Iterable[Track], time: float) -> None:
        """Take in what was found in one look; what `tracks` follow is no lookalike."""
        followed = tuple(tracks)
        self._places = [place for place in self._places if time - place.last < FORGET_S]
        for detection in detections:
            if any(t.label is detection.label and iou(t.box, detection.box) > 0 for t in followed):
                continue
            place = self._place(detection)
            if place is None:
                self._places = [*self._places[1 - PLACES :], _Place(detection, detection.score, time, time)]
            elif not self._stands_out(place, detection):
                place.best, place.last = max(place.best, detection.score), time
                place.times += 1

    def know(self, detection: Detection) -> bool:
        """Whether a detection is no more than was found there all the time."""
        place = self._place(detection)
        return place is not None and _settled(place) and not self._stands_out(place, detection)

    def _place(self, detection: Detection) -> _Place | None:
        same = [
            place
            for place in self._places
            if place.detection.label is detection.label and iou(place.detection.box, detection.box) > SAME_IOU
        ]
        return max(same, key=lambda place: place.times, default=None)

    @staticmethod
    def _stands_out(place: _Place, detection: Detection) -> bool:
        return detection.score > min(place.best + ABOVE, CLEAR)


def _settled(place: _Place) -> bool:
    return place.times >= OFTEN and place.last - place.first >= LONG_S
