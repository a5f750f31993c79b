"""Room on the disk that is set aside while there is some, and given to the records when there is none."""

import os
import shutil
from pathlib import Path
from typing import Final

from blikk_edge.store.private_files import keep_private

RESERVE_BYTES: Final = 4_000_000
"""Some 3000 records with SQLite's log: hours of a busy door."""


class Reserve:
    """A file of nothing at `path`, `size` bytes long."""

    def __init__(self, path: Path, *, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size

    def keep(self) -> bool:
        """Set the room aside; False where the disk has none to spare."""
        keep_private(self._path)
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError:
            self.give()
            return False
        return True

    def regain(self) -> bool:
        """Set it aside again where there is much room, so that it is not given the next moment; whether it is."""
        try:
            free = shutil.disk_usage(self._path.parent).free
        except OSError:
            return False
        return free >= 2 * self._size and self.keep()

    def give(self) -> bool:
        """Make the room free; False where none was set aside."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
