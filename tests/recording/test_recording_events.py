"""What is kept of a stream around events, to the keyframe; and of streams that do what they should not."""

import logging
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from recording_stage import FPS, clips_of, make_clip, options, pictures

from blikk_edge.core.recordings import Segment
from blikk_edge.recording.camera import CameraRecorder
from blikk_edge.recording.feed import Begun, Entry, Feed, TimedPacket
from blikk_edge.recording.options import RecordMode, RecordOptions
from blikk_edge.sources.tap import MediaPacket, MediaTrack, Tapped
from blikk_edge.store.store import Store

NOW = 1_796_000_000.0


class Taken:
    """A tap that keeps all it is given."""

    def __init__(self) -> None:
        self.tracks: tuple[MediaTrack, ...] = ()
        self.packets: list[MediaPacket] = []

    def begin(self, tracks: "tuple[MediaTrack, ...]") -> None:
        self.tracks = tuple(tracks)

    def packet(self, packet: MediaPacket) -> None:
        self.packets.append(packet)


def taken(clip: Path) -> Taken:
    tap = Taken()
    with av.open(str(clip)) as container:
        tapped = Tapped(container, tap, camera="porch")  # type: ignore[arg-type]
        for packet in container.demux():
            tapped.take(packet)
    return tap


def entries(clip: Path, *, begins_s: float = 0.0) -> Iterator[Entry]:
    """The clip as a connection that begins so long after NOW."""
    tap = taken(clip)
    yield Begun(tracks=tap.tracks)
    ticks = {track.index: (track.video, float(track.tick)) for track in tap.tracks}
    first = min(packet.dts or 0 for packet in tap.packets if ticks[packet.track][0])
    for packet in tap.packets:
        video, tick = ticks[packet.track]
        start = first * ticks[next(track.index for track in tap.tracks if track.video)][1]
        stream_s = begins_s + (packet.dts or 0) * tick - start
        yield TimedPacket(packet=packet, video=video, stream_s=stream_s, shown_s=0.0, time=NOW + stream_s)


class Stage:
    """A recorder of one camera, and what it has written."""

    def __init__(self, folder: Path, record: RecordOptions, **more: int) -> None:
        self.folder = folder
        self.kept: list[Segment] = []
        self.recorder = CameraRecorder("porch", record, folder, self.kept.append, **more)

    def play(self, *clips: Path, begins_s: float = 0.0, until_s: float = 1e9) -> float:
        """Take the clips one after the other; says when they ended, seconds after NOW."""
        at = begins_s
        for clip in clips:
            for entry in entries(clip, begins_s=begins_s):
                if isinstance(entry, TimedPacket):
                    if entry.stream_s >= until_s:
                        return at
                    at = max(at, entry.stream_s)
                self.recorder.take(entry)
            begins_s = at + 1 / FPS
        return at

    def spans(self) -> list[tuple[float, float]]:
        return [(round(each.since - NOW, 2), round(each.until - NOW, 2)) for each in sorted(self.kept, key=_since)]


def _since(segment: Segment) -> float:
    return segment.since


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "recordings", options(RecordMode.EVENTS, pre_s=1.5, post_s=1.0))


def test_nothing_is_written_while_nothing_happens(stage: Stage, h264: Path) -> None:
    stage.play(h264, h264)

    assert stage.kept == []
    assert not stage.folder.exists()


def test_clip_begins_with_the_keyframe_before_the_event_and_its_lead(stage: Stage, h264: Path, tmp_path: Path) -> None:
    stage.play(h264, until_s=5.0)  # the event is reported late
    stage.recorder.event("porch-1", NOW + 4.2, None)
    for entry in list(entries(h264))[1:]:
        if isinstance(entry, TimedPacket) and entry.stream_s >= 5.0:
            stage.recorder.take(entry)
    stage.recorder.event("porch-1", NOW + 4.2, NOW + 5.3)
    stage.play(h264, begins_s=6.0)

    # 4.2 - 1.5 = 2.7: the keyframe before is at 2; 5.3 + 1 = 6.3 lies in the group that ends at 7
    spans = stage.spans()
    assert spans[0][0] == 2.0
    assert spans[-1][1] == pytest.approx(7.0, abs=0.11)
    store = Store(tmp_path / "blikk.db")
    store.open()
    try:
        store.keep_segments(stage.kept)
        clips = clips_of(stage.folder, store, options(RecordMode.EVENTS, pre_s=1.5, post_s=1.0))
        made = clips.clip("porch", "porch-1", NOW + 4.2, NOW + 5.3)
    finally:
        store.close()
    assert made is not None
    assert not made.redacted
    shown = pictures(made.path)
    assert [grey for _, grey in shown[:2]] == pytest.approx([30 + 3 * 20, 30 + 3 * 21], abs=4)
    assert len(shown) == pytest.approx(4.3 * FPS + 1, abs=1)


