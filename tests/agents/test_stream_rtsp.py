"""A stream of a camera: a real RTSP server that goes away, asks for a password, and is not there."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import PATIENCE
from ports import free_port
from rtsp_server import RtspServer

from blikk_edge import Stream
from blikk_edge.core.errors import BlikkError, SourceError
from blikk_edge.core.observation import Observation

pytestmark = pytest.mark.usefixtures("no_thread_left")

Make = Callable[..., Stream]


@pytest.fixture
def camera(squares: Path) -> Iterator[RtspServer]:
    server = RtspServer(squares, user="user", password="hunter2").start()
    yield server
    server.kill()


def test_a_camera_is_watched_as_it_comes_and_its_outage_ends_nothing(plain: Make, camera: RtspServer) -> None:
    with plain(None, camera_url=camera.url, connect_timeout_s=2, read_timeout_s=2, away_after_s=0) as stream:
        seen = stream.subscribe()
        first = seen.get(30 * PATIENCE)
        assert isinstance(first, Observation)
        assert stream.state.online
        assert stream.picture(30 * PATIENCE).startswith(b"\xff\xd8\xff")
        camera.kill()
        gone = threading.Event()
        while stream.state.online:
            assert not gone.wait(0.05)
        assert stream.now().startswith("camera: away")
        assert list(stream.subscribe("motion", timeout=0.1)) == []  # it waits, and says nothing is wrong
        with pytest.raises(BlikkError, match="no picture"):
            stream.picture(0.1)
        camera.start()
        while not stream.state.online:
            assert not gone.wait(0.05)
        assert isinstance(seen.get(60 * PATIENCE), Observation)


@pytest.mark.parametrize("where", ["nobody", "refused"])
def test_a_camera_that_cannot_be_opened_is_an_error_without_its_password(
    plain: Make, camera: RtspServer, where: str
) -> None:
    url = (
        camera.url_for("user", "swordfish") if where == "refused" else f"rtsp://user:swordfish@127.0.0.1:{free_port()}/"
    )
    stream = plain(url, connect_timeout_s=5)
    with pytest.raises(SourceError) as caught, stream:
        pytest.fail("it opened")
    assert "rtsp://***@127.0.0.1" in str(caught.value)
    assert "swordfish" not in str(caught.value) + repr(stream)
