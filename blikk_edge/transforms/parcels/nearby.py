"""Where people were in the last minutes: who was at a place, how near, and whether somebody is there now."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.geometry import Box, intersection
from blikk_edge.core.parcels import NearTrack
from blikk_edge.core.sightings import Label

EVERY_S: Final = 0.4
"""So often it is noted who is where, and the view compared."""

KEPT: Final = 600
"""So many sightings are kept: two minutes of two people."""

SAME_TIME_S: Final = 6.0
"""So long after somebody was at a place it may still be seen that they were: walking off takes a while."""

AWAY: Final = 0.35
"""Whoever is nearer to a place than this (`nearness`) is still there."""


@dataclass(frozen=True, slots=True)
class Person:
    """Where somebody was at one time.

    Attributes:
        time: When, seconds since 1970 UTC.
        track: The id of their track.
        box: Where.
    """

    time: float
    track: int
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Who was at a place.

    Attributes:
        near: Whose track, and how near.
        height: How high the largest box of that track was while it was near in time, a share of the picture's.
        box: Where they were when they were nearest.
    """

    near: NearTrack
    height: float
    box: Box


class Nearby:
    """Remembers where people were."""

    def __init__(self) -> None:
        self._people: deque[Person] = deque(maxlen=KEPT)

    def reset(self) -> None:
        """Forget all of them."""
        self._people.clear()

    def see(self, time: float, people: Iterable[tuple[int, Box]]) -> None:
        """Somebody was seen there now: ids of their tracks and boxes."""
        known: set[int] = set()
        for person in reversed(self._people):
            if time - person.time >= EVERY_S:
                break
            known.add(person.track)
        self._people.extend(Person(time, track, box) for track, box in people if track not in known)

    def at(self, place: Box, since: float, until: float) -> Visit | None:
        """Who was nearest to a place in that time; None where nobody was near it."""
        best: Visit | None = None
        for person in self._people:
            if not since <= person.time <= until:
                continue
            score = nearness(person.box, place)
            if score > 0 and (best is None or score >= best.near.score):
                near = NearTrack(track=person.track, label=Label.PERSON, score=score)
                best = Visit(near=near, height=person.box.height, box=person.box)
        if best is None:
            return None
        heights = [p.box.height for p in self._people if p.track == best.near.track and since <= p.time <= until]
        return Visit(near=best.near, height=max(heights), box=best.box)

    def walked_off(self, place: Box) -> bool:
        """Whether the last who was seen was seen beside a place, and not over most of it."""
        return bool(self._people) and intersection(self._people[-1].box, place) < 0.5 * place.area


def nearness(person: Box, place: Box) -> float:
    """How near somebody is to a place, 0..1: 1 where they cover half of it, 0 at two thirds of their height from it."""
    shared = intersection(person, place) / place.area if place.area > 0 else 0.0
    if shared > 0:
        return min(1.0, 0.6 + 0.8 * shared)
    reach = 0.67 * person.height
    right = max(0.0, place.x1 - person.x2, person.x1 - place.x2)
    down = max(0.0, place.y1 - person.y2, person.y1 - place.y2)
    return max(0.0, 0.6 * (1 - (right + down) / reach)) if reach > 0 else 0.0
