"""How a package is installed where this program is, for messages that say so."""

import shlex
import sys


def pip_install(requirement: str) -> str:
    """What to type to install it for this Python, as a shell takes it."""
    return shlex.join([sys.executable or "python3", "-m", "pip", "install", requirement])
