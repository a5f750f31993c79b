"""Clips of events over HTTP, and what a configuration may say of recordings."""

import io
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from http_served import ask, serving
from recording_stage import clips_of, event, options, recording, wait_until
from test_recording_events import NOW, Stage

from blikk_edge.app.checking import check
from blikk_edge.app.clipping import clip
from blikk_edge.app.recording import recordings_folder
from blikk_edge.app.replays import DEFAULTS
from blikk_edge.asking.forgetting import Forgetter
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.locale import Locale
from blikk_edge.core.recordings import Segment
from blikk_edge.recording.clips import redacted_path
from blikk_edge.recording.folder import MADE_KEPT_S, tidy_all
from blikk_edge.recording.options import RecordMode
from blikk_edge.store.store import Store
from blikk_edge.web.events import Events, events_of


@pytest.fixture
def kept(tmp_path: Path, h264: Path) -> Iterator[tuple[Path, Store]]:
    """A folder with a recording of six seconds, and a store with an event in it."""
    stage = Stage(tmp_path / "blikk-recordings", options())  # the store's name, as where nothing is configured
    stage.play(h264)
    stage.recorder.close()
    store = Store(tmp_path / "blikk.db")
    store.open()
    store.keep_segments(stage.kept)
    store.put(event(NOW + 2.5, NOW + 3.5))
    store.put(event(NOW + 9999.0, NOW + 10_000.0, name="porch-2"))
    yield stage.folder, store
    store.close()


def page(store: Store, recordings: object) -> Events:
    node = SimpleNamespace(history=store, album=None, clock=SystemClock(), locale=Locale)
    context: Any = SimpleNamespace(node=node, recordings=recordings)
    return events_of(context)


async def test_clip_of_an_event_is_given_whole_and_in_parts_to_who_may_see_it(kept: tuple[Path, Store]) -> None:
    folder, store = kept
    async with serving(page(store, clips_of(folder, store))) as server:
        known = (await ask(server, "/v1/events/porch-1"))[1]
        status, whole, kind = await ask(server, "/v1/events/porch-1/clip")
        part = await ask(server, "/v1/events/porch-1/clip", headers={"Range": "bytes=4-7"})
        refused = await ask(server, "/v1/events/porch-1/clip", token=None)
        gone = await ask(server, "/v1/events/porch-2/clip")
        unknown = await ask(server, "/v1/events/nobody/clip")

    assert b'"clip":{"redacted":false}' in known.replace(b" ", b"")
    assert (status, kind) == (200, "video/mp4")
    assert part[:2] == (206, b"ftyp")
    assert (refused[0], gone[0], unknown[0]) == (401, 404, 404)
    with av.open(io.BytesIO(whole)) as container:
        assert len(list(container.decode(video=0))) == 16  # from the keyframe at 2 s to 3.5 s


async def test_of_a_camera_that_is_redacted_only_the_redacted_clip_leaves(kept: tuple[Path, Store]) -> None:
    folder, store = kept
    clips = clips_of(folder, store, options(redact=True))
    async with serving(page(store, clips)) as server:
        before = await ask(server, "/v1/events/porch-1/clip")
        unknown = (await ask(server, "/v1/events/porch-1"))[1]
        redacted = redacted_path(folder, "porch", "porch-1")
        redacted.parent.mkdir(parents=True)
        redacted.write_bytes(b"made by the redactor")
        after = await ask(server, "/v1/events/porch-1/clip")

    assert before[0] == 404
    assert b'"clip":null' in unknown.replace(b" ", b"")
    assert after[:2] == (200, b"made by the redactor")


