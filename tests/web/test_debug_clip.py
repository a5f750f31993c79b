"""A clip behind the debugger: what is written down of it is what `blikk replay` reports, forwards and back."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest
from clips import SIX_VISITS, jumping, part
from patience import PATIENCE

from blikk_edge.app import debugging
from blikk_edge.app.clip_server import ClipServer
from blikk_edge.app.debugging import UNBLURRED, ClipDebug
from blikk_edge.app.replays import DEFAULTS, clip_source, replay
from blikk_edge.core.debug import ClipFrame
from blikk_edge.core.errors import BlikkError, PrivacyError
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.picture import Picture
from blikk_edge.core.probe import Outcome
from blikk_edge.transforms.motion.gate import score
from blikk_edge.transforms.privacy.redactor import Privacy
from blikk_edge.web.debug_clip import frame_content
from blikk_edge.wire.records import record_to_text

pytestmark = pytest.mark.timeout(300)

WAIT_S = 60.0 * PATIENCE


@pytest.fixture(scope="module", autouse=True)
def models(data: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLIKK_MODELS", str(data / "models"))
        yield


@pytest.fixture(scope="module")
def clip(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody comes, stands there for eleven seconds, and goes."""
    return part(data / SIX_VISITS, tmp_path_factory.mktemp("clip") / "visit.mp4", 22.0)


@pytest.fixture(scope="module")
def debug(clip: Path) -> Iterator[ClipDebug]:
    """The clip, run to its end."""
    opened = ClipDebug(clip)
    opened.start()
    try:
        finish(opened)
        yield opened
    finally:
        opened.close()


def finish(debug: ClipDebug) -> None:
    with debug._changed:
        assert debug._changed.wait_for(lambda: debug._run.finished, WAIT_S)


def frames(debug: ClipDebug) -> list[ClipFrame]:
    found = [debug.frame(number) for number in range(debug.state().frames)]
    assert None not in found
    return [frame for frame in found if frame is not None]


def values(frame: ClipFrame) -> dict[str, Any]:
    """All that a page is told of a frame, but how long it took."""
    return {name: value for name, value in frame_content(frame).items() if name != "spent"}


def wait(asked: "Future[Picture]") -> Picture:
    return asked.result(WAIT_S)


def test_it_reports_what_replay_reports(clip: Path, debug: ClipDebug) -> None:
    reported = [record_to_text(item) for item in replay(clip) if isinstance(item, Observation | Event)]
    state = debug.state()
    known = [record_to_text(record) for frame in frames(debug) for record in frame.records]
    assert [*known, *(record_to_text(record) for record in state.ending)] == reported
    assert [each.event.phase.value for each in state.events] == ["ended"]


def test_each_frame_says_why_it_was_looked_at_and_what_came_of_it(debug: ClipDebug) -> None:
    known = frames(debug)
    event = debug.state().events[0]
    assert event.event.id in {each.id for each in known[event.first].open}
    assert event.event.id not in {each.id for each in known[event.last].open}
    assert {frame.why.value for frame in known} >= {"first", "motion", "follow", "quiet"}
    for frame in known:
        assert (frame.outcome is Outcome.LOOKED) is frame.why.looks
        assert frame.outcome is Outcome.LOOKED or not frame.found
        stages = [stage for stage, _ in frame.spent]
        assert stages[:3] == ["decode", "gate", "select"]
        assert ("detect" in stages) is (frame.outcome is Outcome.LOOKED)
    # those below the threshold are there as well, and marked
    assert any(found.detection.score < found.threshold for frame in known for found in frame.found)
    assert [written.event for frame in known for written in frame.written] == [event.event.id]


def test_the_cells_that_move_make_the_score(debug: ClipDebug) -> None:
    moving = [frame for frame in frames(debug) if frame.cells is not None]
    assert moving
    for frame in moving:
        assert frame.cells is not None
        bits = np.unpackbits(np.frombuffer(frame.cells.bits, np.uint8), count=frame.cells.rows * frame.cells.columns)
        assert frame.score == pytest.approx(score(bits.mean()))


def test_steps_back_and_far_jumps_show_the_same_values_and_bytes(
    debug: ClipDebug, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debugging, "PICTURES_MAX", 1)  # each is made anew from the file
    last = debug.state().frames - 1
    forwards = {number: wait(debug.picture(number)).jpeg for number in (0, 1, 2, 40, 41, 60, last)}
    for number in (last, 60, 41, 40, 2, 1, 0, 60, 1):
        assert wait(debug.picture(number)).jpeg == forwards[number]
    again = ClipDebug(clip)
    again.start()
    try:
        assert wait(again.picture(0)).jpeg == forwards[0]  # while it is still running
        finish(again)
        assert [values(frame) for frame in frames(again)] == [values(frame) for frame in frames(debug)]
        assert wait(again.picture(60)).jpeg == forwards[60]
    finally:
        again.close()


