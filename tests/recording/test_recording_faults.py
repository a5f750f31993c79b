"""Disks that are full, pause recording or do not answer: watching, journal and store go on."""

import contextlib
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from recording_stage import clips_of, event, make_clip, options, pictures, recording, wait_until
from test_recording_events import Taken, taken

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.recordings import Segment
from blikk_edge.recording.folder import repair, tidy, tidy_all
from blikk_edge.recording.names import REDACTED, segment_path, time_of
from blikk_edge.recording.options import RecordMode
from blikk_edge.recording.recorder import Recorder
from blikk_edge.recording.segment import SegmentWriter
from blikk_edge.sources.tap import MediaPacket
from blikk_edge.store.store import Store


class Sender(threading.Thread):
    """Gives a clip to a tap over and over, a hundred pictures a second; `slowest_s` is what one packet took at most."""

    def __init__(self, recorder: Recorder, tap: Taken) -> None:
        super().__init__()
        self.stop = threading.Event()
        self.slowest_s = 0.0
        self.sent = 0
        self._feed = recorder.taps["porch"]
        self._tap = tap

    def run(self) -> None:
        video = next(track for track in self._tap.tracks if track.video)
        frames = [packet for packet in self._tap.packets if packet.track == video.index]
        self._feed.begin(self._tap.tracks)
        start = time.monotonic()
        while not self.stop.wait(0.01):
            packet = frames[self.sent % len(frames)]
            began = time.monotonic()
            ticks = round((began - start) / video.tick)
            self._feed.packet(
                MediaPacket(track=packet.track, data=packet.data, pts=ticks, dts=ticks, keyframe=packet.keyframe)
            )
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.sent += 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)


def test_disk_that_fills_up_pauses_recording_says_so_once_and_goes_on_with_room(
    small_disk: Path, h264: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path / "blikk.db")
    store.open()
    filler = small_disk / "filler"
    with recording(small_disk / "recordings", None, options(), store=store) as running:
        sender = Sender(running.recorder, taken(h264))
        sender.start()
        try:
            wait_until(lambda: store.segments("porch"))
            fill(filler)
            wait_until(lambda: running.recorder.problem is not None)
            assert "recording pauses" in str(running.recorder.problem)
            paused, sent = len(store.segments("porch")), sender.sent
            wait_until(lambda: sender.sent > sent + 100)
            assert len(store.segments("porch")) <= paused + 1
            assert running.recorder.dropped["porch"] > 0
            filler.unlink()
            wait_until(lambda: running.recorder.problem is None)
            wait_until(lambda: len(store.segments("porch")) > paused + 1)
        finally:
            sender.stop.set()
            sender.join()
        segments = store.segments("porch")
    store.close()
    assert sum("recording pauses" in record.getMessage() for record in caplog.records) == 1
    assert all(pictures(small_disk / "recordings" / each.path) for each in segments if each.size_bytes)


def test_folder_that_does_not_answer_costs_recordings_and_no_reader_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang, hung = threading.Event(), threading.Event()
    write = SegmentWriter.write

    def hanging(self: SegmentWriter, *arguments: object) -> None:
        if hang.is_set():
            hung.set()
            while hang.wait(0.05) and hang.is_set():  # as a share that is gone: in the kernel, for ever
                time.sleep(0.05)
        write(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SegmentWriter, "write", hanging)
    monkeypatch.setattr("blikk_edge.recording.recorder.HANGS_S", 0.5)
    clip = make_clip(tmp_path / "clip.mp4", "libx264")
    with recording(tmp_path / "recordings", None, options(), queue_bytes=60_000) as running:
        sender = Sender(running.recorder, taken(clip))
        sender.start()
        try:
            wait_until(lambda: running.store.segments("porch"))
            hang.set()
            wait_until(lambda: running.recorder.dropped["porch"] > 20)
            assert hung.is_set()
            wait_until(lambda: running.recorder.problem is not None)
            assert "does not answer" in str(running.recorder.problem)
            assert "packets were dropped" in str(running.recorder.problem)
            sent = sender.sent
            wait_until(lambda: sender.sent > sent + 100)
            running.store.remember("other", "the store goes on")
            before = len(running.store.segments("porch"))
            hang.clear()
            wait_until(lambda: running.recorder.problem is None)
            wait_until(lambda: len(running.store.segments("porch")) > before + 1)
        finally:
            hang.clear()
            sender.stop.set()
            sender.join()
    assert sender.slowest_s < 1.0


