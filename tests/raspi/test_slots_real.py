"""Updates with the real package in the slots: a real node, its real store, its real `health`."""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nowhere import NOWHERE
from slot_card import UNIT, Card, card_in

PACKAGE = Path(__file__).parents[2] / "blikk_edge"
CONFIG = "node: hallway\nmqtt: 127.0.0.1\ncameras:\n  front_door: {source: rtsp://127.0.0.1:9/1}\n"
PROGRAM = """\
#!{python} -P
import sys

sys.path.insert(0, {lib!r})
from blikk_edge.cli import main

sys.exit(main())
"""


def make(slot: Path, lib: Path | None = None) -> None:
    """A slot with this package as the version of its name; the libraries are those of the tests."""
    shutil.copytree(PACKAGE, slot / "lib/blikk_edge", ignore=shutil.ignore_patterns("__pycache__"))
    change(slot, "__init__.py", '__version__ = "', f'__version__ = "{slot.name}"\nMADE_FROM = "')
    (slot / "bin").mkdir()
    program = slot / "bin/blikk"
    program.write_text(PROGRAM.format(python=sys.executable, lib=str(lib or slot / "lib")))
    program.chmod(0o755)


def change(slot: Path, name: str, old: str, new: str) -> None:
    path = slot / "lib/blikk_edge" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    (tmp_path / "blikk.yaml").write_text(CONFIG)
    root = tmp_path / "root"
    unit = {
        **NOWHERE,
        "BLIKK_CONFIG": str(tmp_path / "blikk.yaml"),
        "RUNTIME_DIRECTORY": str(root / "run/blikk"),
        "STATE_DIRECTORY": str(root / "var/lib/blikk"),
        "CACHE_DIRECTORY": str(tmp_path / "cache"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(root / "var/lib"),
        "PYTHONPYCACHEPREFIX": str(tmp_path / "pycache"),
    }
    with card_in(tmp_path, make=make, unit=unit) as card:
        yield card


def looked_at(card: Card) -> tuple[int, list[str]]:
    """The layout of the store, and what the test wrote to it; its node does not run."""
    db = sqlite3.connect(card.database)
    try:
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return layout, [text for (text,) in db.execute("SELECT text FROM memory WHERE key = 'of the test'")]
    finally:
        db.close()


def publish(card: Card, version: str, serial: int, *, broken: bool = False) -> None:
    slot = card.web / version
    make(slot, card.slots / version / "lib")
    if broken:
        change(slot, "store/file.py", "LAYOUT: Final = 2", "LAYOUT: Final = 3")
        change(slot, "store/file.py", "        self._opened(db)\n", "        import os\n\n        os._exit(1)\n")
    card.sign([card.pack(slot)], serial=serial)


def test_a_real_node_is_updated_comes_back_from_a_bad_version_and_goes_back(card: Card) -> None:
    card.cut_power()
    db = sqlite3.connect(card.database)
    with db:
        db.execute("INSERT INTO memory VALUES ('of the test', 'kept')")
    db.close()
    card.start()

    publish(card, "0.2.0", 1)
    done = card.update("apply")
    assert (done.returncode, done.stderr) == (0, "")
    assert (card.current, card.is_healthy()) == ("0.2.0", True)

    publish(card, "0.3.0", 2, broken=True)
    card.limits |= {"health_s": 20.0}
    done = card.update("apply")
    assert (done.returncode, done.stderr) == (
        1,
        "update: 0.3.0 is not healthy (no node runs here); 0.2.0 is back, with its database\n",
    )
    card.until(card.is_healthy)
    card.cut_power()
    assert (card.current, looked_at(card)) == ("0.2.0", (2, ["kept"]))

    card.start()
    assert card.update("rollback").returncode == 0
    assert (card.current, card.systemctl("is-active", UNIT), card.is_healthy()) == ("0.1.0", "active", True)
    card.cut_power()
    assert looked_at(card) == (2, ["kept"])
