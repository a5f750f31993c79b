"""What is parked: remembered places of vehicles that are no news, kept over restarts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from blikk_edge.core.geometry import Box, intersection, iou
from blikk_edge.core.remembered import remembered
from blikk_edge.core.sightings import Detection, Label, Track

SAME_PLACE_IOU = 0.6
SEEN_IOU = 0.4  # anything of the kind about there is proof enough that the place is not empty
AWAY_IOU = 0.5
AWAY_LOOKS = 3
CUT_INSIDE = 0.85  # a box that lies in the old one is a vehicle half hidden by a passer-by ...
CUT_IOU = 0.25  # ... unless hardly anything is left of it: then it drives away from the camera
COVERED = 0.3  # with so much of the place hidden by something else, an empty look proves nothing

LEFT_FORGET_S = 5.0  # it was seen driving off
FORGET_S = 120.0  # it was not: dusk and rain hide a parked car from a detector for a while
FORGET_LOOKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A vehicle at rest.

    Attributes:
        label: That of the track that came to rest.
        box: Its place in the picture.
        since: When it came to rest, seconds since 1970 UTC.
    """

    label: Label
    box: Box
    since: float


def parked_to_json(parked: Sequence[Parked]) -> str:
    """As a JSON list, for `parked_from_json` of a later run."""
    return json.dumps(
        [{"label": p.label, "box": [p.box.x1, p.box.y1, p.box.x2, p.box.y2], "since": p.since} for p in parked]
    )


def parked_from_json(text: str | None) -> tuple[Parked, ...]:
    """What `parked_to_json` wrote; whatever cannot be read (None, damaged text, a strange entry) is left out."""
    return remembered(text, _entry)


def _entry(entry: Any) -> Parked | None:
    x1, y1, x2, y2 = (float(v) for v in entry["box"])
    since = float(entry["since"])
    if not 0.0 <= since < 1e11:
        return None
    return Parked(label=Label(entry["label"]), box=Box(x1, y1, x2, y2), since=since)


@dataclass(slots=True)
class _Spot:
    parked: Parked
    track: int | None = None
    left: bool = False
    away_looks: int = 0
    away_since: float = 0.0
    empty_looks: int = 0
    empty_since: float = 0.0


@dataclass(frozen=True, slots=True)
class DroveOff:
    """A parked vehicle that left its place.

    Attributes:
        track: As it is in the look that proves it.
        since: The first look that showed it away, seconds since 1970 UTC.
    """

    track: Track
    since: float


class ParkedVehicles:
    """The parked vehicles of one camera.

    A place is forgotten once it has been seen empty for 5 s when its vehicle was seen to drive off, for 120 s when it
    was not, and in at least three looks. A look in which something else hides the place does not count.
    """

    def __init__(self, parked: Iterable[Parked] = ()) -> None:
        self._spots = [_Spot(p) for p in parked]

    @property
    def parked(self) -> tuple[Parked, ...]:
        """What is remembered now."""
        return tuple(spot.parked for spot in self._spots)

    def holds(self, track: Track) -> bool:
        """Whether this track is known to be one of the parked vehicles."""
        return any(spot.track == track.id for spot in self._spots)

    def adopt(self, track: Track) -> bool:
        """Take a new track for the parked vehicle whose place it fills (IoU at least 0.6); whether there is one."""
        free = [s for s in self._spots if s.track is None and s.parked.label is track.label]
        best = max(free, key=lambda s: iou(s.parked.box, track.box), default=None)
        if best is None or iou(best.parked.box, track.box) < SAME_PLACE_IOU:
            return False
        best.track, best.left, best.away_looks = track.id, False, 0
        return True

    def park(self, track: Track, since: float) -> None:
        """Remember a vehicle that has come to rest, in place of any that was remembered there."""
        self._spots = [s for s in self._spots if s.track is not None or iou(s.parked.box, track.box) < SAME_PLACE_IOU]
        self._spots.append(_Spot(Parked(label=track.label, box=track.box, since=since), track=track.id))

    def look(self, tracks: Sequence[Track], detections: Sequence[Detection], time: float) -> tuple[DroveOff, ...]:
        """Take in what one analysed frame showed of all labels; says who has driven off."""
        by_id = {track.id: track for track in tracks}
        gone: list[DroveOff] = []
        for spot in self._spots:
            track = by_id.get(spot.track) if spot.track is not None else None
            if track is None:
                spot.track = None
            elif not track.missed and _away(track, spot, time):
                gone.append(DroveOff(track, spot.away_since))
                spot.track, spot.left, spot.away_looks = None, True, 0
        seen = [*((t.label, t.box) for t in tracks if not t.missed), *((d.label, d.box) for d in detections)]
        self._spots = [spot for spot in self._spots if not _forget(spot, seen, time)]
        return tuple(gone)


def _away(track: Track, spot: _Spot, time: float) -> bool:
    place = spot.parked.box
    overlap = iou(place, track.box)
    inside = intersection(place, track.box) / track.box.area if track.box.area > 0 else 1.0
    if overlap >= AWAY_IOU or (inside >= CUT_INSIDE and overlap >= CUT_IOU):
        spot.away_looks = 0
        return False
    if spot.away_looks == 0:
        spot.away_since = time
    spot.away_looks += 1
    return spot.away_looks >= AWAY_LOOKS


def _forget(spot: _Spot, seen: Sequence[tuple[Label, Box]], time: float) -> bool:
    place, label = spot.parked.box, spot.parked.label
    if any(kind is label and iou(box, place) >= SEEN_IOU for kind, box in seen):
        spot.empty_looks = 0
        return False
    if any(intersection(box, place) >= COVERED * place.area for _, box in seen):
        return False
    if spot.empty_looks == 0:
        spot.empty_since = time
    spot.empty_looks += 1
    return spot.empty_looks >= FORGET_LOOKS and time - spot.empty_since >= (LEFT_FORGET_S if spot.left else FORGET_S)