async def test_clips_of_a_folder_that_does_not_answer_take_one_thread(
    kept: tuple[Path, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    _folder, store = kept
    monkeypatch.setattr("blikk_edge.web.events.CLIP_S", 0.1)
    free, asked = threading.Event(), []

    def hanging(*event: object) -> None:
        asked.append(event)
        free.wait()

    recordings = SimpleNamespace(clip=hanging, recorded=lambda *_event: True, redacts=lambda _camera: False)
    async with serving(page(store, recordings)) as server:
        try:
            answers = [await ask(server, "/v1/events/porch-1/clip") for _ in range(3)]
        finally:
            free.set()

    assert [status for status, _, _ in answers] == [503] * 3
    assert b"check its disk or share" in answers[0][1]
    assert len(asked) == 1


def test_clips_that_were_made_are_bounded_and_fit_on_the_disk(
    kept: tuple[Path, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, store = kept
    clips = clips_of(folder, store)
    monkeypatch.setattr("blikk_edge.recording.folder.MADE_BYTES", 10_000)
    for number in range(3):
        assert clips.clip("porch", f"porch-{number}", NOW + 2.5, NOW + 3.5)
    assert len(list(folder.glob(".clips/*"))) == 2  # the one before, and the one that was made after it

    with pytest.raises(StoreError, match=str(tmp_path)):
        clips.write("porch", NOW + 2.5, NOW + 3.5, tmp_path)
    huge = replace(store.segments("porch")[1], path="huge", size_bytes=10**15)
    store.keep_segments([huge])
    with pytest.raises(StoreError, match="does not fit on its disk"):
        clips.clip("porch", "porch-9", NOW + 2.5, NOW + 3.5)


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        (Forget(event="porch-1"), [(0.0, 2.0), (4.0, 6.0)]),
        (Forget(camera="porch", until=NOW + 3.0), [(4.0, 6.0)]),
        (Forget(camera="yard"), [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]),
    ],
)
async def test_what_is_forgotten_is_forgotten_with_its_recording(
    kept: tuple[Path, Store], request_: Forget, left: list[tuple[float, float]]
) -> None:
    folder, store = kept
    clips = clips_of(folder, store, options(pre_s=0.4, post_s=0.4))
    assert clips.clip("porch", "porch-1", NOW + 2.5, NOW + 3.5) is not None
    forgetter = Forgetter(history=store, album=None, rememberers=(), publish=lambda _item: None, recordings=clips)

    await forgetter.forget(request_)

    spans = [(round(each.since - NOW), round(each.until - NOW)) for each in store.segments("porch")]
    assert spans == left
    assert len(list(folder.glob("porch/*/*.mp4"))) == len(left)
    assert bool(list(folder.glob(".clips/*"))) == (request_.camera == "yard")


async def test_clips_that_were_made_go_with_what_they_show(kept: tuple[Path, Store]) -> None:
    folder, store = kept
    clips = clips_of(folder, store)
    redacted = redacted_path(Path(), "porch", "porch-1")
    shown = Segment(
        camera=".redacted/porch", since=NOW + 2.5, until=NOW + 3.5, path=str(redacted), size_bytes=1, codec="h264"
    )
    store.keep_segments([shown])
    (folder / redacted).parent.mkdir(parents=True)
    (folder / redacted).touch()
    assert clips.clip("porch", "porch-1", NOW + 2.5, NOW + 3.5) is not None

    forgetter = Forgetter(history=store, album=None, rememberers=(), publish=lambda _item: None, recordings=clips)
    await forgetter.forget(Forget(camera="porch", since=NOW + 3.0, until=NOW + 9.0))
    assert not (folder / redacted).exists()
    assert not list(folder.glob(".clips/*"))

    assert clips.clip("porch", "porch-1", NOW + 0.5, NOW + 1.5) is not None
    tidy_all(folder, store, "porch", before=NOW + 99.0, max_bytes=10**9)
    assert clips.clip("porch", "porch-1", NOW + 0.5, NOW + 1.5) is None

    made = next(folder.glob(".clips/*"))
    os.utime(made, (time.time() - MADE_KEPT_S - 1.0,) * 2)
    with recording(folder, None, options(), store=store):
        wait_until(lambda: not made.exists())


def test_command_gives_only_the_redacted_clip_of_a_camera_that_is_redacted(
    kept: tuple[Path, Store], tmp_path: Path
) -> None:
    folder, store = kept
    store.close()
    file, target = tmp_path / "blikk.yaml", tmp_path / "visit.mp4"
    camera = "cameras:\n  porch:\n    source: rtsp://192.0.2.1/sub\n    record: {mode: events, redact: true}\n"
    file.write_text(f"node: a\nmqtt: false\nmodels: {{offline: true}}\nstore: {{path: {store.path}}}\n{camera}")
    settings = check(file, {}).settings
    assert settings is not None

    with pytest.raises(StoreError, match="redacted"):
        clip(settings, "porch-1", target, environ={})
    with pytest.raises(StoreError, match="no event"):
        clip(settings, "nobody", target, environ={})
    assert not target.exists()
    redacted = redacted_path(folder, "porch", "porch-1")
    redacted.parent.mkdir(parents=True)
    redacted.write_bytes(b"made by the redactor")
    assert clip(settings, "porch-1", target, environ={}).redacted
    assert target.read_bytes() == b"made by the redactor"


HEAD = "node: a\nmqtt: false\nmodels: {offline: true}\ncameras:\n  gate:\n    source: rtsp://192.0.2.1/sub\n"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("    record: sometimes\n", "continuous"),
        ("    archive: rtsp://192.0.2.1/main\n", "`archive` without `record`"),
        ("    archive: http://192.0.2.1/main\n    record: events\n", "no address of an RTSP stream"),
        ("    record: events\n    private: [[[0, 0], [0.3, 0], [0.3, 0.3]]]\n", "the areas of `private` can be seen"),
        ("    record: {mode: events, redact: true}\nprivacy: {blur: false}\n", "which blurs nothing"),
        ("    record: events\nrecordings: {folder: blikk.yaml}\n", "nothing can be written into this folder"),
    ],
)
def test_configuration_that_cannot_be_recorded_says_why(tmp_path: Path, more: str, says: str) -> None:
    file = tmp_path / "blikk.yaml"
    file.write_text(HEAD + more)
    assert [problem.text for problem in check(file, {}).problems if says in problem.text]


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ("    record: events\n", "faces in recordings are NOT blurred; their clips show them"),
        ("    record: {mode: continuous, redact: true}\n", "only redacted clips of events leave this machine"),
        (
            (
                "    record: {mode: events, private_areas_in_recordings: yes}\n"
                "    private: [[[0, 0], [0.3, 0], [0.3, 0.3]]]\n"
            ),
            "private areas can be seen in recordings, as you agreed",
        ),
    ],
)
def test_check_says_whose_faces_are_in_recordings(tmp_path: Path, more: str, note: str) -> None:
    file = tmp_path / "blikk.yaml"
    file.write_text(HEAD + more)
    assert [each for each in check(file, {}).notes if note in each]


