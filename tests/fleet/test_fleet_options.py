"""What may stand at `fleet:`."""

import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

from blikk_edge.config.loading import load
from blikk_edge.config.site_cameras import with_site_cameras
from blikk_edge.fleet.options import FleetOptions, is_remote
from blikk_edge.grammar.problem import ConfigError

HEAD = "node: hall_1\nmqtt: false\ncameras: {yard: {source: yard.mp4}}\n"


def fleet(folder: Path, text: str) -> FleetOptions | None:
    """What the section says that is written like this."""
    file = folder / "blikk.yaml"
    file.write_text(f"{HEAD}fleet: {text}\n")
    (folder / "yard.mp4").touch()
    return load(file, environ={}).fleet


def test_a_site_is_enough(tmp_path: Path) -> None:
    assert fleet(tmp_path, "hall") == FleetOptions(site="hall", servers=("nats://127.0.0.1:4222",))


def test_addresses_are_completed(tmp_path: Path) -> None:
    made = fleet(tmp_path, "{site: hall, servers: [nats.local, 'tls://[fd00::1]:4333'], near: hall-a, cameras_max: 4}")
    assert made is not None
    assert made.servers == ("nats://nats.local:4222", "tls://[fd00::1]:4333")
    assert (made.near, made.cameras_max) == (("hall-a",), 4)
    assert [is_remote(server) for server in made.servers] == [True, True]
    assert not is_remote("nats://127.0.0.1:4222")


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("{servers: nats.local}", "fleet", "site"),
        ("{site: The Hall}", "fleet.site", "a-z"),
        ("{site: hall, servers: 'nats://user:pa55@nats.local'}", "fleet.servers", "Remove it, and name the file"),
        ("{site: hall, servers: 'http://nats.local'}", "fleet.servers", "not the address of a NATS server"),
        ("{site: hall, servers: 'nats.local:99999'}", "fleet.servers", "not the address of a NATS server"),
        ("{site: hall, nkey: hall.nk}", "fleet.nkey", "no such file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fleet(tmp_path, text)
    assert key in str(caught.value)
    assert words in str(caught.value)
    assert "pa55" not in str(caught.value)


def test_a_node_without_cameras_shares_those_of_its_site(tmp_path: Path) -> None:
    file = tmp_path / "blikk.yaml"
    file.write_text("node: one\nmqtt: false\nfleet: hall\n")
    settings = load(file, environ={})
    assert (settings.shares, settings.cameras) == (True, ())
    file.write_text("node: one\nmqtt: false\n")
    with pytest.raises(ConfigError, match="`cameras` is missing"):
        load(file, environ={})


def test_a_member_leaves_the_cameras_to_others_whose_secrets_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "blikk.yaml"
    file.write_text("node: one\nmqtt: false\nfleet: hall\n")
    (tmp_path / "secrets.yaml").write_text("yard: rtsp://user:pa55@cam.local/1\n")
    text = "cameras:\n  gate: {source: !secret gate}\n  yard: {source: !secret yard, near: hall_a}\n"
    settings, wrong = with_site_cameras(file, {}, text)
    assert [(camera.id, camera.near) for camera in settings.cameras] == [("yard", ("hall_a",))]
    assert settings.shares
    assert [(problem.path, problem.line) for problem in wrong] == [("cameras.gate.source", 2)]


def test_a_node_without_a_fleet_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "yard.mp4").touch()
    (tmp_path / "blikk.yaml").write_text(HEAD + f"store: {{path: {tmp_path}/store.db}}\nmodels: {{offline: true}}\n")
    code = f"""
import pathlib, sys
from blikk_edge.app.wiring import build
from blikk_edge.config.loading import load
from blikk_edge.core.clock import SystemClock
import blikk_edge.cli.run
build(load(pathlib.Path({str(tmp_path / "blikk.yaml")!r}), environ={{}}), environ={{}}, clock=SystemClock()).close()
print([name for name in sys.modules if name.split(".")[0] == "nats" or name.startswith("blikk_edge.fleet.")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60 * PATIENCE, check=True
    )
    assert done.stdout == "['blikk_edge.fleet.options']\n"
