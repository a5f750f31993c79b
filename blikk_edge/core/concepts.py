"""Which concepts are there now: a switch each, with hysteresis. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.sightings import Label

HYSTERESIS: Final = 0.2
"""An object that fitted a concept does so until its score is so far below the threshold."""

HOLD_S: Final = 5.0
"""A concept is there until the last object that fitted has been gone for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """Words that a camera watches for.

    Attributes:
        id: Its place on MQTT.
        text: The words, in English.
        threshold: How well an object must fit them, 0..1.
        labels: Objects of these are compared.
    """

    id: str
    text: str
    threshold: float = 0.7
    labels: tuple[Label, ...] = tuple(Label)


class ConceptSwitches:
    """The concepts of one camera. `seen` takes in what was looked at, `step` who is there; `now` says which are on."""

    def __init__(self, concepts: Iterable[Concept]) -> None:
        self._concepts = {concept.id: concept for concept in concepts}
        self._fitting: dict[str, set[int]] = {name: set() for name in self._concepts}
        self._last: dict[str, float] = {}
        self._time = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._concepts)

    def of(self, label: Label) -> Mapping[str, str]:
        """The words to which an object of this label is compared, by the id of the concept."""
        return {name: concept.text for name, concept in self._concepts.items() if label in concept.labels}

    def seen(self, track: int, scores: Mapping[str, float]) -> None:
        """How well an object fits each concept."""
        for name, score in scores.items():
            fitting, threshold = self._fitting[name], self._concepts[name].threshold
            if score >= threshold:
                fitting.add(track)
            elif score < threshold - HYSTERESIS:
                fitting.discard(track)

    def step(self, present: Collection[int], time: float) -> None:
        """Who is there at this capture time, by the numbers of their tracks."""
        self._time = time
        for name, fitting in self._fitting.items():
            fitting.intersection_update(present)
            if fitting:
                self._last[name] = time

    def clear(self) -> None:
        """Nobody is there, and what was before has nothing to do with what comes."""
        for fitting in self._fitting.values():
            fitting.clear()
        self._last.clear()

    @property
    def now(self) -> tuple[tuple[str, bool], ...]:
        """Whether each concept is there."""
        return tuple(
            (name, bool(fitting) or (name in self._last and 0 <= self._time - self._last[name] < HOLD_S))
            for name, fitting in self._fitting.items()
        )
