"""The folders of the versions, and the link to the one that runs. A folder with a version's name is always whole."""

import lzma
import os
import shutil
import tarfile
from pathlib import Path
from typing import Final

from blikk_update.errors import IntegrityError, UpdateError
from blikk_update.index import Release, is_version
from blikk_update.places import sync_file, sync_folder

CURRENT: Final = "current"
UNFINISHED: Final = ".new"
"""Ends the name of a slot that is being unpacked or removed."""
_MARK: Final = ".archive"
"""In a slot: the SHA-256 of the archive from which it was unpacked."""


def current(slots: Path) -> str:
    """The version that `current` names. Raises UpdateError."""
    try:
        version = (slots / CURRENT).readlink().name
    except OSError as error:
        raise UpdateError(f"{slots / CURRENT} is not a link to a version: this is not a card of Blikk Edge") from error
    if not (slots / version).is_dir():
        raise UpdateError(f"{slots / CURRENT} names the version {version}, which is not there")
    return version


def switch(slots: Path, version: str) -> None:
    """Have `current` name another version: the one or the other at every moment."""
    beside = slots / f"{CURRENT}{UNFINISHED}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(version)
    beside.replace(slots / CURRENT)
    sync_folder(slots)


def installed(slots: Path) -> list[str]:
    """All versions that are whole."""
    return [path.name for path in slots.iterdir() if is_version(path.name) and path.is_dir()]


def holds(slots: Path, release: Release) -> bool:
    """Whether the slot of a release is there already."""
    try:
        return (slots / release.version / _MARK).read_text(encoding="ascii") == release.sha256
    except OSError:
        return False


def unpack(archive: Path, slots: Path, release: Release) -> None:
    """Make the slot from an archive whose hash is right. Raises IntegrityError, OSError."""
    remove(slots, release.version)
    folder = slots / f"{release.version}{UNFINISHED}"
    folder.mkdir(mode=0o755)
    try:
        with tarfile.open(archive, "r:xz") as tar:
            tar.extractall(folder, filter=_plain)  # noqa: S202 - signed, and see _plain
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise IntegrityError(f"the archive of {release.version} cannot be unpacked ({error})") from error
    if not os.access(folder / "bin/blikk", os.X_OK):
        raise IntegrityError(f"the archive of {release.version} has no bin/blikk")
    (folder / _MARK).write_text(release.sha256, encoding="ascii")
    _sync_tree(folder)
    folder.rename(slots / release.version)
    sync_folder(slots)


def remove(slots: Path, version: str) -> None:
    """Remove a slot that is not used, whole or unfinished; what is left of it is no version at any moment."""
    folder, unfinished = slots / version, slots / f"{version}{UNFINISHED}"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    if folder.exists():
        folder.rename(unfinished)
        sync_folder(slots)
        shutil.rmtree(unfinished)


def tidy(slots: Path, keep: set[str]) -> None:
    """Remove all slots but these, and what interrupted updates left."""
    for path in list(slots.iterdir()):
        version = path.name.removesuffix(UNFINISHED)
        if path.name == f"{CURRENT}{UNFINISHED}":
            path.unlink()
        elif path.name == version and is_version(version) and version not in keep:
            remove(slots, version)
        elif path.name != version and is_version(version) and path.exists():
            shutil.rmtree(path)


def _plain(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    """Folders, files and links that lie in the slot, of root, with no more rights than others may have."""
    found = tarfile.tar_filter(member, path)
    if not (found.isdir() or found.isreg() or found.issym() or found.islnk()):
        raise tarfile.SpecialFileError(member)
    mode = None if found.issym() else 0o755 if found.isdir() or found.mode & 0o100 else 0o644
    return found.replace(mode=mode, uid=os.getuid(), gid=os.getgid(), uname="", gname="", deep=False)  # type: ignore[arg-type]


def _sync_tree(folder: Path) -> None:
    for name, _, files in os.walk(folder, topdown=False):
        for file in files:
            path = Path(name, file)
            if not path.is_symlink():
                sync_file(path)
        sync_folder(Path(name))
