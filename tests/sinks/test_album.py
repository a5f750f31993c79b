"""Pictures of events are kept, found again, and go when they are old, too many or to be forgotten."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.picture import Picture
from blikk_edge.sinks.album import PictureAlbum

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
DAY = 86400.0


def picture(
    at: float = NOON, camera: str = "gate", name: str = "person", event: str | None = "gate-1", size: int = 100
):
    return Picture(camera=camera, name=name, time=at, jpeg=bytes(size), width_px=8, height_px=8, event=event)


def album(folder: Path, max_bytes: int = 10**9, keep_days: int = 14, now: float = NOON) -> PictureAlbum:
    return PictureAlbum(folder / "album", clock=VirtualClock(now), max_bytes=max_bytes, keep_days=keep_days)


def test_a_picture_is_found_by_camera_day_and_event(tmp_path: Path) -> None:
    kept = album(tmp_path)
    kept.keep(picture(NOON + 0.25))
    kept.keep(picture(NOON + 9, event="gate-2", name="vehicle"))
    kept.keep(picture(NOON - DAY, camera="door", event=None, name="ring", size=7))
    ring = kept.pictures(camera="door")[0]
    assert (ring.event, ring.name, ring.time, ring.size_bytes) == (None, "ring", NOON - DAY, 7)
    assert kept.jpeg(ring.id) == bytes(7)
    assert [each.event for each in kept.pictures()] == ["gate-2", "gate-1", None]
    assert [each.time for each in kept.pictures(event="gate-1")] == [NOON + 0.25]
    assert [each.event for each in kept.pictures(limit=1)] == ["gate-2"]
    local = datetime.fromtimestamp(NOON, UTC).astimezone().date()
    assert len(kept.pictures(day=local)) == 2
    assert next((each.day, each.camera, each.pictures) for each in kept.days()) == (local, "gate", 2)


def test_it_is_all_still_there_after_a_restart(tmp_path: Path) -> None:
    album(tmp_path).keep(picture())
    again = album(tmp_path)
    assert again.jpeg(again.pictures()[0].id) == bytes(100)


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    kept = album(tmp_path, max_bytes=1000)
    for second in range(30):
        kept.keep(picture(NOON + second))
    times = [each.time for each in kept.pictures()]
    assert times == [NOON + second for second in range(29, 19, -1)]


def test_what_is_too_old_goes_with_its_folder(tmp_path: Path) -> None:
    old = album(tmp_path, keep_days=3)
    old.keep(picture())
    later = album(tmp_path, keep_days=3, now=NOON + 4 * DAY)
    later.keep(picture(NOON + 4 * DAY))
    assert [each.time for each in later.pictures()] == [NOON + 4 * DAY]
    assert len(list((tmp_path / "album" / "gate").iterdir())) == 1


@pytest.mark.parametrize(
    ("which", "left"),
    [
        ({"event": "gate-1"}, [NOON + 9, NOON - DAY]),
        ({"camera": "gate"}, [NOON - DAY]),
        ({"since": NOON}, [NOON - DAY]),
        ({"until": NOON}, [NOON + 9, NOON]),
        ({}, []),
    ],
)
def test_pictures_can_be_forgotten(tmp_path: Path, which: dict, left: list[float]) -> None:
    kept = album(tmp_path)
    kept.keep(picture())
    kept.keep(picture(NOON + 9, event="gate-2"))
    kept.keep(picture(NOON - DAY, camera="door", event=None))
    assert kept.forget(**which) == 3 - len(left)
    assert [each.time for each in kept.pictures()] == left


@pytest.mark.parametrize(
    "name", ["", ".", "..", "gate", "gate.2026-11-21.../../../etc/passwd", "gate.2026-11-21.x", "a" * 9999]
)
def test_nothing_outside_can_be_read(tmp_path: Path, name: str) -> None:
    kept = album(tmp_path)
    kept.keep(picture())
    assert kept.jpeg(name) is None


def test_pictures_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    album(tmp_path).keep(picture())
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "album").rglob("*")}
    assert modes == {0}


def test_a_disk_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "album").write_text("a file where the folder should be")
    kept = album(tmp_path)
    kept.keep(picture())
    kept.keep(picture())
    (tmp_path / "album").unlink()
    kept.keep(picture())
    assert [r.levelname for r in caplog.records if "kept" in r.message] == ["WARNING"]
    assert len(kept.pictures()) == 1


def test_a_half_written_picture_is_no_picture(tmp_path: Path) -> None:
    kept = album(tmp_path)
    kept.keep(picture())
    (next((tmp_path / "album").rglob("*.jpg"))).with_suffix(".part").write_bytes(b"half")
    assert len(kept.pictures()) == 1
