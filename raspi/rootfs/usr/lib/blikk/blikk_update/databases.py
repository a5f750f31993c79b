"""Copies of the node's databases while it does not run: byte for byte, with SQLite's log, as the node left them."""

import os
import shutil
from pathlib import Path
from typing import Final

from blikk_update.places import sync_file, sync_folder

_MAGIC: Final = b"SQLite format 3\0"
_LAYOUT_AT: Final = 60
"""Where `user_version` is in the file, big-endian, four bytes: the node keeps the layout of its store there."""
_LOG: Final = "-wal"
_LOG_INDEX: Final = "-shm"
"""SQLite makes it anew."""
_NO_DATABASE: Final = frozenset({".jpg", ".part", ".alive", ".reserve", ".damaged"})


def found(data: Path) -> list[Path]:
    """The databases in a folder and those below it."""
    if not data.is_dir():
        return []
    paths = (
        Path(name, file)
        for name, _, files in os.walk(data.resolve())
        for file in files
        if Path(file).suffix not in _NO_DATABASE
    )
    return sorted(path for path in paths if path.is_file() and not path.is_symlink() and _starts_right(path))


def layouts(data: Path) -> dict[str, int]:
    """The layout of each database, by its path in the folder. Right while a node runs too, once it has opened it."""
    base = data.resolve()
    return {str(path.relative_to(base)): int.from_bytes(_bytes_at(path, _LAYOUT_AT, 4), "big") for path in found(data)}


def newer(now: dict[str, int], before: dict[str, int]) -> bool:
    """Whether a database has a newer layout than before, which an older node refuses."""
    return any(layout > before.get(name, layout) for name, layout in now.items())


def size(data: Path) -> int:
    """Of all databases with their logs, in bytes."""
    return sum(part.stat().st_size for path in found(data) for part in _parts(path))


def copy(data: Path, to: Path) -> None:
    """Copy all databases to a new folder, which has its name once all of it is on the disk. The node is stopped."""
    unfinished = to.with_name(f"{to.name}.new")
    remove(to)
    unfinished.mkdir(mode=0o700, parents=True)
    base = data.resolve()
    for path in found(data):
        for part in _parts(path):
            target = unfinished / part.relative_to(base)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(part, target)
            target.chmod(0o600)
            sync_file(target)
    for name, _, _ in os.walk(unfinished, topdown=False):
        sync_folder(Path(name))
    unfinished.rename(to)
    sync_folder(to.parent)


def restore(data: Path, copied: Path, *, spend: bool) -> None:
    """Have the databases as they were copied, and no others; again after an interruption. The node is stopped.

    Where the copy may be spent it takes no room, on one file system: its files become those of the node, so `remove` it
    before the node starts. The files belong to the owner of their folder.
    """
    base = data.resolve()
    wanted = {path.relative_to(copied.resolve()) for path in found(copied)}
    for path in found(data):
        _remove_log(path)  # a file with the log of another is damage
        if path.relative_to(base) not in wanted:
            path.unlink()
    for name in sorted(wanted):
        target = base / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_log(target)  # also that of a file that is no database any more
        for part in _parts(copied.resolve() / name)[::-1]:
            _put(part, target.with_name(part.name), spend=spend)
        sync_folder(target.parent)


def remove(copied: Path) -> None:
    """Remove a copy, whole or unfinished; what is left of it is no copy at any moment."""
    unfinished = copied.with_name(f"{copied.name}.new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    if copied.exists():
        copied.rename(unfinished)
        sync_folder(copied.parent)
        shutil.rmtree(unfinished)


def _put(part: Path, target: Path, *, spend: bool) -> None:
    beside = target.with_name(f"{target.name}.part")
    beside.unlink(missing_ok=True)
    if not (spend and _link(part, beside)):
        shutil.copyfile(part, beside)
    owner = target.parent.stat()
    os.chown(beside, owner.st_uid, owner.st_gid)
    beside.chmod(0o600)
    sync_file(beside)
    beside.replace(target)


def _link(part: Path, beside: Path) -> bool:
    try:
        os.link(part, beside)
    except OSError:  # another file system
        return False
    return True


def _parts(path: Path) -> list[Path]:
    """The file, and its log where it has one."""
    log = path.with_name(path.name + _LOG)
    return [path, log] if log.exists() else [path]


def _remove_log(path: Path) -> None:
    for end in (_LOG, _LOG_INDEX):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _starts_right(path: Path) -> bool:
    return _bytes_at(path, 0, len(_MAGIC)) == _MAGIC


def _bytes_at(path: Path, start: int, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(count)
    except OSError:
        return b""
