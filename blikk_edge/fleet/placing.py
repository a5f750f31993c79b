"""Which member is to watch which camera: computed by each from the same data, with the same result.

Weighted rendezvous hashing: the highest of -weight / ln(hash) has the camera, with a hash in 0..1 of camera and member
together; so a member that comes or goes moves no camera between the others. (Schindelhauer and Schomaker, 2005.)
"""

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

LOAD_STEPS: Final = 4
"""A load is told apart in quarters: one that changes a little from beat to beat moves no camera."""

IDLE_LEAST: Final = 0.1
"""A member that is busy but has room still counts for so much: somebody has to watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A member, as far as placing goes.

    Attributes:
        member: Its id.
        cameras_max: The most cameras that it watches.
        load: How busy its machine is, 0..1.
        near: The labels of places that it is near to.
    """

    member: str
    cameras_max: int
    load: float = 0.0
    near: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A camera that is to be watched by somebody.

    Attributes:
        camera: Its id.
        near: The labels of the places that it is near to; members that have one of them come first.
    """

    camera: str
    near: frozenset[str] = frozenset()


def placed(wanted: Iterable[Wanted], places: Sequence[Place], held: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The member for each of these cameras, by camera; one for which nobody has room is left out.

    `held` has the cameras that each member watches already, which take room there. The order of the arguments does not
    matter.
    """
    room = {place.member: place.cameras_max - len(held.get(place.member, ())) for place in places}
    found: dict[str, str] = {}
    # those with labels first: they have fewer members to choose from
    for each in sorted(wanted, key=lambda each: (not each.near, each.camera)):
        free = [place for place in places if room[place.member] > 0]
        near = [place for place in free if place.near & each.near]
        if not free:
            break
        best = max(near or free, key=lambda place: (_score(each.camera, place, room[place.member]), place.member))
        found[each.camera] = best.member
        room[best.member] -= 1
    return found


def _score(camera: str, place: Place, room: int) -> float:
    """The higher, the rather it is this one."""
    load = round(min(1.0, max(0.0, place.load)) * LOAD_STEPS) / LOAD_STEPS
    weight = room / place.cameras_max * max(IDLE_LEAST, 1.0 - load)
    return -weight / math.log(_hash(camera, place.member))


def _hash(camera: str, member: str) -> float:
    """Evenly distributed in 0..1, both excluded; the same on every machine."""
    digest = hashlib.blake2b(f"{camera}\0{member}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**64
