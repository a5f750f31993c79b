"""Which cameras wait for their turn to connect, and how many may at once."""

import pytest

from blikk_edge.app.cameras import _called, most_attempts
from blikk_edge.config.settings import CameraSettings
from blikk_edge.grammar.secrets import Secret, SourceUrl


@pytest.mark.parametrize(
    ("source", "token", "waits"),
    [
        ("rtsp://192.168.1.20/stream", None, True),
        ("onvif://user:password@192.168.1.20", None, True),
        ("http://192.168.1.20/video.mjpg", None, True),
        ("/dev/video0", None, False),
        ("clip.mp4", None, False),
        ("push", Secret("token"), False),  # a client that comes must not wait until others have given up
    ],
)
def test_only_cameras_that_a_node_goes_to_wait_for_their_turn(
    source: str, token: Secret | None, *, waits: bool
) -> None:
    camera = CameraSettings(id="cam", name="Cam", source=SourceUrl(source), push_token=token)
    assert _called(camera) is waits


def test_half_of_all_cameras_may_connect_again_at_once_and_no_fewer_than_eight() -> None:
    assert [most_attempts(cameras) for cameras in (1, 16, 31, 100)] == [8, 8, 15, 50]
