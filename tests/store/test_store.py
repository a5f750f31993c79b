"""The store keeps what it said it kept: through kill -9, damage, a full disk and its own bounds."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from patience import PATIENCE, in_time
from sink_samples import event, observation, ring

from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import Journal, Memory
from blikk_edge.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state" / "blikk.db")
    store.open()
    yield store
    store.close()


def test_store_is_journal_and_memory(store: Store) -> None:
    journal: Journal = store
    memory: Memory = store
    assert journal.depth("mqtt") == 0
    assert memory.recall("x") is None


def test_constructor_touches_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "blikk.db")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="not open"):
        store.put(ring(1))


def test_records_come_back_equal_and_in_order(store: Store) -> None:
    records = [event(1), observation(2), ring(3), event(1, revision=2)]
    seqs = [store.put(record) for record in records]
    pending = store.pending("mqtt", 10)
    assert [p.record for p in pending] == records
    assert [p.seq for p in pending] == seqs == sorted(seqs)
    assert not any(p.replayed for p in pending)


def test_delivered_records_are_forgotten_and_numbers_never_reused(store: Store) -> None:
    first, second = store.put(ring(1)), store.put(ring(2))
    store.delivered("mqtt", [first, second, 999])
    assert store.depth("mqtt") == 0
    assert store.put(ring(3)) > second
    assert [p.record for p in store.pending("mqtt", 10)] == [ring(3)]


def test_what_waited_through_a_restart_is_replayed(store: Store) -> None:
    store.put(ring(1))
    store.close()
    store.open()
    store.put(ring(2))
    assert [(p.record, p.replayed) for p in store.pending("mqtt", 10)] == [(ring(1), True), (ring(2), False)]


def test_history_keeps_the_newest_revision_of_each_event(store: Store) -> None:
    for record in (event(1), event(2, camera="yard"), event(1, revision=2), observation(3)):
        store.put(record)
    assert list(store.events()) == [event(2, camera="yard"), event(1, revision=2)]
    assert list(store.events(camera="front_door")) == [event(1, revision=2)]
    assert list(store.events(since=event(2).started)) == [event(2, camera="yard")]
    assert list(store.events(until=event(2).started, limit=5)) == [event(1, revision=2)]


def test_history_survives_delivery(store: Store) -> None:
    store.delivered("mqtt", [store.put(event(1))])
    assert list(store.events()) == [event(1)]


def test_history_is_bounded_oldest_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "blikk.db", max_records=3)
    store.open()
    for number in range(6):
        store.put(event(number))
    assert [e.id for e in store.events()] == ["event-5", "event-4", "event-3"]
    assert (store.depth("mqtt"), store.lost) == (6, 0)
    store.close()


def test_what_was_written_while_the_clock_was_wrong_keeps_its_place(tmp_path: Path) -> None:
    """Years ahead, then right: the new records are the newest, not the oldest that go first."""
    store = Store(tmp_path / "blikk.db", max_records=4)
    store.open()
    wrong = [replace(event(n), started=4e9 + n, time=4e9 + n) for n in range(4)]
    right = [event(n) for n in range(10, 13)]
    for record in (*wrong, *right):
        store.put(record)
    assert {e.id for e in store.events()} == {"event-3", "event-10", "event-11", "event-12"}
    assert [p.record for p in store.pending("mqtt", 10)] == [*wrong, *right]
    assert [record.id for record in store.newest()] == ["event-12"]
    store.close()


def test_outbox_is_bounded_and_counts_what_it_gave_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path / "blikk.db", outbox_records=3)
    store.open()
    for number in range(5):
        store.put(ring(number))
    assert [p.record for p in store.pending("mqtt", 10)] == [ring(2), ring(3), ring(4)]
    assert (store.depth("mqtt"), store.lost) == (3, 2)
    assert len([r for r in caplog.records if "given up" in r.message]) == 1
    store.close()


def test_memory_outlives_the_process_object(store: Store) -> None:
    store.remember("parked", "[1]")
    store.remember("parked", "[1,2]")
    store.close()
    store.open()
    assert store.recall("parked") == "[1,2]"


def test_threads_may_share_it(store: Store) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 25):
            seq = store.put(event(number))
            store.remember(f"key-{start}", str(number))
            if number % 2:
                store.delivered("mqtt", [seq])

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.depth("mqtt") == len(store.pending("mqtt", 1000)) == 4 * 13
    assert len(store.events(limit=1000)) == 100


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sink_samples import ring
from blikk_edge.store.store import Store
store = Store(Path(sys.argv[1]))
store.open()
for number in range(100_000):
    store.put(ring(number))
    print(number, flush=True)
"""


