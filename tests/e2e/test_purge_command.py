"""`blikk purge`: what the broker keeps of a dead node goes, and nothing else does."""

import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest
from broker import Broker
from patience import PATIENCE
from ports import free_port
from staging import BLIKK, BlikkRun, Ears, kept

BASE = "blikk/old_pi"


def config(folder: Path, port: int, node: str) -> str:
    # a camera that is away: the node runs, and has nothing to look at
    source = f"rtsp://127.0.0.1:{free_port()}/none"
    mqtt, store = f"{{host: 127.0.0.1, port: {port}}}", f"{{path: {folder}/{node}.db}}"
    return f"node: {node}\nmqtt: {mqtt}\nstore: {store}\ncameras:\n  front_door: {{source: '{source}'}}\n"


@pytest.fixture
def dead(tmp_path: Path, broker: Broker) -> Path:
    """A node that was killed, whose topics are kept, and the configuration of another."""
    with BlikkRun(tmp_path, config(tmp_path, broker.port, "old_pi"), models=None) as run, Ears(broker.port) as ears:
        ears.until(lambda: ears.on("camera_front_door/config"), 30, "the node's discovery")
        ears.say(f"{BASE}/front_door/picture/person", b"\xff\xd8 a picture \xff\xd9", retain=True)
        ears.say(f"{BASE}/ha/claim", b'{"by": "somebody"}', retain=True)
        ears.until(lambda: b"" in ears.on("camera_front_door/config"), 30, "discovery is withdrawn")
        ears.say(f"{BASE}/ha/claim", b"", retain=True)
        ears.until(lambda: ears.on("camera_front_door/config")[-1], 30, "discovery is back")
        ears.say("blikk/old_pi_2/announce", b"another's", retain=True)
        ears.say("homeassistant/device/blikk_old_pi_2/node/config", b"{}", retain=True)
        run.kill()
        ears.until(lambda: ears.on("old_pi/status")[-1:] == [b"offline"], 30, "the last will")
    path = tmp_path / "hallway.yaml"
    path.write_text(config(tmp_path, broker.port, "hallway"))
    return path


OTHERS = {"blikk/old_pi_2/announce", "homeassistant/device/blikk_old_pi_2/node/config"}


def purge(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [BLIKK, "purge", *arguments, "--config", str(path)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, env=dict(os.environ)
    )


def test_all_of_a_dead_node_goes_and_what_is_others_stays(dead: Path, broker: Broker) -> None:
    before = kept(broker.port) - OTHERS
    assert {f"{BASE}/announce", f"{BASE}/front_door/picture/person"} <= before
    assert "homeassistant/device/blikk_old_pi/camera_front_door/config" in before

    result = purge(dead, "old_pi", "--yes", "--json")

    assert (result.returncode, result.stderr) == (0, "")
    reported = json.loads(result.stdout)
    assert (set(reported), set(reported["topics"][0])) == ({"ok", "node", "topics"}, {"topic", "bytes"})
    assert (reported["ok"], reported["node"], {each["topic"] for each in reported["topics"]}) == (
        True,
        "old_pi",
        before,
    )
    assert {"topic": f"{BASE}/status", "bytes": 7} in reported["topics"]
    assert kept(broker.port) == OTHERS
    again = purge(dead, "old_pi", "--yes")
    assert (again.returncode, again.stdout) == (0, "The broker keeps nothing of old_pi.\n")


def test_a_node_that_runs_is_left_alone(tmp_path: Path, broker: Broker) -> None:
    with BlikkRun(tmp_path, config(tmp_path, broker.port, "old_pi"), models=None), Ears(broker.port) as ears:
        ears.until(lambda: ears.on("camera_front_door/config"), 30, "the node")
        before = kept(broker.port)
        result = purge(tmp_path / "blikk.yaml", "old_pi", "--yes")
        assert result.returncode == 1
        assert "is online" in result.stderr
        assert kept(broker.port) == before


@pytest.mark.parametrize(("typed", "status", "left"), [(b"y\n", 0, 0), (b"\n", 1, 1), (b"\x04", 1, 1)])
def test_somebody_is_asked_first(dead: Path, broker: Broker, typed: bytes, status: int, left: int) -> None:
    ours, theirs = pty.openpty()
    command = [BLIKK, "purge", "old_pi", "--config", str(dead)]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.close(theirs)
        assert process.stdout is not None
        shown, deadline = b"", time.monotonic() + 30
        while b"[y/N]" not in shown:
            assert time.monotonic() < deadline
            shown += os.read(process.stdout.fileno(), 4096)
        assert f"{BASE}/announce".encode() in shown
        os.write(ours, typed)
        assert process.wait(30 * PATIENCE) == status
        os.close(ours)
    assert (f"{BASE}/announce" in kept(broker.port)) is bool(left)


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_without_anybody_to_ask_nothing_is_removed(dead: Path, broker: Broker, arguments: tuple[str, ...]) -> None:
    result = purge(dead, "old_pi", *arguments)
    assert result.returncode == 2
    assert "--yes" in result.stdout + result.stderr
    assert f"{BASE}/announce" in kept(broker.port)


@pytest.mark.parametrize("node", ["", "a/b", "+", "#", "$SYS"])
def test_what_can_be_no_node_is_refused(tmp_path: Path, node: str) -> None:
    result = purge(tmp_path / "none.yaml", node, "--yes")
    assert result.returncode == 2
    assert "is no id of a node" in result.stderr


def test_without_a_broker_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "blikk.yaml"
    path.write_text(config(tmp_path, free_port(), "hallway"))
    result = purge(path, "old_pi", "--yes")
    assert result.returncode == 1
    assert "127.0.0.1" in result.stderr


def test_a_broker_that_forbids_it_is_reported_of(tmp_path: Path) -> None:
    rules, folder = tmp_path / "rules", tmp_path / "broker"
    folder.mkdir()
    rules.write_text("topic read #\n")
    rules.chmod(0o644)
    with Broker(folder, persistence=True) as broker:
        with Ears(broker.port) as ears:
            ears.say(f"{BASE}/health", b"{}", retain=True)
        broker.stop()
        broker.extra = (f"acl_file {rules}",)
        broker.start()
        path = tmp_path / "blikk.yaml"
        path.write_text(config(tmp_path, broker.port, "hallway"))
        result = purge(path, "old_pi", "--yes")
    assert result.returncode == 1
    assert f"{BASE}/health" in result.stderr
    assert "access list" in result.stderr
