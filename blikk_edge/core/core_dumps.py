"""No core dumps: a crash of this process must not write frames, passwords and tokens to a disk."""

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def forbid_core_dumps() -> None:
    """Forbid them for this process, for good; what it starts inherits the limit and has to call this itself.

    The limit of zero is enough where dumps are files. A program that the kernel pipes them to (systemd-coredump,
    apport) is started whatever the limit says, unless the process is not dumpable; then nobody but root can attach a
    debugger or read its memory and environment either.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
