"""Clips for streams, and a stream that needs no model."""

import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # agent_props.py is shared by the files here

from agent_props import FPS, MOVES, SECONDS, SIZE

from blikk_edge import Stream


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright square crosses a wall three times; nobody is there."""
    path = tmp_path_factory.mktemp("clips") / "squares.mp4"
    wall = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    wall[::8] = 120
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"preset": "veryfast", "g": "10", "bf": "0"}
        for number in range(SECONDS * FPS):
            picture = wall.copy()
            for begins, ends in MOVES:
                if begins <= number / FPS < ends:
                    left = int((number / FPS - begins) / (ends - begins) * (SIZE[0] - 80))
                    picture[80:160, left : left + 80] = 230
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Stream]:
    """Makes a stream that looks with what is part of OpenCV, and fetches nothing."""
    monkeypatch.setenv("BLIKK_MODELS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(source: object, **parameters: Any) -> Stream:
        return Stream(source, **{"models": {"offline": True}, **parameters})  # type: ignore[arg-type]

    return make


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """Threads that a test starts have ended when it has."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
