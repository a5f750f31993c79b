"""The images, run by a real engine. docker/test builds them and starts this."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import av
import paho.mqtt.client as paho
import pytest
from broker import Broker
from made_once import made_once
from patience import PATIENCE, TRIES

if os.environ.get("BLIKK_IMAGE_TESTS") != "1":
    pytest.skip("docker/test builds the images and runs these", allow_module_level=True)

from engine import CONFINED, EMULATED, PROCESSOR, WAIT_S, Container, engine
from staging import BLIKK, Ears
from supervisor import TOKEN, Supervisor

from blikk_edge.demo import clip

pytestmark = pytest.mark.timeout(3600)

IMAGE = os.environ["BLIKK_IMAGE"]
APP = IMAGE.replace("blikk-edge:", "blikk-edge-app:")
DOCKER = Path(__file__).parents[2] / "docker"
SIZE_MAX_MB = 450
NOBODY_IS_THERE = "127.0.0.1:9"
ANYBODY = "--user=4711:4711"
KILLED = 137


@pytest.fixture(scope="session")
def demo_clip(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A visitor from 3 to 14 s."""
    path = made_once(tmp_path_factory, "demo.mp4", clip.make)
    path.chmod(0o644)
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with Broker(folder) as broker:
        yield broker


def free(host: str, port: int) -> bool:
    """Whether something may listen there."""
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


def configured(folder: Path, *, broker: str = NOBODY_IS_THERE, source: str = f"rtsp://{NOBODY_IS_THERE}/x") -> str:
    """The option that mounts a configuration."""
    host, _, port = broker.partition(":")
    path = folder / "blikk.yaml"
    path.write_text(
        f"node: hallway\nmqtt: {{host: {host}, port: {port}}}\nmodels: {{offline: true}}\n"
        f"cameras: {{front_door: {{source: '{source}'}}}}\n"
    )
    path.chmod(0o644)
    return f"--volume={path}:/config/blikk.yaml:ro"


@pytest.mark.parametrize("image", [IMAGE, APP], ids=["node", "app"])
def test_an_image_is_no_larger_than_an_sd_card_likes(image: str):
    (found,) = json.loads(engine("image", "inspect", image))
    size_mb = found["Size"] / 1e6
    print(f"{image} {os.environ['BLIKK_PLATFORM']}: {size_mb:.0f} MB unpacked")
    assert size_mb <= SIZE_MAX_MB


@pytest.mark.parametrize("user", [None, ANYBODY, "--user=0:0"], ids=["its own", "any", "root"])
def test_a_node_is_healthy_as_any_user_on_a_read_only_root_while_the_broker_is_away(tmp_path: Path, user: str | None):
    options = [*CONFINED, configured(tmp_path), *([user] if user else [])]
    with Container(IMAGE, *options) as node:
        node.until(lambda: node.does("blikk", "health"))
        assert not node.does("touch", "/opt/blikk/x")
        if os.environ["BLIKK_ENGINE"].startswith("podman"):
            engine("healthcheck", "run", node.name)
        else:
            node.until(lambda: node.state["Health"]["Status"] == "healthy")
        assert "nobody listens there" in node.log
        assert node.stopped() == 0


def test_no_folder_for_temporary_files_is_needed(tmp_path: Path):
    with Container(IMAGE, "--read-only", "--cap-drop=all", ANYBODY, configured(tmp_path)) as node:
        node.until(lambda: node.does("blikk", "health"))


def test_sigterm_ends_it_at_ten_moments_of_its_start(tmp_path: Path):
    config = configured(tmp_path)
    started = time.monotonic()
    with Container(IMAGE, *CONFINED, config) as node:
        node.until(lambda: node.does("blikk", "health"))
        start_s = time.monotonic() - started
        assert node.stopped() == 0
    statuses = [ended_at(start_s * moment / 9, config) for moment in range(10)]
    print(f"a start of {start_s:.1f} s; exit statuses at ten moments of it: {statuses}")
    # 143: Python itself was still starting
    assert set(statuses) <= {0, 143}


def ended_at(moment_s: float, config: str) -> int:
    """The exit status after a SIGTERM so long after the start; in one of TRIES it ends within five seconds."""
    for _ in range(TRIES):
        with Container(IMAGE, *CONFINED, config) as node:
            time.sleep(moment_s)
            status = node.stopped(within_s=5 * PATIENCE if EMULATED else 5)
        if status != KILLED:
            break
    return status


