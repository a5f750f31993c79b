"""Files: every odd clip, honest and repeatable times, sizes that change in mid-stream."""

import itertools
import threading
import time
from pathlib import Path

import av
import pytest
from patience import in_time
from reading import WITHIN_S, read, replay, terms

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SourceError
from blikk_edge.sources.file import open_file

# Pictures that libav makes of each clip (the references of the conformance streams), and the frames kept of them.
ODDITIES = {
    "clip.mp4": (10, 10),
    "openh264/BA_MW_D.264": (100, 21),
    "openh264/BA_MW_D_IDR_LOST.264": (70, 15),
    "openh264/BA_MW_D_P_LOST.264": (99, 20),
    "openh264/Cisco_Men_whisper_640x320_CABAC_Bframe_9.264": (9, 2),
    "openh264/Error_I_P.264": (6, 2),
    "openh264/MR1_BT_A.h264": (62, 13),
    "openh264/QCIF_2P_I_allIPCM.264": (2, 1),
    "openh264/SVA_FM1_E.264": (17, 4),
    "openh264/SarVui.264": (17, 4),
    "openh264/Static.264": (10, 3),
    "openh264/Zhling_1280x720.264": (19, 4),
    "openh264/jm_1080p_allslice.264": (1, 1),
}


@pytest.mark.parametrize(("clip", "decoded", "kept"), [(name, *counts) for name, counts in ODDITIES.items()])
def test_odd_clip_gives_the_pictures_libav_makes_of_it(data: Path, clip: str, decoded: int, kept: int) -> None:
    source = replay(data / "video" / "oddities" / clip)

    frames = read(source)

    assert source.counts.decoded == decoded
    assert len(frames) == kept
    assert source.counts.thinned == decoded - kept
    assert all(frame.bgr().shape[:2] <= frame.luma.shape for frame in frames)
    assert all(later.time > earlier.time for earlier, later in itertools.pairwise(frames))


def test_every_odd_clip_is_covered(data: Path) -> None:
    folder = data / "video" / "oddities"
    clips = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in {".264", ".h264", ".mp4"}}

    assert clips == {*ODDITIES, "openh264/sps_subsetsps_bothVUI.264"}


def test_undecodable_clip_is_a_source_error(data: Path) -> None:
    source = replay(data / "video" / "oddities" / "openh264" / "sps_subsetsps_bothVUI.264")

    with pytest.raises(SourceError, match=r"sps_subsetsps_bothVUI\.264: this is no video that can be read"):
        read(source)


def test_damaged_pictures_are_counted(data: Path) -> None:
    source = replay(data / "video" / "oddities" / "openh264" / "Error_I_P.264")

    read(source)

    assert source.counts.corrupt == 5


@pytest.mark.parametrize(
    ("clip", "seconds"),
    [
        ("dvr_scan/traffic_camera.mp4", 576 / 25),
        ("dvr_scan/traffic_camera_vfr.mp4", 576 * 287 / 4800),
        ("dvr_scan/issue53_brightness_change.avi", 59 / 12),
        ("bgslibrary/video.avi", 374 / 30),
        ("bgslibrary/video02.avi", 750 / 25),
        ("intel_sample_previews/face-demographics-walking.gif", 35 / 12.02),
        ("intel_sample_previews/people-detection.gif", 23 / 12.02),
        ("intel_sample_previews/person-bicycle-car-detection.gif", 41 / 12.02),
        ("intel_sample/car-detection.mp4", 377 / 12.5),
    ],
)
def test_clip_of_any_rate_and_codec_is_thinned_to_five_a_second(data: Path, clip: str, seconds: float) -> None:
    frames = read(replay(data / "video" / clip, start_time=1000.0))

    assert frames[0].time == 1000.0
    assert frames[-1].time - 1000.0 == pytest.approx(seconds, abs=0.3)
    assert len(frames) == pytest.approx(seconds * 5, abs=2)
    assert max(later.time - earlier.time for earlier, later in itertools.pairwise(frames)) < 0.3


