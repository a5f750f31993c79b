"""What every test may ask for: where the test data lies, and free loopback ports."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import settings

# how long an example takes says something about the machine, not about the code
settings.register_profile("blikk", deadline=None)
settings.load_profile("blikk")

# these run in Home Assistant's own environment: `ha/test_component_kit.py` does it
collect_ignore = ["ha_component"]

DATA = Path(os.environ.get("BLIKK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real models, clips and pictures; skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no test data at {DATA}; set BLIKK_TEST_DATA")
    return DATA


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
