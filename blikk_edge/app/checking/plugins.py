"""Kinds that a configuration names and that are not there, or are refused."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.grammar.problem import Wrong
from blikk_edge.kinds.chosen import Chosen

WITHOUT: Final = "Until then the node runs without it."


def plugins(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """Those that cannot be had; a node runs without them."""
    for chosen, path in _named(settings):
        if chosen.refused:
            yield Wrong(chosen.refused, WITHOUT, *path)
    for camera in settings.cameras:
        if camera.transforms:
            yield from _transforms(camera)


def _transforms(camera: CameraSettings) -> Iterator[Wrong]:
    from blikk_edge.app.pipelines import steps_of

    wrongs: list[Wrong] = []
    steps_of(
        camera,
        lambda index, error: wrongs.append(Wrong(str(error), WITHOUT, "cameras", camera.id, "transforms", index)),
    )
    yield from wrongs


def _named(settings: Settings) -> Iterator[tuple[Chosen[Any, Any], tuple[str | int, ...]]]:
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
    for each in settings.inputs:
        yield each, ("inputs", each.name)
