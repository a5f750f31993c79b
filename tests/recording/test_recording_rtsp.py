"""Recording real RTSP streams: H.264 and H.265 with sound, a camera that vanishes, a process that is killed."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest
from recording_stage import FPS, clips_of, options, pictures, recording, wait_until
from rtsp_server import RtspServer

from blikk_edge.core.clock import SystemClock
from blikk_edge.recording.folder import repair
from blikk_edge.recording.options import RecordMode
from blikk_edge.store.store import Store


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_stream_is_kept_in_segments_with_its_sound_and_comes_out_as_one_clip(
    codec: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    clip: Path = request.getfixturevalue(codec)
    folder = tmp_path / "recordings"
    with RtspServer(clip, codec=codec, sound=True) as server, recording(folder, server.url, options()) as running:
        wait_until(lambda: len(running.store.segments("porch")) >= 3)
        segments = running.store.segments("porch")
        made = clips_of(folder, running.store).write(
            "porch", segments[0].since, segments[2].until, tmp_path / "made.mp4"
        )

    assert {each.codec for each in segments} == {"h264" if codec == "h264" else "hevc"}
    assert all(each.until - each.since == pytest.approx(2.0, abs=0.15) for each in segments[1:3])
    assert all(abs(b.since - a.until) < 0.5 for a, b in itertools.pairwise(segments))
    assert segments[-1].until == pytest.approx(SystemClock().now(), abs=10.0)
    for each in segments:
        with av.open(str(folder / each.path)) as container:
            assert [stream.codec_context.name for stream in container.streams][1:] == ["aac"]
            assert next(container.demux(video=0)).is_keyframe
        assert (folder / each.path).stat().st_mode & 0o777 == 0o600
    assert made is not None
    shown = pictures(made.path)
    assert len(shown) >= 5 * FPS
    assert all(b[0] - a[0] == pytest.approx(1 / FPS, abs=0.06) for a, b in itertools.pairwise(shown[3:]))
    with av.open(str(made.path)) as container:
        sound_s = sum(frame.samples for frame in container.decode(audio=0)) / 48_000
    assert sound_s == pytest.approx(shown[-1][0], abs=0.5)


def test_camera_that_vanishes_and_returns_goes_on_in_new_segments(h264: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    server = RtspServer(h264)
    with server, recording(folder, server.url, options()) as running:
        wait_until(lambda: running.store.segments("porch"))
        server.kill()
        wait_until(lambda: running.recorder.problem is not None)
        before = len(running.store.segments("porch"))
        server.start()
        wait_until(lambda: len(running.store.segments("porch")) > before + 1)

        assert running.recorder.problem is None
        assert running.recorder.dropped == {"porch": 0}
        segments = running.store.segments("porch")
    gap = max(b.since - a.until for a, b in itertools.pairwise(segments))
    assert gap > 0.3
    assert all(pictures(folder / each.path) for each in segments)


def test_archive_that_is_not_there_at_first_is_a_problem_until_it_comes(h264: Path, tmp_path: Path) -> None:
    server = RtspServer(h264)
    with recording(tmp_path / "recordings", server.url, options(RecordMode.EVENTS)) as running:
        wait_until(lambda: "connection refused" in str(running.recorder.problem))
        with server:
            wait_until(lambda: running.recorder.problem is None)
    assert not (tmp_path / "recordings").exists()


CODE = """
import sys, threading
sys.path[:0] = {paths!r}
from pathlib import Path
from recording_stage import options, recording
with recording(Path(sys.argv[1]), sys.argv[2], options()):
    threading.Event().wait()
"""


def test_last_segment_of_a_killed_process_can_be_read_and_is_listed_again(h264: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    here = str(Path(__file__).parent)
    code = CODE.format(paths=[here, str(Path(here).parent)])
    with RtspServer(h264, sound=True) as server:
        process = subprocess.Popen([sys.executable, "-c", code, folder, server.url])

        def files() -> list[Path]:
            return sorted(folder.glob("porch/*/*.mp4"))

        try:
            wait_until(lambda: len(files()) >= 3 and files()[-1].stat().st_size > 3000)
            last = files()[-1]
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    (folder / "porch" / last.parent.name / "20261130T000000000000.mp4").touch()  # killed before anything was in it

    assert len(pictures(last)) >= 3
    store = Store(tmp_path / "blikk.db")
    store.open()
    try:
        assert str(last.relative_to(folder)) not in {each.path for each in store.segments("porch")}
        with recording(folder, None, options(), store=store):
            wait_until(lambda: {folder / each.path for each in store.segments("porch")} == set(files()))
        segments = store.segments("porch")
        assert str(last.relative_to(folder)) in {each.path for each in segments}
        assert segments[-1].until > segments[-1].since

        files()[0].unlink()
        repair(folder, store)
        assert {folder / each.path for each in store.segments("porch")} == set(files())
    finally:
        store.close()
