"""Says what changed of what is measured: Scenes in, Observations out. Pure: the same Scenes give the same records."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.core.ids import Ids
from blikk_edge.core.observation import Observation, Observed
from blikk_edge.core.reporter import score_of
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Measure, MeasureInfo

MEASURE_EVERY_S: Final = 5.0
"""New values are reported together, and at most once in so long."""

ALERT_HOLD_S: Final = 5.0
"""An alert is over when values have come without it for so long; one that flickers is one alert."""

STALE_S: Final = 60.0
"""What has not been measured for so long is not known any more."""


@dataclass(slots=True)
class _Reading:
    """One measure: as it was reported and as it came last, and when."""

    reported: Measure
    newest: Measure
    time: float


@dataclass(slots=True)
class _Alert:
    """An alert that goes on; `clear_since` is since when values have come without it, or of another item."""

    measure: Measure
    clear_since: float | None = None


class MeasureReporter:
    """What there is to report of one camera's measures.

    A measure gives an Observation of kind `measure` when it appears, and when it has changed by its `min_change` since
    it was reported: what is due is reported together, at most once in 5 s, however often it is measured. An alert gives
    one of kind `alert` at once, and one of kind `alert_ended` with the newest value when it has been away for 5 s, or
    its measure has not come for 60 s, or at `end`. An alert Observation is about one measure, whose `alert` says which.
    Each `item` that is measured has alerts of its own.
    """

    def __init__(self, camera: str, measures: Iterable[MeasureInfo], *, ids: Ids) -> None:
        self._camera = camera
        self._min_change = {measure.name: measure.min_change for measure in measures}
        self._ids = ids
        self._readings: dict[str, _Reading] = {}
        self._alerts: dict[tuple[str, str, int | None], _Alert] = {}
        self._reported_at = -math.inf
        self._time = -math.inf
        self._score = 0.0

    @property
    def current(self) -> tuple[Measure, ...]:
        """Each measure as it was reported last, by name, with the alert that goes on."""
        alerts = {name: word for name, word, _ in self._alerts}  # of several of one measure the newest
        return tuple(
            replace(reading.reported, alert=alerts.get(name)) for name, reading in sorted(self._readings.items())
        )

    def report(self, scene: Scene) -> tuple[Observation, ...]:
        """What this scene adds. Scenes come in capture order; a time that steps back counts as the latest one."""
        if not (scene.measures or self._readings):
            return ()
        self._time = max(self._time, scene.frame.time)
        self._score = score_of(scene.motion)
        new = [measure.name for measure in scene.measures if measure.name not in self._readings]
        for measure in scene.measures:
            reading = self._readings.setdefault(measure.name, _Reading(measure, measure, self._time))
            reading.newest, reading.time = measure, self._time
        return (*self._alerts_of(scene), *self._values(new), *self._gone())

    def end(self, time: float | None = None) -> tuple[Observation, ...]:
        """Nothing is measured any more: alerts end, at this capture time, or at that of the last scene."""
        self._time = max(self._time, self._time if time is None else time)
        ended = tuple(self._ended(key) for key in list(self._alerts))
        self._readings.clear()
        return ended

    def end_timeline(self) -> tuple[Observation, ...]:
        """The wall clock was set: as `end`, and the times of what follows have nothing to do with those before."""
        ended = self.end()
        self._time = self._reported_at = -math.inf
        return ended

    def _alerts_of(self, scene: Scene) -> Iterator[Observation]:
        for measure in scene.measures:
            if measure.alert is not None and (measure.name, measure.alert, measure.item) not in self._alerts:
                self._alerts[measure.name, measure.alert, measure.item] = _Alert(measure)
                self._readings[measure.name].reported = measure
                yield self._observation(Observed.ALERT, measure)
        measured = {measure.name: measure for measure in scene.measures}
        for (name, word, item), alert in list(self._alerts.items()):
            if name not in measured:
                continue
            if measured[name].item == item:
                alert.measure = replace(measured[name], alert=word)
            if (measured[name].alert, measured[name].item) == (word, item):
                alert.clear_since = None
            elif alert.clear_since is None:
                alert.clear_since = self._time
            elif self._time - alert.clear_since >= ALERT_HOLD_S:
                self._readings[name].reported = measured[name]
                yield self._ended((name, word, item))

    def _values(self, new: list[str]) -> Iterator[Observation]:
        if not new and self._time - self._reported_at < MEASURE_EVERY_S:
            return
        due = [name for name, reading in self._readings.items() if name in new or self._changed(name, reading)]
        if due:
            self._reported_at = self._time
            for name in due:
                self._readings[name].reported = self._readings[name].newest
            yield self._observation(Observed.MEASURE, *(self._readings[name].reported for name in due))

    def _changed(self, name: str, reading: _Reading) -> bool:
        change = abs(reading.newest.value - reading.reported.value)
        return change > 0.0 and change >= self._min_change.get(name, 0.0)

    def _gone(self) -> Iterator[Observation]:
        for name in [n for n, reading in self._readings.items() if self._time - reading.time >= STALE_S]:
            del self._readings[name]
            for key in [key for key in self._alerts if key[0] == name]:
                yield self._ended(key)

    def _ended(self, key: tuple[str, str, int | None]) -> Observation:
        return self._observation(Observed.ALERT_ENDED, self._alerts.pop(key).measure)

    def _observation(self, kind: Observed, *measures: Measure) -> Observation:
        return Observation(
            id=self._ids.next(self._time),
            camera=self._camera,
            kind=kind,
            time=self._time,
            until=self._time,
            score=self._score,
            measures=measures,
        )
