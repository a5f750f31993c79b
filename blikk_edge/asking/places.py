"""Where: the cameras and zones that a question names, also with a slip of the pen or by half their name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from blikk_edge.asking.phrase import Phrase, plain
from blikk_edge.core.status import CameraInfo
from blikk_edge.language.reading import Reading, any_of

LIKE: Final = 0.84
"""How alike (difflib's ratio) a word must be to a name: one slip in six letters passes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Something with a name: cameras, or a zone of theirs.

    Attributes:
        name: As it is compared with the words of a question: made plain by `phrase.plain`.
        cameras: The ids of the cameras that it means; of a zone those that have it.
        zone: The zone's name as it is configured; None for cameras.
    """

    name: str
    cameras: tuple[str, ...]
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """What a question restricts to.

    Attributes:
        cameras: To these, by id; empty for all.
        zone: To this zone; None for everywhere.
        unknown: A place that nobody has named so; empty where every place is known.
    """

    cameras: tuple[str, ...] = ()
    zone: str | None = None
    unknown: str = ""


def take_names(phrase: Phrase, cameras: Sequence[CameraInfo]) -> tuple[Place, ...]:
    """What a question calls by its whole name, taken out of it; before names are mistaken for other words."""
    reading = phrase.reading
    places = sorted(_places(cameras, reading), key=lambda place: (-len(place.name), place.zone is not None))
    found = tuple(_exact(phrase, places))
    phrase.text = reading.pattern("places.at_bell").sub(rf"\1 {reading.door}", phrase.text)
    phrase.take_all("places.everywhere")
    return found


def take_place(phrase: Phrase, cameras: Sequence[CameraInfo], named: Sequence[Place]) -> Where:
    """Where a question asks, of what it has named and of what else it says after at, in, on ...; taken out of it."""
    reading = phrase.reading
    places, found = tuple(_places(cameras, reading)), list(named)
    while (match := reading.pattern("places.place").search(phrase.text)) is not None:
        name = match["name"]
        first, *rest = name.split()
        if first in reading.filler:
            phrase.text = phrase.text[: match.start()] + phrase.text[match.start("name") :]
            continue
        near = _like(name, places, cameras, reading)
        if near is None:
            return Where(unknown=name if rest and reading.means(name, "places.doors") else first)
        phrase.take(any_of((near[0],)))
        found += near[1]
    return _where(found)


def _places(cameras: Sequence[CameraInfo], reading: Reading) -> Iterator[Place]:
    for camera in cameras:
        for name in {plain(camera.name, reading), plain(camera.id, reading)} - {""}:
            yield Place(name, (camera.id,))
        for zone in camera.zones:
            if name := plain(zone, reading):
                yield Place(name, tuple(each.id for each in cameras if zone in each.zones), zone)


def _exact(phrase: Phrase, places: Sequence[Place]) -> Iterator[Place]:
    for place in places:
        if phrase.take(re.compile(rf"\b{phrase.reading.leading}{re.escape(place.name)}\b")):
            yield place


def _like(
    name: str, places: Sequence[Place], cameras: Sequence[CameraInfo], reading: Reading
) -> tuple[str, list[Place]] | None:
    """The words of `name` that mean a place, and which: by half its name, by a slip, a door by its bell."""
    tries = tuple(dict.fromkeys((name, name.split(maxsplit=1)[0])))
    for said in tries:
        if halves := [place for place in places if set(said.split()) <= set(place.name.split())]:
            return said, halves
    for said in tries:
        alike = {SequenceMatcher(None, said, place.name).ratio(): place for place in places if len(said) >= 5}
        if alike and max(alike) >= LIKE:
            return said, [alike[max(alike)]]
    bells = tuple(camera.id for camera in cameras if camera.ring) or tuple(c.id for c in cameras if len(cameras) == 1)
    doors = [said for said in tries if reading.means(said, "places.doors")]
    return (doors[0], [Place(doors[0], bells)]) if doors and bells else None


def _where(found: Sequence[Place]) -> Where:
    zones = dict.fromkeys(place.zone for place in found if place.zone is not None)
    cameras = dict.fromkeys(camera for place in found if place.zone is None for camera in place.cameras)
    if len(zones) > 1:
        return Where(unknown=" and ".join(map(str, zones)))
    of_zone = dict.fromkeys(camera for place in found if place.zone is not None for camera in place.cameras)
    if zones and cameras:
        cameras = {camera: None for camera in cameras if camera in of_zone} or cameras
    return Where(cameras=tuple(cameras or of_zone), zone=next(iter(zones), None))