def test_two_events_that_overlap_are_written_once(stage: Stage, h264: Path) -> None:
    stage.play(h264)
    stage.recorder.event("porch-1", NOW + 4.0, NOW + 4.5)
    before = stage.spans()
    stage.recorder.event("porch-2", NOW + 2.0, NOW + 5.5)
    stage.recorder.close()

    assert before[0][0] == 2.0
    starts = [since for since, _ in stage.spans()]
    assert starts == sorted(set(starts))
    assert starts[0] == 0.0
    assert sum(len(pictures(stage.folder / each.path)) for each in stage.kept) == 6 * FPS


def test_memory_is_bounded_and_the_lead_is_shorter_then(
    tmp_path: Path, h264: Path, caplog: pytest.LogCaptureFixture
) -> None:
    size = sum(len(packet.data) for packet in taken(h264).packets)
    stage = Stage(tmp_path, options(RecordMode.EVENTS, pre_s=5.0, post_s=0.0), ring_bytes=size // 2)
    with caplog.at_level(logging.WARNING):
        stage.play(h264)
    stage.recorder.event("porch-1", NOW + 5.0, NOW + 5.5)
    stage.recorder.close()

    assert 2.0 <= stage.spans()[0][0] <= 4.0
    assert len([record for record in caplog.records if "begin later" in record.message]) == 1


def test_camera_that_changes_its_picture_within_a_connection_gets_a_new_segment(tmp_path: Path) -> None:
    small = make_clip(tmp_path / "small.ts", "libx264", seconds=2)
    large = make_clip(tmp_path / "large.ts", "libx264", size=(640, 480), seconds=2)
    stage = Stage(tmp_path / "recordings", options())
    at = stage.play(small)
    for entry in list(entries(large, begins_s=at + 0.1))[1:]:
        stage.recorder.take(entry)
    stage.recorder.close()

    sizes = []
    for each in stage.kept:
        with av.open(str(stage.folder / each.path)) as container:
            sizes.append((container.streams.video[0].width, len(list(container.decode(video=0)))))
    assert sizes == [(320, 2 * FPS), (640, 2 * FPS)]


def test_sound_of_other_kinds_is_left_out_with_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pcm.mov"
    with (
        av.open(str(make_clip(tmp_path / "a.mp4", "libx264", seconds=1))) as made,
        av.open(str(path), "w") as container,
    ):
        video = container.add_stream_from_template(made.streams.video[0])
        audio = container.add_stream("pcm_alaw", rate=8000)
        audio.layout = "mono"
        for packet in made.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(audio.encode(frame))
    stage = Stage(tmp_path / "recordings", options())
    with caplog.at_level(logging.WARNING):
        stage.play(path)
    stage.recorder.close()

    assert [record.getMessage() for record in caplog.records] == [
        "porch: audio pcm_alaw cannot be kept in MP4: it is left out; set the camera's audio to AAC"
    ]
    assert len(pictures(stage.folder / stage.kept[0].path)) == FPS


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> float:
        return NOW + self.passed_s

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


@pytest.mark.parametrize("jump_s", [-3600.0, 7200.0])
def test_time_stamps_that_jump_leave_no_gap_and_no_knot(tmp_path: Path, h264: Path, jump_s: float) -> None:
    clock, tap, stage = Hand(), taken(h264), Stage(tmp_path, options())
    feed = Feed(clock)
    feed.begin(tap.tracks)
    video = next(track for track in tap.tracks if track.video)
    frames = [packet for packet in tap.packets if packet.track == video.index]
    for number, packet in enumerate(frames):
        clock.passed_s = number / FPS
        ticks = round(((packet.dts or 0) * video.tick + (jump_s if number >= 25 else 7200)) / video.tick)
        feed.packet(MediaPacket(track=packet.track, data=packet.data, pts=ticks, dts=ticks, keyframe=packet.keyframe))
    while (entry := feed.take()) is not None:
        stage.recorder.take(entry)
    stage.recorder.close()

    assert [since for since, _ in stage.spans()] == pytest.approx([0.0, 2.0, 4.0], abs=0.2)
    shown = [len(pictures(stage.folder / each.path)) for each in stage.kept]
    assert shown == [2 * FPS, 2 * FPS, 2 * FPS]


def test_who_writes_too_slowly_costs_packets_up_to_a_keyframe_and_never_the_reader(h264: Path) -> None:
    tap = taken(h264)
    sizes = sum(len(packet.data) for packet in tap.packets)
    feed = Feed(Hand(), max_bytes=sizes)
    feed.begin(tap.tracks)
    for _ in range(3):
        for packet in tap.packets:
            feed.packet(packet)

    assert feed.waiting_bytes <= sizes
    assert feed.dropped >= len(tap.packets)
    while feed.take() is not None:
        pass
    dropped = feed.dropped
    keyframe = next(at for at, packet in enumerate(tap.packets) if packet.track == 0)
    for packet in tap.packets[keyframe + 1 :]:
        feed.packet(packet)
    first = feed.take()
    assert isinstance(first, TimedPacket)
    assert first.video
    assert first.packet.keyframe
    assert feed.dropped > dropped
