"""What each camera of a site costs the servers: messages, bytes and CPU, with more and more cameras.

    python bench/fleet_scale.py [--cameras 30 300 3000] [--seconds 40]

The site is that of `fleet.py`. Two cores show about 300 scenes a second: with more cameras each shows the clip for a
share of the time only, and a quiet picture every ten seconds. So figures are also given for each record.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
from fleet_site import Fleet, cpu_s, load, memory_mb
from rig import table

SCENES_PER_S = 300.0
SETTLE_S = 30.0
TOLD = ("publish/messages/received", "publish/bytes/received", "publish/messages/sent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted until a moment.

    Attributes:
        cpu_s: CPU of the NATS servers, the broker, `blikk collect`, PostgreSQL and the nodes.
        nats: Messages and bytes that clients sent to NATS, and what it sent to them; bytes between servers.
        broker: Messages and bytes that came to the broker.
        records: Records at the centre.
    """

    cpu_s: dict[str, float]
    nats: tuple[int, int, int, int, int]
    broker: tuple[int, int]
    records: int
    at: float


class Told:
    """What the broker says of itself, each second."""

    def __init__(self, port: int) -> None:
        self.values: dict[str, int] = {}
        self._came = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("$SYS/broker/#")
        self._client.on_message = self._heard
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._came.wait(20)

    def _heard(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.values[message.topic.removeprefix("$SYS/broker/")] = message.payload
        if message.topic.endswith(TOLD[-1]):
            self._came.set()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def asked(port: int, path: str) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=20) as answer:
        return json.load(answer)


def counted(fleet: Fleet, told: Told) -> Counts:
    sent = came = sent_bytes = came_bytes = between = 0
    for server in fleet.servers:
        for each in asked(server.monitor, "connz?limit=1000")["connections"]:
            sent, sent_bytes = sent + each["in_msgs"], sent_bytes + each["in_bytes"]
            came, came_bytes = came + each["out_msgs"], came_bytes + each["out_bytes"]
        between += sum(each["in_bytes"] for each in asked(server.monitor, "routez")["routes"])
    groups: dict[str, float] = {}
    for name, pid in fleet.parts.items():
        group = "nats" if name.startswith("nats") else "nodes" if name.startswith("node") else name
        groups[group] = groups.get(group, 0.0) + cpu_s(pid)
    (row,) = fleet.query("SELECT count(*) AS count FROM blikk.records")
    return Counts(
        cpu_s=groups,
        nats=(sent, sent_bytes, came, came_bytes, between),
        broker=(int(told.values.get(TOLD[0], 0)), int(told.values.get(TOLD[1], 0))),
        records=row["count"],
        at=time.monotonic(),
    )


def measured(count: int, seconds: float) -> dict[str, str]:
    """One site with so many cameras, for so long."""
    share = min(1.0, SCENES_PER_S / count)
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))
    try:
        with Fleet(folder, servers=3, nodes=3, cameras=count, share=share, cut=False) as fleet:
            told = Told(fleet.broker.port)
            began = time.monotonic()
            fleet.start()
            owned = fleet.until(fleet.all_owned, "owners of all cameras", 300.0) - began
            fleet.until(lambda: sum(fleet.said(name, ": watching sim") for name in fleet.nodes) >= count, "frames", 300)
            time.sleep(SETTLE_S)
            before = counted(fleet, told)
            time.sleep(seconds)
            after = counted(fleet, told)
            memory = {name: memory_mb(pid) for name, pid in fleet.parts.items()}
            told.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows(count, share, owned, before, after, memory)


def rows(
    count: int, share: float, owned: float, before: Counts, after: Counts, memory: dict[str, float]
) -> dict[str, str]:
    took = after.at - before.at
    records = max(1, after.records - before.records)
    sent, sent_bytes, came, came_bytes, between = (now - was for now, was in zip(after.nats, before.nats, strict=True))
    mqtt, mqtt_bytes = (now - was for now, was in zip(after.broker, before.broker, strict=True))
    each = {
        "of the time somebody comes and goes": f"{share:.0%}",
        "records": f"{records / took / count:.4f}",
        "NATS: messages in, out": f"{sent / took / count:.3f}, {came / took / count:.3f}",
        "NATS: bytes in, out": f"{sent_bytes / took / count:.0f}, {came_bytes / took / count:.0f}",
        "NATS: bytes between servers": f"{between / took / count:.0f}",
        "broker: messages, bytes in": f"{mqtt / took / count:.3f}, {mqtt_bytes / took / count:.0f}",
    }
    for name in ("nats", "broker", "blikk collect", "postgres", "nodes"):
        spent = after.cpu_s[name] - before.cpu_s[name]
        each[f"CPU of {name}, ms"] = f"{1000 * spent / took / count:.3f}"
    for name in ("nats", "broker", "blikk collect", "postgres"):
        spent = after.cpu_s[name] - before.cpu_s[name]
        each[f"a record: CPU of {name}, ms"] = f"{1000 * spent / records:.2f}"
    return each | {
        "a record: bytes into NATS": f"{sent_bytes / records:.0f}",
        "a record: bytes into the broker": f"{mqtt_bytes / records:.0f}",
        "all: owned after, s": f"{owned:.1f}",
        "all: memory of a node, MB": f"{max(memory[name] for name in memory if name.startswith('node')):.0f}",
        "all: memory of a NATS server, MB": f"{max(memory[name] for name in memory if name.startswith('nats')):.0f}",
        "all: memory of the broker, MB": f"{memory['broker']:.0f}",
        "load": load(),
    }


def curve(sizes: Sequence[int], seconds: float = 40.0) -> None:
    """Print what a camera costs in sites of these sizes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # all that was started ends
    found = []
    for count in sizes:
        found.append(measured(count, seconds))
        print(f"{count} cameras done; load {load()}", file=sys.stderr, flush=True)
    names = list(found[0])
    table(
        ("a camera and second", *map(str, sizes)),
        [(name, *(each[name] for each in found)) for name in names],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, nargs="+", default=[30, 300, 3000])
    parser.add_argument("--seconds", type=float, default=40.0)
    options = parser.parse_args()
    curve(options.cameras, options.seconds)


if __name__ == "__main__":
    main()