def test_replay_gives_the_same_times_and_pixels_every_time(data: Path) -> None:
    clip = data / "video" / "dvr_scan" / "traffic_camera_vfr.mp4"

    first, second = (
        [(f.seq, f.time, f.luma.tobytes()) for f in read(replay(clip, start_time=1.5e9), 40)] for _ in range(2)
    )

    assert first == second


def test_replay_time_is_start_plus_stream_time_where_the_file_does_not_start_at_zero(make_clip) -> None:
    clip = make_clip("late.mkv", pts=[n + 5000 for n in range(25)])

    assert [frame.time for frame in read(replay(clip, start_time=100.0))] == pytest.approx(
        [100.0, 100.16, 100.36, 100.56, 100.76, 100.96], abs=0.002
    )


def test_timestamps_that_jump_by_hours_cost_one_frame_interval(make_clip) -> None:
    clip = make_clip("jump.mkv", pts=[*range(25), *range(25 * 7200, 25 * 7201)])

    times = [frame.time for frame in read(replay(clip))]

    assert times[-1] == pytest.approx(49 / 25, abs=0.1)


def test_missing_timestamps_are_bridged_by_the_frame_rate(make_clip) -> None:
    # A raw stream has none at all.
    clip = make_clip("raw.h264", frames=50, rate=25)

    times = [frame.time for frame in read(replay(clip))]

    assert times == pytest.approx([0.0, *(0.16 + 0.2 * n for n in range(len(times) - 1))], abs=0.001)
    assert len(times) == 11


def test_size_change_in_mid_stream_changes_the_frames(make_clip, tmp_path: Path) -> None:
    parts = [make_clip("a.h264", size=(640, 480), frames=25), make_clip("b.h264", size=(1280, 720), frames=25)]
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))

    frames = read(replay(both))

    assert [shape for shape, _ in itertools.groupby(f.luma.shape for f in frames)] == [(480, 640), (720, 1280)]
    assert [shape for shape, _ in itertools.groupby(f.bgr().shape for f in frames)] == [(480, 640, 3), (480, 854, 3)]
    assert frames[-1].time == pytest.approx(49 / 25, abs=0.25)


def test_stream_without_its_keyframe_starts_at_the_next_one(make_clip, tmp_path: Path) -> None:
    whole = make_clip(
        "gop.h264", frames=60, options={"g": "30", "bf": "0", "x264-params": "scenecut=0:repeat-headers=1"}
    )
    content = whole.read_bytes()
    second_picture = content.index(b"\x00\x00\x01\x41")
    clip = tmp_path / "headless.h264"
    clip.write_bytes(content[second_picture - 1 :])
    source = replay(clip)

    read(source)

    assert source.counts.decoded == 30


def test_corrupt_packets_are_passed_over(make_clip, tmp_path: Path) -> None:
    content = bytearray(make_clip("whole.h264", frames=100, options={"g": "10"}).read_bytes())
    third = len(content) // 3
    content[third : third + len(content) // 10] = bytes(b ^ 0x5A for b in content[third : third + len(content) // 10])
    clip = tmp_path / "corrupt.h264"
    clip.write_bytes(content)
    source = replay(clip)

    frames = read(source)

    assert 50 < source.counts.decoded <= 100
    assert source.counts.corrupt > 0
    assert frames[-1].bgr().mean() == pytest.approx(frames[0].bgr().mean(), abs=10)


def test_truncated_file_gives_what_is_there(make_clip, tmp_path: Path) -> None:
    content = make_clip("whole.avi", frames=100, codec="mpeg4").read_bytes()
    clip = tmp_path / "half.avi"
    clip.write_bytes(content[: len(content) // 2])

    assert 5 < len(read(replay(clip))) < 20


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nowhere.mp4", None, "not found"),
        ("empty.mp4", b"", "no video that can be read"),
        ("text.mp4", b"this is no video at all\n" * 200, "no video that can be read"),
    ],
)
def test_what_is_no_clip_is_a_source_error(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SourceError, match=f"^{name}: .*{said}"):
        read(replay(path))


def test_folder_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="this is a folder"):
        read(replay(tmp_path))


