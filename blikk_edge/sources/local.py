"""Sources on this machine: files and devices, looked at without opening them."""

import os
import stat
from typing import Final
from urllib.parse import unquote

from blikk_edge.sources.address import scheme_of

NO_FILE: Final = "not found; check that the file or device is there"
NO_PERMISSION: Final = "no permission; let the user read it (for /dev/video*: group `video`)"
A_FOLDER: Final = "this is a folder; name a file in it"
NO_NAME: Final = "this is no name of a file"


def path_of(url: str) -> str | None:
    """The path of a file or device that an address means; None where it means something elsewhere."""
    url = url.strip()
    match scheme_of(url):
        case None:
            return url
        case "file":
            return unquote(url.partition("://")[2].removeprefix("localhost"))
        case _:
            return None


def why_unusable(path: str) -> str:
    """Why nothing can be read from this path now, and how to mend it; empty where it seems that it can."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a Path would take an empty text for a dot
    except FileNotFoundError:
        return NO_FILE
    except PermissionError:
        return NO_PERMISSION
    except (OSError, ValueError):
        return NO_NAME
    if stat.S_ISDIR(mode):
        return A_FOLDER
    return "" if os.access(path, os.R_OK) else NO_PERMISSION
