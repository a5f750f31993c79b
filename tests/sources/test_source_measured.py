"""How much is decoded is chosen by what that takes: in full, keyframes while nothing moves, or keyframes alone."""

import itertools
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from reading import read, sliced, terms
from rtsp_server import RtspServer

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.fields import Watch
from blikk_edge.sources import measured
from blikk_edge.sources.capture import Capture
from blikk_edge.sources.decode_budget import DecodeBudget, usable_cores
from blikk_edge.sources.file import open_file
from blikk_edge.sources.measured import (
    BACK_WINDOWS,
    KEEPS_UP,
    LATE_WINDOWS,
    SETTLE_S,
    WINDOW_S,
    Choice,
    DecodeCost,
    Effort,
)
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.transforms.motion.gate import MotionGate
from blikk_edge.transforms.motion.wake_detector import GateWakeDetector

CHEAP = DecodeCost(cpu=0.02, slow=1.0)
TOO_MUCH = DecodeCost(cpu=1.3, slow=1.0)
HELD_UP = DecodeCost(cpu=0.3, slow=4.0, behind=True)


# -- the choice --------------------------------------------------------------------------------------------------------


def choice(wish: Watch = Watch.MEASURED, *, budget: DecodeBudget | None = None) -> Choice:
    made = Choice("cam", wish, budget or DecodeBudget(4.0), VirtualClock())
    made.opened("h264", 3840, 2160)
    return made


def windows(chosen: Choice, taken: DecodeCost, count: int = 1, *, interval_s: float | None = 2.0) -> list[Watch]:
    """What is in force after each of so many windows."""
    found = []
    for _ in range(count):
        chosen.measured(taken, interval_s=interval_s, intra=False)
        found.append(chosen.now)
    return found


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "blikk.watch"]


def test_what_fits_is_decoded_in_full_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert windows(choice(), CHEAP, 5) == [Watch.FULL] * 5
    assert said(caplog) == ["cam: every frame (h264, 3840x2160) is decoded: it takes 2% of a core"]


def test_what_one_thread_cannot_keep_up_with_gets_keyframes_alone_at_once(caplog: pytest.LogCaptureFixture) -> None:
    assert windows(choice(), TOO_MUCH) == [Watch.KEYFRAMES]
    (line,) = said(caplog)
    assert "one in 2.0 s" in line
    assert "takes 130% of a core" in line


def test_a_machine_that_is_busy_for_a_moment_changes_nothing() -> None:
    chosen = choice()
    assert windows(chosen, HELD_UP, LATE_WINDOWS - 1) == [Watch.FULL] * (LATE_WINDOWS - 1)
    assert windows(chosen, CHEAP) == [Watch.FULL]
    assert windows(chosen, HELD_UP, LATE_WINDOWS - 1) == [Watch.FULL] * (LATE_WINDOWS - 1)


def test_a_machine_that_is_busy_but_lets_the_reader_wait_for_its_stream_changes_nothing() -> None:
    assert windows(choice(), DecodeCost(cpu=0.03, slow=30.0), 20) == [Watch.FULL] * 20


def test_a_machine_that_stays_busy_costs_frames_and_a_quiet_one_gives_them_back() -> None:
    chosen = choice()
    assert windows(chosen, HELD_UP, LATE_WINDOWS)[-1] is Watch.KEYFRAMES
    assert windows(chosen, CHEAP, BACK_WINDOWS - 1)[-1] is Watch.KEYFRAMES
    assert windows(chosen, CHEAP)[-1] is Watch.FULL


def test_what_only_just_fits_again_is_not_decoded_again() -> None:
    chosen = choice()
    windows(chosen, TOO_MUCH)
    assert windows(chosen, DecodeCost(cpu=KEEPS_UP - 0.05, slow=1.0), 2 * BACK_WINDOWS)[-1] is Watch.KEYFRAMES


def test_the_dearest_camera_yields_where_all_together_take_too_much() -> None:
    budget = DecodeBudget(2.0)
    cheap = [Choice(f"cheap_{n}", Watch.MEASURED, budget, VirtualClock()) for n in range(15)]
    large = Choice("large", Watch.MEASURED, budget, VirtualClock())
    for one in (large, *cheap):
        one.measured(DecodeCost(cpu=0.6 if one is large else 0.04, slow=1.0), interval_s=2.0, intra=False)
    assert large.now is Watch.FULL  # it was measured first: nobody else took anything
    assert windows(large, DecodeCost(cpu=0.6, slow=1.0)) == [Watch.ECO]
    assert {one.now for one in cheap} == {Watch.FULL}


def test_a_camera_that_its_user_wants_whole_takes_its_share_first() -> None:
    budget = DecodeBudget(2.0)
    budget.note("kept", 0.9, kept=True)
    budget.note("other", 0.3, kept=False)
    assert not budget.fits("other")
    assert budget.fits("kept")


@pytest.mark.parametrize("wish", [Watch.FULL, Watch.ECO, Watch.AUTO])
def test_what_the_user_chose_is_kept_and_warned_about(wish: Watch, caplog: pytest.LogCaptureFixture) -> None:
    assert windows(choice(wish), TOO_MUCH, 5) == [wish] * 5
    (line,) = said(caplog)
    assert f"`watch: {wish}` is kept" in line
    assert "`watch: measured`" in line


