"""Dormant watching: asleep while nothing moves, and reported from the first frame when something does."""

import itertools
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from patience import in_time
from reading import WITHIN_S, read, terms
from rtsp_server import RtspServer

from blikk_edge.core.fields import Watch
from blikk_edge.core.scene import Frame
from blikk_edge.sources.capture import Capture
from blikk_edge.sources.file import open_file
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.transforms.motion.gate import MotionGate
from blikk_edge.transforms.motion.wake_detector import GateWakeDetector

FPS, GOP_S = 10, 2
STILL = np.random.default_rng(1).integers(60, 180, (15, 20, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
CODECS = {
    "h264": ("libx264", {"bf": "0"}),
    "h264 with B-frames": ("libx264", {"bf": "3"}),
    "h264 with open groups": ("libx264", {"bf": "3", "x264-params": "open-gop=1:keyint=20:min-keyint=20:scenecut=0"}),
    "h265": ("libx265", {"x265-params": "log-level=none:bframes=0:keyint=20:min-keyint=20:scenecut=0"}),
    "h265 with open groups": (
        "libx265",
        {"x265-params": "log-level=none:bframes=3:open-gop=1:keyint=20:min-keyint=20:scenecut=0"},
    ),
}


def scene(n: int, walks: list[tuple[float, float]]) -> np.ndarray:
    """A still room; during `walks` (from, to in seconds) a bright square crosses it."""
    image = STILL.copy()
    for start, end in walks:
        if start <= n / FPS < end:
            left = int((n / FPS - start) / (end - start) * 260)
            image[90:150, left : left + 60] = 230
    return image


def make(
    path: Path,
    *,
    seconds: float,
    walks: list[tuple[float, float]],
    codec: str = "h264",
    gop_s: float = GOP_S,
    **options: str,
) -> Path:
    """A clip with a keyframe every `gop_s`."""
    encoder, given = CODECS[codec]
    keys = {"g": str(int(gop_s * FPS)), "sc_threshold": "0", "preset": "ultrafast"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=FPS, options={**keys, **given, **options})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n in range(int(seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(scene(n, walks), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def sleeper(**given: object) -> dict[str, object]:
    """What a camera is reported that may sleep after four quiet seconds."""
    return {"watch": Watch.ECO, "sleep_after_s": 4.0, "wake_detector": GateWakeDetector(MotionGate())} | given


def replay(path: Path, **given: object) -> Capture:
    """A replay of a file that may sleep."""
    return open_file(str(path), terms(path.name, **sleeper(**given)), realtime=False, loop=False)


def times(frames: list[Frame], start: float, end: float) -> list[float]:
    """Capture times between two moments, without the milliseconds that keep them apart."""
    return [round(frame.time, 1) for frame in frames if start - 0.01 <= frame.time < end]


@pytest.mark.parametrize("codec", CODECS)
def test_asleep_only_keyframes_are_seen_and_a_change_between_them_from_its_first_frame(
    tmp_path: Path, codec: str
) -> None:
    clip = make(tmp_path / "a.mp4", seconds=44, walks=[(30.6, 33.6)], codec=codec)
    source = replay(clip)

    frames = read(source)

    assert times(frames, 20.0, 29.9) == pytest.approx([20.0, 22.0, 24.0, 26.0, 28.0], abs=0.21)
    assert times(frames, 30.6, 33.6) == pytest.approx([30.6 + 0.2 * n for n in range(15)], abs=0.11)
    assert all(later.time > earlier.time for earlier, later in itertools.pairwise(frames))
    assert source.counts.slept > 50


@pytest.mark.parametrize("codec", CODECS)
def test_keyframes_alone_are_followed_by_what_there_is_time_for_where_something_stirs(
    tmp_path: Path, codec: str
) -> None:
    clip = make(tmp_path / "a.mp4", seconds=30, walks=[(16.6, 21.6)], codec=codec)
    full = {round(frame.time, 1): frame.luma.tobytes() for frame in read(replay(clip, watch=Watch.FULL))}
    source = replay(clip, watch=Watch.KEYFRAMES)
    source._part = lambda: 0.5  # type: ignore[method-assign]

    frames = read(source)

    assert times(frames, 5.9, 17.9) == pytest.approx([6.0, 8.0, 10.0, 12.0, 14.0, 16.0], abs=0.21)
    assert len(times(frames, 17.8, 19.8)) == pytest.approx(5, abs=1)
    assert len(times(frames, 19.8, 21.8)) == pytest.approx(5, abs=1)
    assert all(later.time > earlier.time for earlier, later in itertools.pairwise(frames))
    shared = [frame for frame in frames if round(frame.time, 1) in full]
    assert len(shared) > len(frames) / 2
    assert all(full[round(frame.time, 1)] == frame.luma.tobytes() for frame in shared)
    assert source.counts.corrupt == 0


def test_pixels_from_before_the_waking_are_those_of_full_watching(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", seconds=40, walks=[(30.6, 33.6)], codec="h264 with open groups")
    full = {frame.time: frame.luma.tobytes() for frame in read(replay(clip, watch=Watch.FULL))}

    eco = read(replay(clip))

    shared = [frame for frame in eco if frame.time in full]
    assert len(shared) > len(eco) - 12  # keyframes that are seen alone need not lie on the grid of full watching
    assert all(full[frame.time] == frame.luma.tobytes() for frame in shared)


def test_packets_that_grow_wake_it_before_the_next_keyframe(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", seconds=60, walks=[(41.0, 44.0)], gop_s=5.0)
    kept = make(tmp_path / "b.mp4", seconds=44, walks=[(41.0, 42.9)], gop_s=5.0)  # ends within the group

    assert len(times(read(replay(clip)), 41.0, 44.0)) == 15
    assert len(times(read(replay(kept)), 41.0, 42.8)) == 9


def test_visitor_who_comes_and_goes_between_keyframes_is_seen(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", seconds=50, walks=[(36.0, 39.0)], gop_s=5.0)

    assert len(times(read(replay(clip)), 36.0, 39.0)) == 15


def test_it_sleeps_again_and_the_same_clip_gives_the_same_frames(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", seconds=70, walks=[(20.5, 23.0)])

    first, second = ([(f.seq, f.time, f.luma.tobytes()) for f in read(replay(clip))] for _ in range(2))

    assert first == second
    assert len([time for _, time, _ in first if 49.9 < time < 67.9]) == 9


def test_a_hint_wakes_it_between_keyframes_for_a_while_and_changes_nothing_else(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", seconds=60, walks=[(51.0, 54.0)], gop_s=5.0)
    packets = itertools.count(1)

    frames = read(replay(clip, hinted=lambda: next(packets) == 100))  # it sleeps from 15 s on, at the third keyframe
    without = read(replay(clip))

    woken = [frame.time for frame in frames if frame.time not in {other.time for other in without}]
    assert 3.0 <= woken[-1] - woken[0] <= 10.0
    assert [round(later - earlier, 1) for earlier, later in itertools.pairwise(woken)].count(0.2) > 10
    assert {frame.time for frame in without} <= {frame.time for frame in frames}
    assert len(times(frames, 51.0, 54.0)) == 15


def test_it_stays_awake_where_keyframes_are_too_far_apart_or_too_close(tmp_path: Path) -> None:
    for name, gop_s in (("far", 12.0), ("close", 0.2)):
        source = replay(make(tmp_path / f"{name}.mp4", seconds=40, walks=[], gop_s=gop_s))

        assert len(read(source)) >= 199
        assert source.counts.slept == 0


def test_it_wakes_where_the_keyframe_does_not_come(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.mp4", seconds=40, walks=[])
    clip = tmp_path / "lost.mp4"
    with av.open(str(whole)) as source, av.open(str(clip), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None and not (packet.is_keyframe and 23 < packet.pts * packet.time_base < 29):
                packet.stream = stream
                target.mux(packet)

    frames = read(replay(clip))

    assert len(times(frames, 26.0, 28.0)) >= 9


def test_memory_of_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.sources.keyframe_only.MOST_KEPT_BYTES", 1000)
    source = replay(make(tmp_path / "a.mp4", seconds=40, walks=[]))

    assert len(read(source)) > 150


@pytest.mark.parametrize(("gop_s", "sleeps"), [(1.0, True), (2.0, False)])
def test_auto_sleeps_at_once_only_where_keyframes_are_close(tmp_path: Path, gop_s: float, sleeps: bool) -> None:
    source = replay(make(tmp_path / "a.mp4", seconds=30, walks=[], gop_s=gop_s), watch=Watch.AUTO)

    read(source)

    assert (source.counts.slept > 0) is sleeps


def test_auto_sleeps_where_packets_have_grown_with_motion(tmp_path: Path) -> None:
    walks = [(12.0, 14.0), (18.0, 20.0), (24.0, 26.0)]
    source = replay(make(tmp_path / "a.mp4", seconds=50, walks=walks), watch=Watch.AUTO)

    frames = read(source)

    assert source.counts.slept > 0
    assert len(times(frames, 40.0, 48.0)) == 4


def test_what_moves_when_the_stream_ends_is_seen(tmp_path: Path) -> None:
    clip = make(
        tmp_path / "a.mp4",
        seconds=31.6,
        walks=[(30.6, 31.6)],
        **{"x264-params": "nal-hrd=cbr:vbv-maxrate=300:vbv-bufsize=300:filler=1", "b": "300k"},
    )

    assert len(times(read(replay(clip)), 30.6, 31.5)) >= 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtspServer]:
    with RtspServer(make(tmp_path / "room.mp4", seconds=30, walks=[(4.5, 6.0)], gop_s=0.6)) as running:
        yield running


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@in_time
def test_over_rtsp_it_sleeps_wakes_and_reports_the_true_times(server: RtspServer, transport: str) -> None:
    stop = threading.Event()
    source = open_rtsp(server.url, terms(**sleeper(sleep_after_s=1.0)), transport=transport)
    began, seen = time.time(), []
    for frame in source.frames(stop):
        seen.append((frame.time - began, time.time() - frame.time, float(frame.luma[90:150].max())))
        if frame.time - began > 7.0:
            stop.set()

    moving = [(moment, late) for moment, late, brightest in seen if brightest > 195]
    assert source.counts.slept > 5
    assert len(moving) >= 6
    assert moving[-1][0] - moving[0][0] == pytest.approx(1.4, abs=0.35)
    assert all(late < 3.0 for _, late in moving)


@in_time
def test_stop_ends_a_sleeping_source_within_a_second(server: RtspServer) -> None:
    stop = threading.Event()
    source = open_rtsp(server.url, terms(**sleeper(sleep_after_s=1.0)), transport="tcp")
    for frame in source.frames(stop):
        if source.counts.slept > 5:
            threading.Timer(0.3, stop.set).start()
            began = time.monotonic()
        assert frame.seq < 200

    assert time.monotonic() - began < WITHIN_S
