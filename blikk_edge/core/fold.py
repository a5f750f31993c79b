"""Folds consecutive similar Observations into one, without holding back the first."""

from dataclasses import replace
from typing import TypeAlias

from blikk_edge.core.observation import Observation, Observed
from blikk_edge.core.sightings import Label

HOLD_S = 10.0

Likeness: TypeAlias = tuple[Observed, str | None, frozenset[Label], tuple[str, ...]]


class Folder:
    """Observations in, in order of time; fewer out, in the same order.

    Two Observations are similar when kind, event, labels of their objects and zones are the same. The first of a run of
    similar ones comes out at once. Those that follow are gathered into one: it has the id and time of the first
    gathered, the objects and embedding of the last, `until` of the last, the highest score, the appearances of all, and
    `folded` counts them.
    It comes out when it stands for `window` of them, before the first that is not similar, `HOLD_S` after its time, or
    at `flush`. A run ends with the first that is not similar, or after `HOLD_S` without one. `window` 1 folds nothing.
    """

    def __init__(self, window: int) -> None:
        self._window = max(1, window)
        self._run: Likeness | None = None
        self._last_time = 0.0
        self._held: Observation | None = None

    def add(self, observation: Observation) -> tuple[Observation, ...]:
        """What is to be reported now that this one was made."""
        alike = likeness(observation)
        fresh = alike != self._run or observation.time - self._last_time > HOLD_S
        self._run, self._last_time = alike, observation.until
        if fresh or self._window == 1:
            return (*self.flush(), observation)
        self._held = observation if self._held is None else gathered(self._held, observation)
        return self.flush() if self._held.folded >= self._window else ()

    def due(self, time: float) -> tuple[Observation, ...]:
        """What has been held long enough at this capture time."""
        return self.flush() if self._held is not None and time - self._held.time >= HOLD_S else ()

    def flush(self) -> tuple[Observation, ...]:
        """What is held, if anything."""
        held, self._held = self._held, None
        return () if held is None else (held,)


def likeness(observation: Observation) -> Likeness:
    """Equal for Observations that are similar."""
    labels = frozenset(sighting.label for sighting in observation.objects)
    return observation.kind, observation.event, labels, observation.zones


def gathered(first: Observation, last: Observation) -> Observation:
    """Two similar ones as one."""
    return replace(
        first,
        until=last.until,
        score=max(first.score, last.score),
        objects=last.objects,
        embedding=last.embedding,
        folded=first.folded + last.folded,
        appearances=first.appearances + last.appearances,
    )
