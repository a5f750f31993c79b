"""What the bench of gates counts: events seen in time, seconds of false motion, inferences."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import gates
from labelled_clips import Clip, at_night, empty, in_changing_light, made
from rival_gates import FIRED, GATES, QUIET

from blikk_edge.core.errors import SourceError

LUMA = np.zeros((8, 8), np.uint8)
FRAMES = [(round(k / 5, 1), LUMA) for k in range(150)]
CLIP = Clip(name="a walk", play=lambda: FRAMES, events=((0.0, 1.0), (10.0, 20.0)))


def judged(monkeypatch, *fires: tuple[float, float]) -> gates.Judged:
    """What is counted of a gate that fires in these spans."""

    def gate(time: float, luma: np.ndarray):
        return FIRED if any(begin <= time <= end for begin, end in fires) else QUIET

    monkeypatch.setitem(GATES, "made up", lambda: gate)
    return gates.judge(CLIP, "made up", FRAMES)


@pytest.mark.parametrize(("fires", "seen"), [((9.4, 9.6), 1), ((11.0, 12.0), 1), ((11.2, 20.0), 0), ((8.0, 9.0), 0)])
def test_an_event_is_seen_when_the_gate_fires_within_a_second_of_its_start(fires, seen, monkeypatch):
    result = judged(monkeypatch, fires)
    assert (result.seen, result.events) == (seen, 1)


def test_firing_counts_as_false_only_where_nothing_moves(monkeypatch):
    result = judged(monkeypatch, (0.0, 1.8), (9.2, 22.0), (25.0, 25.8))
    assert result.false_s == pytest.approx(1.0)
    assert result.looks == 10 + 65 + 5


def test_false_motion_is_reported_per_hour_of_quiet_time():
    both = gates.Judged(1, seen=1, false_s=1.0, quiet_s=100.0) + gates.Judged(2, false_s=1.0, quiet_s=260.0)
    assert (both.events, both.seen, both.false_an_hour) == (3, 1, 20.0)


def test_what_is_made_of_a_clip_without_test_data_can_be_judged(tmp_path):
    try:
        clip = made(tmp_path)
    except SourceError as error:
        pytest.skip(str(error))
    quiet = empty(clip, tmp_path, seconds=10)
    result = gates.judge(quiet, "blikk", quiet.play())
    assert (result.events, result.false_s, result.looks) == (0, 0.0, 1)
    for variant in (clip, at_night(clip), in_changing_light(clip)):
        times = [time for time, luma in variant.play() if luma.dtype == np.uint8]
        assert len(times) == 160