def test_folder_that_does_not_answer_holds_up_no_end(
    tmp_path: Path, h264: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hung, free = threading.Event(), threading.Event()

    def hanging(_self: SegmentWriter, *_arguments: object) -> None:
        hung.set()
        free.wait()

    monkeypatch.setattr(SegmentWriter, "write", hanging)
    with recording(tmp_path / "recordings", None, options()) as running:
        sender = Sender(running.recorder, taken(h264))
        sender.start()
        try:
            wait_until(hung.is_set)
            running.stop()
            assert "does not answer" in caplog.text
        finally:
            sender.stop.set()
            sender.join()
            free.set()
    wait_until(lambda: not [each for each in threading.enumerate() if each.name == "blikk recorder"])


def test_camera_that_sends_nothing_to_record_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.recording.recorder.SILENT_S", 0.0)
    with recording(tmp_path / "recordings", None, options()) as running:
        wait_until(lambda: "nothing came yet that can be recorded" in str(running.recorder.problem))


def test_node_that_records_nothing_imports_nothing_of_it() -> None:
    code = (
        "import sys, blikk_edge.app.wiring; print(*(n for n in sys.modules if n.startswith('blikk_edge.recording.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["blikk_edge.recording.options"]


def test_events_of_the_node_begin_and_end_what_is_written(h264: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    record = options(RecordMode.EVENTS, pre_s=1.0, post_s=0.5)
    with recording(folder, None, record) as running:
        sender = Sender(running.recorder, taken(h264))
        sender.start()
        try:
            wait_until(lambda: sender.sent > 350)
            assert not list(folder.glob("porch/*/*"))
            started = SystemClock().now() - 1.0
            running.tell(event(started))
            wait_until(lambda: list(folder.glob("porch/*/*.mp4")))
            running.tell(event(started, started + 2.0))
            wait_until(lambda: running.store.segments("porch") and not running.recorder.writing)
        finally:
            sender.stop.set()
            sender.join()
        segments = running.store.segments("porch")
        assert segments[0].since <= started - 1.0
        made = clips_of(folder, running.store, record).clip("porch", "porch-1", started, started + 2.0)
    assert made is not None
    assert pictures(made.path)


def test_oldest_recordings_go_first_by_days_and_by_bytes(tmp_path: Path, h264: Path) -> None:
    folder = tmp_path / "recordings"
    with recording(folder, None, options()) as running:
        sender = Sender(running.recorder, taken(h264))
        sender.start()
        try:
            wait_until(lambda: len(running.store.segments("porch")) >= 4)
        finally:
            sender.stop.set()
            sender.join()
        store = running.store
        kept = store.segments("porch")
        most = sum(each.size_bytes for each in kept[-2:])
        assert store.segment_bytes("porch") == sum(each.size_bytes for each in kept)
        assert tidy(folder, store, "porch", before=None, max_bytes=most) == len(kept) - 2
        assert [each.path for each in store.segments("porch")] == [each.path for each in kept[-2:]]
        assert tidy(folder, store, "porch", before=kept[-1].until, max_bytes=10**12) == 1
        assert tidy(folder, store, "porch", before=kept[-1].until + 1, max_bytes=10**12) == 1
        assert store.segments("porch") == []
    assert not any((folder / each.path).exists() for each in kept)


def test_redacted_clips_count_among_what_a_camera_may_take(tmp_path: Path) -> None:
    with contextlib.closing(Store(tmp_path / "blikk.db")) as store:
        store.open()
        for camera in ("porch", f"{REDACTED}/porch"):
            for number in range(10):
                path = Path(camera, f"{number}.mp4")
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_bytes(bytes(100))
                segment = Segment(
                    camera=camera,
                    since=10.0 * number,
                    until=10.0 * number + 9,
                    path=str(path),
                    size_bytes=100,
                    codec="h264",
                )
                store.keep_segments([segment])
        assert tidy_all(tmp_path, store, "porch", before=None, max_bytes=1000) == 10
        assert [each.since for each in store.segments(f"{REDACTED}/porch")] == [50, 60, 70, 80, 90]
        assert [each.since for each in store.segments("porch")] == [50, 60, 70, 80, 90]
        assert tidy_all(tmp_path, store, "porch", before=1000.0, max_bytes=1000) == 10
        assert not list(tmp_path.rglob("*.mp4"))


@pytest.mark.parametrize("time", [1_796_000_000.0, 1_796_000_000.999999, 1_796_000_000.1234564])
def test_name_of_a_segment_says_when_it_begins(time: float) -> None:
    assert time_of(segment_path("porch", time)) == pytest.approx(time, abs=1e-5)
    assert time_of(Path("porch/2026-11-30/20261330T000000000000.mp4")) is None
    assert time_of(Path("porch/2026-11-30/notes.txt")) is None


def test_recording_that_cannot_be_read_now_stays_and_strange_files_hold_up_nothing(
    tmp_path: Path, h264: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, day = tmp_path / "recordings", tmp_path / "recordings" / "porch" / "2026-11-30"
    day.mkdir(parents=True)
    (folder / "porch" / "2026-11-01").write_text("a file where a folder belongs")
    (day / "20261130T000000000000.mp4").mkdir()
    away, fine, empty = (day / f"20261130T0{hour}0000000000.mp4" for hour in (1, 2, 3))
    for path in (away, fine):
        path.write_bytes(h264.read_bytes())
    empty.touch()
    opened = av.open

    def broken(file: str, **more: Any) -> Any:
        if file.endswith(away.name):
            av.error.err_check(-errno.EIO, file)
        return opened(file, **more)

    monkeypatch.setattr(av, "open", broken)
    store = Store(tmp_path / "blikk.db")
    store.open()
    try:
        repair(folder, store)
        listed = [each.path for each in store.segments("porch")]
    finally:
        store.close()

    assert listed == [str(fine.relative_to(folder))]
    assert away.exists()
    assert not empty.exists()
