"""Keyframes that a server sends as several packets."""

import io
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.packet import Packet
from reading import GREY, read, replay, sliced, terms
from rtsp_server import RtspServer

from blikk_edge.core.fields import Watch
from blikk_edge.core.scene import Frame
from blikk_edge.sources.keyframe_parts import MOST_BYTES, KeyframeParts, continues_picture
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.sources.tap import MediaPacket, MediaTrack
from blikk_edge.transforms.motion.gate import MotionGate
from blikk_edge.transforms.motion.wake_detector import GateWakeDetector


@pytest.fixture(scope="module", params=["h264", "h265"])
def camera(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    path = sliced(tmp_path_factory.mktemp("camera") / "clip.mp4", codec=request.param)
    with RtspServer(path, codec=request.param) as server:
        yield server


def is_whole(frame: Frame) -> bool:
    """Whether the picture is of one grey above and below what moves."""
    return bool(max(abs(int(frame.luma[row].mean()) - GREY) for row in (*range(75), *range(165, 240))) < 12)


class Recorded:
    """A Tap that keeps what it gets."""

    def __init__(self) -> None:
        self.packets: list[MediaPacket] = []

    def begin(self, tracks: list[MediaTrack]) -> None:
        """Only the packets count here."""

    def packet(self, packet: MediaPacket) -> None:
        self.packets.append(packet)


@pytest.mark.parametrize("watch", [Watch.FULL, Watch.ECO, Watch.KEYFRAMES])
def test_every_picture_is_whole_and_recorded_once(camera: RtspServer, watch: Watch) -> None:
    tap = Recorded()
    chosen = terms(watch=watch, tap=tap, wake_detector=GateWakeDetector(MotionGate()))
    frames = read(open_rtsp(camera.url, chosen, transport="tcp"), 4 if watch is Watch.KEYFRAMES else 16)
    assert [is_whole(frame) for frame in frames] == [True] * len(frames)
    times = [packet.pts for packet in tap.packets if packet.pts is not None]
    assert len(set(times)) == len(times) > 0
    assert sum(packet.keyframe for packet in tap.packets) > 1


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    frames = read(replay(sliced(tmp_path / "clip.mp4")))
    assert len(frames) == 50
    assert all(is_whole(frame) for frame in frames)


STREAM = av.open(io.BytesIO(), "w", "mpegts").add_stream("libx264", rate=15)


def packet(data: bytes, pts: int, *, keyframe: bool = True) -> Packet:
    """A packet of a stream with start codes."""
    given = Packet(data)
    given.stream = STREAM
    given.pts = given.dts = pts
    given.time_base, given.is_keyframe = Fraction(1, 90000), keyframe
    return given


FIRST, NEXT = b"\0\0\0\1\x67abc\0\0\1\x68ab\0\0\1\x65\x88\x84", b"\0\0\0\1\x67abc\0\0\1\x68ab\0\0\1\x65\x02\x84"


def test_the_first_slice_of_a_picture_is_known() -> None:
    assert [continues_picture(data, h265=False) for data in (FIRST, NEXT)] == [False, True]
    assert [continues_picture(b"\0\0\1\x26\x01" + flag, h265=True) for flag in (b"\xac", b"\x2c")] == [False, True]
    assert not continues_picture(b"\0\0\1\x65", h265=False)
    assert not continues_picture(b"", h265=False)
    assert not any(continues_picture(FIRST[:n], h265=h265) for n, h265 in itertools.product(range(20), (False, True)))


def test_what_cannot_come_in_parts_passes_as_it_is() -> None:
    file = av.CodecContext.create("h264", "r")
    file.extradata = b"\1\x64\0\x16"
    for context in (av.CodecContext.create("mjpeg", "r"), file):
        parts = KeyframeParts(context)
        pictures = [
            packet(data, n) for n, data in enumerate((FIRST, NEXT, NEXT, FIRST))
        ]  # such bytes are in any of them
        assert [parts.take(each) for each in pictures] == [(each,) for each in pictures]


def test_a_part_of_another_time_or_of_too_much_is_a_picture_of_its_own() -> None:
    context = av.CodecContext.create("h264", "r")
    lost = KeyframeParts(context)
    assert lost.take(packet(FIRST, 0)) == ()
    assert [each.pts for each in lost.take(packet(NEXT, 3))] == [0, 3]  # the part before it was lost on the way

    endless, size, most = KeyframeParts(context), 0, 0
    for _ in range(40):
        given = packet(NEXT + bytes(500_000), 0)
        size += given.size - sum(each.size for each in endless.take(given))
        most = max(most, size)
    assert most <= MOST_BYTES


def test_later_keyframes_wait_only_where_one_came_in_parts() -> None:
    context = av.CodecContext.create("h264", "r")
    parts, whole = KeyframeParts(context), KeyframeParts(context)
    later = packet(b"\0\0\1\x41\x9a", 1, keyframe=False)
    assert whole.take(packet(FIRST, 0)) == ()
    assert [each.pts for each in whole.take(later)] == [0, 1]
    assert [each.pts for each in whole.take(packet(FIRST, 2))] == [2]

    assert parts.take(packet(FIRST, 0)) == ()
    assert parts.take(packet(NEXT, 0)) == ()
    assert [(each.pts, each.size) for each in parts.take(later)] == [(0, len(FIRST + NEXT)), (1, later.size)]
    assert parts.take(packet(FIRST, 2)) == ()
    assert [each.pts for each in parts.rest()] == [2]
    assert parts.rest() == ()
