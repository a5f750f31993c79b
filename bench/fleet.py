"""A site of several nodes in trouble: cameras owned in time, by one node each, and no record lost or doubled.

    python bench/fleet.py [--quick] [--check] [--only node_killed ...]

Real NATS servers, nodes, a broker and a PostgreSQL with `blikk collect` on loopback. Cameras show the scenes of a real
clip, each at its own offset (`tests/plugins/blikk_sim.py`). `--check` ends with 1 where a limit is missed.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet_judge import Verdict, judged
from fleet_site import Fleet, load, measured
from rig import table

OWNED_S = 8.0
"""TTL and two seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a trouble did.

    Attributes:
        what: What was done.
        owned_s: How long until each camera had an owner again, that runs; None where none lost it.
        verdict: On all records until then.
    """

    what: str
    owned_s: float | None
    verdict: Verdict


def node_killed(fleet: Fleet) -> tuple[str, float | None]:
    """End by kill -9 the node with the most cameras that does not lead."""
    return _killed(fleet, fleet.fullest(but=fleet.leader()), "a node")


def leader_killed(fleet: Fleet) -> tuple[str, float | None]:
    """End by kill -9 the node that speaks for the site."""
    return _killed(fleet, fleet.leader(), "the leader")


def _killed(fleet: Fleet, name: str, what: str) -> tuple[str, float]:
    lost, node = len(fleet.held(name)), fleet.nodes[name]
    began = time.monotonic()
    node.signal(signal.SIGKILL)
    node.wait()
    owned = fleet.until(fleet.all_owned, "owners") - began
    node.start()
    return f"kill -9 of {what} with {lost}", owned


TROUBLES: dict[str, Callable[[Fleet], tuple[str, float | None]]] = {
    each.__name__: each for each in (node_killed, leader_killed)
}


def steady(fleet: Fleet) -> None:
    """Wait until all nodes are at work."""
    fleet.until(fleet.all_owned, "owners of all cameras")
    fleet.until(lambda: all(map(fleet.runs, fleet.nodes)), "all nodes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one server, 2 nodes, 30 cameras, two troubles")
    parser.add_argument("--check", action="store_true", help="end with 1 where a limit is missed")
    parser.add_argument("--only", nargs="+", choices=TROUBLES, metavar="TROUBLE", help=", ".join(TROUBLES))
    parser.add_argument("--cameras", type=int, default=300)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))
    sizes = (1, 2, 30) if options.quick else (3, 3, options.cameras)
    missed = False
    try:
        with Fleet(folder, servers=sizes[0], nodes=sizes[1], cameras=sizes[2]) as fleet:
            began = time.monotonic()
            fleet.start()
            first = fleet.until(fleet.all_owned, "owners of all cameras") - began
            print(f"{fleet.count} cameras owned {first:.1f} s after the start of {len(fleet.nodes)} nodes", flush=True)
            time.sleep(10)
            with measured(fleet) as found:
                time.sleep(10)
            table(
                ("part", "of a core", "memory"),
                [(name, f"{cpu:.1%}", f"{memory:.0f} MB") for name, (cpu, memory) in found.items()],
            )
            for name in options.only or TROUBLES:
                steady(fleet)
                time.sleep(5)
                what, owned = TROUBLES[name](fleet)
                steady(fleet)
                time.sleep(5)
                verdict = judged(fleet)
                well = verdict.well and (owned is None or owned <= OWNED_S)
                missed |= not well
                print(
                    what,
                    "-" if owned is None else f"{owned:.1f} s",
                    verdict,
                    load(),
                    "" if well else "MISSED",
                    flush=True,
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(missed and options.check)


if __name__ == "__main__":
    sys.exit(main())
