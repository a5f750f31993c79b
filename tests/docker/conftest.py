"""What the tests of the containers share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]  # the stand-in of the Supervisor; ears on the broker, clips


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that wants a password, as the Supervisor's."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with Broker(folder, password=("addons", "of the broker")) as broker:
        yield broker
