"""A short clip in which something moves, for nodes that shall report it."""

from pathlib import Path

import av
import numpy as np


def moving_clip(folder: Path) -> Path:
    """A box that goes through an empty room."""
    path = folder / "clip.mp4"
    room = np.full((240, 320, 3), 90, np.uint8)
    room[::8, :, :] = 110
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for step in range(60):
            frame = room.copy()
            if step >= 20:
                frame[100:220, step * 4 : step * 4 + 60] = 230
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        output.mux(stream.encode(None))
    return path
