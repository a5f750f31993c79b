"""Short words for reading a source in a test."""

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.scene import Frame
from blikk_edge.sources.capture import Capture
from blikk_edge.sources.file import open_file
from blikk_edge.sources.terms import Terms

WITHIN_S = 5.0
"""A stop is noticed within a second; a machine that is busy gets four more, which is half of a source's own limits."""

GREY = 90
"""Of `sliced`, but for what moves."""

_ENCODERS = {"h264": ("libx264", "x264-params", ":scenecut=0"), "h265": ("libx265", "x265-params", "")}


def terms(shown: str = "the source", **given: object) -> Terms:
    """Terms of a camera `cam` on the system's clock."""
    return Terms(**({"camera": "cam", "shown": shown, "clock": SystemClock()} | given))


def sliced(path: Path, *, codec: str = "h264", slices: int = 2) -> Path:
    """A clip of 10 s, each picture in so many slices, a keyframe every second; a light bar moves."""
    encoder, key, more = _ENCODERS[codec]
    options = {"g": "15", "bf": "0", "preset": "ultrafast", key: f"slices={slices}{more}"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=15, options=options)
        stream.codec_context.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n in range(150):
            image = np.full((240, 320, 3), GREY, np.uint8)
            image[80:160, n : n + 60] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


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
