"""What objects are called, whatever the language; sentences made of phrases."""

from collections.abc import Iterable
from typing import Final, Protocol

from blikk_edge.core.sightings import Label

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


class HasName(Protocol):
    """Something with a detector's class: a Stay, a Sighting, a Track."""

    @property
    def label(self) -> Label:
        """What it is to the user."""
        ...

    @property
    def sub_label(self) -> str:
        """The detector's own class."""
        ...


def kind_of(thing: HasName) -> str:
    """What an object is called: its class where that is known and says more, else its label."""
    sub_label = thing.sub_label.strip().lower().replace("_", " ")
    return sub_label if sub_label in _KINDS[thing.label] else thing.label.value


def kind_of_all(label: Label, things: Iterable[HasName]) -> str:
    """What all objects of a label are called: their class where it is the same for all, else the label."""
    kinds = {kind_of(thing) for thing in things if thing.label is label}
    return kinds.pop() if len(kinds) == 1 else label.value


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
