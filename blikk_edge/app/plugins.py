"""The groups of kinds, and what is made of those that a configuration names; what cannot be made stops nothing."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from blikk_edge.config.settings import Settings
from blikk_edge.core.errors import BlikkError
from blikk_edge.enrichers.kinds import ENRICHERS
from blikk_edge.enrichers.models.kinds import MODELS
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.kinds.kind import ContextT, MadeT
from blikk_edge.kinds.plugins import Kinds
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.sinks.kinds import SINKS
from blikk_edge.sources.kinds import SOURCES
from blikk_edge.transforms.kinds import DETECTORS, TRANSFORMS

GROUPS: Final[tuple[Kinds[Any, Any], ...]] = (SOURCES, TRANSFORMS, DETECTORS, SINKS, ENRICHERS, MODELS)
"""In the order in which they are shown."""


def named(settings: Settings) -> Iterator[tuple[Chosen[Any, Any], tuple[str | int, ...]]]:
    """Every kind that the configuration names but for transforms, and the path of the key that does."""
    for camera in settings.cameras:
        if camera.plugged is not None:
            yield camera.plugged, ("cameras", camera.id, "source")
    for detector in settings.detectors:
        if detector.plugged is not None:
            yield detector.plugged, ("detectors", detector.name, "kind")
    for sink in settings.sinks:
        yield sink, ("sinks", sink.name)
    for enricher in settings.enrichers:
        yield enricher, ("enrichers", enricher.name)


def parts(several: Sequence[Chosen[ContextT, MadeT]], context: ContextT, supervisor: Supervisor) -> tuple[MadeT, ...]:
    """What these kinds make; what cannot be made is a problem of the node, which runs without."""
    made = []
    for each in several:
        try:
            made.append(each.make(context))
        except BlikkError as error:
            supervisor.fail(f"{each.kinds.word} {each.name}", error)
    return tuple(made)
