"""Pictures of events are kept, found again, and go when they are old, too many or to be forgotten."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from patience import PATIENCE

from blikk_edge.core.clock import SETTLED_S, VirtualClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.locale import Locale
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import Health
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


def test_days_are_those_of_the_household_and_a_new_zone_loses_no_picture(tmp_path: Path) -> None:
    zones = ["Pacific/Auckland"]  # 13 hours ahead
    kept = PictureAlbum(
        tmp_path / "album",
        clock=VirtualClock(NOON),
        max_bytes=10**9,
        keep_days=14,
        locale=lambda: Locale(timezone=ZoneInfo(zones[-1])),
    )
    kept.keep(picture())
    assert [each.day.isoformat() for each in kept.days()] == ["2026-11-22"]
    zones.append("America/Los_Angeles")
    kept.keep(picture(NOON + 1))
    assert [each.day.isoformat() for each in kept.days()] == ["2026-11-22", "2026-11-21"]
    event = Event(
        id="gate-1",
        camera="gate",
        phase=Phase.ENDED,
        revision=2,
        time=NOON + 2,
        started=NOON - 1,
        label=Label.PERSON,
        reason=Observed.LEFT,
        ended=NOON + 2,
    )
    assert [each.time for each in kept.by_event([event])["gate-1"]] == [NOON + 1, NOON]


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
    clock = VirtualClock(NOON + 4 * DAY)
    later = PictureAlbum(tmp_path / "album", clock=clock, max_bytes=10**9, keep_days=3)
    clock.set(clock.now() + SETTLED_S)
    later.keep(picture(NOON + 4 * DAY))
    assert [each.time for each in later.pictures()] == [NOON + 4 * DAY]
    assert len(list((tmp_path / "album" / "gate").iterdir())) == 1


async def test_what_is_too_old_goes_where_no_new_ones_come(tmp_path: Path) -> None:
    album(tmp_path).keep(picture())
    clock = VirtualClock(NOON)
    kept = PictureAlbum(tmp_path / "album", clock=clock, max_bytes=10**9, keep_days=3)
    items: asyncio.Queue[Item] = asyncio.Queue()
    task = asyncio.create_task(kept.run(items))
    for hour in range(5 * 24):
        clock.set(NOON + hour * 3600)
        items.put_nowait(Health(time=clock.now(), uptime_s=0, cpu_percent=0, rss_bytes=0))
        while not items.empty():
            await asyncio.sleep(0.001)
    async with asyncio.timeout(20 * PATIENCE):
        while kept.pictures():
            await asyncio.sleep(0.001)
    task.cancel()


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


def test_a_disk_that_cannot_be_written_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
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


def test_what_others_put_into_the_folder_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = album(tmp_path)
    kept.keep(picture())
    root = tmp_path / "album"
    for stray in ("README.txt", "gate/.DS_Store", "gate/2026-11-20"):
        (root / stray).write_text("stray")
    for folder in ("lost+found", "gate/2026-13-45", "gate/2026-11-19/sub.jpg"):
        (root / folder).mkdir(parents=True)
    (root / "lost+found").chmod(0)
    (root / "gate" / "2026-11-19" / "99999999T999999999.person.gate-1.jpg").write_bytes(b"no time")
    kept.keep(picture(NOON + 1))
    assert len(album(tmp_path).pictures()) == 2
    assert len(album(tmp_path).pictures(event="gate-1")) == 2
    album(tmp_path, max_bytes=0).keep(picture(NOON + 2))
    assert album(tmp_path).pictures() == []
    assert kept.forget() == 0
    assert (root / "README.txt").exists()
    assert (root / "gate" / "2026-11-19" / "sub.jpg").exists()
    assert not caplog.records


async def test_a_folder_that_cannot_be_read_does_not_end_the_sink(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "album").write_text("a file where the folder should be")

    class Done(Exception):
        pass

    class Nothing:
        async def get(self) -> Picture:
            raise Done

    with pytest.raises(Done):
        await asyncio.wait_for(album(tmp_path).run(Nothing()), 5 * PATIENCE)
    assert "old pictures cannot be removed" in caplog.text


def test_pictures_that_go_while_they_are_looked_at_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = album(tmp_path)
    kept.keep(picture())
    kept.keep(picture(NOON + 1))
    real = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        found = list(real(folder))
        for path in found:
            if path.suffix == ".jpg" and "120000000" in path.name:
                path.unlink()  # by the writer, or by who forgets
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert [each.time for each in kept.pictures()] == [NOON + 1]


def test_a_day_that_goes_while_it_is_looked_at_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = album(tmp_path)
    kept.keep(picture())
    folders = kept._day_folders(None)
    kept.forget()
    monkeypatch.setattr(kept, "_day_folders", lambda camera: folders)
    assert (kept.pictures(), kept.days(), kept.forget()) == ([], [], 0)
    kept._bytes = None
    kept._clean_up()
    assert kept._bytes == 0


def test_what_cannot_be_forgotten_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = album(tmp_path)
    kept.keep(picture())

    def unlink(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(StoreError, match="Permission denied"):
        kept.forget()


def event(name: str, started: float, ended: float | None, camera: str = "gate") -> Event:
    return Event(
        id=name,
        camera=camera,
        phase=Phase.STARTED if ended is None else Phase.ENDED,
        revision=1,
        time=started if ended is None else ended,
        started=started,
        ended=ended,
        label=Label.PERSON,
        reason=Observed.APPEARED,
    )


def test_pictures_of_events_are_found_over_all_their_days(tmp_path: Path) -> None:
    kept = album(tmp_path, now=NOON + DAY)
    for at in (NOON, NOON + DAY):
        kept.keep(picture(at))
        kept.keep(picture(at, event="gate-2"))
        kept.keep(picture(at, camera="door", event="door-1"))
    found = kept.by_event(
        [event("gate-1", NOON, NOON + DAY), event("door-1", NOON, None, "door"), event("gate-3", NOON, NOON)]
    )
    assert {name: [each.time for each in of] for name, of in found.items()} == {
        "gate-1": [NOON + DAY, NOON],
        "door-1": [NOON + DAY, NOON],
    }


def test_whole_events_are_forgotten_beyond_the_time(tmp_path: Path) -> None:
    kept = album(tmp_path)
    for at, of in ((NOON, "gate-1"), (NOON + 9, "gate-1"), (NOON + 9, "gate-2")):
        kept.keep(picture(at, event=of))
    assert kept.forget(until=NOON + 5, whole={"gate-1"}) == 2
    assert [each.event for each in kept.pictures()] == ["gate-2"]


class SetClock(VirtualClock):
    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


def test_a_clock_that_is_wrong_for_a_moment_does_not_cost_the_album(tmp_path: Path) -> None:
    clock = SetClock(NOON)
    kept = PictureAlbum(tmp_path / "album", clock=clock, max_bytes=10**9, keep_days=3)
    kept.keep(picture())
    clock.ahead_s = 400 * DAY
    for second in range(50):  # often enough for the house to be kept
        clock.set(NOON + second)
        kept.keep(picture(NOON + 400 * DAY + second, event="gate-2"))
    assert len(kept.pictures(event="gate-1")) == 1
    clock.set(NOON + 3700.0)  # nobody mended it: it is the time
    for second in range(50):
        kept.keep(picture(NOON + 400 * DAY + second, event="gate-3"))
    assert len(kept.pictures(event="gate-1")) == 0


def test_a_machine_that_starts_with_a_wrong_time_keeps_the_album(tmp_path: Path) -> None:
    album(tmp_path, keep_days=3).keep(picture())
    clock = SetClock(NOON)
    clock.ahead_s = 400 * DAY
    kept = PictureAlbum(tmp_path / "album", clock=clock, max_bytes=10**9, keep_days=3)
    kept.keep(picture(NOON + 400 * DAY, event="gate-2"))
    clock.ahead_s = 0.0
    for second in range(50):
        kept.keep(picture(NOON + second, event="gate-3"))
    assert len(kept.pictures(event="gate-1")) == 1


async def test_pictures_that_everybody_could_read_are_closed_to_them(tmp_path: Path) -> None:
    kept = album(tmp_path)
    kept.keep(picture())
    (file,) = (tmp_path / "album").rglob("*.jpg")
    file.chmod(0o644)
    task = asyncio.create_task(album(tmp_path).run(asyncio.Queue()))
    for _ in range(500):
        if file.stat().st_mode & 0o777 == 0o600:
            break
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    assert file.stat().st_mode & 0o777 == 0o600
