"""Where: the cameras and zones that a question names, also with a slip of the pen or by half their name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from blikk_edge.core.house import CameraInfo
from blikk_edge.enrichers.asking.phrase import Phrase, any_of, plain
from blikk_edge.enrichers.asking.words import FILLER

LIKE: Final = 0.84
"""How alike (difflib's ratio) a word must be to a name: one slip in six letters passes."""

_AT_BELL: Final = re.compile(r"\b((?:at|by|near) (?:the|my|our)) (?:door ?)?bell\b")
_DOORS: Final = {"door", "front door", "entrance", "doorstep"}
_PLACE: Final = re.compile(
    r"\b(?:at|in|on|by|near|to|from|through|into|onto|outside|inside|via|behind|of) (?:the |my |our )?"
    r"(?P<name>(?!the\b|my\b|our\b)[^\W\d_]\w*(?: (?!and\b|or\b|·)[^\W\d_]\w*)?)"
)
_HOME: Final = "(?:house|home|place|property|premises)"
_GENERIC: Final = re.compile(
    rf"\b(?:at home|(?:at|on|around|near|to) (?:the|my|our) {_HOME}|in front of (?:the|my|our) (?:{_HOME}|cameras?)"
    r"|on (?:the |any |all )?cameras?)\b"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Something with a name: cameras, or a zone of theirs."""

    name: str
    cameras: tuple[str, ...]
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """What a question restricts to; `unknown` is a place that nobody has named so."""

    cameras: tuple[str, ...] = ()
    zone: str | None = None
    unknown: str = ""


def take_names(phrase: Phrase, cameras: Sequence[CameraInfo]) -> tuple[Place, ...]:
    """What a question calls by its whole name, taken out of it; before names are mistaken for other words."""
    places = sorted(_places(cameras), key=lambda place: (-len(place.name), place.zone is not None))
    found = tuple(_exact(phrase, places))
    phrase.text = _AT_BELL.sub(r"\1 door", phrase.text)
    phrase.take_all(_GENERIC)
    return found


def take_place(phrase: Phrase, cameras: Sequence[CameraInfo], named: Sequence[Place]) -> Where:
    """Where a question asks, of what it has named and of what else it says after at, in, on ...; taken out of it."""
    places, found = tuple(_places(cameras)), list(named)
    while (match := _PLACE.search(phrase.text)) is not None:
        name = match["name"]
        first, *rest = name.split()
        if first in FILLER:
            phrase.text = phrase.text[: match.start()] + phrase.text[match.start("name") :]
            continue
        near = _like(name, places, cameras)
        if near is None:
            return Where(unknown=name if rest and name in _DOORS else first)
        phrase.take(any_of(near[0]))
        found += near[1]
    return _where(found)


def _places(cameras: Sequence[CameraInfo]) -> Iterator[Place]:
    for camera in cameras:
        for name in {plain(camera.name), plain(camera.id)} - {""}:
            yield Place(name, (camera.id,))
        for zone in camera.zones:
            if plain(zone):
                yield Place(plain(zone), tuple(each.id for each in cameras if zone in each.zones), zone)


def _exact(phrase: Phrase, places: Sequence[Place]) -> Iterator[Place]:
    for place in places:
        pattern = re.compile(
            rf"\b(?:(?:at|in|on|by|near|to|from|of|outside) )?(?:(?:the|my|our) )?{re.escape(place.name)}\b"
        )
        if phrase.take(pattern):
            yield place


def _like(name: str, places: Sequence[Place], cameras: Sequence[CameraInfo]) -> tuple[str, list[Place]] | None:
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
    doors = [said for said in tries if said in _DOORS]
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
