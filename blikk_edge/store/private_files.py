"""Files and folders that only this user may read: they say who was seen, and when."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

FILE: Final = 0o600
FOLDER: Final = 0o700


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, for this user alone; one that is there stays as it is. Raises OSError."""
    missing = []
    while not folder.exists() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=FOLDER, exist_ok=True)


def keep_private(path: Path, *, create: bool = False) -> None:
    """Let only this user read a file, that is there already or is made where `create`; never follows a link.

    A file of somebody else is left as it is. Raises OSError only where it cannot be made.
    """
    if create:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE))
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and stat.S_IMODE(mode) & ~FILE:
            path.chmod(FILE)
