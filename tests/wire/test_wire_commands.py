import pytest
import wire_samples as s
from hypothesis import example, given
from hypothesis import strategies as st

from blikk_edge.core.commands import Describe, Press, Set, Setting, Snapshot
from blikk_edge.core.errors import WireError
from blikk_edge.core.status import SummaryMode
from blikk_edge.wire.commands import decode_command
from blikk_edge.wire.messages import availability

CAMERAS = ("front_door", "yard")


def detect(value):
    return Set(camera="yard", setting=Setting.DETECT, value=value)


def threshold(value):
    return Set(camera="yard", setting=Setting.THRESHOLD, value=value)


@pytest.mark.parametrize(
    ("setting", "payload", "command"),
    [
        ("detect", b"ON", detect(True)),
        ("detect", b'"ON"', detect(True)),
        ("detect", b"OFF\0", detect(False)),
        ("detect", b"\xef\xbb\xbfON\r\n", detect(True)),
        ("detect", b"off", detect(False)),
        ("detect", b"true", detect(True)),
        ("detect", b"False\n", detect(False)),
        ("detect", b"0", detect(False)),
        ("threshold", b"0.3", threshold(0.3)),
        ("threshold", b"0", threshold(0.0)),
        ("threshold", b"1.0", threshold(1.0)),
        ("threshold", b" .5 ", threshold(0.5)),
        ("threshold", b"5e-1", threshold(0.5)),
        ("summary", b"Vision", Set(camera="yard", setting=Setting.SUMMARY, value=SummaryMode.VISION)),
        ("summary", b"off", Set(camera="yard", setting=Setting.SUMMARY, value=SummaryMode.OFF)),
        ("describe", b"PRESS", Describe(camera="yard")),
        ("snapshot", b"PRESS", Snapshot(camera="yard")),
        ("snapshot", b"", Snapshot(camera="yard")),
        ("ring", b"PRESS", Press(camera="yard", via="mqtt")),
        ("ring", b"on", Press(camera="yard", via="mqtt")),
    ],
)
def test_command_is_understood(setting, payload, command):
    assert decode_command(f"blikk/porch-pi/yard/set/{setting}", payload, s.TOPICS, CAMERAS) == command


@pytest.mark.parametrize(
    ("setting", "payload"),
    [
        ("detect", b""),
        ("detect", b"maybe"),
        ("summary", b"images"),
        ("describe", b"OFF"),
        ("detect", b"0.5"),
        ("detect", b"\xff\xfe"),
        ("detect", "ＯＮ".encode()),
        ("threshold", b""),
        ("threshold", b"ON"),
        ("threshold", b"-0.1"),
        ("threshold", b"1.01"),
        ("threshold", b"nan"),
        ("threshold", b"inf"),
        ("threshold", b"1_0e-2"),
        ("threshold", "٠.٥".encode()),
        ("threshold", b"0." + b"1" * 100),
        ("threshold", b'{"value":0.3}'),
        ("ring", b"OFF"),
        ("ring", b"0"),
        ("snapshot", b"x" * 100_000),
        ("blur", b"OFF"),
        ("", b"ON"),
    ],
)
def test_odd_command_is_a_wire_error_that_names_camera_and_setting(setting, payload):
    with pytest.raises(WireError, match="yard") as caught:
        decode_command(f"blikk/porch-pi/yard/set/{setting}", payload, s.TOPICS, CAMERAS)

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "blikk/porch-pi/attic/set/detect",
        "blikk/porch-pi/set/detect",
        "blikk/porch-pi/yard/detect/set",
        "blikk/porch-pi/yard/set/detect/x",
        "blikk/porch-pi2/yard/set/detect",
        "other/porch-pi/yard/set/detect",
        "yard/set/detect",
        availability(s.TOPICS, online=True).topic,
    ],
)
def test_other_topic_is_a_wire_error(topic):
    with pytest.raises(WireError):
        decode_command(topic, b"ON", s.TOPICS, CAMERAS)


def test_blur_cannot_be_turned_off_over_mqtt():
    assert {setting.value for setting in Setting} == {"detect", "threshold", "summary"}


def test_retained_command_is_refused():
    with pytest.raises(WireError, match="retain"):
        decode_command("blikk/porch-pi/yard/set/ring", b"PRESS", s.TOPICS, CAMERAS, retained=True)


TOPIC = st.text() | st.builds(
    lambda camera, setting: f"blikk/porch-pi/{camera}/set/{setting}",
    st.sampled_from(CAMERAS) | st.text(),
    st.sampled_from(["detect", "threshold", "summary", "snapshot", "describe", "ring"]) | st.text(),
)
PAYLOAD = st.binary() | st.text().map(str.encode) | st.floats().map(lambda x: str(x).encode())


@given(TOPIC, PAYLOAD)
@example("blikk/porch-pi/yard/set/threshold", b"1e99")
@example("blikk/porch-pi/yard/set/threshold", b"9" * 64)
def test_any_bytes_are_a_command_within_bounds_or_a_wire_error(topic, payload):
    try:
        command = decode_command(topic, payload, s.TOPICS, CAMERAS)
    except WireError:
        return
    assert command.camera in CAMERAS
    if isinstance(command, Set):
        assert 0.0 <= command.value <= 1.0
