"""Clips made by PyAV."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MakeClip = Callable[..., Path]


def picture(n: int, width: int, height: int) -> np.ndarray:
    """A bright square that walks to the right over a slope of grey and colour."""
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(40, 200, width, dtype=np.uint8)
    image[..., 1] = np.linspace(40, 200, height, dtype=np.uint8)[:, None]
    image[..., 2] = 90
    side = height // 4
    left = n * 4 % (width - side)
    image[side : 2 * side, left : left + side] = 230
    return image


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Encode a clip: `make_clip("a.mp4", size=(320, 240), pts=[0, 1, 2], rate=25, codec="libx264")`."""

    def make(
        name: str,
        *,
        size: tuple[int, int] = (320, 240),
        frames: int = 50,
        rate: int = 25,
        pts: list[int] | None = None,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            container.metadata.update(metadata or {})
            stream = container.add_stream(codec, rate=rate, options=options or {})
            stream.width, stream.height = size
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = Fraction(1, rate)
            for n, moment in enumerate(pts if pts is not None else range(frames)):
                frame = av.VideoFrame.from_ndarray(picture(n, *size), format="rgb24")
                frame.pts, frame.time_base = moment, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make