def test_a_volume_without_rights_is_told_first_in_one_clear_line_and_the_node_goes_on(tmp_path: Path):
    (folder := tmp_path / "data").mkdir(mode=0o755)
    with Container(IMAGE, *CONFINED, ANYBODY, configured(tmp_path), f"--volume={folder}:/data") as node:
        node.until(lambda: node.does("blikk", "health"))
        lines = [line for line in node.log.splitlines() if " blikk.store: " in line]
        assert lines == node.log.splitlines()[:1]
        assert lines[0].endswith(
            "store /data/blikk/hallway.db: cannot make its folder: Permission denied; make it writable for this user"
        )
        assert node.stopped() == 0


def test_a_mistake_in_the_configuration_ends_it_with_its_line(tmp_path: Path):
    option = configured(tmp_path, source="nothing")
    with Container(IMAGE, *CONFINED, option) as node:
        assert node.ended() == 78
        assert node.log.startswith("/config/blikk.yaml:4: cameras.front_door.source: ")


def test_an_event_of_a_clip_arrives_at_a_broker(tmp_path: Path, broker: Broker, demo_clip: Path):
    config = configured(tmp_path, broker=f"127.0.0.1:{broker.port}", source="/clip.mp4")
    with (
        Ears(broker.port) as ears,
        Container(IMAGE, *CONFINED, ANYBODY, config, f"--volume={demo_clip}:/clip.mp4:ro") as node,
    ):
        node.until(lambda: [event for event in ears.json_on("/event") if event["label"] == "person"])
        node.until(lambda: ears.on("blikk/hallway/front_door/picture/person"))
        assert node.stopped() == 0
        assert ears.on("blikk/hallway/status")[-1] == b"offline"


def test_the_models_from_the_package_index_are_inside():
    said = engine("run", "--rm", "--pull=never", "--network=none", IMAGE, "models", "list", "--json")
    states = {model["name"]: model["state"] for model in json.loads(said)["models"]}
    print(states)
    assert {states["blazepose-person"], states["blazeface-full"]} == {"ready"}


def test_nothing_of_the_build_is_left_in_it():
    left = "/src /run/secrets /root/.cache /etc/pip.conf /opt/blikk/bin/pip"
    script = f"find / -xdev -name '*.pyx' -print; find {left} -size +0 -type f 2> /dev/null; true"
    words = ["run", "--rm", "--pull=never", "--network=none", "--user=0:0", "--entrypoint=sh", IMAGE, "-c", script]
    assert engine(*words) == ""


