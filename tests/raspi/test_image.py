"""The built image in emulated boards: BLIKK_IMAGE_TESTS=1, after `raspi/build`; `raspi/test` does both.

BLIKK_IMAGE_REBOOTS says how often it is started anew, every other time by cutting its power.
"""

import base64
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from machine import CACHE, HOST, Machine
from made_once import made_once
from rtsp_server import RtspServer
from staging import Ears
from visitor import clip, face_is_blurred

pytestmark = [
    pytest.mark.skipif(os.environ.get("BLIKK_IMAGE_TESTS") != "1", reason="takes half an hour: raspi/test"),
    pytest.mark.timeout(4 * 3600),
]
REBOOTS = int(os.environ.get("BLIKK_IMAGE_REBOOTS", "24"))

CONFIG = f"""\
node: hallway
mqtt: {{host: {HOST}, username: blikk, password: !secret mqtt_password}}
cameras:
  front_door: {{source: "rtsp://{HOST}:8554/cam", transport: tcp, select: {{every_s: 5s}}}}
health_every_s: 10s
# light enough for an emulated processor, and on every card
detectors: {{default: {{model: blazepose-person}}}}
privacy: {{model: blazeface-full}}
"""
SECRETS = "mqtt_password: open sesame\n"
BAD = "node: hallway\nmqtt: broker.local\ncameras:\n  front_door: {sauce: rtsp://192.168.1.20/stream1}\n"

# as Raspberry Pi Imager 2 writes it, with a name, a user and a key
SEED = """\
#cloud-config
hostname: porch
manage_etc_hosts: true
timezone: Europe/Berlin
keyboard:
  model: pc105
  layout: "de"
enable_ssh: true
users:
- name: ada
  groups: users,adm,dialout,audio,netdev,video,plugdev,cdrom,games,input,gpio,spi,i2c,render,sudo
  shell: /bin/bash
  lock_passwd: true
  ssh_authorized_keys:
    - {key}
  sudo: ALL=(ALL) NOPASSWD:ALL
"""


@pytest.fixture(scope="module")
def server(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    path = made_once(tmp_path_factory, "visitor.mp4", lambda path: clip(path, photographs))
    with RtspServer(path, transport="tcp") as server:
        yield server


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", path], check=True)
    return path


def seed(machine: Machine, key: Path) -> None:
    """What Imager and the user put on the card."""
    machine.put("user-data", SEED.format(key=key.with_suffix(".pub").read_text().strip()))
    machine.put("blikk.yaml", CONFIG)
    machine.put("secrets.yaml", SECRETS)


def keep(machine: Machine, name: str) -> None:
    """The console and the screen of this test, for whoever wants to look."""
    folder = CACHE / "seen"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.log").write_text(machine.console)


def test_without_a_configuration_it_says_what_to_do_and_then_what_is_wrong(tmp_path: Path) -> None:
    with Machine(tmp_path) as machine:
        machine.start()
        until_login = machine.wait_for("blikk login:")
        keep(machine, "set-up")
        machine.photograph(CACHE / "seen" / "set-up.png")
        assert "Blikk Edge has no configuration yet" in until_login
        assert "[FAILED]" not in until_login
        assert not machine.ssh_answers(), "nobody asked for it"
        machine.cut_power()
        assert "Copy blikk-example.yaml there to blikk.yaml" in (machine.get("blikk-errors.txt") or "")
        machine.put("blikk.yaml", BAD)
        machine.start()
        assert "Did you mean `source`?" in machine.wait_for("blikk login:")
        machine.photograph(CACHE / "seen" / "errors.png")
        machine.cut_power()
        keep(machine, "errors")
        assert "blikk.yaml:4: cameras.front_door.sauce" in (machine.get("blikk-errors.txt") or "")
        assert machine.damage() == ""


@pytest.mark.parametrize("board", ["virt", "raspi3b"])
def test_a_visit_is_reported_with_a_blurred_face(
    tmp_path: Path, server: RtspServer, photographs: Path, key: Path, board: str
) -> None:
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        Machine(tmp_path, board=board, inward={1883: broker.port, 8554: server.port}) as machine,
    ):
        seed(machine, key)
        machine.start()
        until_login = machine.wait_for("porch login:")
        keep(machine, board)
        assert "[FAILED]" not in until_login
        ears.until(lambda: b"online" in ears.on("/front_door/status"), 300, "the stream")
        ears.until(lambda: [e for e in ears.json_on("/event") if e["label"] == "person"], 300, "the visit")
        ears.until(lambda: ears.on("/picture/person"), 300, "its picture")
        (CACHE / "seen" / f"{board}.jpg").write_bytes(ears.on("/picture/person")[-1])
        for jpeg in ears.on("/picture/person"):
            face_is_blurred(jpeg, photographs)
        # sudo: the runtime folder of a made-up user is closed to all but root
        said = machine.ssh(key, "sudo blikk health && systemctl is-system-running --wait && systemctl --failed --plain")
        keep(machine, board)
        assert re.fullmatch(r"hallway: fine, .+\nrunning\n.*0 loaded units listed.*", said, re.DOTALL), said
        root_mb = int(machine.ssh(key, "df -BM --output=size / | tail -1").strip(" M\n"))
        assert root_mb > 3000, "the root partition takes the whole card"
        assert machine.ssh(key, "sudo ls /var/log/journal 2>&1; sudo swapon --noheadings --show=NAME").endswith(
            "/dev/zram0\n"
        )
        assert "policy drop" in machine.ssh(key, "sudo nft list chain inet filter input")
        machine.ssh(key, "sudo systemctl poweroff")
        machine.wait_for("Power down" if board == "virt" else "System halted")
        machine.cut_power()
        assert machine.get("blikk-errors.txt") is None
        assert machine.damage() == ""


def test_starting_anew_leaves_no_damage(tmp_path: Path, server: RtspServer, key: Path) -> None:
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        Machine(tmp_path, inward={1883: broker.port, 8554: server.port}) as machine,
    ):
        seed(machine, key)
        machine.start()
        for number in range(REBOOTS + 1):
            assert "[FAILED]" not in machine.wait_for("porch login:")
            ears.until(lambda: ears.on("/hallway/status")[-1:] == [b"online"], 300, f"the node, start {number}")
            assert machine.ssh(key, "sudo blikk health").startswith("hallway: fine"), f"start {number}"
            if number == REBOOTS:
                break
            if number % 2:
                machine.ssh(key, "sudo systemctl reboot")
            else:
                machine.cut_power()
                assert machine.damage() == "", f"after start {number}"
                machine.start()
            # the broker says so, of a node whose power was cut when it is not heard of any more
            ears.until(lambda: ears.on("/hallway/status")[-1:] == [b"offline"], 300, f"its end, start {number}")
        assert machine.ssh(key, "systemctl --failed --no-legend --plain") == ""
        store = machine.ssh(key, "sudo sh -c 'systemctl stop blikk-edge; base64 -w0 /var/lib/blikk/hallway.db'")
        machine.cut_power()
        keep(machine, "reboots")
        assert machine.damage() == ""
        whole(tmp_path / "hallway.db", store)


def whole(path: Path, text: str) -> None:
    """Fails unless this is a whole store."""
    path.write_bytes(base64.b64decode(text))
    with sqlite3.connect(path) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
