"""`blikk replay`: the same clip tells the same, byte for byte."""

import json
import os
import subprocess
from pathlib import Path

from staging import BLIKK


def replay(clip: Path, models: Path, *options: str) -> bytes:
    environ = {**os.environ, "BLIKK_MODELS": str(models)}
    result = subprocess.run([BLIKK, "replay", str(clip), *options], env=environ, capture_output=True, check=True)
    return result.stdout


def test_two_replays_are_identical_to_the_byte(demo_clip: Path, models: Path) -> None:
    first = replay(demo_clip, models)
    assert first
    assert replay(demo_clip, models) == first


def test_six_visits_are_six_events_that_match_the_ground_truth(data: Path, models: Path) -> None:
    clip = data / "video" / "intel_sample" / "one-by-one-person-detection.mp4"
    told = [json.loads(line) for line in replay(clip, models, "--start", "1970-01-01T00:00:00Z").splitlines()]
    starts = [r for r in told if r.get("phase") == "started"]
    ends = [r for r in told if r.get("phase") == "ended"]
    assert [r["label"] for r in starts] == ["person"] * 6
    assert [r["id"] for r in ends] == [r["id"] for r in starts]
    truth = json.loads((data / "annotations" / "event_intervals.json").read_text())["clips"]
    intervals = truth["video/intel_sample/one-by-one-person-detection.mp4"]["intervals"]
    for record, (first, _) in zip(starts, intervals, strict=True):
        assert abs(record["started"] - first / 10) <= 1.0


def test_a_missing_clip_is_a_clear_error(tmp_path: Path) -> None:
    result = subprocess.run([BLIKK, "replay", str(tmp_path / "no.mp4")], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "no such clip" in result.stderr