def test_both_streams_of_a_camera_may_stand_in_its_source(tmp_path: Path) -> None:
    file = tmp_path / "blikk.yaml"
    streams = (
        "    source: {watch: 'rtsp://u:p@192.0.2.1/sub', archive: 'rtsp://u:p@192.0.2.1/main'}\n    record: events\n"
    )
    file.write_text(HEAD.replace("    source: rtsp://192.0.2.1/sub\n", streams))
    settings = check(file, {}).settings
    assert settings is not None
    (camera,) = settings.cameras
    assert camera.source.reveal().endswith("/sub")
    assert camera.archive is not None
    assert camera.archive.reveal().endswith("/main")
    assert "p@" not in str(camera.archive)
    assert camera.record is not None
    assert camera.record.mode is RecordMode.EVENTS


def test_address_that_is_a_secret_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("main: rtsp://192.0.2.1/key-of-it\nweb: whep+http://192.168.0.1/key-of-it\n")
    file = tmp_path / "blikk.yaml"
    file.write_text(
        HEAD + "    archive: !secret main\n    record: events\n"
        "  door:\n    source: {watch: rtsp://192.0.2.1/sub, archive: !secret main}\n    record: events\n"
        "  yard:\n    source: {whep: {address: !secret web}}\n"
    )
    settings = check(file, {}).settings
    assert settings is not None
    gate, door, yard = settings.cameras
    assert gate.archive is not None
    assert gate.archive == door.archive
    assert [gate.archive.public, str(door.archive), yard.source.public] == ["rtsp://***"] * 2 + ["whep+http://***"]
    assert "key-of-it" not in repr(settings)


def test_two_nodes_of_one_user_record_into_two_folders(tmp_path: Path) -> None:
    assert recordings_folder(DEFAULTS, tmp_path / "hall.db") == tmp_path / "hall-recordings"
    assert recordings_folder(DEFAULTS, tmp_path / "shed.db") == tmp_path / "shed-recordings"
