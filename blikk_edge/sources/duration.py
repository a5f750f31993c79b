"""How long a video file is."""

from pathlib import Path

import av

from blikk_edge.sources.file import LOCAL


def duration_s(path: Path) -> float | None:
    """The length of a local video as its container says it; None where it does not, or cannot be read."""
    try:
        with av.open(f"file:{path}", options=dict(LOCAL)) as container:
            length = container.duration
    except (av.FFmpegError, ValueError, OSError):
        return None
    return length / av.time_base if length and length > 0 else None
