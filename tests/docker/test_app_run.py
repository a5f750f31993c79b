"""The Home Assistant app's start, against a stand-in of the Supervisor and a real broker."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from broker import Broker
from nowhere import NOWHERE
from patience import PATIENCE
from ports import free_port
from supervisor import TOKEN, Supervisor

RUN = Path(__file__).parents[2] / "docker" / "app" / "run.py"
START = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("run", sys.argv[1])
run = importlib.util.module_from_spec(spec); sys.modules["run"] = run; spec.loader.exec_module(run)
supervisor, data, config, devices, user, port = sys.argv[2:]
places = run.Places(supervisor=supervisor, data=run.Path(data), config=run.Path(config), devices=run.Path(devices),
                    user=int(user), http_port=int(port))
try:
    run.start(places, os.environ)
except run.AppError as error:
    run.say(str(error)); sys.exit(error.status)
"""
"""What `run.py` does by itself, in other places: as it is, it serves root in a container."""
OPTIONS = {
    "node": "Hallway",
    "log_level": "info",
    "cameras": [
        {"id": "front_door", "source": "rtsp://me:it's@127.0.0.1:9/x", "name": 'Door "1"', "doorbell": True},
        {"id": "garden", "source": "rtsp://127.0.0.1:9/y", "rotate": "180", "gpio": 17},
    ],
}
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="the app begins as root, with setpriv"
)


