"""Which file a segment is: `<camera>/<day>/<time>.mp4`, in UTC, so that a folder without its index can be read."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

REDACTED: Final = ".redacted"
"""The folder of redacted clips."""

MADE: Final = ".clips"
"""The folder of clips that somebody asked for a moment ago."""

_NAME: Final = re.compile(r"\d{8}T\d{12}", re.ASCII)


def segment_path(camera: str, time: float) -> Path:
    """The file of a segment that begins at `time` (seconds since 1970 UTC), below the folder of recordings."""
    began = datetime.fromtimestamp(time, UTC)
    return Path(camera, f"{began:%Y-%m-%d}", f"{began:%Y%m%dT%H%M%S%f}.mp4")


def time_of(path: Path) -> float | None:
    """When the segment in this file begins, seconds since 1970 UTC; None where it is no segment."""
    if path.suffix != ".mp4" or _NAME.fullmatch(path.stem) is None:
        return None
    try:
        return datetime.strptime(f"{path.stem}+0000", "%Y%m%dT%H%M%S%f%z").timestamp()
    except ValueError:  # digits, but no time
        return None
