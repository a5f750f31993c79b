"""Models that are not here and will not come."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from blikk_edge.config.settings import DetectorSettings, Settings
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.folders import CACHE, may_be_made, user_folder
from blikk_edge.grammar.problem import Wrong
from blikk_edge.transforms.models.registry import REGISTRY, ModelEntry, stand_in


def model_files(settings: Settings, environ: Mapping[str, str], notes: list[str]) -> Iterator[Wrong]:
    """Models that are not here and will not come."""
    kept = settings.models
    cache = kept.cache or ((folder := user_folder(CACHE, environ)) and folder / "models")
    looked = {settings.detector_of(camera).name for camera in settings.cameras}
    wanted = [
        ("detectors", each.name, each)
        for each in settings.detectors
        if each.name in looked and (each.plugged is None or each.plugged.refused)
    ]
    yield from _search_model(settings, cache, environ, notes)
    for section, name, detector in (*wanted, ("privacy", "", DetectorSettings(model=settings.privacy.model))):
        where = (section, name, "model") if name else (section, "model")
        entry = REGISTRY.get(detector.model)
        if entry is not None and entry.misses:
            notes.append(f"the model {entry.name} does not find {entry.misses}")
        if entry is None:
            yield from _own_model(settings, detector, where)
        elif not _here(entry, cache, environ):
            if kept.offline:
                yield Wrong(
                    f"the model {entry.name} is not here, and `models.offline` lets nothing be fetched",
                    f"`blikk models pull {entry.name}` where there is a network, or name a folder in BLIKK_MODELS.",
                    *where,
                )
            elif cache is not None and not may_be_made(cache):
                mend = "Make it writable for this user, or set another folder as `models.cache`."
                yield Wrong(f"{cache}, where {entry.name} would be kept, cannot be written to", mend, "models", "cache")
            else:
                comes = entry.wheel.size_bytes if entry.wheel and not kept.mirror else entry.size_bytes
                size = f" ({comes / 1e6:.1f} MB)" if comes else ""
                other = stand_in(entry)
                instead = (
                    f"; should that fail, {other.name} serves, which does not find {other.misses}" if other else ""
                )
                notes.append(f"the model {entry.name} will be fetched at the first start{size}{instead}")


def _search_model(
    settings: Settings, cache: Path | None, environ: Mapping[str, str], notes: list[str]
) -> Iterator[Wrong]:
    """The model that compares pictures with words, and its tokenizer."""
    search = settings.search
    towers = REGISTRY.get(search.model) if search is not None and search.of_its_own else None
    for entry in () if towers is None else (towers, *(REGISTRY[name] for name in towers.needs)):
        if _here(entry, cache, environ):
            continue
        if settings.models.offline:
            yield Wrong(
                f"{entry.name} is not here, and `models.offline` lets nothing be fetched",
                f"`blikk models pull {entry.name}` where there is a network, or name a folder in BLIKK_MODELS.",
                "search",
            )
        else:
            notes.append(f"{entry.name} will be fetched while the node runs ({(entry.size_bytes or 0) / 1e6:.1f} MB)")


def _own_model(settings: Settings, detector: DetectorSettings, where: tuple[str, ...]) -> Iterator[Wrong]:
    """A model of the user's own, looked at as a start does, but not fetched."""
    from blikk_edge.app.vision_models import model_folders
    from blikk_edge.transforms.models.folders import resolve
    from blikk_edge.transforms.models.tflite import check_tflite

    fetched = "://" in detector.model
    if fetched and not settings.models.offline:
        return
    try:
        found = resolve(
            detector.model,
            model_folders=replace(model_folders(settings), offline=True),
            sha256=detector.sha256,
            labels_file=detector.labels_file,
            decoder=detector.decoder,
        )
        if where[0] == "detectors":
            check_tflite(found.path)
    except BlikkError as error:
        yield Wrong(str(error), "`blikk run` would refuse to start.", *where)


def _here(entry: ModelEntry, cache: Path | None, environ: Mapping[str, str]) -> bool:
    """Whether a file of the right name or size is here. `blikk models verify` looks into it, which takes longer."""
    if cache is not None and _size(cache / entry.cache_name) == entry.size_bytes:
        return True
    folders = [part for part in environ.get("BLIKK_MODELS", "").split(os.pathsep) if part]
    return any(
        _size(Path(root, name)) == entry.size_bytes
        for folder in folders
        for root, _, names in os.walk(folder)
        for name in names
    )


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None
