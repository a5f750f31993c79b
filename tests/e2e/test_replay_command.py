"""`blikk replay`: the same clip reports the same, byte for byte."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import pytest
from nowhere import NOWHERE
from patience import PATIENCE
from staging import BLIKK

ROOT = Path(__file__).parents[2]


def replay(clip: Path, models: Path, *options: str, blikk: Path = BLIKK) -> bytes:
    with tempfile.TemporaryDirectory() as cache:
        environ = os.environ | NOWHERE | {"BLIKK_MODELS": str(models), "XDG_CACHE_HOME": cache}
        result = subprocess.run([blikk, "replay", str(clip), *options], env=environ, capture_output=True, check=True)
    return result.stdout


replayed = functools.cache(replay)
"""What a replay with these arguments has reported: for tests that hold another one against it."""


@pytest.fixture(scope="module")
def no_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not there."""
    return tmp_path_factory.mktemp("replay") / "no models"


@pytest.fixture(scope="session")
def other_python() -> Path:
    """Another version of Python with this project; named in BLIKK_OTHER_PYTHON, or made by scripts/python_env."""
    named = os.environ.get("BLIKK_OTHER_PYTHON")
    known = [Path(named)] if named else sorted(ROOT.glob(".cache/python-*/venv/bin/python"))
    version = "import sys; print(*sys.version_info[:2])"
    for python in known:
        found = subprocess.run(
            [python, "-c", version], check=False, capture_output=True, text=True, timeout=60 * PATIENCE
        )
        if found.stdout.split() != [str(part) for part in sys.version_info[:2]]:
            return python
    pytest.skip("no other Python; run scripts/python_env 3.13, or name one in BLIKK_OTHER_PYTHON")


def frames_of(clip: Path) -> list[tuple[float, bytes]]:
    with av.open(str(clip)) as container:
        return [(frame.time, frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def test_two_replays_are_identical_to_the_byte(demo_clip: Path, models: Path) -> None:
    first = replayed(demo_clip, models)
    assert first
    assert replay(demo_clip, models) == first


def test_another_python_reports_the_same_to_the_byte(demo_clip: Path, no_models: Path, other_python: Path) -> None:
    own = replayed(demo_clip, no_models)
    assert own
    assert replay(demo_clip, no_models, blikk=other_python.with_name("blikk")) == own


def test_another_python_reports_the_same_with_real_models(demo_clip: Path, models: Path, other_python: Path) -> None:
    own = replayed(demo_clip, models)
    assert own
    assert replay(demo_clip, models, blikk=other_python.with_name("blikk")) == own


def test_another_python_makes_the_same_frames(demo_clip: Path, tmp_path: Path, other_python: Path) -> None:
    clip = tmp_path / "other.mp4"
    subprocess.run([other_python, "-m", "blikk_edge.demo.clip", clip], check=True, timeout=60 * PATIENCE)
    assert frames_of(clip) == frames_of(demo_clip)


def test_without_the_default_models_the_visitor_is_one_person_and_the_cat_nobody(
    demo_clip: Path, stand_ins: Path, no_models: Path
) -> None:
    for models in (stand_ins, no_models):
        reported = [json.loads(line) for line in replayed(demo_clip, models).splitlines()]
        starts = [(r["label"], round(r["started"]) % 60) for r in reported if r.get("phase") == "started"]
        assert starts in ([("person", 3)], [("person", 4)])


@pytest.mark.parametrize("which", ["default", "standing in"])
def test_six_visits_are_six_events_that_match_the_ground_truth(
    data: Path, models: Path, stand_ins: Path, which: str
) -> None:
    clip = data / "video" / "intel_sample" / "one-by-one-person-detection.mp4"
    models = models if which == "default" else stand_ins
    reported = [json.loads(line) for line in replay(clip, models, "--start", "1970-01-01T00:00:00Z").splitlines()]
    starts = [r for r in reported if r.get("phase") == "started"]
    ends = [r for r in reported if r.get("phase") == "ended"]
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
