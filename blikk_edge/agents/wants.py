"""What a subscriber wants of what is reported."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from blikk_edge.core.errors import ConfigError
from blikk_edge.core.observation import Event, Observation, Observed, Record, Ring, Withdrawn
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Answer, Summary

RECORDS: Final[dict[str, type[Record]]] = {
    "observation": Observation,
    "event": Event,
    "ring": Ring,
    "summary": Summary,
    "answer": Answer,
}
"""Kinds of records, by the names that they have on the wire."""

KINDS: Final = (*RECORDS, *(kind.value for kind in Observed))

Words: TypeAlias = str | Iterable[str] | None
"""One word, several, or None for what is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """Which records a subscriber gets.

    Attributes:
        kinds: Kinds of records; a kind of Observation (`appeared`) stands for those alone.
        labels: Observations and Events of these; None: of all, and those without an object.
        camera: Of this one alone; None: of all.
    """

    kinds: frozenset[str]
    labels: frozenset[str] | None = None
    camera: str | None = None

    def take(self, record: Record) -> bool:
        """Whether the subscriber gets this record."""
        if isinstance(record, Withdrawn) or not self._kind(record) or self.camera not in {None, record.camera}:
            return False
        if self.labels is None:
            return True
        match record:
            case Observation():
                return any(sighting.label in self.labels for sighting in record.objects)
            case Event():
                return record.label in self.labels
            case _:
                return True

    def _kind(self, record: Record) -> bool:
        if isinstance(record, Observation) and record.kind in self.kinds:
            return True
        return type(record).__name__.lower() in self.kinds


def wants(kinds: Words = None, labels: Words = None) -> Wants:
    """What these words mean; raises ConfigError for a word that means nothing."""
    return Wants(
        kinds=frozenset(_words(kinds, KINDS, "kind")) if kinds is not None else frozenset({"observation"}),
        labels=frozenset(_words(labels, tuple(Label), "label")) if labels is not None else None,
    )


def _words(given: str | Iterable[str], known: tuple[str, ...], what: str) -> list[str]:
    if not isinstance(given, Iterable):
        raise ConfigError(f"{what}s: a text or a list of texts belongs here")
    words = [given] if isinstance(given, str) else [str(word) for word in given]
    for word in words:
        if word not in known:
            raise ConfigError(f"there is no {what} {word[:40]!r}: {_near(word, known)}")
    if not words:
        raise ConfigError(f"no {what} at all: leave the parameter away to get what is usual")
    return [str(word) for word in words]


def _near(word: str, known: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(word.lower()[:100], known, n=1, cutoff=0.6)
    return f"did you mean {str(near[0])!r}?" if near else f"use {', '.join(known)}"
