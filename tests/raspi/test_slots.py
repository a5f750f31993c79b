"""Updates by slots: what is installed, what is refused, and the way back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from slot_card import LIMITS, RASPI, RELEASES, UNHEALTHY, UNIT, Card, card_in, content, make_key

BAD = ("unhealthy", "crash", "flaky", "hang")


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    with card_in(tmp_path) as card:
        yield card


def copies(card: Card) -> list[str]:
    """The versions whose database is kept."""
    folder = card.own / "databases"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def versions(card: Card) -> list[str]:
    """What lies beside the slots' link."""
    return sorted(path.name for path in card.slots.iterdir() if path.name != "current")


def test_a_newer_version_is_found_and_installed(card: Card) -> None:
    card.publish({"version": "0.2.0"}, {"version": "0.10.0"}, {"version": "0.9.0"})
    done = card.update("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0.10.0 can be installed: `update apply`\n"
    assert card.current == "0.1.0"
    done = card.update("apply")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "0.1.0 was replaced by 0.10.0"
    assert card.is_healthy()
    card.assert_whole()
    assert versions(card) == ["0.1.0", "0.10.0"]
    status = card.status()
    assert (status["current"], status["previous"], status["newest"]) == ("0.10.0", "0.1.0", "0.10.0")
    assert not (card.own / "download").exists()
    card.cut_power()
    assert card.ran() == ["0.1.0", "0.10.0"]
    assert card.update("apply").stdout == "nothing newer\n"


def test_the_version_that_is_named_is_installed(card: Card) -> None:
    card.publish({"version": "0.2.0"}, {"version": "0.3.0"})
    assert card.update("apply", "0.2.0").returncode == 0
    assert card.current == "0.2.0"
    refused = card.update("apply", "0.1.0")
    assert (refused.returncode, refused.stderr) == (1, "update: the release index has no version 0.1.0\n")
    refused = card.update("apply", "0.2.0")
    assert "0.2.0 is not newer than 0.2.0" in refused.stderr


def test_only_the_previous_slot_is_kept(card: Card) -> None:
    for number in (2, 3, 4):
        card.publish({"version": f"0.{number}.0"}, serial=number)
        assert card.update("apply").returncode == 0
    assert versions(card) == ["0.3.0", "0.4.0"]


@pytest.mark.parametrize("behaviour", BAD)
def test_a_version_that_is_not_healthy_goes_and_the_database_is_as_it_was(card: Card, behaviour: str) -> None:
    card.publish({"version": "0.2.0", "behaviour": behaviour, "layout": 3})
    card.limits |= UNHEALTHY
    done = card.update("apply")
    assert done.returncode == 1
    assert done.stderr.startswith("update: 0.2.0 is not healthy (")
    assert done.stderr.endswith("; 0.1.0 is back, with its database\n")
    card.until(card.is_healthy)
    assert (card.current, versions(card), copies(card)) == ("0.1.0", ["0.1.0"], [])
    card.assert_whole()
    card.cut_power()
    assert card.ran() == ["0.1.0", "0.1.0"], "its own starts, and nothing of the other version"


def test_a_bad_version_is_not_tried_again_but_by_its_name(card: Card) -> None:
    card.publish({"version": "0.2.0", "behaviour": "crash"})
    card.limits |= UNHEALTHY
    assert card.update("apply").returncode == 1
    asked = len(card.served.asked)
    done = card.update("apply")
    assert (done.returncode, done.stderr[:48]) == (1, "update: 0.2.0 is not installed: not healthy (no ")
    assert not any(name.endswith(".xz") for name, _ in card.served.asked[asked:])
    card.limits |= LIMITS
    card.publish({"version": "0.2.0"}, {"version": "0.1.1"}, serial=2)
    assert card.update("apply").returncode == 0
    assert card.current == "0.1.1", "a good one is taken meanwhile"
    assert card.update("apply", "0.2.0").returncode == 0
    assert card.status()["bad"] == {}


@pytest.mark.parametrize(("behaviour", "why"), [("broken", "Illegal instruction"), ("healthy", "holds version 0.2.0")])
def test_a_slot_whose_program_does_not_run_here_never_replaces_the_node(card: Card, behaviour: str, why: str) -> None:
    card.publish({"version": "0.2.0", "behaviour": behaviour})
    if behaviour == "healthy":
        program = card.web / "0.2.0/bin/blikk"
        program.write_text(program.read_text().replace("SLOT.name", "'0.2.0'"))
        shutil.move(card.web / "0.2.0", card.web / "0.3.0")
        card.sign([card.pack(card.web / "0.3.0")])
    running = (card.root / "run/unit.lock").read_text()
    done = card.update("apply")
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.endswith("; nothing was changed\n")
    assert (card.current, versions(card)) == ("0.1.0", ["0.1.0"])
    assert (card.root / "run/unit.lock").read_text() == running, "it was not stopped"
    assert "is not installed" in card.update("apply").stderr


def test_a_node_that_was_ill_before_does_not_make_a_version_bad_at_once(card: Card) -> None:
    (card.slots / "0.1.0/behaviour").write_text("unhealthy")
    card.cut_power()
    card.systemctl("start", UNIT)
    card.publish({"version": "0.2.0", "behaviour": "crash"})
    card.limits |= UNHEALTHY
    assert card.update("apply").returncode == 1
    assert card.status()["bad"] == {}
    assert card.update("apply").returncode == 1
    assert list(card.status()["bad"]) == ["0.2.0"]


def test_a_node_that_somebody_stopped_stays_stopped(card: Card) -> None:
    card.cut_power()
    card.publish({"version": "0.2.0", "layout": 3})
    assert card.update("apply").returncode == 0
    assert (card.current, card.systemctl("is-active", UNIT)) == ("0.2.0", "inactive")
    assert card.ran() == ["0.1.0"]
    card.start()
    assert card.update("rollback").returncode == 0
    card.until(card.is_healthy)
    card.cut_power()
    assert card.ran() == ["0.1.0", "0.1.0"], "the new version changed the layout at its first start, after the update"


def test_rollback_keeps_a_database_that_the_old_version_can_read(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    assert card.update("apply").returncode == 0
    assert copies(card) == [], "what is forgotten now shall not stay in a copy that nobody needs"
    done = card.update("rollback")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "0.2.0 was replaced by 0.1.0")
    assert card.status()["bad"] == {"0.2.0": "you went back from it"}
    card.cut_power()
    assert card.ran() == ["0.1.0", "0.2.0", "0.1.0"]


def test_rollback_takes_the_old_database_where_todays_is_too_new(card: Card) -> None:
    card.publish({"version": "0.2.0", "layout": 3})
    assert card.update("apply").returncode == 0
    assert copies(card) == ["0.1.0"]
    done = card.update("rollback")
    assert (done.returncode, "is too new for 0.1.0" in done.stdout) == (0, True)
    card.cut_power()
    assert card.ran() == ["0.1.0", "0.1.0"]
    assert copies(card) == ["0.2.0"], "for whoever misses what happened since"
    card.start()
    assert card.update("rollback").returncode == 0, "and forward again"
    card.cut_power()
    assert (card.current, card.ran()) == ("0.2.0", ["0.1.0", "0.1.0", "0.1.0", "0.2.0"])


def test_a_rollback_that_fails_leaves_the_newer_version_with_its_database(card: Card) -> None:
    card.publish({"version": "0.2.0", "layout": 3})
    assert card.update("apply").returncode == 0
    (card.slots / "0.1.0/behaviour").write_text("unhealthy")
    card.limits |= UNHEALTHY
    assert card.update("rollback").returncode == 1
    card.until(card.is_healthy)
    (card.slots / "0.1.0/behaviour").write_text("healthy")
    card.limits |= LIMITS
    assert (card.current, copies(card)) == ("0.2.0", ["0.1.0"])
    assert card.update("rollback").returncode == 0, "the old database was not spent"
    card.cut_power()
    assert card.ran() == ["0.1.0", "0.1.0"]


def test_the_old_database_is_not_kept_for_ever(card: Card) -> None:
    card.publish({"version": "0.2.0", "layout": 3})
    assert card.update("apply").returncode == 0
    state = card.own / "state.json"
    known = json.loads(state.read_text())
    known["copied"] = (datetime.now(UTC) - timedelta(days=15)).isoformat()
    state.write_text(json.dumps(known))
    assert card.update("apply").stdout == "nothing newer\n"
    assert copies(card) == []
    done = card.update("rollback")
    assert (done.returncode, "0.1.0 cannot read the database of today" in done.stderr) == (1, True)
    assert card.is_healthy()


def test_there_is_nothing_to_go_back_to_at_first(card: Card) -> None:
    done = card.update("rollback")
    assert (done.returncode, done.stderr) == (1, "update: there is no previous version on this card\n")


def test_a_download_goes_on_where_it_was_cut_off(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    size = (card.web / "0.2.0.tar.xz").stat().st_size
    card.served.cut_after = 500
    done = card.update("apply")
    assert (done.returncode, "the connection ended" in done.stderr or "read" in done.stderr) == (1, True), done.stderr
    ranges = [wanted for name, wanted in card.served.asked if name.endswith(".xz")]
    assert ranges == [None, "bytes=500-", "bytes=1000-"]
    card.served.cut_after = None
    assert size > 1500
    assert card.update("apply").returncode == 0
    assert card.served.asked[-1] == ("0.2.0.tar.xz", "bytes=1500-")
    assert card.current == "0.2.0"


def test_a_server_without_ranges_is_asked_for_the_whole_file(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    card.served.cut_after = 500
    card.update("apply")
    card.served.cut_after, card.served.ranges = None, False
    assert card.update("apply").returncode == 0


def test_a_damaged_beginning_is_thrown_away(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    card.served.cut_after = 500
    card.update("apply")
    (part,) = (card.own / "download").iterdir()
    part.write_bytes(bytes(part.stat().st_size))
    card.served.cut_after = None
    assert card.update("apply").returncode == 0


@pytest.mark.parametrize("more", [b"", b"more"])
def test_an_archive_that_is_not_the_signed_one_is_refused(card: Card, more: bytes) -> None:
    card.publish({"version": "0.2.0"})
    archive = card.web / "0.2.0.tar.xz"
    signed = archive.read_bytes()
    archive.write_bytes(signed[:-1] + bytes([signed[-1] ^ 1]) + more)
    done = card.update("apply")
    assert done.returncode == 1
    assert "the file that was signed; nothing was changed" in done.stderr
    assert (card.current, versions(card)) == ("0.1.0", ["0.1.0"])
    archive.write_bytes(signed)
    assert card.update("apply").returncode == 0, "a mirror may be mended"


def test_an_index_that_nobody_signed_is_refused(card: Card, tmp_path: Path) -> None:
    card.publish({"version": "0.2.0"})
    index = card.web / "index.json"
    index.write_text(index.read_text().replace("0.2.0", "0.3.0"))
    done = card.update("apply")
    assert done.stderr == "update: the release index is not signed by a key of this card; nothing was changed\n"
    (tmp_path / "other").mkdir()
    other, public = make_key(tmp_path / "other")
    card.sign([], key=other)
    assert card.update("check").returncode == 1
    shutil.copy(public, card.root / "usr/share/blikk/update-keys/2.pem")
    assert card.update("check").returncode == 0, "a second key may take over"


def test_without_a_key_there_are_no_updates(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    (card.root / "usr/share/blikk/update-keys/1.pem").unlink()
    done = card.update("check")
    assert (done.returncode, "there is no key of a maintainer" in done.stderr) == (1, True)


def test_an_older_index_is_refused(card: Card) -> None:
    card.publish({"version": "0.2.0"}, serial=8)
    assert card.update("check").returncode == 0
    card.publish({"version": "0.3.0"}, serial=7)
    done = card.update("apply")
    assert (done.returncode, "serial 7 after 8" in done.stderr) == (1, True)
    assert card.current == "0.1.0"


@pytest.mark.parametrize(
    ("issued", "said"), [(-40, "expired on"), (400, "the clock is wrong; tried again when it is set")]
)
def test_an_index_of_another_time_is_refused(card: Card, issued: int, said: str) -> None:
    card.publish({"version": "0.2.0"}, issued=datetime.now(UTC) + timedelta(days=issued), serial=5)
    done = card.update("apply")
    assert (done.returncode, said in done.stderr, done.stderr.count("\n")) == (1, True, 1)
    card.publish({"version": "0.2.0"}, serial=4)
    assert card.update("apply").returncode == 0, "the serial of one that was refused does not count"


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ({"needs": 2}, "it needs a newer card image"),
        ({"python": "3.99"}, "it needs Python 3.99 and a newer card image"),
        ({"machine": "riscv64"}, "it is for riscv64"),
    ],
)
def test_a_version_that_does_not_fit_this_card_is_told(card: Card, release: dict[str, object], said: str) -> None:
    card.publish({"version": "0.3.0", **release}, {"version": "0.2.0"})
    done = card.update("apply", "0.3.0")
    assert (done.returncode, said in done.stderr) == (1, True)
    assert card.update("apply").returncode == 0
    assert card.current == "0.2.0"
    assert said in card.update("check").stderr


@pytest.mark.parametrize("name", ["../../etc", "current", "1.0.new", "", "1..0"])
def test_a_version_that_is_no_name_of_a_slot_makes_the_index_unreadable(card: Card, name: str) -> None:
    card.publish({"version": "0.2.0"})
    entry = json.loads((card.web / "index.json").read_text())["releases"][0]
    card.sign([entry | {"version": name}])
    done = card.update("apply")
    assert (done.returncode, "the release index cannot be read" in done.stderr) == (1, True)


@pytest.mark.parametrize("text", ["[]", "{}", '{"product": "another"}', "\x00"])
def test_a_signed_file_that_is_no_index_is_one_line(card: Card, text: str) -> None:
    card.publish()
    index = card.web / "index.json"
    index.write_text(text)
    RELEASES.sign(index, card.private)
    done = card.update("check")
    assert (done.returncode, done.stderr.count("\n"), "Traceback" in done.stderr) == (1, 1, False)


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_that_fails_is_one_line(card: Card, status: int) -> None:
    card.served.status = status
    done = card.update("apply")
    assert (done.returncode, f"the server answers {status}" in done.stderr, done.stderr.count("\n")) == (1, True, 1)
    assert len(card.served.asked) == (3 if status == 503 else 1)


def test_no_network_is_one_line(card: Card) -> None:
    card.served.port = 9  # nobody is there
    done = card.update("apply")
    assert (done.returncode, "Connection refused" in done.stderr, done.stderr.count("\n")) == (1, True, 1)
    assert card.is_healthy()


def test_two_at_once_do_not_meet(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    card.served.hold = threading.Event()
    with card.updating("apply") as first:
        card.until(lambda: any(name.endswith(".xz") for name, _ in card.served.asked))
        second = card.update("apply")
        assert (second.returncode, second.stderr) == (1, "update: another update is running\n")
        assert card.update("recover").stderr == "update: another update is running\n"
        assert card.status()["current"] == "0.1.0"
        card.served.hold.set()
        assert first.wait(120) == 0
    assert card.current == "0.2.0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_during_the_trial_brings_the_old_version_back(card: Card, number: int) -> None:
    card.publish({"version": "0.2.0", "behaviour": "unhealthy", "layout": 3})
    with card.updating("apply") as process:
        card.until(lambda: card.is_on_trial("0.2.0"))
        process.send_signal(number)
        _, error = process.communicate(timeout=120)
    assert (process.returncode, "it was stopped" in error) == (1, True)
    card.until(card.is_healthy)
    assert (card.current, card.status()["bad"]) == ("0.1.0", {}), "it was not the version's fault"
    card.cut_power()
    assert set(card.ran()) == {"0.1.0"}


def test_a_unit_that_cannot_be_stopped_is_left_alone(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    (card.root / "run/systemctl-fails").touch()
    done = card.update("apply")
    assert (done.returncode, done.stderr.count("\n"), card.current) == (1, 1, "0.1.0")
    (card.root / "run/systemctl-fails").unlink()
    assert card.update("apply").returncode == 0


def test_a_link_to_nothing_is_mended(card: Card) -> None:
    card.cut_power()
    (card.slots / "current").unlink()
    (card.slots / "current").symlink_to("7.7.7")
    assert card.update("recover", "--boot").returncode == 0
    assert card.current == "0.1.0"


def test_the_archive_cannot_write_outside_of_its_slot(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    slot = card.web / "0.2.0"
    shutil.rmtree(slot / "lib")
    (slot / "lib").symlink_to(card.root / "etc")
    entry = card.pack(slot)
    archive = card.web / "0.2.0.tar.xz"
    (card.root / "etc").mkdir()
    with tarfile.open(archive, "w:xz") as tar:
        for path in sorted(slot.rglob("*")):
            tar.add(path, path.relative_to(slot), recursive=False)
        tar.add(slot / "layout", "lib/passwd")
    made = archive.read_bytes()
    card.sign([entry | {"size": len(made), "sha256": sha256(made).hexdigest()}])
    done = card.update("apply")
    assert (done.returncode, "cannot be unpacked" in done.stderr) == (1, True)
    assert list((card.root / "etc").iterdir()) == []


def test_what_is_unpacked_is_for_all_to_read_and_for_nobody_else_to_write(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    for path in (card.web / "0.2.0").rglob("*"):
        if not path.is_symlink():
            path.chmod(0o4777 if path.is_dir() or path.name == "blikk" else 0o600)
    card.sign([card.pack(card.web / "0.2.0")])
    assert card.update("apply").returncode == 0
    modes = {path.stat().st_mode & 0o7777 for path in (card.slots / "0.2.0").rglob("*") if not path.is_symlink()}
    assert modes == {0o755, 0o644}
    assert (card.slots / "0.2.0/bin/python3").readlink() == Path("/usr/bin/python3")


def test_the_command_on_the_card_is_the_same(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    command = [sys.executable, "-I", RASPI / "rootfs/usr/lib/blikk/update", f"--root={card.root}"]
    command += [f"--from={card.served.index}", "check"]
    environ = card.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.access(command[2], os.X_OK)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Card]:
    """A card on a disk of 4 MB, which checks no room beforehand."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small disk: needs root")
    try:
        with card_in(tmp_path, root=disk / "root") as card:
            card.limits |= {"spare_bytes": -10_000_000}
            yield card
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_leaves_a_version_that_runs(small_disk: Card) -> None:
    card = small_disk
    card.publish({"version": "0.2.0", "layout": 3})
    large = card.web / "0.2.0/lib/large"
    large.write_bytes(os.urandom(400_000))
    (card.web / "0.2.0/content").write_text(json.dumps(content(card.web / "0.2.0")))
    card.sign([card.pack(card.web / "0.2.0")])
    filler = card.root / "filler"
    said = set()
    for spare_kb in range(0, 1400, 60):
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(card.root).free - spare_kb * 1024))
        done = card.update("apply")
        filler.unlink()
        card.assert_whole()
        card.until(card.is_healthy)
        if done.returncode == 0:
            break
        said.add(done.stderr)
        assert (card.current, done.stderr.count("\n")) == ("0.1.0", 1), done.stderr
    assert card.current == "0.2.0"
    assert "update: the card is full; nothing was changed\n" in said
    card.cut_power()
    assert card.ran()[-1] == "0.2.0"


def test_too_little_room_is_said_before_anything_is_fetched(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    card.limits |= {"spare_bytes": 1 << 60}
    done = card.update("apply")
    assert (done.returncode, "MB are free; nothing was changed" in done.stderr) == (1, True)
    assert not any(name.endswith(".xz") for name, _ in card.served.asked)


def test_where_there_is_no_room_for_three_the_previous_slot_goes(card: Card) -> None:
    card.publish({"version": "0.2.0"})
    assert card.update("apply").returncode == 0
    card.publish({"version": "0.3.0"}, serial=2)
    card.limits |= {"spare_bytes": 1 << 60}
    assert card.update("apply").returncode == 1
    assert versions(card) == ["0.2.0"]
    card.limits |= {"spare_bytes": 0}
    assert card.update("apply").returncode == 0
    assert versions(card) == ["0.2.0", "0.3.0"]
