"""Who is far away in the dark: found by closer looks, and by nothing else."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import far

VISIT = (6.4, 12.0)


@pytest.fixture(scope="module")
def clip(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = data / far.CLIP
    empty = far.empty_view(source, [(5.0, 1000.0)])  # nobody is there before
    return far.made(source, empty, far.Small(80, far.Light.DARK), tmp_path_factory.mktemp("far") / "dark.mp4", VISIT[1])


def test_a_visitor_of_80_pixels_in_the_dark_is_reported_once(clip: Path, models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BLIKK_MODELS", str(models))
    persons, looks = far.spans(clip, closer=True)
    assert far.score(persons, [VISIT]) == (1, 0)
    assert looks < 60  # of 60 frames, of which half show nobody moving
    persons, _ = far.spans(clip, closer=False)
    assert far.score(persons, [VISIT]) == (0, 0)
