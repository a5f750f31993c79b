"""What the tests of the command line share."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cli_props import CONFIG, Command, Servers


@pytest.fixture
def blikk(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that is fine, as `blikk.yaml`."""
    path = tmp_path / "blikk.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds in which a block crosses noise."""
    path = tmp_path / "block.mp4"
    noise = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for number in range(20):
            picture = noise.integers(100, 110, (240, 320, 3)).astype(np.uint8)
            picture[80:200, 12 * number : 12 * number + 60] = 230
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def mirror() -> Iterator[Callable[..., Any]]:
    """Starts a `Mirror` of some bytes."""
    with Servers() as servers:
        yield servers.start


@pytest.fixture
def models(data: Path) -> Path:
    """The folder of real models."""
    return data / "models"
