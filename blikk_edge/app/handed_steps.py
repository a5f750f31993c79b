"""Steps that a program hands over as Python objects, in place of the name of a plug-in."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from blikk_edge.config.settings import Settings
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import MeasureInfo
from blikk_edge.core.stages import Needs, Step
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.runtime.steps import declared
from blikk_edge.transforms.kinds import TRANSFORMS, CameraContext

NAME_MAX: Final = 32


class CalledStep(Step):
    """A callable as a step: `needs`, `measures` and `reset` are its attributes, where it has them."""

    def __init__(self, given: Callable[[Scene], Scene], name: str) -> None:
        self.name = name
        self._given = given
        self._reset = getattr(given, "reset", None)
        try:
            self.needs = Needs(getattr(given, "needs", Needs.PASSED))
        except ValueError:
            raise ConfigError(f"transforms: `needs` of {name} is none of {', '.join(Needs)}") from None
        measures = getattr(given, "measures", ())
        if not isinstance(measures, tuple | list) or not all(isinstance(each, MeasureInfo) for each in measures):
            raise ConfigError(f"transforms: `measures` of {name} is no tuple of MeasureInfo")
        self.measures = tuple(measures)

    def __call__(self, scene: Scene) -> Scene:
        """What the callable returns."""
        return self._given(scene)

    def reset(self) -> None:
        """Its own, where it has one."""
        if callable(self._reset):
            self._reset()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedStep(Chosen[CameraContext, Step]):
    """A step that needs no plug-in.

    Attributes:
        given: A callable, or a class of which each pipeline gets an instance of its own.
    """

    given: Any

    def make(self, context: CameraContext | None = None) -> Step:  # noqa: ARG002 - that of a plug-in
        """The step; raises ConfigError."""
        return CalledStep(self.given() if isinstance(self.given, type) else self.given, self.name)


def with_steps(settings: Settings, transforms: Sequence[Any]) -> Settings:
    """The settings with these transforms, some of which are callables: the others are in the settings already.

    Raises ConfigError for what is no step, and for steps that cannot go together.
    """
    camera = settings.cameras[0]
    by_name = iter(camera.transforms)
    chosen: list[Chosen[CameraContext, Step]] = [
        HandedStep(kinds=TRANSFORMS, name=_name(each, number), given=each) if callable(each) else next(by_name)
        for number, each in enumerate(transforms, start=1)
    ]
    declared([each.make() for each in chosen if isinstance(each, HandedStep)])
    return replace(settings, cameras=(replace(camera, transforms=tuple(chosen)),))


def _name(step: Any, number: int) -> str:
    """A word for it: its own name, or that of the function or class."""
    own = getattr(step, "name", None) or getattr(step, "__name__", None) or type(step).__name__
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(own)).lower()
    word = re.sub(r"[^a-z0-9_]+", "_", plain).strip("_0123456789")[:NAME_MAX]
    return word if word and word != "lambda" else f"step_{number}"
