"""Small English: numbers, plurals, lengths of time, lists."""

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
    """A place by its name with an article, where one fits: `the Front door`, but `Camera 1` and `Anna's room`."""
    words = name.split()
    proper = not words or words[0].lower() in {"the", "a", "an", "my", "our"} or name[-1].isdigit()
    owned = any(word.endswith(("'s", "s'", "’s")) for word in words)
    return name if proper or owned else f"the {name}"


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
