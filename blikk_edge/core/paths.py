"""Where the members of an Event went: the boxes of their tracks over time, thinned out and bounded."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.geometry import Box
from blikk_edge.core.sightings import Track

POINTS_MAX: Final = 240
"""Points of one event: a screen shows no more, and an hour at the door costs what two minutes do."""

EVERY_S: Final = 0.4
MOVED: Final = 0.01
"""A side that moves by less of the picture is the detector's noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPoint:
    """Where one track was at one moment.

    Attributes:
        time: Capture time, seconds since 1970 UTC.
        track: The number of its Track.
        box: Where it was.
    """

    time: float
    track: int
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPath:
    """Where the members of one Event went.

    Attributes:
        event: The Event's id.
        points: By time, at most POINTS_MAX and the last of each track.
    """

    event: str
    points: tuple[PathPoint, ...] = ()


@dataclass(slots=True)
class _Open:
    points: list[PathPoint] = field(default_factory=list)
    kept: dict[int, PathPoint] = field(default_factory=dict)
    last: dict[int, PathPoint] = field(default_factory=dict)
    every_s: float = EVERY_S


class PathRecorder:
    """Notes where the members of open Events of one camera are; `keep` is called with the path of each that ends."""

    def __init__(self, keep: Callable[[EventPath], None]) -> None:
        self._keep = keep
        self._open: dict[str, _Open] = {}

    def see(self, time: float, tracks: Iterable[Track], members: Mapping[str, Collection[int]]) -> None:
        """Note where the `members` (track ids by event) of a scene are that was looked at; whom nobody sees is not."""
        seen = {track.id: track for track in tracks if not track.missed}
        for event, ids in members.items():
            known = self._open.setdefault(event, _Open())
            for number in sorted(seen.keys() & set(ids)):
                point = PathPoint(time=time, track=number, box=seen[number].box)
                known.last[number] = point
                before = known.kept.get(number)
                if before is None or (time - before.time >= known.every_s and _moved(before.box, point.box)):
                    known.kept[number] = point
                    known.points.append(point)
            if len(known.points) > POINTS_MAX:
                known.points = _every_other(known.points)
                known.every_s *= 2

    def end(self, event: str) -> None:
        """Hand on where the members of this event went, if they were seen."""
        known = self._open.pop(event, None)
        if known is None or not known.points:
            return
        ends = [point for number, point in known.last.items() if point is not known.kept.get(number)]
        points = sorted((*known.points, *ends), key=lambda point: (point.time, point.track))
        self._keep(EventPath(event=event, points=tuple(points)))


def _moved(before: Box, after: Box) -> bool:
    sides = zip(_sides(before), _sides(after), strict=True)
    return max(abs(one - other) for one, other in sides) >= MOVED


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2


def _every_other(points: Iterable[PathPoint]) -> list[PathPoint]:
    """Every other point of each track, the first included."""
    count: Counter[int] = Counter()
    kept: list[PathPoint] = []
    for point in points:
        if count[point.track] % 2 == 0:
            kept.append(point)
        count[point.track] += 1
    return kept
