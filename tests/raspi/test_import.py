"""The card's configuration is taken over where it is right, and what is wrong is said where the user looks."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

LIB = Path(__file__).parents[2] / "raspi" / "rootfs" / "usr" / "lib"
IMPORT = LIB / "blikk" / "import"
UNIT = LIB / "systemd" / "system" / "blikk-import.service"
GOOD = """\
node: hallway
mqtt: {host: broker.local, username: blikk, password: !secret mqtt_password}
cameras:
  front_door: {source: rtsp://192.168.1.20/stream1}
"""
SECRETS = "mqtt_password: open sesame\n"
BAD = "node: hallway\nmqtt: broker.local\ncameras:\n  front_door: {sauce: rtsp://192.168.1.20/stream1}\n"


@dataclass(frozen=True)
class Card:
    """The folders of a card: `boot` is the FAT partition."""

    boot: Path
    etc: Path
    issue: Path

    @property
    def errors(self) -> Path:
        return self.boot / "blikk-errors.txt"

    def start(self) -> subprocess.CompletedProcess[str]:
        """What happens at each start."""
        unit = UNIT.read_text()
        (words,) = (line.partition("=")[2] for line in unit.splitlines() if line.startswith("Environment="))
        # the unit's, and a home that cannot be written to
        environment = dict(word.split("=", 1) for word in words.split()) | {"HOME": "/proc/none"}
        environment |= {"BLIKK_BOOT": str(self.boot), "BLIKK_ETC": str(self.etc), "BLIKK_ISSUE": str(self.issue)}
        environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run([IMPORT], env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    boot, etc = tmp_path / "boot", tmp_path / "etc"
    boot.mkdir()
    etc.mkdir()
    return Card(boot=boot, etc=etc, issue=tmp_path / "blikk.issue")


def test_without_a_configuration_the_card_says_what_to_do(card: Card) -> None:
    done = card.start()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Copy blikk-example.yaml there to blikk.yaml" in done.stdout
    assert card.errors.read_text() == done.stdout
    assert card.issue.read_text().strip() == done.stdout.strip()
    assert not (card.etc / "blikk.yaml").exists()


@pytest.mark.parametrize("name", ["blikk.yml", "blikk.yaml.txt"])
def test_a_file_with_nearly_the_right_name_is_pointed_at(card: Card, name: str) -> None:
    (card.boot / name).write_text(GOOD)
    card.start()
    assert name in card.errors.read_text()


def test_a_good_configuration_is_taken_with_its_secrets(card: Card) -> None:
    (card.boot / "blikk.yaml").write_text(GOOD)
    (card.boot / "secrets.yaml").write_text(SECRETS)
    for path in card.boot.iterdir():
        path.chmod(0o700)  # as the FAT partition is mounted
    card.errors.write_text("of the start before")
    done = card.start()
    assert (done.returncode, done.stderr) == (0, "")
    assert "node hallway, camera front_door" in done.stdout
    assert (card.etc / "blikk.yaml").read_text() == GOOD
    assert (card.etc / "secrets.yaml").read_text() == SECRETS
    assert not card.errors.exists()
    assert {path.name for path in card.etc.iterdir()} == {"blikk.yaml", "secrets.yaml", ".taken"}
    modes = {path.stat().st_mode & 0o777 for path in card.etc.glob("*.yaml")}
    assert modes == {0o640}, "the node's group may read them, and nobody else"


@pytest.mark.parametrize(
    "text", [GOOD.replace("\n", "\r\n"), "\N{BYTE ORDER MARK}" + GOOD], ids=["CRLF", "byte order mark"]
)
def test_what_an_editor_of_windows_writes_is_taken(card: Card, text: str) -> None:
    (card.boot / "blikk.yaml").write_bytes(text.encode())
    (card.boot / "secrets.yaml").write_bytes(SECRETS.replace("\n", "\r\n").encode())
    assert card.start().returncode == 0


def test_a_bad_configuration_is_told_by_line_and_not_taken(card: Card) -> None:
    (card.boot / "blikk.yaml").write_text(BAD)
    done = card.start()
    assert done.returncode == 78
    errors = card.errors.read_text()
    assert "blikk.yaml:4: cameras.front_door.sauce: the key `sauce` is not known here. Did you mean `source`?" in errors
    assert "it watches nothing" in errors
    assert str(card.etc) not in errors, "the user knows the file by its name"
    assert errors == done.stdout
    assert list(card.etc.iterdir()) == []


def test_a_missing_secret_is_told(card: Card) -> None:
    (card.boot / "blikk.yaml").write_text(GOOD)
    assert card.start().returncode == 78
    assert "mqtt.password: there is no `secrets.yaml`" in card.errors.read_text()


def test_a_bad_configuration_leaves_the_one_before(card: Card) -> None:
    for name, text in (("blikk.yaml", GOOD), ("secrets.yaml", SECRETS)):
        (card.boot / name).write_text(text)
    card.start()
    (card.boot / "blikk.yaml").write_text(BAD)
    assert card.start().returncode == 78
    assert "it watches with the one before" in card.errors.read_text()
    assert (card.etc / "blikk.yaml").read_text() == GOOD
    (card.boot / "blikk.yaml").write_text(GOOD)
    assert card.start().returncode == 0
    assert not card.errors.exists()


def test_an_edit_on_the_device_stays_until_the_card_has_another(card: Card) -> None:
    for name, text in (("blikk.yaml", GOOD), ("secrets.yaml", SECRETS)):
        (card.boot / name).write_text(text)
    card.start()
    edited = GOOD.replace("hallway", "shed")
    (card.etc / "blikk.yaml").write_text(edited)
    card.start()
    assert (card.etc / "blikk.yaml").read_text() == edited
    (card.boot / "blikk.yaml").write_text(GOOD.replace("hallway", "garden"))
    card.start()
    assert "node: garden" in (card.etc / "blikk.yaml").read_text()


def test_new_secrets_alone_are_taken(card: Card) -> None:
    for name, text in (("blikk.yaml", GOOD), ("secrets.yaml", SECRETS)):
        (card.boot / name).write_text(text)
    card.start()
    (card.boot / "secrets.yaml").write_text("mqtt_password: another\n")
    card.start()
    assert (card.etc / "secrets.yaml").read_text() == "mqtt_password: another\n"


def test_secrets_may_be_removed_from_the_card_once_they_are_taken(card: Card) -> None:
    for name, text in (("blikk.yaml", GOOD), ("secrets.yaml", SECRETS)):
        (card.boot / name).write_text(text)
    card.start()
    (card.boot / "secrets.yaml").unlink()
    assert card.start().returncode == 0
    assert (card.etc / "secrets.yaml").read_text() == SECRETS


def test_a_start_that_was_cut_is_done_again(card: Card) -> None:
    for name, text in (("blikk.yaml", GOOD), ("secrets.yaml", SECRETS)):
        (card.boot / name).write_text(text)
    (card.etc / ".new").mkdir()
    (card.etc / ".new" / "blikk.yaml").write_text("half of it")
    (card.etc / "secrets.yaml").write_text(SECRETS)
    assert card.start().returncode == 0
    assert {path.name for path in card.etc.iterdir()} == {"blikk.yaml", "secrets.yaml", ".taken"}


def test_nothing_is_written_to_a_card_on_which_nothing_changed(card: Card) -> None:
    card.start()
    before = card.errors.stat().st_mtime_ns
    card.start()
    assert card.errors.stat().st_mtime_ns == before


@pytest.mark.parametrize("on_card", [True, False], ids=["card", "device"])
def test_what_a_new_version_does_not_read_any_more_is_told_where_the_user_looks(card: Card, on_card: bool) -> None:
    (card.etc / "blikk.yaml").write_text(f"{GOOD}media:\n  token: !secret mqtt_password\n  port: 8428\n")
    (card.etc / "secrets.yaml").write_text(SECRETS)
    if on_card:  # as the version before has taken it
        (card.boot / "blikk.yaml").write_text(GOOD)
        (card.boot / "secrets.yaml").write_text(SECRETS)
        names = ("blikk.yaml", "secrets.yaml")
        sums = [f"{hashlib.sha256((card.boot / name).read_bytes()).hexdigest()}  {name}" for name in names]
        (card.etc / ".taken").write_text("\n".join(sums) + "\n")
    done = card.start()
    assert (done.returncode, done.stderr) == (0, "")
    for told in (done.stdout, card.errors.read_text(), card.issue.read_text()):
        assert "`media.port` (line" in told
        assert "\nhttp:\n  port: 8428\n" in told
    (card.etc / "blikk.yaml").write_text(GOOD)
    assert "Blikk Edge watches with" in card.start().stdout
    assert not card.errors.exists()