def test_nothing_reported_is_lost_by_kill_minus_nine(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    command = [sys.executable, "-c", WRITER, str(path), str(Path(__file__).parents[1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 60:
                writer.send_signal(signal.SIGKILL)
        reported = int(line)
    store = Store(path)
    store.open()
    pending = store.pending("mqtt", 200_000)
    assert len(pending) in (reported + 1, reported + 2)  # the kill may fall between writing and saying so
    assert [p.record for p in pending] == [ring(number) for number in range(len(pending))]
    assert all(p.replayed for p in pending)
    store.close()


def test_a_second_node_on_the_same_file_is_refused(store: Store) -> None:
    store.put(ring(1))
    second = Store(store.path)
    with pytest.raises(StoreError, match="another process"):
        second.open()
    second.close()


def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "blikk.db"
    path.write_bytes(b"this is not SQLite " * 500)
    (tmp_path / "other").write_text("untouched")
    store = Store(path)
    store.open()
    store.put(ring(1))
    assert (tmp_path / "blikk.db.damaged").read_bytes().startswith(b"this is not")
    assert (tmp_path / "other").read_text() == "untouched"
    assert "blikk.db.damaged" in caplog.text
    store.close()


def _damage_history(path: Path) -> None:
    """Overwrite the pages of the events' table, and leave outbox and memory alone."""
    with closing(sqlite3.connect(path)) as db, db:
        (page_size,) = db.execute("PRAGMA page_size").fetchone()
        pages = [number for (number,) in db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'")]
    db.close()
    with path.open("r+b") as file:
        for number in pages:
            file.seek((number - 1) * page_size)
            file.write(b"\xa5" * page_size)


def test_damaged_history_costs_neither_outbox_nor_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "blikk.db"
    store = Store(path)
    store.open()
    last = [store.put(event(number)) for number in range(20)][-1]
    store.remember("parked", "[1]")
    store.close()
    _damage_history(path)
    store.open()
    with pytest.raises(StoreError, match="damaged"):
        store.events()
    assert [p.record for p in store.pending("mqtt", 100)] == [event(number) for number in range(20)]
    assert all(p.replayed for p in store.pending("mqtt", 100))
    assert store.recall("parked") == "[1]"
    assert store.put(ring(1)) > last
    assert "20 waiting records, 2 kept values" in caplog.text
    store.close()


def test_a_half_written_file_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    store = Store(path)
    store.open()
    for number in range(300):
        store.put(event(number))
    store.close()
    os.truncate(path, path.stat().st_size // 2)
    store.open()
    store.put(ring(1))
    assert store.pending("mqtt", 1000)[-1].record == ring(1)
    assert (tmp_path / "blikk.db.damaged").exists()
    store.close()


def test_a_store_of_a_newer_blikk_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version=99")
    db.close()
    store = Store(path)
    with pytest.raises(StoreError, match="newer blikk"):
        store.open()
    assert not (tmp_path / "blikk.db.damaged").exists()


def test_a_record_that_cannot_be_read_does_not_hold_up_the_others(store: Store) -> None:
    store.put(ring(1))
    store.put(ring(2))
    store._file._db.execute("UPDATE outbox SET text = '{}' WHERE seq = 1")  # type: ignore[union-attr]
    assert [p.record for p in store.pending("mqtt", 10)] == [ring(2)]
    assert (store.depth("mqtt"), store.lost) == (1, 1)


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sink_samples import event, ring
from blikk_edge.core.errors import StoreError
from blikk_edge.store.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
store = Store(Path(sys.argv[1]))
store.open()
kept = 0
for number in range(5000):
    try:
        store.put(ring(number))
    except StoreError as error:
        print("refused:", error)
        break
    kept += 1
assert store.depth("mqtt") == kept == len(store.pending("mqtt", 10_000)), (store.depth(), kept)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.put(ring(kept))
assert [p.record for p in store.pending("mqtt", 10_000)] == [ring(n) for n in range(kept + 1)]
print("kept", kept)
"""


def test_a_file_that_may_not_grow_is_a_store_error_and_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "blikk.db"), str(Path(__file__).parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert "refused: store" in done.stdout
    assert "is its disk full" in done.stdout


@contextlib.contextmanager
def _disk(folder: Path, size: str, *, most_files: int = 0) -> Iterator[Path]:
    """A disk of `size` with room for so many files, 0 for any number."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={most_files}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Too small for the reserve."""
    with _disk(tmp_path / "tiny", "4m") as disk:
        yield disk


@pytest.fixture
def big_disk(tmp_path: Path) -> Iterator[Path]:
    with _disk(tmp_path / "big", "12m") as disk:
        yield disk


@pytest.mark.parametrize("name", ["blikk.db", "folder/blikk.db"])
def test_a_disk_that_takes_no_more_files_is_full_too(tmp_path: Path, name: str) -> None:
    with (
        _disk(tmp_path / "crowded", "4m", most_files=1) as disk,  # which is its folder
        pytest.raises(StoreError, match="No space left on device; free some space"),
    ):
        Store(disk / name).open()


def test_a_full_disk_is_a_store_error_and_loses_nothing(tiny_disk: Path) -> None:
    filler = tiny_disk / "filler"
    filler.write_bytes(bytes(2_000_000))
    store = Store(tiny_disk / "blikk.db")
    store.open()
    count = 0

    def fill() -> None:
        nonlocal count
        for count in range(5000):
            store.put(event(count))

    with pytest.raises(StoreError, match="free some space"):
        fill()
    assert [p.record for p in store.pending("mqtt", 10_000)] == [event(number) for number in range(count)]
    filler.unlink()
    store.delivered("mqtt", [p.seq for p in store.pending("mqtt", 10_000)])
    store.put(ring(1))
    assert [p.record for p in store.pending("mqtt", 10)] == [ring(1)]
    store.close()


def test_on_a_full_disk_the_reserve_keeps_records_and_history_gives_way(big_disk: Path) -> None:
    store = Store(big_disk / "blikk.db")
    store.open()
    for number in range(1000):
        store.delivered("mqtt", [store.put(event(number))])
    _fill(big_disk)
    for number in range(1000, 2500):
        store.put(event(number))
    store.close()
    store.open()
    assert [p.record for p in store.pending("mqtt", 10_000)] == [event(number) for number in range(1000, 2500)]
    kept = [found.id for found in store.events(limit=2500)]
    assert 450 < len(kept) < 600  # half of what was there, and not one more since
    assert kept == [f"event-{n}" for n in range(2499, 2499 - len(kept), -1)]
    store.close()


@pytest.mark.parametrize("closed", [True, False])
def test_a_store_on_a_disk_that_filled_up_is_opened_with_the_reserve(big_disk: Path, closed: bool) -> None:
    path = big_disk / "blikk.db"
    code = (
        "import os, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from sink_samples import event; from blikk_edge.store.store import Store\n"
        "store = Store(Path(sys.argv[1])); store.open()\n"
        "for number in range(20): store.put(event(number))\n"
        f"if {closed}: store.close()\n"
        "os._exit(0)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(path), str(Path(__file__).parents[1])], check=True, timeout=60 * PATIENCE
    )
    _fill(big_disk)
    store = Store(path)
    store.open()
    ends = store.left_open()
    assert len(ends) == 20
    for end in ends:
        store.put(end)
    waiting = [pending.seq for pending in store.pending("mqtt", 100)]
    assert len(waiting) == 40
    store.delivered("mqtt", waiting)
    assert store.depth("mqtt") == 0
    store.close()


def test_a_disk_that_is_nearly_full_is_a_problem_while_it_is(big_disk: Path) -> None:
    store = Store(big_disk / "blikk.db", max_records=1000)
    store.open()
    for number in range(200):
        store.delivered("mqtt", [store.put(event(number))])
    assert store.problem is None
    _fill(big_disk)
    for number in range(200, 1000):
        store.put(event(number))
    assert "nearly full" in (store.problem or "")
    (big_disk / "filler").unlink()
    store.recall("node")
    assert store.problem is None
    for number in range(1000, 1700):
        store.put(event(number))
    assert len(store.events(limit=2000)) > 700  # it grows again
    store.close()


def _fill(disk: Path) -> None:
    """Leave not a byte on this disk."""
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass
    assert shutil.disk_usage(disk).free < 4096


def test_a_store_that_could_not_be_opened_heals_when_it_can(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    store = Store(blocked / "blikk.db")
    with pytest.raises(StoreError, match="folder"):
        store.open()
    with pytest.raises(StoreError):
        store.put(ring(1))
    blocked.unlink()
    assert store.put(ring(2)) == 1
    store.close()


@in_time
def test_durable_put_is_quick(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    took = []
    for number in range(100):
        begin = time.perf_counter()
        store.put(event(number))
        took.append(1000 * (time.perf_counter() - begin))
    took.sort()
    with capsys.disabled():
        print(f"\n[store] durable put: p50 {took[50]:.2f} ms, p95 {took[95]:.2f} ms")
    assert took[50] < 100


def test_events_are_events(store: Store) -> None:
    store.put(event(1))
    assert all(isinstance(found, Event) for found in store.events())
