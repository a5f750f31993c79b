"""The clips of the tests: a square crosses a wall."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 10
SIZE = (320, 240)
MOVES = ((2.0, 4.0), (22.0, 24.0), (42.0, 44.0))
"""When the square crosses the picture, in seconds: far enough from each other not to be folded."""

SECONDS = 48


def write_squares(path: Path, seconds: int, moves: tuple[tuple[float, float], ...]) -> None:
    """An H.264 clip in which a bright square moves to the right at these times."""
    wall = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    wall[::8] = 120
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"preset": "veryfast", "g": "10", "bf": "0"}
        for number in range(seconds * FPS):
            picture = wall.copy()
            for begins, ends in moves:
                if begins <= number / FPS < ends:
                    left = int((number / FPS - begins) / (ends - begins) * (SIZE[0] - 80))
                    picture[80:160, left : left + 80] = 230
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
