"""The steps that are added to a pipeline: each has a time budget, and none can stop the rest."""

import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import BlikkError, ConfigError, StepError
from blikk_edge.core.probe import CameraProbe
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import WORD, Measure, MeasureInfo
from blikk_edge.core.stages import MEASURES_MAX, Needs, Step

MEAN_MS: Final = 50.0
"""On average a call may take a quarter of the time between two frames at 5 fps; the detector needs the rest."""

MEAN_OVER: Final = 10
"""A mean counts from so many calls on, and weighs the last one with one part in so many."""

CALL_MS: Final = 500.0
"""A single call may take so long, two frames at 5 fps: a busy Pi stops anybody for 200 ms now and then."""

BROKEN_MS: Final = 5000.0
"""A step that takes so long is not tried again: whoever rings meanwhile would wait as long."""

REST_S: Final = 30.0
REST_MAX_S: Final = 480.0
"""How long a step over its budget is skipped at first, and at most after doubling."""

STEADY_S: Final = 600.0
"""A step that kept its budget for so long after a rest is skipped for the short time again."""

OFF: Final = "switched off until the camera's pipeline starts anew"

EMBEDDING_MAX: Final = 2048
TEXT_MAX: Final = 200


class AddedSteps(Step):
    """Steps of others, after the pipeline's own, in their order. Raises ConfigError where they cannot go together.

    A step sees the frame as `hide` makes it. Only the measures that it declared, and an embedding, are taken from the
    scene it returns: it cannot replace the frame, nor take away the people who are to be blurred.

    A step that takes longer than `MEAN_MS` on average, or `CALL_MS` in a call, is skipped for a while; its first call,
    which may load what it needs, has no limit. One that raises, returns what it may not, or takes more than `BROKEN_MS`
    is switched off until the pipeline starts anew. Without `budgeted` no time is measured.

    `problems` says what is wrong, a sentence by step; `skipped` counts the scenes that a step was not given for its
    time; `running` is the step that is being called now. `probe` gets how long each call took.
    """

    name = "added"

    def __init__(
        self,
        steps: Iterable[Step],
        *,
        hide: Callable[[Frame], Frame],
        stopwatch: Callable[[], float],
        probe: CameraProbe | None = None,
    ) -> None:
        steps = tuple(steps)
        self.measures = declared(steps)
        self._hide = hide
        self._probe = probe
        self._stopwatch = stopwatch
        self._steps = {step.name: _Added(step, stopwatch) for step in steps}
        self.budgeted = True
        self.running: str | None = None

    def __call__(self, scene: Scene) -> Scene:
        """The scene with what the steps found."""
        frame: Frame | None = None
        for name, each in self._steps.items():
            if each.takes(scene, budgeted=self.budgeted):
                frame = frame or self._hide(scene.frame)
                self.running = name
                began = 0.0 if self._probe is None else self._stopwatch()
                try:
                    scene = each.call(scene, frame, budgeted=self.budgeted)
                finally:
                    self.running = None
                if self._probe is not None:
                    self._probe.spent(f"step.{name}", (began, self._stopwatch()))
        return scene

    def reset(self) -> None:
        """Have each step forget earlier frames before its next call; none is called now, and can hold up the caller."""
        for each in self._steps.values():
            each.stale = True

    def switch_off(self, name: str, why: str) -> None:
        """Call this step no more."""
        if name in self._steps:
            self._steps[name].off = why

    @property
    def problems(self) -> Mapping[str, str | None]:
        """What is wrong with each step, None where nothing is."""
        return {name: each.off or each.over for name, each in self._steps.items()}

    @property
    def skipped(self) -> tuple[tuple[str, int], ...]:
        """How many scenes each step was not given since the start, because it took too long; those above 0."""
        return tuple((name, each.skipped) for name, each in self._steps.items() if each.skipped)


def declared(steps: Iterable[Step]) -> tuple[MeasureInfo, ...]:
    """What these steps may measure, together; raises ConfigError where names clash or there are too many."""
    steps = tuple(steps)
    measures = tuple(measure for step in steps for measure in step.measures)
    for what, names in (("step", [s.name for s in steps]), ("measure", [m.name for m in measures])):
        for name in names:
            if not WORD.fullmatch(name):
                raise ConfigError(f"{name!r} names no {what}: it begins with a-z and has at most 32 of a-z, 0-9 and _")
            if names.count(name) > 1:
                raise ConfigError(f"more than one {what} is called {name!r}")
    if len(measures) > MEASURES_MAX:
        raise ConfigError(f"{len(measures)} measures; a camera has at most {MEASURES_MAX}")
    if any(Needs(step.needs) is Needs.FRAMES for step in steps):
        raise ConfigError("an added step cannot have every frame: that is for the pipeline's own steps")
    return measures


