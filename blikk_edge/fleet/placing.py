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


def moves(
    wanted: Iterable[Wanted], places: Sequence[Place], held: Mapping[str, Collection[str]], *, me: str
) -> list[str]:
    """The cameras that `me` should take from others which watch them well: few, the most important first.

    Those that are near to it and not to who has them; and, where it has the smallest share of all, one of who has the
    largest share, if that is still no smaller afterwards. Never from one whose machine is less busy.
    """
    by_id = {place.member: place for place in places}
    own = by_id.get(me)
    if own is None or len(held.get(me, ())) >= own.cameras_max:
        return []
    labels = {each.camera: each.near for each in wanted}
    owners = {camera: member for member, cameras in held.items() for camera in cameras if member in by_id}
    others = [
        (camera, by_id[member])
        for camera, member in owners.items()
        if camera in labels and member != me and _busy(own) <= _busy(by_id[member])
    ]
    found = [
        camera
        for camera, place in others
        if own.near & labels[camera]
        and not place.near & labels[camera]
        and _nearest(camera, labels[camera], places, held) == me
    ]
    rest = [place for place in places if place.member != me and place.cameras_max > 0]
    if rest and all(
        _share(own, held) < _share(place, held) or (_share(own, held) == _share(place, held) and me < place.member)
        for place in rest
    ):
        fullest = max(rest, key=lambda place: (_share(place, held), place.member))
        theirs = [camera for camera, place in others if place is fullest and not place.near & labels[camera]]
        theirs = theirs or [camera for camera, place in others if place is fullest and own.near & labels[camera]]
        if theirs and _share(own, held, more=1) <= _share(fullest, held, more=-1):
            found.append(max(theirs, key=lambda camera: (_hash(camera, me), camera)))
    return list(dict.fromkeys(found))


def _nearest(camera: str, labels: Collection[str], places: Sequence[Place], held: Mapping[str, Collection[str]]) -> str:
    """Of the members that are near to a camera and have room the one that is to have it."""
    near = [
        each for each in places if each.near & frozenset(labels) and len(held.get(each.member, ())) < each.cameras_max
    ]
    return max(near, key=lambda place: (_hash(camera, place.member), place.member)).member if near else ""


def _share(place: Place, held: Mapping[str, Collection[str]], *, more: int = 0) -> float:
    """How full a member is, with so many cameras more."""
    return (len(held.get(place.member, ())) + more) / max(1, place.cameras_max)


def _score(camera: str, place: Place, room: int) -> float:
    """The higher, the rather it is this one."""
    weight = room / place.cameras_max * max(IDLE_LEAST, 1.0 - _busy(place))
    return -weight / math.log(_hash(camera, place.member))


def _busy(place: Place) -> float:
    """How busy its machine is, 0..1, in steps."""
    return round(min(1.0, max(0.0, place.load)) * LOAD_STEPS) / LOAD_STEPS


def _hash(camera: str, member: str) -> float:
    """Evenly distributed in 0..1, both excluded; the same on every machine."""
    digest = hashlib.blake2b(f"{camera}\0{member}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**64
