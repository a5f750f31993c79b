"""The site of `fleet.py`: NATS servers, nodes, a broker, PostgreSQL with `blikk collect`, and who owns which camera."""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rig import ROOT, Broker, RtspServer, idle_clip  # it names the folder of the tests

from centre_kit import Centre, CollectProcess  # isort: skip
from fleet_link import CutLink  # isort: skip
from nats_server import NatsServer, nats_cluster  # isort: skip
from postgres_server import PostgresServer  # isort: skip
from site_nodes import Node  # isort: skip

from blikk_edge.store.store import Store

SITE = "hall"
REEL = ROOT / "bench" / "fleet_reel.json"
SETTINGS = "sinks: {uplink: {max_per_second: 2000}}"
CAMERAS_MAX = 1000
"""More a node cannot be set to watch."""

NO_ADVERTISE = "no_advertise: true"

_OWNED = re.compile(r"(\w+): watched here from now on \(fence (\d+)\)")
_LEADS = "this node speaks for the site from now on"


def cameras_yaml(reel: Path, count: int, *, rtsp: Sequence[str] = ()) -> str:
    """So many simulated cameras that show a reel, and some real ones."""
    lines = [f"  camera_{number}: {{source: {{sim: {{reel: {reel}}}}}, fps: 1}}" for number in range(count)]
    lines += [f"  gate_{number}: {{source: {url}, fps: 5}}" for number, url in enumerate(rtsp)]
    return "\n".join(["cameras:", *lines, ""])


@dataclass
class Watch:
    """What the log of a node says of cameras and leadership, read as it grows; times are monotonic."""

    node: Node
    fences: dict[str, int] = field(default_factory=dict)
    leads_at: float = -1.0
    shown: set[str] = field(default_factory=set)
    _place: int = 0

    def read(self) -> None:
        path = self.node.folder / "blikk.log"
        if not path.exists():
            return
        with path.open("rb") as log:
            log.seek(self._place)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._place += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if found := _OWNED.search(line):
                self.fences[found[1]] = int(found[2])
            elif _LEADS in line:
                self.leads_at = time.monotonic()