@pytest.mark.parametrize(("interval_s", "intra"), [(10.0, False), (None, True)])
def test_where_less_cannot_be_decoded_it_is_said(
    interval_s: float | None, *, intra: bool, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = choice()
    for _ in range(3):
        chosen.measured(TOO_MUCH, interval_s=interval_s, intra=intra)
    assert chosen.now is Watch.FULL
    (line,) = said(caplog)
    assert ("keyframes come every 10 s only" if interval_s else "nothing but keyframes") in line


def test_nothing_is_chosen_before_it_is_known_how_often_keyframes_come() -> None:
    chosen = choice()
    assert windows(chosen, TOO_MUCH, 3, interval_s=None) == [Watch.FULL] * 3
    assert windows(chosen, TOO_MUCH) == [Watch.KEYFRAMES]


def test_a_machine_that_wavers_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    chosen = choice()
    for _ in range(50):
        windows(chosen, TOO_MUCH)
        windows(chosen, CHEAP, BACK_WINDOWS)
    assert len(said(caplog)) <= 10


# -- measuring ---------------------------------------------------------------------------------------------------------


class Stream:
    """Packets at 10 a second on a clock of its own, each of which takes so long to decode."""

    def __init__(self) -> None:
        self.now = 0.0
        self.effort = Effort(lambda: self.now)

    def run(
        self, seconds: float, *, cpu_s: float, wall_s: float, decoded: int = 1, rested: bool = True
    ) -> list[DecodeCost]:
        found = []
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            cost = self.effort.packet(decoded=decoded, cpu_s=cpu_s, wall_s=wall_s, intra=False, rested=rested)
            found += [] if cost is None else [cost]
        return found


def test_a_window_says_what_share_of_a_core_decoding_takes_and_what_others_add() -> None:
    stream = Stream()
    assert stream.run(SETTLE_S + WINDOW_S - 0.2, cpu_s=0.03, wall_s=0.03) == []
    (first,) = stream.run(0.3, cpu_s=0.03, wall_s=0.03)
    assert first.cpu == pytest.approx(0.3, rel=0.03)
    assert first.slow == pytest.approx(1.0)
    late = stream.run(30, cpu_s=0.03, wall_s=0.06)[-1]
    assert late.cpu == pytest.approx(0.3, rel=0.03)
    assert late.busy == pytest.approx(0.6, rel=0.06)


def test_asleep_nothing_new_is_known_of_what_every_frame_takes() -> None:
    stream = Stream()
    stream.run(SETTLE_S + 2 * WINDOW_S, cpu_s=0.03, wall_s=0.03)
    asleep = stream.run(20, cpu_s=0.001, wall_s=0.003, decoded=0)
    assert asleep[-1].cpu == pytest.approx(0.3, rel=0.03)
    assert asleep[-1].slow > 2.0


def test_who_never_waits_for_the_stream_is_behind() -> None:
    stream = Stream()
    stream.run(SETTLE_S, cpu_s=0.03, wall_s=0.09)
    assert [cost.behind for cost in stream.run(11, cpu_s=0.03, wall_s=0.09)] == [False] * 2
    assert [cost.behind for cost in stream.run(11, cpu_s=0.03, wall_s=0.09, rested=False)][-1]


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("50000 100000\n")
    assert usable_cores(quota) == 0.5
    quota.write_text("max 100000\n")
    assert usable_cores(quota) == usable_cores(tmp_path / "absent") >= 1.0


# -- real streams ------------------------------------------------------------------------------------------------------


def live(url: str, watch: Watch = Watch.MEASURED, **given: object) -> Capture:
    return open_rtsp(
        url, terms(watch=watch, wake_detector=GateWakeDetector(MotionGate()), **({"budget": DecodeBudget(4.0)} | given))
    )


@pytest.fixture(scope="module", params=[1, 2], ids=["whole pictures", "pictures in two slices"])
def camera(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    path = sliced(tmp_path_factory.mktemp("camera") / "clip.mp4", slices=request.param)
    with RtspServer(path) as server:
        yield server


def test_a_stream_goes_over_to_keyframes_alone_and_back_without_a_new_connection(
    camera: RtspServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(measured, "WINDOW_S", 1.0)
    monkeypatch.setattr(measured, "SETTLE_S", 0.0)
    monkeypatch.setattr(measured, "BACK_WINDOWS", 2)
    monkeypatch.setattr(measured, "KEEPS_UP", 0.0)  # no machine is fast enough
    caplog.set_level(logging.INFO)
    source, stop = live(camera.url), threading.Event()
    gaps: list[float] = []
    last: float | None = None
    phases = ["full", "keyframes", "full again"]
    for frame in source.frames(stop):
        gaps.append(0.0 if last is None else frame.time - last)
        last = frame.time
        if phases[0] == "full" and len(gaps) > 3 and min(gaps[-3:]) > 0.8:
            phases.pop(0)
        elif phases[0] == "keyframes":
            monkeypatch.setattr(measured, "KEEPS_UP", 1e9)
            phases.pop(0)
        elif phases[0] == "full again" and max(gaps[-3:]) < 0.5:
            stop.set()
    assert source.counts.connections == 1
    assert gaps[1] < 0.5
    assert "only keyframes are decoded, one in 1.0 s" in said(caplog)[0]


def test_keyframes_alone_decodes_nothing_else(camera: RtspServer) -> None:
    source = live(camera.url, Watch.KEYFRAMES)
    frames = read(source, 4)
    gaps = [later.time - earlier.time for earlier, later in itertools.pairwise(frames)]
    assert gaps[1:] == pytest.approx([1.0] * 2, abs=0.4)
    assert (source.counts.decoded, source.counts.corrupt) == (4, 0)


def test_where_nobody_measures_a_replay_is_watched_in_full(make_clip) -> None:
    clip = make_clip("a.mp4")
    frames = {
        watch: [
            (frame.time, frame.luma.tobytes())
            for frame in read(open_file(str(clip), terms(watch=watch), realtime=False, loop=False))
        ]
        for watch in (Watch.MEASURED, Watch.FULL)
    }
    assert frames[Watch.MEASURED] == frames[Watch.FULL]
