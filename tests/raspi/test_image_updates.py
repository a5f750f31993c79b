"""Updates of a booted card: BLIKK_IMAGE_TESTS=1, after `raspi/build`; `raspi/test -k updates`.

The versions are made from the one on the card: 0.2.0 is the same; later ones change the layout of the database, and
then end or hang.
"""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from container import Container
from machine import ARCH, HOST, Machine, from_card
from seeded import keep, seed
from slot_card import RELEASES, make_key
from slot_web import Web, serve

pytestmark = [
    pytest.mark.skipif(os.environ.get("BLIKK_IMAGE_TESTS") != "1", reason="takes half an hour: raspi/test"),
    pytest.mark.timeout(4 * 3600),
]
CONFIG = """\
node: hallway
# the machine's clock is slower than that of a broker outside
mqtt: false
cameras:
  front_door: {source: rtsp://127.0.0.1:9/1}
detectors: {default: {model: blazepose-person}}
privacy: {model: blazeface-full}
"""
PACKAGES = "lib/python3.13/site-packages"
WEB = 8000
STATE = "/var/lib/blikk-update/state.json"
DATABASE = "/var/lib/blikk/hallway.db"
LAYOUT = f"od -An -j60 -N4 -tu1 {DATABASE}"
"""Says where SQLite keeps its user's version: four bytes, of which the last one counts."""

BROKEN = """\
#!/usr/bin/python3 -P
import sys

sys.path[:0] = ["/opt/blikk/{version}/lib", "/opt/blikk/0.2.0/{packages}"]
from blikk_edge.cli import main

sys.exit(main())
"""
SQL = f"""\
systemctl stop blikk-edge
python3 - << 'END'
import sqlite3
database = sqlite3.connect("{DATABASE}")
with database:
    print(database.execute("{{statement}}").fetchone())
database.close()
END
systemctl start blikk-edge
"""
UNIT = """\
[Service]
ExecStart=
ExecStart=/usr/lib/blikk/update --from {index} apply
"""


@pytest.fixture(scope="module")
def slot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slot of the card, as the image has it."""
    folder = tmp_path_factory.mktemp("slot")
    from_card("/opt/blikk", folder)
    found = folder / "blikk"
    return found / (found / "current").readlink()


def new_version(slot: Path, folder: Path, version: str) -> Path:
    """The whole slot as another version."""
    made = folder / version
    shutil.copytree(slot, made, symlinks=True)
    replace(made / "bin/blikk", f"/opt/blikk/{slot.name}/", f"/opt/blikk/{version}/")
    replace(made / PACKAGES / "blikk_edge/__init__.py", f'"{slot.name}"', f'"{version}"')
    return made


def broken_version(slot: Path, folder: Path, version: str, end: str) -> Path:
    """A version with the libraries of 0.2.0, which changes the layout of the database, and then does `end`."""
    made = folder / version
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(slot / PACKAGES / "blikk_edge", made / "lib/blikk_edge", ignore=ignored)
    replace(made / "lib/blikk_edge/__init__.py", f'"{slot.name}"', f'"{version}"')
    replace(made / "lib/blikk_edge/store/file.py", "LAYOUT: Final = 2", "LAYOUT: Final = 3")
    replace(made / "lib/blikk_edge/store/file.py", "        self._opened(db)\n", f"        {end}\n")
    (made / "bin").mkdir()
    (made / "bin/blikk").write_text(BROKEN.format(version=version, packages=PACKAGES))
    (made / "bin/blikk").chmod(0o755)
    return made


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new))


class Qemu:
    """A card in an emulated board."""

    def __init__(self, folder: Path, key: Path, web: Web) -> None:
        # on its own clock: a new version has two minutes
        self._machine = Machine(folder, inward={WEB: web.port}, own_clock=True)
        self._key = key
        self.index = f"http://{HOST}:{WEB}/index.json"
        self.cut_power, self.damage = self._machine.cut_power, self._machine.damage
        seed(self._machine, key, config=CONFIG)

    def boot(self) -> None:
        self._machine.start()
        assert "[FAILED]" not in self._machine.wait_for("porch login:")

    def run(self, script: str, limit_s: float = 1800) -> str:
        return self._machine.ssh(self._key, "sudo sh -s", stdin=script, limit_s=limit_s)

    def close(self) -> None:
        keep(self._machine, "updates")
        self._machine.cut_power()


class Podman:
    """A card in a container."""

    def __init__(self, folder: Path, web: Web) -> None:
        from_card("/", folder / "tree")
        self._container = Container(folder / "tree", web.folder, config=CONFIG)
        self.index = "http://127.0.0.1:8000/index.json"
        self.cut_power, self.run = self._container.cut_power, self._container.run
        self.boot, self.close = self._container.start, self._container.close

    def damage(self) -> str:
        """The disk is not the card's own."""
        return ""