class _Added:
    """One step, and how it keeps its budget."""

    def __init__(self, step: Step, stopwatch: Callable[[], float]) -> None:
        self.step = step
        self.needs = Needs(step.needs)
        self.declared = {measure.name: measure for measure in step.measures}
        self.stale = False
        self.off: str | None = None
        self.over: str | None = None
        self.skipped = 0
        self._stopwatch = stopwatch
        self._warm = False
        self._calls = 0
        self._mean_ms = 0.0
        self._rest_until = -math.inf
        self._rest_s = REST_S

    def takes(self, scene: Scene, *, budgeted: bool) -> bool:
        """Whether the step is to be called with this scene; a scene that it is not given for its time is counted."""
        if self.off is not None or not self.needs.met_by(scene):
            return False
        if budgeted and self._stopwatch() < self._rest_until:
            self.skipped += 1
            return False
        return True

    def call(self, scene: Scene, frame: Frame, *, budgeted: bool) -> Scene:
        """The scene with what the step found in `frame`, its own one without what is private."""
        began = self._stopwatch() if budgeted else 0.0
        try:
            if self.stale:
                self.stale = False
                self.step.reset()
            given = scene if frame is scene.frame else replace(scene, frame=frame)
            scene = self._taken(scene, self.step(given))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the rest goes on and it is logged
            self.off = f"{OFF}: {_described(error)}"
            return scene
        if budgeted:
            self._spend(began, self._stopwatch())
        return scene

    def _taken(self, before: Scene, after: object) -> Scene:
        """The scene with those things of what the step returned that it may add; raises StepError."""
        if not isinstance(after, Scene):
            raise StepError(f"it returned a {type(after).__name__[:TEXT_MAX]}, no Scene")
        if after.measures is before.measures and after.embedding is before.embedding:
            return before
        if not isinstance(after.measures, tuple) or len(after.measures) > MEASURES_MAX:
            raise StepError(f"its measures are no tuple of at most {MEASURES_MAX}")
        new = [self._checked(measure) for measure in after.measures if measure not in before.measures]
        if len({measure.name for measure in new}) < len(new):
            raise StepError("it measured the same twice in one scene")
        return replace(before, embedding=_embedding(after.embedding), measures=(*before.measures, *new))

    def _checked(self, measure: object) -> Measure:
        if type(measure) is not Measure:
            raise StepError("one of its measures is no Measure")
        try:
            checked = replace(measure)
        except ValueError as error:
            raise StepError(str(error)) from None
        info = self.declared.get(checked.name)
        if info is None:
            raise StepError(f"it did not declare the measure {checked.name!r}")
        if checked.unit != info.unit:
            raise StepError(f"it declared another unit of {checked.name!r} than it measured")
        if checked.alert is not None and checked.alert not in info.alerts:
            raise StepError(f"it did not declare the alert {checked.alert!r} of {checked.name!r}")
        return checked

    def _spend(self, began: float, ended: float) -> None:
        """Count the time of a call, in seconds of the stopwatch."""
        if not self._warm:
            self._warm = True
            return
        spent_ms = (ended - began) * 1000
        self._calls += 1
        self._mean_ms += (spent_ms - self._mean_ms) / min(self._calls, MEAN_OVER)
        if spent_ms > BROKEN_MS:
            self.off = f"{OFF}: a call took {spent_ms / 1000:.0f} s"
        elif spent_ms > CALL_MS:
            self._rest(ended, f"a call took {spent_ms:.0f} ms, {CALL_MS:.0f} are allowed")
        elif self._calls >= MEAN_OVER and self._mean_ms > MEAN_MS:
            self._rest(ended, f"a call takes {self._mean_ms:.0f} ms on average, {MEAN_MS:.0f} are allowed")
        elif self._calls >= MEAN_OVER:
            self.over = None

    def _rest(self, now: float, why: str) -> None:
        if now - self._rest_until > STEADY_S:
            self._rest_s = REST_S
        self.over = f"skipped for {self._rest_s:.0f} s: {why}"
        self._rest_until = now + self._rest_s
        self._rest_s = min(REST_MAX_S, 2 * self._rest_s)
        self._calls, self._mean_ms = 0, 0.0


def _embedding(embedding: object) -> tuple[float, ...] | None:
    if embedding is None:
        return None
    if not isinstance(embedding, tuple) or len(embedding) > EMBEDDING_MAX:
        raise StepError(f"its embedding is no tuple of at most {EMBEDDING_MAX} numbers")
    if not all(isinstance(value, Real) and math.isfinite(value) for value in embedding):
        raise StepError("its embedding holds what is no finite number")
    return tuple(float(value) for value in embedding)


def _described(error: BaseException) -> str:
    """An error in words. What a bug says of itself may hold pixels or a password, and is left out."""
    if isinstance(error, BlikkError):
        return str(error)[:TEXT_MAX]
    name = type(error).__name__[:TEXT_MAX]
    places = traceback.extract_tb(error.__traceback__)
    return f"{name} in {places[-1].name} ({Path(places[-1].filename).name}:{places[-1].lineno})" if places else name
