"""The scene of the bench, which is made of the demo's own clip where there is no test data."""

import sys
from pathlib import Path

import av
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import seed_table

from blikk_edge.core.errors import SourceError
from blikk_edge.demo import clip


def test_scene_without_test_data_shows_the_own_visitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_table, "data_folder", lambda: None)
    try:
        spans, name = seed_table.write_scene(tmp_path / "scene.mp4", 45.0, tmp_path)
    except SourceError:
        pytest.skip("no photographs: scripts/photographs")
    assert name == "the demo's own clip"
    ((begin, end),) = spans
    assert end - begin == pytest.approx(clip.VISITOR[3] - clip.VISITOR[0])
    with av.open(str(tmp_path / "scene.mp4")) as scene:
        assert sum(1 for _ in scene.decode(video=0)) >= 45 * seed_table.FPS
