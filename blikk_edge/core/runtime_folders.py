"""Where a running node says that it lives, and where that is looked for: folders that are gone with the next boot."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SERVICE: Final = Path("/run/blikk")
"""The folder of the system's own service, whose variables no shell has."""

_USERS: Final = Path("/run/user")
"""Holds the XDG_RUNTIME_DIR of each user, which is not set in each shell."""

SUFFIX: Final = ".alive"
"""Of the file of each node: `<node>.alive`, with the monotonic time of its last heartbeat; locked while it runs."""


def runtime_folder(environ: Mapping[str, str]) -> Path | None:
    """The folder that a node uses: systemd's RUNTIME_DIRECTORY, else `$XDG_RUNTIME_DIR/blikk`, else a temporary one.

    It need not be there yet; None where no temporary file can be written.
    """
    if (own := Path(environ.get("RUNTIME_DIRECTORY", "").partition(":")[0])).is_absolute():
        return own
    if (base := Path(environ.get("XDG_RUNTIME_DIR", ""))).is_absolute():
        return base / "blikk"
    try:
        return Path(tempfile.gettempdir()) / f"blikk-{os.getuid()}"
    except OSError:
        return None


def alive_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where nodes of this machine may say that they live. Each folder may be absent, or closed to this user.

    That of this environment, that of the system's service, and that of this user's own service; with sudo, of the
    service of who called it.
    """
    caller = environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    user = _USERS / (caller if caller.isdecimal() else str(os.getuid())) / "blikk"
    return tuple(dict.fromkeys(folder for folder in (runtime_folder(environ), SERVICE, user) if folder is not None))
