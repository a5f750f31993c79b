"""Writing a configuration: whole or not at all, with the one before kept beside it."""

import errno
import hashlib
import os
import re
import secrets
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from blikk_edge.config.yaml_nodes import MAX_BYTES
from blikk_edge.core.errors import ConfigError

BACKUPS: Final = 5
"""So many are kept; older ones go."""

_BACKUP: Final = re.compile(r"\d{8}T\d{6}(-\d+)?")


class ChangedError(ConfigError):
    """Somebody else has written the file meanwhile."""


class NotWritableError(ConfigError):
    """The file cannot be written; says why, and what to do."""


def read_bytes(path: Path) -> bytes:
    """What a configuration holds; raises ConfigError. Never waits for what somebody writes into a pipe."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"{path.name} is not an ordinary file")
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read: {error.strerror}") from error


def tag_of(raw: bytes) -> str:
    """What stands for these bytes: another tag, other bytes."""
    return hashlib.sha256(raw).hexdigest()[:32]


def why_not_writable(path: Path) -> str:
    """Why a file cannot be replaced, in words; empty where nothing speaks against it."""
    try:
        kind = path.lstat().st_mode
        read_only = os.statvfs(path.parent).f_flag & os.ST_RDONLY
    except OSError as error:
        return f"{path.name} is not there: {error.strerror}"
    found = (
        (stat.S_ISLNK(kind), "is a link; edit the file that it leads to"),
        (not stat.S_ISREG(kind), "is not an ordinary file"),
        (os.path.ismount(path), "is mounted here as a single file, which cannot be replaced; mount its folder instead"),
        (read_only, "lies on a disk that this node may only read"),
        (not os.access(path, os.W_OK), "may not be written by the user that this node runs as"),
        (not os.access(path.parent, os.W_OK | os.X_OK), "lies in a folder that this node may not write into"),
    )
    return next((f"{path.name} {words}" for holds, words in found if holds), "")


def replace_config(path: Path, new: bytes, *, tag: str, now: datetime) -> Path:
    """Put new content in the place of a file that has this tag; the path of the backup of what it was.

    The power may go at any time: the file is then the old one or the new one. Mode, owner and group stay. Raises
    ChangedError where the file has another tag, NotWritableError where it cannot be replaced.
    """
    if why := why_not_writable(path):
        raise NotWritableError(why)
    old = read_bytes(path)
    if tag_of(old) != tag:
        raise ChangedError(f"{path.name} has changed since it was loaded; load it again")
    like = path.stat()
    replaced = False
    try:
        backup = _backup(path, old, like, now)
        part = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            _write(part, new, like)
            if tag_of(read_bytes(path)) != tag:
                raise ChangedError(f"{path.name} has changed since it was loaded; load it again")
            part.replace(path)
            replaced = True
        finally:
            part.unlink(missing_ok=True)
            if not replaced:
                backup.unlink(missing_ok=True)  # of what is there still
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno == errno.EPERM:
            raise NotWritableError(f"{path.name} belongs to another user, which would not stay so") from error
        raise NotWritableError(f"{path.name} cannot be written: {error.strerror or error}") from error
    with suppress(OSError):  # one more than there should be
        _forget(path, backup)
    return backup


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all; who may read it is settled before anything is in it. Raises OSError."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write(path: Path, content: bytes, like: os.stat_result) -> None:
    """Write a file that is not there yet, with mode, owner and group of another; raises OSError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        got = os.fstat(file.fileno())
        if (got.st_uid, got.st_gid) != (like.st_uid, like.st_gid):
            os.fchown(file.fileno(), like.st_uid, like.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _backup(path: Path, old: bytes, like: os.stat_result, now: datetime) -> Path:
    base = f"{path.name}.bak-{now:%Y%m%dT%H%M%S}"
    for number in range(100):
        backup = path.with_name(base if not number else f"{base}-{number}")
        try:
            _write(backup, old, like)
        except FileExistsError:
            continue
        except OSError:
            backup.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return backup
    raise NotWritableError(f"{base} is there already")


def _forget(path: Path, newest: Path) -> None:
    """Remove the oldest backups but `newest`, whose name is not the last one where the clock was set back.

    Whatever else lies there stays.
    """
    start = f"{path.name}.bak-"
    found = [
        each
        for each in path.parent.iterdir()
        if each != newest
        and each.name.startswith(start)
        and _BACKUP.fullmatch(each.name.removeprefix(start))
        and stat.S_ISREG(each.lstat().st_mode)
    ]
    for each in sorted(found, key=_age)[: 1 - BACKUPS]:
        each.unlink(missing_ok=True)


def _age(backup: Path) -> tuple[str, int]:
    moment, _, number = backup.name.rpartition(".bak-")[2].partition("-")
    return moment, int(number or 0)


def _sync_folder(folder: Path) -> None:
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(at)
    finally:
        os.close(at)
