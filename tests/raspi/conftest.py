"""The tests of the card image share the clips and ears of those from end to end."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_once import made_once
from rtsp_server import RtspServer

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "e2e")]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """With which ada gets into a card."""
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def server(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """A camera before which somebody stands."""
    from visitor import clip  # is found by the lines above

    path = made_once(tmp_path_factory, "visitor.mp4", lambda path: clip(path, photographs))
    with RtspServer(path, transport="tcp") as server:
        yield server
