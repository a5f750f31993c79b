"""The kinds that a configuration names, each with the key that does."""

from collections.abc import Iterator
from typing import Any

from blikk_edge.config.settings import Settings
from blikk_edge.kinds.chosen import Chosen


def named(settings: Settings) -> Iterator[tuple[Chosen[Any, Any], tuple[str | int, ...]]]:
    """Every one but transforms, which are steps of a camera, and the language model; and the path of its key."""
    for camera in settings.cameras:
        if camera.plugged is not None:
            yield camera.plugged, ("cameras", camera.id, "source")
    for detector in settings.detectors:
        if detector.plugged is not None:
            yield detector.plugged, ("detectors", detector.name, "kind")
    for section, several in (
        ("sinks", settings.sinks),
        ("enrichers", settings.enrichers),
        ("inputs", settings.inputs),
        ("pages", settings.pages),
    ):
        for each in several:
            yield each, (section, each.kinds.key(each.name))
