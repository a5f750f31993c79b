"""What a damaged store still holds is carried over, the rest is counted and reported; only its owner may read it."""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import PATIENCE
from sink_samples import event, observation, ring

from blikk_edge.core.errors import StoreBusyError, StoreError
from blikk_edge.core.observation import Event
from blikk_edge.runtime.backlog import Backlog
from blikk_edge.store.pages import Pages, read_log
from blikk_edge.store.store import Store

PAGE = 4096
WAITING = 200


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which 200 events wait, closed in order."""
    path = tmp_path_factory.mktemp("full") / "blikk.db"
    store = Store(path)
    store.open()
    for number in range(WAITING):
        store.put(event(number))
    store.remember("parked/front_door", "[1]")
    store.close()
    return path


@pytest.fixture
def path(full: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    copy = tmp_path / "blikk.db"
    shutil.copy(full, copy)
    return copy


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sink_samples import event
from blikk_edge.store.store import Store
store = Store(Path(sys.argv[1]))
store.open()
for number in range(int(sys.argv[3])):
    store.put(event(number))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose process was killed: most of it is in the log."""
    path = tmp_path_factory.mktemp("killed") / "blikk.db"
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parents[1]), str(WAITING)]
    assert subprocess.run(command, check=False, timeout=120).returncode == -9
    return path


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@pytest.fixture
def logged(killed: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    copy = tmp_path / "blikk.db"
    shutil.copy(killed, copy)
    shutil.copy(log_of(killed), log_of(copy))
    return copy


def overwrite(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Store]:
    store = Store(path)
    try:
        store.open()
        yield store
    finally:
        store.close()


def numbers(store: Store) -> list[int]:
    """The numbers of the events that wait, in order."""
    return [int(p.record.id.split("-")[1]) for p in store.pending("mqtt", 1000) if isinstance(p.record, Event)]


DAMAGE: dict[str, Callable[[Path], None]] = {
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a tenth cut off": lambda path: os.truncate(path, path.stat().st_size * 9 // 10),
    "cut within a page": lambda path: os.truncate(path, path.stat().st_size // 2 + 1000),
    "page 2 overwritten": lambda path: overwrite(path, PAGE, b"\xa5" * PAGE),
    "page 2 of nothing": lambda path: overwrite(path, PAGE, bytes(PAGE)),
    "page 1 overwritten": lambda path: overwrite(path, 0, b"\xa5" * PAGE),
    "header overwritten": lambda path: overwrite(path, 0, b"\xff" * 100),
    "header of nothing": lambda path: overwrite(path, 0, bytes(100)),
    "page 20 overwritten": lambda path: overwrite(path, 19 * PAGE, b"\xa5" * PAGE),
    "ten pages overwritten": lambda path: overwrite(path, 19 * PAGE, b"\x0d" * 10 * PAGE),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_left_is_carried_over_and_the_rest_is_counted(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    DAMAGE[damage](path)
    with opened(path) as store:
        with contextlib.suppress(StoreError):  # the history is looked at when it is used
            store.events(limit=1000)
        carried = numbers(store)
        assert carried == sorted(set(carried))
        assert store.depth("mqtt") == len(carried)
        assert (len(carried) + store.lost, store.lost < WAITING * 2 // 3) == (WAITING, True)
        assert all(p.replayed for p in store.pending("mqtt", 1000))
        assert store.put(ring(1)) > WAITING
        assert len(store.events(limit=1000)) >= 50
        if "page 2 " in damage or "page 1 " in damage or "header" in damage:
            assert store.lost == 0
        reported = store.problem or ""
        assert f"{len(carried)} waiting records were carried over, {store.lost} that waited are lost" in reported
        assert path.with_name("blikk.db.damaged").exists()
        path.with_name("blikk.db.damaged").unlink()  # seen
        assert store.problem is None
    assert caplog.text.count("moved to blikk.db.damaged, a new one is started") == 1
    with opened(path) as store:
        assert (store.lost, store.problem) == (0, None)


def test_records_that_rotted_are_counted_and_hold_up_nobody(path: Path) -> None:
    for page in range(5, path.stat().st_size // PAGE, 3):
        overwrite(path, page * PAGE + 2000, b"\xff\xfe\x00{" * 16)
    with opened(path) as store:
        for _ in range(3):
            with contextlib.suppress(StoreError):
                store.events(limit=1000)
        carried = numbers(store)
        assert (len(carried) + store.lost, len(carried) > 100, store.lost > 0) == (WAITING, True, True)
        store.put(ring(1))


NOTHING_LEFT: dict[str, Callable[[Path], object]] = {
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "no database": lambda path: path.write_bytes(b"this is not SQLite " * 9000),
    "random bytes": lambda path: path.write_bytes(os.urandom(200_000)),
}


@pytest.mark.parametrize("damage", NOTHING_LEFT)
def test_where_nothing_is_left_that_is_said(path: Path, damage: str) -> None:
    NOTHING_LEFT[damage](path)
    with opened(path) as store:
        assert numbers(store) == []
        assert "how many that waited are lost cannot be known" in (store.problem or "")
        store.put(event(1))
        assert numbers(store) == [1]


def test_a_file_of_which_nothing_is_left_was_no_new_one(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    with opened(path) as store:
        store.put(event(1))
    os.truncate(path, 0)
    with opened(path) as store:
        assert "it is empty" in (store.problem or "")


def test_an_empty_file_that_somebody_made_is_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "blikk.db").touch()
    with opened(tmp_path / "blikk.db") as store:
        assert store.problem is None


def test_an_outbox_that_was_delivered_loses_nothing(path: Path) -> None:
    with opened(path) as store:
        store.delivered("mqtt", [p.seq for p in store.pending("mqtt", 1000)])
        for number in range(300, 303):
            store.put(event(number))
    os.truncate(path, path.stat().st_size * 9 // 10)
    with opened(path) as store:
        with contextlib.suppress(StoreError):
            store.events()
        assert len(numbers(store)) + store.lost == 3


def test_a_log_that_was_killed_is_no_damage(logged: Path) -> None:
    with opened(logged) as store:
        assert (numbers(store), store.lost, store.problem) == (list(range(WAITING)), 0, None)


@pytest.mark.parametrize(
    ("start", "data"),
    [
        (0, b"\xff" * 32),
        (32, b"\xa5" * 24),
        (5000, b"\xa5" * 64),
        (100_000, b"\xa5" * PAGE),
        (300_000, b"\x0d" * 40_000),
    ],
)
def test_what_comes_after_a_damaged_part_of_the_log_is_not_lost(logged: Path, start: int, data: bytes) -> None:
    overwrite(log_of(logged), start, data)
    with opened(logged) as store:
        assert len(numbers(store)) + store.lost == WAITING
        assert store.lost <= 20
        assert "its log is damaged" in (store.problem or "")
        assert log_of(logged.with_name("blikk.db.damaged")).exists()


def test_a_log_that_names_a_page_far_away_is_read_in_no_time(logged: Path) -> None:
    log = log_of(logged)
    overwrite(log, 0, b"\xff" * 32)  # so that its first frame counts by itself
    overwrite(log, 32, b"\xff\xff\xff\xf0")
    with opened(logged) as store:
        assert WAITING - 20 <= len(numbers(store)) <= WAITING
        assert "damaged" in (store.problem or "")


def test_a_log_that_was_taken_away_is_reported(logged: Path, caplog: pytest.LogCaptureFixture) -> None:
    log_of(logged).unlink()
    with opened(logged) as store:
        assert len(numbers(store)) < WAITING
        assert "its log (-wal) was taken away" in (store.problem or "")
        store.put(event(WAITING))
    with opened(logged) as store:
        assert numbers(store)[-1] == WAITING
        assert store.problem is None
    assert len(caplog.records) == 1


@pytest.mark.parametrize("records", ["0", "1"])
def test_a_kill_after_the_start_is_no_log_that_was_taken_away(tmp_path: Path, records: str) -> None:
    path = tmp_path / "blikk.db"
    for _ in range(3):
        command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parents[1]), records]
        assert subprocess.run(command, check=False, timeout=120).returncode == -9
    with opened(path) as store:
        assert (len(numbers(store)), store.problem) == (3 * int(records), None)


def test_where_the_oldest_may_be_lost_at_least_so_many_are(path: Path) -> None:
    data = path.read_bytes()
    first = data.index(b'"id":"event-0"') // PAGE
    for page in (1, first):  # the outbox's root, and the page of its oldest records
        overwrite(path, page * PAGE, b"\xa5" * PAGE)
    with opened(path) as store:
        assert 0 not in numbers(store)
        assert re.search(r"at least \d+ that waited are lost|cannot be known", store.problem or "")


def test_rotten_rows_are_counted_where_another_part_is_damaged_too(path: Path) -> None:
    data = path.read_bytes()
    for rotten in re.finditer(rb'{"record":"event","id":"event-12\d"', data):
        overwrite(path, rotten.start(), b"x" * 20)
    overwrite(path, data.index(b"parked/front_door") // PAGE * PAGE, b"\xa5" * PAGE)
    with opened(path) as store:
        assert len(numbers(store)) + store.lost == WAITING
        assert not {120, 129} & set(numbers(store))


def test_a_log_torn_at_its_end_is_no_damage(tmp_path: Path) -> None:
    """A power cut while the last record was written: it was never said to be kept."""
    path = tmp_path / "blikk.db"
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parents[1]), "5"]
    assert subprocess.run(command, check=False, timeout=120).returncode == -9
    log = log_of(path)
    overwrite(log, log.stat().st_size - 3000, os.urandom(2000))
    with opened(path) as store:
        assert (numbers(store), store.problem) == ([0, 1, 2, 3], None)


def test_a_file_cut_to_nothing_beside_its_log_gives_what_the_log_holds(logged: Path) -> None:
    os.truncate(logged, 0)
    with opened(logged) as store:
        assert len(numbers(store)) > 10
        assert len(numbers(store)) + store.lost >= WAITING - 20


KILLED_IN_SALVAGE = """
import os, signal, sys
from pathlib import Path
from blikk_edge.store.store import Store
left = int(sys.argv[2])
replace = Path.replace
def killed(self, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return replace(self, target)
Path.replace = killed
store = Store(Path(sys.argv[1]))
store.open()
store.close()
"""


@pytest.mark.parametrize("step", range(4))
def test_a_kill_while_it_is_carried_over_costs_nothing(logged: Path, step: int) -> None:
    overwrite(log_of(logged), 0, b"\xff" * 32)
    command = [sys.executable, "-c", KILLED_IN_SALVAGE, str(logged), str(step)]
    assert subprocess.run(command, check=False, timeout=60 * PATIENCE).returncode == -signal.SIGKILL
    with opened(logged) as store:
        assert numbers(store) == list(range(WAITING))
    assert not list(logged.parent.glob("*.salvage*"))


def test_one_damaged_file_is_kept(path: Path, full: Path) -> None:
    for _ in range(3):
        overwrite(path, PAGE, b"\xa5" * PAGE)
        with opened(path) as store:
            assert numbers(store) == list(range(WAITING))
    beside = {each.name for each in path.parent.iterdir()}
    assert beside == {"blikk.db", "blikk.db.damaged", "blikk.db.reserve"}


def test_a_store_that_another_process_writes_is_not_taken_for_damaged(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    script = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "print('ready', flush=True); sys.stdin.read()")
    command = [sys.executable, "-c", script, str(path), str(Path(__file__).parents[1]), "50"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        overwrite(log_of(path), 5000, b"\xa5" * 64)  # as if it were seen half written
        store = Store(path)
        with pytest.raises(StoreBusyError):
            store.open()
        assert "another process" in (store.problem or "")
        assert not path.with_name("blikk.db.damaged").exists()
        other.kill()
    assert len(store.pending("mqtt", 1000)) >= 40
    assert "another process" not in (store.problem or "")
    store.close()


def test_a_lock_that_has_ended_is_no_problem_any_more(path: Path) -> None:
    with opened(path):
        late = Store(path)
        with pytest.raises(StoreBusyError):
            late.open()
        assert "another process" in (late.problem or "")
    assert late.recall("parked/front_door") == "[1]"
    assert late.problem is None
    late.close()


def test_a_folder_in_its_place_is_said_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    path.mkdir()
    (path / "thesis.txt").write_text("precious")
    store = Store(path)
    with pytest.raises(StoreError, match=r"it is a folder; remove it, or name another store\.path"):
        store.open()
    assert "it is a folder" in (store.problem or "")
    assert (path / "thesis.txt").read_text() == "precious"
    shutil.rmtree(path)
    store.put(event(1))
    assert store.problem is None
    store.close()


@pytest.fixture
def read_only_disk(tmp_path: Path, full: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        shutil.copy(full, disk / "blikk.db")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_became_read_only_is_a_problem_until_it_is_not(read_only_disk: Path) -> None:
    store = Store(read_only_disk / "blikk.db")
    with pytest.raises(StoreError):
        store.open()
    assert store.problem
    subprocess.run(["mount", "-o", "remount,rw", str(read_only_disk)], check=True)
    assert numbers(store) == list(range(WAITING))
    assert store.problem is None
    store.close()


async def test_records_in_memory_only_are_counted_as_unsaved(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    store = Store(blocked / "blikk.db")
    with pytest.raises(StoreError):
        store.open()
    backlog = Backlog(store, {"mqtt": None})
    for number in range(3):
        await backlog.put(event(number))
    assert backlog.unsaved == 3
    assert store.problem
    blocked.unlink()
    await backlog.save()
    assert (backlog.unsaved, store.problem, numbers(store)) == (0, None, [0, 1, 2])
    store.close()


# -- earlier versions ------------------------------------------------------------------------------------------------


def test_a_store_of_an_earlier_version_is_opened_as_it_is(tmp_path: Path) -> None:
    """`earlier_store.sqlite` was written before events could be interrupted: three events, one ended, and more."""
    path = tmp_path / "blikk.db"
    shutil.copy(Path(__file__).with_name("earlier_store.sqlite"), path)
    with opened(path) as store:
        assert [p.record for p in store.pending("mqtt", 10)] == [observation(7), ring(2), event(2, revision=2)]
        assert [each.id for each in store.events()] == ["event-2", "event-1", "event-0"]
        assert [each.text for each in store.summaries()] == ["A person was here."]
        assert store.rings() == [ring(2), ring(1)]
        assert store.recall("switches/front_door") == '{"detect": true}'
        assert [(each.id, each.revision) for each in store.left_open()] == [("event-1", 2), ("event-2", 3)]
        assert store.problem is None
    assert not path.with_name("blikk.db.damaged").exists()


def test_a_damaged_store_of_an_earlier_version_is_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    shutil.copy(Path(__file__).with_name("earlier_store.sqlite"), path)
    overwrite(path, 0, b"\xff" * 100)
    with opened(path) as store:
        assert [p.record for p in store.pending("mqtt", 10)] == [observation(7), ring(2), event(2, revision=2)]
        assert [each.id for each in store.events()] == ["event-2", "event-1", "event-0"]
        assert store.rings() == [ring(2), ring(1)]
        assert store.recall("switches/front_door") == '{"detect": true}'
        assert [each.id for each in store.left_open()] == ["event-1", "event-2"]


# -- reading pages ---------------------------------------------------------------------------------------------------


def test_pages_give_what_sqlite_gives(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    values = [None, 0, 1, -1, 127, -129, 40_000, -(2**23), 2**31, -(2**40), 2**62, 1.5, "", "ä" * 10, b"\x00" * 7]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, a, b)")
        rows = [(n + 1, value, "x" * (n * 997)) for n, value in enumerate(values * 3)]
        db.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        db.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID")
        keys = [(f"key-{n:03}", "y" * (n * 61 % 3000)) for n in range(120)]
        db.executemany("INSERT INTO kept VALUES (?, ?)", keys)
    db.close()
    with Pages(path) as pages:
        found = list(pages.rows())
    assert sorted((row.rowid, *row.values[1:]) for row in found if not row.index and row.values[0] is None) == rows
    assert sorted(row.values for row in found if row.index) == keys


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=300)), min_size=1, max_size=30))
def test_no_damage_ends_the_reading_of_pages(full: Path, tmp_path: Path, damage: list[tuple[float, bytes]]) -> None:
    path = tmp_path / "any.db"
    data = bytearray(full.read_bytes())
    for share, written in damage:
        start = int(share * (len(data) - len(written)))
        data[start : start + len(written)] = written
    path.write_bytes(data)
    log_of(path).write_bytes(data[: len(data) // 2])
    read_log(log_of(path))
    with Pages(path) as pages:
        assert len(list(pages.rows())) < 100_000


# -- who may read it -------------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_can_read_any_of_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "of" / "blikk.db"
    before = os.umask(0)
    try:
        with opened(path) as store:
            store.put(event(1))
            assert log_of(path).exists()
            names = ("blikk.db", "blikk.db-wal", "blikk.db.reserve")
            assert {each.name: mode(each) for each in path.parent.iterdir()} == dict.fromkeys(names, 0o600)
        assert (mode(tmp_path / "state"), mode(tmp_path / "state" / "of")) == (0o700, 0o700)
    finally:
        os.umask(before)


def test_files_that_everybody_could_read_are_closed_to_them(logged: Path) -> None:
    reserve = logged.with_name("blikk.db.reserve")
    reserve.touch()
    for file in (logged, log_of(logged), reserve):
        file.chmod(0o644)
    logged.parent.chmod(0o755)
    with opened(logged) as store:
        assert numbers(store) == list(range(WAITING))
        assert {mode(each) for each in logged.parent.iterdir()} == {0o600}
    assert mode(logged.parent) == 0o755  # not ours to change


def test_what_was_damaged_is_for_its_owner_too(path: Path) -> None:
    path.chmod(0o644)
    overwrite(path, PAGE, b"\xa5" * PAGE)
    before = os.umask(0)
    try:
        with opened(path):
            assert {mode(each) for each in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)