@pytest.fixture(scope="session")
def two_seconds(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the clip, from a keyframe on: the visitor comes in and stands."""
    path = tmp_path_factory.mktemp("clip") / "two_seconds.mp4"
    with av.open(str(demo_clip)) as whole, av.open(str(path), "w") as part:
        video = part.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.pts is not None and 4 <= packet.pts * packet.time_base < 6:
                packet.pts -= int(4 / packet.time_base)
                packet.dts -= int(4 / packet.time_base)
                packet.stream = video
                part.mux(packet)
    path.chmod(0o644)
    return path


ROUNDING = 0.02 if EMULATED else 0.0
"""Another architecture adds up in another order: scores and boxes differ by as much. On this one, nothing does."""


def assert_same(here: Any, there: Any, where: str = "") -> None:
    """Every value is equal, but for the rounding of floats."""
    assert type(here) is type(there), where
    if isinstance(here, dict):
        assert list(here) == list(there), where
        for key, value in here.items():
            assert_same(value, there[key], f"{where}.{key}")
    elif isinstance(here, list):
        assert len(here) == len(there), where
        for number, (one, other) in enumerate(zip(here, there, strict=True)):
            assert_same(one, other, f"{where}[{number}]")
    elif isinstance(here, float):
        assert abs(here - there) <= ROUNDING, f"{where}: {here} and {there}"
    else:
        assert here == there, where


def test_a_replay_says_what_it_says_outside(two_seconds: Path, data: Path) -> None:
    models = data / "models"
    outside = subprocess.run(
        [BLIKK, "replay", two_seconds], env=os.environ | {"BLIKK_MODELS": str(models)}, capture_output=True, check=True
    ).stdout.decode()
    options = ["--rm", "--pull=never", "--network=none", *CONFINED, *PROCESSOR, "--env=BLIKK_MODELS=/models"]
    volumes = [f"--volume={two_seconds}:/clip.mp4:ro", f"--volume={models}:/models:ro"]
    inside = engine("run", *options, "--platform", os.environ["BLIKK_PLATFORM"], *volumes, IMAGE, "replay", "/clip.mp4")
    records = [[json.loads(line) for line in text.splitlines()] for text in (outside, inside)]
    assert [record for record in records[0] if record.get("label") == "person"]
    assert_same(*records)


ALGEBRA = """
import cv2, numpy as np
a = np.random.default_rng(1).random((40, 40))
_, inverse = cv2.solve(a, np.eye(40), flags=cv2.DECOMP_LU)
w, u, vt = cv2.SVDecomp(a)
print(max(abs(a @ inverse - np.eye(40)).max(), abs(u @ np.diag(w.ravel()) @ vt - a).max()) < 1e-9)
"""


def test_opencv_calculates_with_debians_lapack():
    options = ["--rm", "--pull=never", "--network=none", *PROCESSOR]
    assert engine("run", *options, "--entrypoint=python", IMAGE, "-c", ALGEBRA).strip() == "True"


@pytest.mark.skipif("BLIKK_COMPOSE" not in os.environ, reason="no Compose for this engine")
def test_compose_starts_a_broker_and_a_node_with_one_address(tmp_path: Path):
    for name in ("compose.yaml", "blikk.yaml", "mosquitto.conf"):
        shutil.copy(DOCKER / name, tmp_path)
        (tmp_path / name).chmod(0o644)
    tmp_path.chmod(0o755)
    address = "127.0.0.5"  # of this machine too, and nobody else's
    (tmp_path / ".env").write_text(
        f"CAMERA=rtsp://{NOBODY_IS_THERE}/x\nMQTT_PUBLISH={address}\nMQTT_PASSWORD=of the test\n"
    )
    announced = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.username_pw_set("blikk", "of the test")
    client.on_connect = lambda client, *_: client.subscribe("blikk/front_door/announce", qos=1)
    client.on_message = lambda *_: announced.set()
    client.connect_async(address, 1883)
    client.reconnect_delay_set(1, 1)
    compose = [*os.environ["BLIKK_COMPOSE"].split(), "--project-name", f"blikk-test-{uuid4().hex[:8]}"]
    try:
        subprocess.run([*compose, "up", "--detach", "--no-build"], cwd=tmp_path, check=True, timeout=WAIT_S)
        client.loop_start()
        assert announced.wait(WAIT_S)
    finally:
        client.loop_stop()
        subprocess.run([*compose, "down", "--volumes"], cwd=tmp_path, check=True, timeout=WAIT_S)


@pytest.mark.skipif(not free("127.0.0.2", 80), reason="the Supervisor is at port 80, which is taken, or root's")
@pytest.mark.skipif(not free("0.0.0.0", 8428), reason="the app is at port 8428, which is taken")
def test_the_app_gives_up_root_and_tells_home_assistant(tmp_path: Path, broker: Broker):
    data, config = tmp_path / "data", tmp_path / "config"
    data.mkdir()
    config.mkdir()
    camera = {"id": "front_door", "source": f"rtsp://{NOBODY_IS_THERE}/x"}
    (data / "options.json").write_text(json.dumps({"node": "Hallway", "log_level": "info", "cameras": [camera]}))
    (data / "options.json").chmod(0o600)
    service = {"host": "127.0.0.1", "port": broker.port, "ssl": False}
    options = ["--init", "--tmpfs=/tmp", "--add-host=supervisor:127.0.0.2", f"--env=SUPERVISOR_TOKEN={TOKEN}"]
    volumes = [f"--volume={data}:/data", f"--volume={config}:/config"]
    with (
        Supervisor(service, host="127.0.0.2", port=80) as supervisor,
        Container(APP, *options, *volumes) as app,
    ):
        app.until(lambda: supervisor.discovered)
        (message,) = supervisor.discovered
        assert (message["prefix"], message["node"]) == ("blikk", "hallway")
        asked = urllib.request.Request(
            "http://127.0.0.1:8428/v1/days", headers={"Authorization": f"Bearer {message['token']}"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert json.load(answer)["days"] == []
        app.until(lambda: app.does("blikk", "health", user="0"))
        status = engine("exec", app.name, "sh", "-c", "grep -lx 'Name:.blikk' /proc/[0-9]*/status | xargs cat")
        assert "Uid:\t10001\t10001\t10001\t10001" in status
        assert "CapBnd:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        assert {path.stat().st_uid for path in (data, *data.iterdir())} == {10001}
        assert app.stopped() == 0
    assert supervisor.refused == []
