"""Kinds that a configuration names and that are not there, or are refused."""

from collections.abc import Iterator, Mapping
from typing import Final

from blikk_edge.app.named import named
from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.grammar.problem import Wrong

WITHOUT: Final = "Until then the node runs without it."


def plugins(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """Those that cannot be had; a node runs without them."""
    for chosen, path in named(settings):
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
