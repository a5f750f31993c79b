"""Clips for the tests of the debugger: a part of the six visits, and one whose timestamps jump."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIX_VISITS = "video/intel_sample/one-by-one-person-detection.mp4"


def part(clip: Path, path: Path, seconds: float) -> Path:
    """The first seconds of a clip, its packets as they are."""
    with av.open(str(clip)) as whole, av.open(str(path), "w") as cut:
        given = whole.streams.video[0]
        taken = cut.add_stream_from_template(given)
        for packet in whole.demux(given):
            if packet.dts is not None and packet.pts is not None and packet.pts * given.time_base < seconds:
                packet.stream = taken
                cut.mux(packet)
    return path


def jumping(path: Path) -> Path:
    """Ten seconds of grey that gets lighter with each picture; after five of them the timestamps are a minute ahead."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "1", "g": "10", "bf": "0"}
        for number in range(100):
            picture = np.full((120, 160, 3), 40 + 2 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number + (600 if number >= 50 else 0), Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
