"""The index of recordings in the store: beside what an earlier version wrote, and lost with nothing else."""

import shutil
from pathlib import Path

import pytest

from blikk_edge.core.recordings import Segment
from blikk_edge.store.store import Store


def segment(number: int, *, camera: str = "porch") -> Segment:
    since = 1_796_000_000.0 + 2 * number
    path = f"{camera}/2026-11-30/{number:06}.mp4"
    return Segment(camera=camera, since=since, until=since + 2, path=path, size_bytes=100 + number, codec="h264")


@pytest.mark.parametrize("earlier", ["earlier_store.sqlite", "store_without_cursors.sqlite"])
def test_store_of_an_earlier_version_lists_recordings_and_keeps_what_it_had(tmp_path: Path, earlier: str) -> None:
    path = tmp_path / "blikk.db"
    shutil.copy(Path(__file__).with_name(earlier), path)
    store = Store(path)
    store.open()
    before = store.events()
    assert before
    assert store.segments("porch") == []
    assert store.segment_bytes("porch") == 0
    store.drop_segments(["nothing is listed yet"])
    store.keep_segments([segment(1)])
    store.close()

    again = Store(path)
    again.open()
    assert again.segments("porch") == [segment(1)]
    assert again.events() == before
    again.close()


def test_recordings_are_found_by_camera_and_time_oldest_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "blikk.db")
    store.open()
    store.keep_segments([segment(number) for number in (3, 1, 2)] + [segment(2, camera="yard")])
    store.keep_segments([segment(3)])
    since = segment(1).since

    assert store.segments("porch") == [segment(1), segment(2), segment(3)]
    assert store.segments("porch", since=since + 1, until=since + 4) == [segment(1), segment(2)]
    assert store.segments("porch", since=since + 2, limit=1) == [segment(2)]
    assert store.segment_bytes("porch") == 306
    store.drop_segments([segment(1).path])
    assert store.segments("porch") == [segment(2), segment(3)]
    assert store.segments("yard") == [segment(2, camera="yard")]
    store.close()
