"""Clips for streams, and a stream that needs no model."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_once import made_once
from patience import PATIENCE

sys.path.insert(0, str(Path(__file__).parent))  # agent_props.py is shared by the files here

from agent_props import MOVES, SECONDS, write_squares

from blikk_edge import Stream


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright square crosses a wall three times in 48 s; nobody is there."""
    return made_once(tmp_path_factory, "squares.mp4", lambda path: write_squares(path, SECONDS, MOVES))


@pytest.fixture(scope="session")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same once in 6 s, to be played over and over."""
    return made_once(tmp_path_factory, "busy.mp4", lambda path: write_squares(path, 6, ((2.0, 4.0),)))


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
    """Threads that a test starts end after it; one that hangs in a library may need a while."""
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + 60 * PATIENCE
    while left := set(threading.enumerate()) - before:
        assert time.monotonic() < end, left
        time.sleep(0.02)
