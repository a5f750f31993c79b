"""How soon the cameras of a node that is killed are watched by another: real nodes, NATS and broker on this machine.

    python bench/shared_cameras.py [--nodes 2] [--cameras 6] [--tries 5]

Cameras are simulated (`tests/plugins/blikk_sim.py`), and take 0.2 s to open. Each try kills one node, and the leader
every other time; it is started again, and the cameras are shared evenly before the next. Printed are seconds from
`kill -9` until all cameras have an owner, and until frames of all of them come; then from SIGTERM to the end of a
planned stop.
"""

import argparse
import signal
import statistics
import tempfile
import time
from pathlib import Path

from rig import Broker

from nats_server import NatsServer  # isort: skip  # of the tests, whose folder `rig` names
from site_nodes import Node, Site, cameras_yaml  # isort: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--tries", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))
    names = [f"node_{number}" for number in range(options.nodes)]
    (folder / "broker").mkdir()
    with (
        NatsServer(folder / "nats") as nats,
        Broker(folder / "broker") as broker,
        Site(folder, "hall", *names, nats=nats.url, broker=broker.port) as site,
    ):
        site[names[0]].apply(cameras_yaml(options.cameras))
        site.start()
        owned, watched, stopped = [], [], []
        for number in range(options.tries):
            site.until(lambda: site.shared(options.cameras), "all cameras", 120)
            time.sleep(3.0)
            nodes = sorted(site.nodes.values(), key=lambda node: _leads(site) != node.name)
            dead = nodes[number % 2]
            lost, taken, seen = _killed(site, dead)
            owned.append(taken)
            watched.append(seen)
            print(f"{lost} cameras: owned after {taken:.1f} s, watched after {seen:.1f} s", flush=True)
            dead.wait()
            dead.start()
        for _ in range(options.tries):
            site.until(lambda: site.shared(options.cameras), "all cameras", 120)
            time.sleep(3.0)
            began = time.monotonic()
            site[names[0]].signal(signal.SIGTERM)
            site[names[0]].wait()
            stopped.append(time.monotonic() - began)
            site[names[0]].start()
        for what, found in (("owned", owned), ("watched", watched), ("planned stop", stopped)):
            print(f"{what}: min {min(found):.1f}, median {statistics.median(found):.1f}, max {max(found):.1f} s")


def _killed(site: Site, dead: Node) -> tuple[int, float, float]:
    """Kill a node: how many cameras it had, and the seconds until they had owners, and until frames of all came."""
    lost = site.held(dead.name)
    logs = {node.name: len(node.log) for node in site.nodes.values()}
    began = time.monotonic()
    dead.signal(signal.SIGKILL)
    owned = site.until(lambda: not site.held(dead.name), "owners") - began
    return len(lost), owned, site.until(lambda: lost <= _watched(site, logs), "frames") - began


def _leads(site: Site) -> str:
    """The node that has said last that it speaks for the site."""
    said = [
        (line, node.name) for node in site.nodes.values() for line in node.log.splitlines() if "speaks for the" in line
    ]
    return max(((line, name) for line, name in said if "this node" in line), default=("", ""))[1]


def _watched(site: Site, logs: dict[str, int]) -> set[str]:
    """The cameras of which frames came since the logs were so long."""
    lines = [line for node in site.nodes.values() for line in node.log[logs[node.name] :].splitlines()]
    return {line.split("blikk.camera.")[1].split(":")[0] for line in lines if ": watching " in line}


if __name__ == "__main__":
    main()
