"""Where this user's own files lie where no setting says it: the store and the models."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One kind of folder of a user.

    Attributes:
        variable: The variable of the XDG Base Directory Specification that names it.
        service: The variable that systemd sets for a unit with `StateDirectory=` or `CacheDirectory=`: the folder
            itself.
        below_home: Where it is in the home folder, without both variables.
    """

    variable: str
    service: str
    below_home: str


STATE: Final = Place(variable="XDG_STATE_HOME", service="STATE_DIRECTORY", below_home=".local/state")
CACHE: Final = Place(variable="XDG_CACHE_HOME", service="CACHE_DIRECTORY", below_home=".cache")


def user_folder(place: Place, environ: Mapping[str, str]) -> Path | None:
    """Our folder of this kind; it need not be there yet.

    None where no variable says it, and the user has no home folder or none that can be written to: a user id that a
    container or a service was given often has none.
    """
    if (base := Path(environ.get(place.variable, ""))).is_absolute():
        return base / "blikk"
    if (own := Path(environ.get(place.service, "").partition(":")[0])).is_absolute():
        return own
    try:
        home = Path(environ["HOME"]) if environ.get("HOME") else Path("~").expanduser()
    except RuntimeError:  # neither HOME nor an entry for this user id
        return None
    folder = home / place.below_home / "blikk"
    return folder if home.is_absolute() and may_be_made(folder) else None


def may_be_made(folder: Path) -> bool:
    """Whether this user may write into the folder, or make it."""
    for path in (folder, *folder.parents):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError):  # no permission to look, no name of a file
            return False
        return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    return False
