"""A clip made on the spot: a visitor and a cat come by, from photographs that scikit-image carries.

    python -m blikk_edge.demo.clip PATH

The astronaut is Eileen Collins by NASA (public domain), the cat is Chelsea by Stefan van der Walt (CC0), the wall is
from CC0Textures (CC0): so says the package where it describes them.
"""

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np

from blikk_edge.core.errors import BlikkError, SourceError
from blikk_edge.core.installing import pip_install
from blikk_edge.core.scene import Pixels

WIDTH_PX: Final = 640
HEIGHT_PX: Final = 480
FPS: Final = 10
SECONDS: Final = 32

# seconds: comes in, stands, goes, is gone
VISITOR: Final = (3.0, 5.0, 12.0, 14.0)
CAT: Final = (19.0, 21.0, 26.0, 28.0)


def photographs() -> Path:
    """The folder with the photographs; raises SourceError where scikit-image is not installed."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SourceError(
            "no sample clip: it could not be fetched, and scikit-image, whose photographs would serve, is not "
            f"installed; type {pip_install('scikit-image')} --no-deps, or name a clip of your own with --source"
        )
    return Path(spec.origin).parent / "data"


def make(path: Path, *, seconds: int = SECONDS) -> None:
    """Write the clip: H.264, 640 x 480, 10 fps, with sensor noise; `seconds` beyond SECONDS show nobody."""
    folder = photographs()
    wall = _read(folder / "brick.png", WIDTH_PX, WIDTH_PX)[:HEIGHT_PX] // 3 + 90
    # the visitor's photograph is cropped to her, so that she and not a poster comes in
    visitor = _read(folder / "astronaut.png", 440, 440)[:, 60:350]
    cat = _read(folder / "chelsea.png", 300, 200)
    noise = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.thread_count = 1  # x264 would cut each picture into slices, one a thread
        stream.options = {"crf": "20", "preset": "veryfast", "g": "20"}
        for number in range(seconds * FPS):
            picture = wall.astype(np.int16)
            _paste(picture, visitor, number / FPS, VISITOR, bottom=HEIGHT_PX)
            _paste(picture, cat, number / FPS, CAT, bottom=HEIGHT_PX - 30)
            picture += noise.normal(0.0, 2.0, picture.shape).astype(np.int16)
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _read(path: Path, width_px: int, height_px: int) -> Pixels:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        pixels = frame.reformat(width=width_px, height=height_px, format="bgr24").to_ndarray()
        return np.asarray(pixels, np.uint8)


def _paste(picture: np.ndarray, sprite: Pixels, at: float, times: tuple[float, ...], *, bottom: int) -> None:
    """Put the sprite where it is at this moment: from the right, in the middle with a little sway, out to the left."""
    comes, stands, goes, gone = times
    if not comes <= at < gone:
        return
    height, width = sprite.shape[:2]
    middle = (WIDTH_PX - width) / 2 + 8 * np.sin(at * 2.0)
    way = np.interp(at, (comes, stands, goes, gone), (1.0, 0.0, 0.0, -1.0))
    left = int(middle + way * (WIDTH_PX + width) / 2)
    x1, x2 = max(0, left), min(WIDTH_PX, left + width)
    if x1 < x2:
        picture[bottom - height : bottom, x1:x2] = sprite[:, x1 - left : x2 - left]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m blikk_edge.demo.clip PATH")
    try:
        make(Path(sys.argv[1]))
    except BlikkError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error.strerror}")