def test_file_without_video_is_a_source_error(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(
        b"RIFF\x24\x08\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00"
        b"data\x00\x08\x00\x00" + bytes(2048)
    )

    with pytest.raises(SourceError, match="there is no video in it"):
        read(replay(path))


def test_playlist_on_disk_cannot_open_the_network(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")

    with pytest.raises(SourceError):
        read(replay(path))


@in_time
def test_realtime_file_keeps_its_own_pace_with_times_of_now(make_clip) -> None:
    source = open_file(str(make_clip("a.mp4", frames=30)), terms(), realtime=True, loop=False)
    began, began_at = time.monotonic(), time.time()

    frames = read(source)

    assert time.monotonic() - began == pytest.approx(29 / 25, abs=0.35)
    assert frames[0].time == pytest.approx(began_at, abs=0.25)
    assert frames[-1].time == pytest.approx(time.time(), abs=0.25)


@in_time
def test_looped_file_goes_on_and_so_do_its_times(make_clip) -> None:
    source = open_file(str(make_clip("a.mp4", frames=10)), terms(), realtime=True, loop=True)

    frames = read(source, 7)

    assert source.counts.connections == 3
    gaps = [later.time - earlier.time for earlier, later in itertools.pairwise(frames)]
    assert all(0.1 < gap < 0.3 for gap in gaps)
    assert [frame.seq for frame in frames] == list(range(1, 8))


@in_time
def test_stop_ends_a_paced_file_at_once(make_clip) -> None:
    stop = threading.Event()
    source = open_file(str(make_clip("slow.mkv", pts=[0, 1, 2, 200, 201])), terms(clock=SystemClock()), loop=True)
    frames = source.frames(stop)
    next(frames)
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()

    assert list(frames) == []
    assert 0.2 < time.monotonic() - began < WITHIN_S


@pytest.mark.parametrize("name", ["titled.mkv", "titled.mp4"])
def test_metadata_that_is_no_utf8_does_no_harm(make_clip, name: str) -> None:
    title = "Caf\N{LATIN SMALL LETTER E WITH ACUTE} porch"
    clip = make_clip(name, metadata={"title": title})
    content, latin1 = clip.read_bytes(), title.encode("latin-1") + b"\xff"
    assert content.count(title.encode()) == 1
    clip.write_bytes(content.replace(title.encode(), latin1))

    assert len(read(replay(clip))) == 11


def test_pictures_that_nothing_needs_are_not_decoded_and_the_others_stay_the_same(make_clip) -> None:
    options = {"bf": "3", "b-pyramid": "none", "x264-params": "scenecut=0:b-adapt=0"}
    clip = make_clip("b_frames.mp4", frames=100, options=options)
    with av.open(str(clip)) as container:
        whole = [picture.to_ndarray()[:240] for picture in container.decode(video=0)]
    source = replay(clip)

    frames = read(source)

    assert source.counts.decoded < 60
    assert len(frames) == 21
    for frame in frames:
        assert (frame.luma == whole[round(frame.time * 25)]).all()


def test_pictures_that_are_far_apart_in_all_of_a_file_keep_their_times(make_clip) -> None:
    frames = read(replay(make_clip("slow.mp4", rate=1, pts=[0, 20, 40, 60])))
    assert [frame.time for frame in frames] == pytest.approx([0.0, 20.0, 40.0, 60.0], abs=0.01)


def test_hole_of_an_hour_in_a_file_is_still_a_clock_that_was_set(make_clip) -> None:
    frames = read(replay(make_clip("hole.mp4", rate=5, pts=[*range(20), *range(18_000, 18_020)])))
    assert frames[-1].time < 10
