"""Short words for reading a source in a test."""

import threading
from collections.abc import Iterator
from pathlib import Path

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.scene import Frame
from blikk_edge.sources.capture import Capture
from blikk_edge.sources.file import open_file
from blikk_edge.sources.terms import Terms

WITHIN_S = 5.0
"""A stop is noticed within a second; a machine that is busy gets four more, which is half of a source's own limits."""


def terms(shown: str = "the source", **given: object) -> Terms:
    """Terms of a camera `cam` on the system's clock."""
    return Terms(**({"camera": "cam", "shown": shown, "clock": SystemClock()} | given))


def replay(path: Path | str, *, start_time: float = 0.0, **given: object) -> Capture:
    """A replay of a file."""
    reported = terms(Path(path).name, **({"clock": VirtualClock()} | given))
    return open_file(str(path), reported, realtime=False, loop=False, start_time=start_time)


def read(source: Capture, count: int | None = None, stop: threading.Event | None = None) -> list[Frame]:
    """The first `count` frames, or all."""
    frames: Iterator[Frame] = source.frames(stop or threading.Event())
    taken = []
    for frame in frames:
        taken.append(frame)
        if len(taken) == count:
            break
    frames.close()
    return taken