@pytest.fixture(scope="module")
def run() -> Any:
    spec = importlib.util.spec_from_file_location("app_run", RUN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["app_run"] = module
    spec.loader.exec_module(module)
    return module


class App:
    """One start of the app after the other, over the same folders."""

    def __init__(self, folder: Path, supervisor: Supervisor) -> None:
        self.data, self.config, self.devices = folder / "data", folder / "config", folder / "dev"
        for made in (self.data, self.config, self.devices):
            made.mkdir()
        self.options(OPTIONS)
        self.log = folder / "log"
        self.supervisor = supervisor
        self.http_port = free_port()

    def options(self, options: dict[str, Any]) -> None:
        (self.data / "options.json").write_text(json.dumps(options))

    def start(self) -> subprocess.Popen[bytes]:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BLIKK_")},
            **NOWHERE,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(self.data),
            "XDG_CACHE_HOME": str(self.data / "cache"),
            "RUNTIME_DIRECTORY": str(self.data / "run"),
            "SUPERVISOR_TOKEN": TOKEN,
        }
        words = [self.supervisor.address, str(self.data), str(self.config), str(self.devices)]
        command = [sys.executable, "-c", START, str(RUN), *words, str(os.geteuid()), str(self.http_port)]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=environ, stderr=log, stdout=log)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        process = self.start()
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(5 * PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
            print(self.log.read_text())

    def until(self, state: Callable[[], Any], process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30 * PATIENCE
        while not state():
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def supervisor(broker: Broker) -> Iterator[Supervisor]:
    service = {"host": "127.0.0.1", "port": broker.port, "ssl": False, "protocol": "3.1.1", "addon": "core_mosquitto"}
    with Supervisor({**service, "username": "addons", "password": "of the broker"}) as supervisor:
        yield supervisor


@pytest.fixture
def app(tmp_path: Path, supervisor: Supervisor) -> App:
    return App(tmp_path, supervisor)


@needs_root
def test_home_assistant_gets_the_node_with_what_our_integration_needs(app: App, supervisor: Supervisor):
    with app.running() as process:
        app.until(lambda: supervisor.discovered, process)
        message = supervisor.discovered[0]
        assert set(message) == {"prefix", "node", "media_url", "token"}
        assert (message["prefix"], message["node"]) == ("blikk", "hallway")
        assert message["media_url"] == f"http://{socket.gethostname()}:{app.http_port}"
        asked = urllib.request.Request(
            f"http://127.0.0.1:{app.http_port}/v1/days", headers={"Authorization": f"Bearer {message['token']}"}
        )
        with urllib.request.urlopen(asked, timeout=10 * PATIENCE) as answer:
            assert json.load(answer)["days"] == []
        asked = urllib.request.Request(
            f"http://127.0.0.1:{app.http_port}/v1/cameras/garden/set",
            data=b'{"detect": false}',
            headers={"Authorization": f"Bearer {message['token']}", "Content-Type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:  # it got the token that sees, not the other
            urllib.request.urlopen(asked, timeout=10 * PATIENCE)
        refused.value.close()
    assert supervisor.refused == []


@needs_root
def test_the_second_start_says_the_same_and_is_told_once(app: App, supervisor: Supervisor):
    for start in (1, 2):
        with app.running() as process:
            app.until(lambda start=start: supervisor.asked.count("POST /discovery") == start, process)
    assert len(supervisor.discovered) == 1


@needs_root
def test_the_node_does_not_get_the_token_of_the_supervisor(app: App, supervisor: Supervisor):
    with app.running() as process:
        app.until(lambda: supervisor.discovered, process)
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        assert b"run" in command, "the process that was started is the node itself"
        environ = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert TOKEN.encode() not in environ
        assert b"BLIKK_APP=1" in environ.split(b"\0")
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        assert {"NoNewPrivs:\t1", "CapBnd:\t0000000000000000", "CapEff:\t0000000000000000"} <= set(status)


@needs_root
@pytest.mark.parametrize("http", ["", "http: {port: !env HTTP_PORT, tokens: {view: !env HTTP_VIEW_TOKEN}}\n"])
def test_a_file_of_the_users_own_wins(app: App, supervisor: Supervisor, http: str):
    (app.config / "blikk.yaml").write_text(
        "node: {id: own, name: Own}\n"
        "mqtt: {host: !env MQTT_HOST, port: !env MQTT_PORT, username: !env MQTT_USERNAME,"
        " password: !env MQTT_PASSWORD, prefix: home/blikk}\n"
        f"{http}cameras: {{shed: {{source: 'rtsp://127.0.0.1:9/x'}}}}\n"
    )
    with app.running() as process:
        app.until(lambda: supervisor.discovered, process)
    live = {
        "media_url": f"http://127.0.0.1:{app.http_port}",
        "token": (app.data / "media_token").read_text(),
    }
    assert supervisor.discovered == [{"prefix": "home/blikk", "node": "own", **(live if http else {})}]


@needs_root
def test_a_file_that_cannot_be_used_ends_the_app_with_its_mistakes(app: App, supervisor: Supervisor):
    old = "media: {host: 0.0.0.0, port: !env MEDIA_PORT, url: !env MEDIA_URL, token: !env MEDIA_TOKEN}\n"
    (app.config / "blikk.yaml").write_text(f"node: own\nmqtt: here\ncameras: {{a: {{sauce: x}}}}\n{old}")
    assert app.start().wait(30 * PATIENCE) == 78
    log = app.log.read_text()
    assert "blikk.yaml:3" in log
    (line,) = (line for line in log.splitlines() if "blikk.yaml:4: media.host:" in line)
    assert all(f"`media.{key}`" in line for key in ("host", "port", "url", "token"))
    assert "\nhttp:\n  host: 0.0.0.0\n  port: 8428\n" in log
    assert "tokens: {view: !secret http_view_token" in log
    assert "POST /discovery" not in supervisor.asked


@needs_root
def test_a_supervisor_that_is_starting_itself_is_asked_again(app: App, supervisor: Supervisor):
    supervisor.failures = 2
    with app.running() as process:
        app.until(lambda: supervisor.discovered, process)


@needs_root
def test_without_a_broker_the_log_says_so_in_one_line(app: App, supervisor: Supervisor):
    supervisor.broker = None
    assert app.start().wait(30 * PATIENCE) == 1
    assert app.log.read_text() == "blikk: the Supervisor refuses /services/mqtt: Service not enabled\n"


@needs_root
def test_without_a_camera_the_log_says_where_to_add_one(app: App):
    app.options({**OPTIONS, "cameras": []})
    assert app.start().wait(30 * PATIENCE) == 78
    assert app.log.read_text() == "blikk: no camera yet: add one under Configuration, and start the app again\n"


def test_options_become_a_configuration_whatever_is_in_them(run: Any):
    text = run.configuration(OPTIONS, {"username": "addons", "ssl": True})
    made = yaml.load(text, _Loader)  # a safe one, below
    assert made["node"] == {"name": "Hallway"}
    assert made["mqtt"]["tls"] is True
    assert made["http"]["tokens"] == {"view": "!env HTTP_VIEW_TOKEN", "control": "!env HTTP_CONTROL_TOKEN"}
    assert made["cameras"] == {
        "front_door": {"source": "rtsp://me:it's@127.0.0.1:9/x", "name": 'Door "1"', "ring": True},
        "garden": {"source": "rtsp://127.0.0.1:9/y", "rotate": 180, "ring": {"gpio": 17}},
    }


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!env", lambda loader, node: f"!env {loader.construct_scalar(node)}")


def test_two_cameras_of_one_id_are_refused(run: Any):
    camera = {"id": "door", "source": "/dev/video0"}
    with pytest.raises(run.AppError, match="two cameras have the id door"):
        run.configuration({"cameras": [camera, camera]}, {})


def test_the_configuration_and_the_token_are_read_by_their_owner_only(run: Any, tmp_path: Path):
    token = run.kept_token(tmp_path / "token")
    assert len(token) >= 32
    assert run.kept_token(tmp_path / "token") == token
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_a_link_that_the_node_left_is_not_written_through(run: Any, tmp_path: Path):
    (other := tmp_path / "other").write_text("kept")
    (link := tmp_path / "blikk.yaml").symlink_to(other)
    run.write(link, "new")
    assert other.read_text() == "kept"
    assert link.read_text() == "new"
    assert not link.is_symlink()


@needs_root
def test_folders_are_handed_over_and_links_are_not_followed(run: Any, tmp_path: Path):
    (outside := tmp_path / "outside").write_text("")
    folder = tmp_path / "data"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "link").symlink_to(outside)
    run.hand_over(folder, 10001)
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {10001}
    assert outside.stat().st_uid == 0


@needs_root
def test_groups_of_devices_are_those_that_own_them(run: Any, tmp_path: Path):
    for number, (name, group) in enumerate({"video0": 44, "video1": 44, "gpiochip0": 997, "null": 5}.items()):
        os.mknod(tmp_path / name, 0o20660, os.makedev(81, number))
        os.chown(tmp_path / name, 0, group)
    (tmp_path / "video9").write_text("no device")
    assert run.device_groups(tmp_path) == [44, 997]
