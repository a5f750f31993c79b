"""The built image in emulated boards: BLIKK_IMAGE_TESTS=1, after `raspi/build`; `raspi/test` does both."""

import os
import re
from pathlib import Path

import pytest
from broker import Broker
from machine import ARCH, CACHE, Machine
from rtsp_server import RtspServer
from seeded import keep, seed
from staging import Ears
from visitor import face_is_blurred

pytestmark = [
    pytest.mark.skipif(os.environ.get("BLIKK_IMAGE_TESTS") != "1", reason="takes half an hour: raspi/test"),
    pytest.mark.skipif(ARCH != "arm64", reason="a card for a board is wanted"),
    pytest.mark.timeout(4 * 3600),
]
BAD = "node: hallway\nmqtt: broker.local\ncameras:\n  front_door: {sauce: rtsp://192.168.1.20/stream1}\n"


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
        # the runtime folder of a made-up user is closed to all but root
        assert "use sudo" in machine.ssh(key, "blikk health")
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
        machine.wait_for("System halted" if board == "raspi3b" else "Power down")
        machine.cut_power()
        assert machine.get("blikk-errors.txt") is None
        assert machine.damage() == ""