class Card:
    """A booted card, and what is published for it."""

    def __init__(self, booted: Qemu | Podman, web: Web, private: Path) -> None:
        self.run = booted.run
        self._web, self._private = web, private
        self._serial = 0

    def publish(self, slot: Path) -> None:
        self._serial += 1
        archive = self._web.folder / f"{slot.name}.slot.tar.xz"
        entry = RELEASES.pack(
            slot, archive, machine={"arm64": "aarch64", "amd64": "x86_64"}[ARCH], python="3.13", preset=0
        )
        index = self._web.folder / "index.json"
        index.write_bytes(RELEASES.index([entry], serial=self._serial, issued=datetime.now(UTC), days=30))
        RELEASES.sign(index, self._private)

    def update(self) -> str:
        """What the unit of the nightly update says; waits for its end."""
        logged = "journalctl -u blikk-update --output=cat --since=-30min"
        return self.run(f"systemctl start blikk-update; {logged}", limit_s=5400)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("/usr/lib/blikk/update --json status"))
        return found

    def wait_until_healthy(self) -> None:
        self.run("until blikk health; do sleep 1; done", limit_s=1800)

    def until(self, condition: str) -> None:
        self.run(f"until {condition}; do sleep 0.2; done", limit_s=3600)

    def layout(self) -> int:
        """Of the node's database."""
        return int(self.run(LAYOUT).split()[-1])

    def write(self, path: str, text: str) -> None:
        self.run(f"mkdir -p {Path(path).parent}\ncat > {path} << 'END'\n{text}END\n")

    def sql(self, statement: str) -> str:
        """The first row of an answer of the node's database, while the node is stopped."""
        return self.run(SQL.format(statement=statement)).strip()


@pytest.fixture
def booted(tmp_path: Path, key: Path) -> Iterator[tuple[Qemu | Podman, Card]]:
    """A card that has been started, with a key of a maintainer; its index is on this machine."""
    (tmp_path / "web").mkdir()
    private, public = make_key(tmp_path)
    with serve(tmp_path / "web") as web:
        booted = Podman(tmp_path, web) if ARCH == "amd64" else Qemu(tmp_path, key, web)
        try:
            booted.boot()
            card = Card(booted, web, private)
            # what an image with a key has; and where its release is
            card.write("/usr/share/blikk/update-keys/1.pem", public.read_text())
            card.write("/etc/systemd/system/blikk-update.service.d/here.conf", UNIT.format(index=booted.index))
            card.run("systemctl daemon-reload")
            card.wait_until_healthy()
            yield booted, card
        finally:
            booted.close()


def test_updates_the_way_back_and_power_cuts(tmp_path: Path, slot: Path, booted: tuple[Qemu | Podman, Card]) -> None:
    machine, card = booted
    first = slot.name
    assert card.sql("INSERT INTO memory VALUES ('of the test', 'kept')") == "None"

    # the power goes while a version is unpacked
    card.publish(new_version(slot, tmp_path / "web", "0.2.0"))
    card.run("systemctl start --no-block blikk-update")
    card.until(f"test -e /opt/blikk/0.2.0.new/{PACKAGES}/numpy")
    machine.cut_power()
    assert machine.damage() == ""
    machine.boot()
    card.wait_until_healthy()
    assert card.status()["current"] == first

    # the same version is installed, and stays
    said = card.update()
    assert f"{first} was replaced by 0.2.0" in said, said
    status = card.status()
    assert (status["current"], status["previous"], status["bad"]) == ("0.2.0", first, {})
    assert "0.2.0" in card.run("blikk version")
    assert "hallway: fine" in card.run("blikk health")

    # a version that ends is taken back, and the database with it
    card.publish(broken_version(slot, tmp_path / "web", "0.3.0", "import os; os._exit(1)"))
    said = card.update()
    assert "0.3.0 is not healthy" in said, said
    assert "0.2.0 is back, with its database" in said
    card.wait_until_healthy()
    status = card.status()
    assert (status["current"], status["change"], list(status["bad"])) == ("0.2.0", None, ["0.3.0"])
    assert card.run("ls /opt/blikk").split() == [first, "0.2.0", "current"]
    assert card.layout() == 2

    # the power goes while a version is on trial, which has changed the database
    card.publish(broken_version(slot, tmp_path / "web", "0.4.0", "import time; time.sleep(3600)"))
    card.run("systemctl start --no-block blikk-update")
    card.until(f'grep -q switched {STATE} && {LAYOUT} | grep -q "3$"')
    machine.cut_power()
    assert machine.damage() == ""
    machine.boot()
    card.wait_until_healthy()
    status = card.status()
    assert (status["current"], status["change"], status["tries"]) == ("0.2.0", None, {"0.4.0": 1})
    assert "cut off while the new version was on trial; back to 0.2.0" in status["last"]
    assert card.layout() == 2
    assert card.sql("SELECT text FROM memory WHERE key = 'of the test'") == "('kept',)"

    # and back to the first one by hand
    card.wait_until_healthy()
    assert f"0.2.0 was replaced by {first}" in card.run("/usr/lib/blikk/update rollback 2>&1")
    status = card.status()
    assert (status["current"], status["previous"]) == (first, "0.2.0")
    card.wait_until_healthy()
    machine.cut_power()
    assert machine.damage() == ""
