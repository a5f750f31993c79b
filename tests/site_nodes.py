"""A site for tests: nodes as processes that share cameras, a real NATS server, a real broker, and ears on it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from nowhere import NOWHERE
from patience import PATIENCE

BLIKK = Path(sys.executable).with_name("blikk")
PLUGIN = Path(__file__).parent / "plugins" / "blikk_sim.py"
CONFIG = """\
node: {node}
mqtt: {{host: 127.0.0.1, port: {broker}}}
store: {{path: {folder}/store.db}}
models: {{offline: true, cache: {folder}/models}}
privacy: {{blur: false}}
summary: {summary}
health_every_s: 2
fleet: {{site: {site}, servers: [{nats}], cameras_max: {cameras_max}}}
{more}
"""


def cameras_yaml(count: int, *, more: str = "") -> str:
    """A file with so many cameras, `camera_0` and so on."""
    lines = [f"  camera_{number}: {{source: {{sim: {{}}}}, fps: 5{more}}}\n" for number in range(count)]
    return "cameras:\n" + "".join(lines)


class Node:
    """`blikk run` of one member in a process of its own. `nats` are addresses; `more` are lines of its settings."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        site: str,
        nats: str,
        broker: int,
        cameras_max: int = 16,
        summary: str = "false",
        more: str = "",
    ) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.config = self.folder / "blikk.yaml"
        values = {"node": name, "folder": self.folder, "site": site, "nats": nats, "broker": broker, "more": more}
        self.config.write_text(CONFIG.format(cameras_max=cameras_max, summary=summary, **values))
        packages = folder / "packages"
        info = packages / "blikk_sim-1.0.dist-info"
        if not info.exists():
            info.mkdir(parents=True)
            shutil.copy(PLUGIN, packages)
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: blikk_sim\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text("[blikk.sources]\nsim = blikk_sim:KIND\n")
        kept = {key: value for key, value in os.environ.items() if key != "BLIKK_MODELS"}
        path = os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.environ = kept | NOWHERE | {"XDG_CACHE_HOME": str(self.folder / "cache"), "PYTHONPATH": path}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "blikk.log").read_text()

    def start(self) -> None:
        with (self.folder / "blikk.log").open("ab") as log:
            command = [str(BLIKK), "run", "--config", str(self.config), "--log-level", "info"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environ)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(30 * PATIENCE)

    def apply(self, text: str) -> None:
        """`blikk fleet apply` with the configuration of this node; again where NATS was too slow to answer."""
        file = self.folder / "cameras.yaml"
        file.write_text(text)
        command = [str(BLIKK), "fleet", "apply", str(file), "--config", str(self.config)]
        for _ in range(PATIENCE):
            done = subprocess.run(command, check=False, capture_output=True, env=self.environ, timeout=60 * PATIENCE)
            if not done.returncode:
                return
        raise AssertionError(done.stderr.decode())


@dataclass(frozen=True, slots=True)
class Heard:
    """One message."""

    at: float
    topic: str
    payload: bytes
    retained: bool


@dataclass
class Ears:
    """Everything that the broker says of one site from now on."""

    port: int
    site: str
    heard: list[Heard] = field(default_factory=list)

    def __enter__(self) -> Self:
        subscribed = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"blikk/{self.site}/#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _c, _u, m: self.heard.append(
            Heard(time.monotonic(), m.topic, bytes(m.payload), bool(m.retain))
        )
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        assert subscribed.wait(10 * PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        del self._client

    def say(self, topic: str, payload: bytes | str) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(10 * PATIENCE)

    def of(self, ending: str, *, since: float = 0.0) -> list[Heard]:
        return [each for each in list(self.heard) if each.topic.endswith(ending) and each.at >= since]

    def last(self, ending: str) -> bytes:
        return next((each.payload for each in reversed(list(self.heard)) if each.topic.endswith(ending)), b"")


class Site:
    """A site of that id, with members by name, which are not started yet; all ends with the context."""

    def __init__(
        self,
        folder: Path,
        id: str,  # noqa: A002  # as there
        *names: str,
        nats: str,
        broker: int,
        **more: Any,
    ) -> None:
        self.id = id
        self.nodes = {name: Node(folder, name, site=id, nats=nats, broker=broker, **more) for name in names}
        self.ears = Ears(broker, id)

    def __enter__(self) -> Self:
        self.ears.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ears.__exit__()
        for node in self.nodes.values():
            if node.process is not None and node.process.poll() is None:
                node.signal(signal.SIGKILL)
                node.signal(signal.SIGCONT)
                node.wait()
            if error is not None and (node.folder / "blikk.log").exists():
                print(f"--- {node.name}\n{node.log}")

    def start(self, *names: str) -> None:
        """Start these, or all."""
        for name in names or self.nodes:
            self[name].start()

    def status(self, camera: str | None = None) -> bytes:
        """What the site said last of itself, or of a camera."""
        return self.ears.last(f"blikk/{self.id}/{camera}/status" if camera else f"blikk/{self.id}/status")

    def shared(self, count: int) -> bool:
        """Whether that many cameras are watched, by all members that run, and reported as online."""
        owners = self.owners()
        running = [node.name for node in self.nodes.values() if node.process and node.process.poll() is None]
        evenly = all(len(self.held(name)) >= count // len(running) for name in running)
        return len(owners) == count and evenly and all(self.status(camera) == b"online" for camera in owners)

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def owners(self) -> dict[str, str]:
        """Who has said last that it watches a camera, by camera; as the logs say it, so of living and dead ones."""
        claims: dict[str, tuple[int, str]] = {}
        for node in self.nodes.values():
            log = node.log if (node.folder / "blikk.log").exists() else ""
            for camera, fence in re.findall(r"(camera_\d+): watched here from now on \(fence (\d+)\)", log):
                claims[camera] = max(claims.get(camera, (0, "")), (int(fence), node.name))
        return {camera: name for camera, (_, name) in claims.items()}

    def held(self, name: str) -> set[str]:
        return {camera for camera, owner in self.owners().items() if owner == name}

    def until(self, state: Callable[[], object], what: str, within_s: float = 30.0) -> float:
        """Wait for a state; the monotonic time at which it was seen."""
        deadline = time.monotonic() + PATIENCE * within_s
        while not state():
            assert time.monotonic() < deadline, f"{what} did not come within {within_s:.0f} s; {self.owners()}"
            time.sleep(0.02)
        return time.monotonic()


def content(heard: Heard) -> Any:
    return json.loads(heard.payload)