class Fleet:
    """A site at work; all of it ends with the context.

    Attributes:
        count: How many cameras there are, simulated and real.
        parts: The processes by what they are called, for what they take of the machine.
        away: The nodes that run and can own nothing now, as the others see it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        servers: int,
        nodes: int,
        cameras: int,
        rtsp: int = 0,
        share: float = 1.0,
        cut: bool = True,
    ) -> None:
        self.folder = folder
        self.count = cameras + rtsp
        self._sizes = servers, nodes, cameras, rtsp, share
        self._cut = cut
        self._stack = ExitStack()
        self.away: set[str] = set()

    def __enter__(self) -> "Fleet":
        try:
            return self._entered()
        except BaseException:
            self.__exit__()
            raise

    def _entered(self) -> "Fleet":
        servers, nodes, cameras, rtsp, share = self._sizes
        enter = self._stack.enter_context
        if servers == 1:
            self.servers = [enter(NatsServer(self.folder / "nats"))]
        else:
            self.servers = enter(nats_cluster(self.folder, count=servers, in_cluster=(NO_ADVERTISE,)))
        (self.folder / "broker").mkdir()
        self.broker = enter(Broker(self.folder / "broker", extra=("sys_interval 1",)))
        self.postgres = PostgresServer()
        self._slow_sync = self.postgres.folder / "slow_sync"
        self.postgres.under = self._able_to_be_slow()
        enter(self.postgres)
        self.centre = Centre(self.postgres)
        asyncio.run(self.centre.make())
        self.collect = CollectProcess(self.folder, self.centre, self.addresses, SITE)
        self._stack.callback(self.collect.kill)
        clip = self.folder / "gate.mp4"
        if rtsp:
            idle_clip(clip, width_px=640, height_px=360, fps=10, seconds=10)
        urls = [enter(RtspServer(clip)).url for _ in range(rtsp)]
        room = -(-self.count * 3 // (2 * nodes)) + 1  # what is left holds all when one is gone, or nearly
        room = min(CAMERAS_MAX, max(room, -(-self.count // max(1, nodes - 1))))
        self.nodes: dict[str, Node] = {}
        self.watches: dict[str, Watch] = {}
        self.cut = enter(CutLink([server.port for server in self.servers])) if self._cut else None
        for number in range(nodes):
            name = f"node_{number}"
            last = number == nodes - 1 and self.cut is not None
            addresses = ", ".join(f"nats://127.0.0.1:{port}" for port in self.cut.ports) if last else self.addresses
            node = Node(
                self.folder, name, site=SITE, nats=addresses, broker=self.broker.port, cameras_max=room, more=SETTINGS
            )
            note_what_is_written(node.folder / "store.db")
            self.nodes[name], self.watches[name] = node, Watch(node)
            self._stack.callback(end, node)
        reel = self.folder / "reel"  # a short path: a file of cameras is bounded
        reel.write_text(json.dumps(json.loads(REEL.read_text()) | {"share": share}))
        self.nodes["node_0"].apply(cameras_yaml(reel, cameras, rtsp=urls))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _able_to_be_slow(self) -> list[str]:
        """The words under which PostgreSQL is started, so that `slow_down_database` works; none without a compiler."""
        if shutil.which("cc") is None:
            return []
        source, library = Path(__file__).with_name("slow_sync.c"), self._slow_sync.with_suffix(".so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        return ["env", f"LD_PRELOAD={library}", f"SLOW_SYNC={self._slow_sync}"]

    def slow_down_database(self, sync_s: float) -> None:
        """Have each sync of its disk take so much longer from now on."""
        self._slow_sync.write_text(f"{sync_s * 1e6:.0f}")

    @property
    def addresses(self) -> str:
        return ", ".join(server.url for server in self.servers)

    @property
    def parts(self) -> dict[str, int]:
        found = {server.name if len(self.servers) > 1 else "nats": server.pid for server in self.servers}
        found |= {name: node.process.pid for name, node in self.nodes.items() if self.runs(name)}
        return found | {
            "broker": self.broker.pid,
            "blikk collect": self.collect.process.pid,
            "postgres": self.postgres.pid,
        }

    def runs(self, name: str) -> bool:
        process = self.nodes[name].process
        return process is not None and process.poll() is None

    def owners(self) -> dict[str, str]:
        """The node whose claim of each camera is the newest."""
        newest: dict[str, tuple[int, str]] = {}
        for name, watch in self.watches.items():
            watch.read()
            for camera, fence in watch.fences.items():
                newest[camera] = max(newest.get(camera, (0, "")), (fence, name))
        return {camera: name for camera, (_, name) in newest.items()}

    def held(self, name: str) -> set[str]:
        return {camera for camera, owner in self.owners().items() if owner == name}

    def leader(self) -> str:
        self.owners()
        return max(self.watches, key=lambda name: self.watches[name].leads_at)

    def fullest(self, *, but: str = "") -> str:
        """The node with the most cameras."""
        owners = list(self.owners().values())
        return max((name for name in self.nodes if name != but), key=owners.count)

    def all_owned(self) -> bool:
        """Whether each camera is owned by a node that runs and is not away."""
        owners = self.owners()
        return len(owners) == self.count and all(self.runs(name) and name not in self.away for name in owners.values())

    def said(self, name: str, words: str) -> int:
        """How often these words are in the log of a node."""
        return self.nodes[name].log.count(words)

    def until(self, state: Callable[[], object], what: str, within_s: float = 120.0) -> float:
        """Wait for a state; when it came (monotonic)."""
        deadline = time.monotonic() + within_s
        while not state():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come within {within_s:.0f} s")
            time.sleep(0.05)
        return time.monotonic()

    def start(self) -> None:
        for node in self.nodes.values():
            node.start()

    def query(self, statement: str, *values: Any) -> list[Any]:
        return asyncio.run(self.centre(statement, *values))


def end(node: Node) -> None:
    """End a node, whatever state it is in."""
    if node.process is not None and node.process.poll() is None:
        node.signal(signal.SIGKILL)
        node.wait()


def leads(fleet: Fleet, stream: str, within_s: float = 60.0) -> NatsServer:
    """The server that leads a stream; waits until one does."""
    if len(fleet.servers) == 1:
        return fleet.servers[0]
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        for server in filter(lambda each: each.runs, fleet.servers):
            if (found := _leader_in(server, stream)) is not None:
                return next(each for each in fleet.servers if each.name == found)
        time.sleep(0.1)
    raise TimeoutError(f"no server leads {stream}")


def _leader_in(server: NatsServer, stream: str) -> str | None:
    """The name of who leads a stream, as this server knows it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.monitor}/jsz?streams=true", timeout=10) as answer:
            accounts = json.load(answer).get("account_details", ())
    except OSError:
        return None
    streams = [each for account in accounts for each in account.get("stream_detail", ())]
    return next((each.get("cluster", {}).get("leader") or None for each in streams if each["name"] == stream), None)


def note_what_is_written(path: Path) -> None:
    """Have the journal of a node that has not started yet keep a list of all that is ever written into it."""
    store = Store(path)
    store.open()
    store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE written (seq INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        db.execute(
            "CREATE TRIGGER note AFTER INSERT ON outbox BEGIN INSERT INTO written VALUES (NEW.seq, NEW.text); END"
        )
        db.commit()


def cpu_s(pid: int) -> float:
    """Seconds of CPU of a process and of all that it has started and that still run."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def memory_mb(pid: int) -> float:
    """Resident memory of a process and of all that it has started; what PostgreSQL's share is counted once."""
    process = psutil.Process(pid)
    return sum(
        (each.memory_full_info().pss if hasattr(each.memory_full_info(), "pss") else each.memory_info().rss) / 2**20
        for each in (process, *process.children(recursive=True))
    )


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


@contextmanager
def measured(fleet: Fleet) -> Iterator[dict[str, tuple[float, float]]]:
    """CPU (shares of a core) and memory (MB) of each part over the time of the context, filled in at its end."""
    found: dict[str, tuple[float, float]] = {}
    before, began = {name: cpu_s(pid) for name, pid in fleet.parts.items()}, time.monotonic()
    yield found
    took = time.monotonic() - began
    for name, pid in fleet.parts.items():
        found[name] = (cpu_s(pid) - before[name]) / took, memory_mb(pid)