def test_who_is_in_a_frame_that_nobody_looked_at_is_blurred_all_the_same(debug: ClipDebug) -> None:
    unseen = [f.number for f in frames(debug) if f.open and f.outcome is not Outcome.LOOKED and f.at_s < 19]
    assert unseen
    picture = wait(debug.picture(unseen[len(unseen) // 2]))
    assert picture.faces + picture.heads >= 1
    shown = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape[:2] == (picture.height_px, picture.width_px)


def test_another_threshold_is_really_run_and_the_first_again_gives_the_first_run(clip: Path, tmp_path: Path) -> None:
    debug = ClipDebug(part(clip, tmp_path / "short.mp4", 9.0))
    debug.start()
    try:
        finish(debug)
        first = [values(frame) for frame in frames(debug)]
        assert debug.again(1.0) == 2
        finish(debug)
        strict = debug.state()
        assert (strict.run, strict.threshold, strict.before_threshold) == (2, 1.0, 0.3)
        assert [each.event.id for each in strict.before] != []
        assert sum(f.why.value == "motion" for f in frames(debug)) < sum(f["why"] == "motion" for f in first)
        debug.again(0.3)
        finish(debug)
        assert [values(frame) for frame in frames(debug)] == first
    finally:
        debug.close()


def test_timestamps_that_jump_are_no_reason_to_show_another_frame(tmp_path: Path) -> None:
    debug = ClipDebug(jumping(tmp_path / "jumping.mp4"))
    debug.start()
    try:
        finish(debug)
        source = clip_source(debug._clip, debug.camera, 0.0)
        true = [frame.bgr().mean() for frame in source.frames(threading.Event())]
        assert len(true) == debug.state().frames
        for number in (len(true) - 1, 3, len(true) // 2 + 2, 4):
            shown = cv2.imdecode(np.frombuffer(wait(debug.picture(number)).jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert shown.mean() == pytest.approx(true[number], abs=1)
    finally:
        debug.close()


def test_where_the_blur_fails_there_is_no_picture_and_it_says_why(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Picture:
        raise PrivacyError("camera: no picture, faces could not be looked for: the model is damaged")

    monkeypatch.setattr(Privacy, "picture", fails)
    debug = ClipDebug(part(clip, tmp_path / "short.mp4", 2.0))
    debug.start()
    try:
        finish(debug)
        with pytest.raises(PrivacyError, match="the model is damaged"):
            wait(debug.picture(0))
        assert "the model is damaged" in (frames(debug)[0].problem or "")
    finally:
        debug.close()


def test_without_a_face_model_there_is_no_picture_unless_it_was_asked_to_be_unblurred(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLIKK_MODELS", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    short = part(clip, tmp_path / "short.mp4", 2.0)
    offline = replace(DEFAULTS, models=replace(DEFAULTS.models, offline=True))
    for unblurred in (False, True):
        debug = ClipDebug(short, settings=offline, unblurred=unblurred)
        debug.start()
        try:
            finish(debug)
            assert debug.state().blurred is not unblurred
            assert (UNBLURRED in debug.state().notes) is unblurred
            if unblurred:
                assert wait(debug.picture(0)).jpeg
                continue
            for number in range(debug.state().frames):
                with pytest.raises(PrivacyError, match=r"without a face model.*blikk models pull.*--unblurred"):
                    wait(debug.picture(number))
        finally:
            debug.close()


def test_a_broken_clip_is_shown_as_far_as_it_can_be_read(clip: Path, tmp_path: Path) -> None:
    whole = part(clip, tmp_path / "whole.ts", 6.0).read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole[: len(whole) // 2])
    debug = ClipDebug(cut)
    debug.start()
    try:
        finish(debug)
        assert 5 < debug.state().frames < 29
        assert wait(debug.picture(debug.state().frames - 1)).jpeg
    finally:
        debug.close()
    nothing = tmp_path / "nothing.mp4"
    nothing.write_bytes(clip.read_bytes()[:20_000])
    with pytest.raises(BlikkError, match=r"nothing\.mp4"):
        ClipDebug(nothing).start()


def test_a_file_that_is_gone_meanwhile_is_an_error_of_one_picture(clip: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    part(clip, mine, 9.0)
    kept = mine.read_bytes()
    debug = ClipDebug(mine)
    debug.start()
    try:
        finish(debug)
        mine.unlink()
        with pytest.raises(BlikkError, match=r"mine\.mp4"):
            wait(debug.picture(30))
        assert debug.frame(30) is not None
        mine.write_bytes(kept)
        assert wait(debug.picture(30)).jpeg
    finally:
        debug.close()


def test_only_so_many_frames_are_kept(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debugging, "FRAMES_MAX", 10)
    debug = ClipDebug(clip)
    debug.start()
    try:
        finish(debug)
        assert (debug.state().frames, debug.state().full) == (10, True)
    finally:
        debug.close()


async def test_what_is_asked_wrongly_is_answered_in_words(debug: ClipDebug) -> None:
    server = ClipServer(debug)
    running = asyncio.create_task(server.run())
    try:
        await asyncio.wait_for(server.server.ready.wait(), WAIT_S)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.server.port}") as session:
            last = debug.state().frames - 1
            for path, status, says in (
                (f"/v1/debug/clip/frames/{last}", 200, '"number"'),
                (f"/v1/debug/clip/frames/{last + 1}", 404, f"{last + 1} are, from 0 on"),
                ("/v1/debug/clip/frames/-1", 400, "whole number"),
                (f"/v1/debug/clip/frames/{last + 1}/picture", 503, "not known yet"),
                ("/v1/debug/clip/scores?since=x", 400, "`since`"),
                ("/v1/debug", 404, ""),
            ):
                async with session.get(path) as answer:
                    assert answer.status == status, path
                    assert says in await answer.text()
            for body, status in (({"threshold": 2}, 400), ({"threshold": True}, 400), ({}, 400)):
                async with session.post("/v1/debug/clip/runs", json=body) as answer:
                    assert answer.status == status
            async with session.post(
                "/v1/debug/clip/runs", json={"threshold": 0.5}, headers={"Origin": "http://x"}
            ) as no:
                assert no.status == 403
            async with session.get("/v1/openapi.json") as answer:
                paths = json.loads(await answer.text())["paths"]
        assert "/v1/debug/clip/frames/{number}/picture" in paths
        assert debug.state().run == 1
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        server.close()


def test_a_camera_that_is_not_there_is_named(clip: Path) -> None:
    with pytest.raises(BlikkError, match="no camera 'shed'"):
        ClipDebug(clip, settings=replace(DEFAULTS), camera="shed")
