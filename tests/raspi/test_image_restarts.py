"""The built image, started anew again and again: BLIKK_IMAGE_TESTS=1; `raspi/test -n 24`.

BLIKK_IMAGE_RESTARTS says how often, every other time by cutting its power.
"""

import base64
import itertools
import os
import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from broker import Broker
from container import Container
from machine import ARCH, CACHE, Machine, from_card
from rtsp_server import RtspServer
from seeded import keep, seed
from staging import Ears

pytestmark = [
    pytest.mark.skipif(os.environ.get("BLIKK_IMAGE_TESTS") != "1", reason="takes an hour: raspi/test"),
    pytest.mark.timeout(4 * 3600),
]
RESTARTS = int(os.environ.get("BLIKK_IMAGE_RESTARTS", "24"))
CUTS = ("", "Reached target local-fs.target", "porch login:", "Starting blikk-edge.service")
"""Power is cut once the console says one of them in turn; the first: once the node works."""


@pytest.mark.skipif(ARCH == "amd64", reason="is tried in a container")
def test_starting_anew_leaves_no_damage(tmp_path: Path, server: RtspServer, key: Path) -> None:
    times = CACHE / "seen" / "restarts.txt"
    times.parent.mkdir(exist_ok=True)
    times.write_text("")
    cuts = itertools.cycle(CUTS)
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        Machine(tmp_path, inward={1883: broker.port, 8554: server.port}) as machine,
    ):

        def says(status: bytes) -> bool:
            return ears.on("/hallway/status")[-1:] == [status]

        seed(machine, key)
        machine.start()
        for number in range(RESTARTS + 1):
            began = time.monotonic()
            in_order = number % 2 == 1 or number == RESTARTS
            cut = "" if in_order else next(cuts)
            machine.wait_for("Linux version")  # after what the end of the last run said
            until = machine.wait_for(cut or "porch login:")
            assert "[FAILED]" not in until, f"start {number}"
            if not cut:
                ears.until(lambda: says(b"online"), 600, f"the node, start {number}")
            took = time.monotonic() - began
            with times.open("a") as file:
                file.write(f"{number:2}  {took:5.0f} s  {'ended in order' if in_order else f'cut: {cut or chr(45)}'}\n")
            if number == RESTARTS:
                break
            if in_order:
                assert "hallway: fine" in machine.ssh(key, "sudo blikk health; sudo systemctl reboot")
            else:
                machine.cut_power()
                assert machine.damage() == "", f"after start {number}, cut at {cut!r}"
                machine.start()
            # the broker says so, of a node whose power was cut when it is not heard of any more
            ears.until(lambda: not says(b"online"), 300, f"its end, start {number}")
        assert machine.ssh(key, "systemctl --failed --no-legend --plain") == ""
        store = machine.ssh(key, "sudo sh -c 'systemctl stop blikk-edge; base64 -w0 /var/lib/blikk/hallway.db'")
        machine.cut_power()
        keep(machine, "restarts")
        assert machine.damage() == ""
        (tmp_path / "hallway.db").write_bytes(base64.b64decode(store))
        whole(tmp_path / "hallway.db")


CONFIG = """\
node: hallway
mqtt: false
cameras: {front_door: {source: rtsp://127.0.0.1:9/1}}
detectors: {default: {model: blazepose-person}}
privacy: {model: blazeface-full}
"""


@pytest.mark.skipif(ARCH != "amd64", reason="a card of this machine's processor is wanted: ARCH=amd64 raspi/build")
def test_starting_anew_leaves_a_whole_store_in_a_container(tmp_path: Path) -> None:
    """Every other time all programs are killed, at any moment of the first seconds of a start."""
    times = CACHE / "seen" / "restarts.txt"
    times.parent.mkdir(exist_ok=True)
    times.write_text("")
    chance = random.Random(RESTARTS)
    from_card("/", tmp_path / "tree")
    container = Container(tmp_path / "tree", tmp_path, config=CONFIG)
    database = tmp_path / "tree/var/lib/private/blikk/hallway.db"
    try:
        for number in range(RESTARTS + 1):
            began = time.monotonic()
            in_order = number % 2 == 0 or number == RESTARTS
            if in_order:
                container.start()
                container.run("until blikk health; do sleep 0.2; done")
                assert container.run("systemctl --failed --no-legend --plain") == "", f"start {number}"
                how = f"healthy after {time.monotonic() - began:.1f} s, ended in order"
                container.power_off()
            else:
                container.begin()
                after_s = chance.uniform(0.0, 6.0)
                time.sleep(after_s)
                container.cut_power()
                how = f"cut after {after_s:.1f} s"
            whole(copied(database, tmp_path))
            with times.open("a") as file:
                file.write(f"{number:2}  {how}\n")
    finally:
        container.close()


def copied(database: Path, to: Path) -> Path:
    """A copy of a database with its log, as another start would find them."""
    copy = to / "copy.db"
    for end in ("", "-wal"):
        part = Path(f"{copy}{end}")
        part.unlink(missing_ok=True)
        if Path(f"{database}{end}").exists():
            shutil.copyfile(f"{database}{end}", part)
    return copy


def whole(path: Path) -> None:
    """Fails unless this is a whole store."""
    with closing(sqlite3.connect(path)) as store, store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
