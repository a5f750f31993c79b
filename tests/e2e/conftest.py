"""Fixtures of the end-to-end tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from made_once import made_once

sys.path.insert(0, str(Path(__file__).parent))  # staging.py is shared by the files here

from blikk_edge.demo import clip


@pytest.fixture(scope="session")
def demo_clip(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's own clip: a visitor from 3 to 14 s, a cat from 19 to 28 s."""
    return made_once(tmp_path_factory, "demo.mp4", clip.make)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with Broker(folder) as broker:
        yield broker


@pytest.fixture
def models(data: Path) -> Path:
    """The folder of real models."""
    return data / "models"
