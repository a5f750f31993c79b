"""Small English: numbers, plurals, lengths of time, lists."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from blikk_edge.core.sightings import Label

_WORDS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_PLURALS: Final = {"person": "people", "bus": "buses", "sheep": "sheep", "deer": "deer", "fox": "foxes"}

_KINDS: Final[dict[Label, frozenset[str]]] = {
    Label.PERSON: frozenset(),  # a class that says more than `person` is a guess at age or gender
    Label.VEHICLE: frozenset(
        {"bicycle", "boat", "bus", "car", "motorcycle", "scooter", "tractor", "train", "truck", "van"}
    ),
    Label.ANIMAL: frozenset(
        {"bear", "bird", "cat", "chicken", "cow", "deer", "dog", "fox", "goat", "horse", "pig", "rabbit"}
        | {"raccoon", "sheep", "squirrel", "wild boar"}
    ),
    Label.PACKAGE: frozenset(),  # a detector's suitcase is mostly somebody's parcel
}
"""The detector's classes that are worth their name; they come from files of models and are not repeated unseen."""


_DETERMINED: Final = frozenset({"the", "a", "an", "my", "our"})
_WORD: Final = re.compile(r"[^\W\d_]+")
_PLACES: Final = """
    alley annex area attic back balcony barn basement bathroom bed bedroom bench bicycle bike bin bins building cam
    camera car carport ceiling cellar child children corner corridor court courtyard cycle deck desk dining dock door
    doorbell doorstep doorway drive driveway east end entrance entry exit exterior family far fence field first floor
    front garage garden gate ground guest gym hall hallway home house indoor inner inside interior kitchen landing
    laundry lawn left letterbox living lobby loft lounge lower mailbox main middle near north nursery office outdoor
    outer outside pantry parking path patio pavement playground playroom pool porch reception rear right road roof room
    second shed shop side sidewalk south stable stair stairs staircase steps storage store street study terrace top
    upper utility veranda walkway warehouse west window workshop yard and by in of on the to
"""
_PLACE_WORDS: Final = frozenset(_PLACES.split())
"""What places around a house are called; a name made of other words may be a proper one, or not English."""

_ADDRESSES: Final = frozenset({"Street", "Road", "Court"})


class Named(Protocol):
    """Something with a detector's class: a Stay, a Sighting, a Track."""

    @property
    def label(self) -> Label:
        """What it is to the user."""
        ...

    @property
    def sub_label(self) -> str:
        """The detector's own class."""
        ...


def kind_of(thing: Named) -> str:
    """What an object is called: its class where that is known and says more, else its label."""
    sub_label = thing.sub_label.strip().lower().replace("_", " ")
    return sub_label if sub_label in _KINDS[thing.label] else thing.label.value


def kind_of_all(label: Label, things: Iterable[Named]) -> str:
    """What all objects of a label are called: their class where it is the same for all, else the label."""
    kinds = {kind_of(thing) for thing in things if thing.label is label}
    return kinds.pop() if len(kinds) == 1 else label.value


def plural(noun: str) -> str:
    """Of one of the nouns above."""
    return _PLURALS.get(noun, f"{noun}s")


def number(count: int) -> str:
    """In words up to ten."""
    return _WORDS[count] if 0 <= count < len(_WORDS) else str(count)


def some(count: int, noun: str) -> str:
    """`a car`, `an animal`, `two people`."""
    if count == 1:
        return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"
    return f"{number(count)} {plural(noun)}"


def times(count: int) -> str:
    """`once`, `twice`, `three times`."""
    return {1: "once", 2: "twice"}.get(count, f"{number(count)} times")


def duration(seconds: float) -> str:
    """`a moment`, `40 s`, `12 min`, `2 h 5 min`, `3 days`; rounded down, so that it is never more than there was."""
    whole = int(min(max(0.0, seconds), 1e9))
    if whole < 1:
        return "a moment"
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


def the(name: str) -> str:
    """A place by its name as it is said within a sentence: `the front door`, `the TV room`, `the Einfahrt`.

    What is a name of its own keeps its form: `Camera 1`, `12 Main Street`, `Anna's room`, `The Shed`.
    """
    words = name.split()
    proper = not words or words[0].lower() in _DETERMINED or words[0].isdigit() or name[-1].isdigit()
    owned = any(word.endswith(("'s", "s'", "’s", "s’")) for word in words)
    return name if proper or owned else f"the {_common(name)}"


def _common(name: str) -> str:
    """In small letters where each word is an everyday one; abbreviations stay as they are."""
    words = _WORD.findall(name)
    usual = {word for word in words if word.lower() in _PLACE_WORDS}
    short = {word for word in words if 1 < len(word) <= 4 and word.isupper()}
    address = len(words) > 1 and words[-1] in _ADDRESSES
    if address or not usual or set(words) - usual - short:
        return name
    return _WORD.sub(lambda found: found[0].lower() if found[0] in usual else found[0], name)


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def clipped(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words where that is possible."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    cut = head.rfind(" ")
    return f"{head[:cut] if cut > limit // 2 else head}…"
