"""A site of several nodes in trouble: cameras owned in time, by one node each, and no record lost or doubled.

    python bench/fleet.py [--quick] [--check] [--only node_killed ...] [--scale]

Three NATS servers, three nodes, one broker and PostgreSQL with `blikk collect`, all real and on loopback. Simulated
cameras show the scenes of a real clip, each at its own offset (`tests/plugins/blikk_sim.py`), beside some real RTSP
streams. After each trouble all that the nodes have written into their journals is looked for in the tables.
`--check` ends with 1 where a limit is missed.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from fleet_judge import Verdict, judged
from fleet_scale import curve
from fleet_site import Fleet, load, measured
from fleet_troubles import NEEDS, TROUBLES, Outcome
from rig import table

OWNED_S = 8.0
"""TTL and two seconds."""

SETTLE_S = 10.0
QUICK_S = 3.0
QUICK = ("node_killed", "node_paused")


def site_at_work(fleet: Fleet, settle_s: float) -> None:
    """Wait until all nodes are there and watch, and all cameras are owned, and a while more."""
    fleet.until(lambda: all(map(fleet.runs, fleet.nodes)), "all nodes")
    fleet.until(fleet.all_owned, "owners of all cameras")
    fleet.until(lambda: all(map(fleet.held, fleet.nodes)), "cameras of each node", 300.0)
    time.sleep(settle_s)


def said(name: str, outcome: Outcome, verdict: Verdict, before: Verdict | None, within_s: float) -> list[str]:
    """Print what came of a trouble; what was missed."""
    within_s += outcome.floor_s
    missed = [
        *([f"cameras had no owner for {outcome.owned_s:.1f} s"] if outcome.owned_s > within_s else []),
        *([outcome.wrong] if outcome.wrong else []),
        *verdict.missed,
    ]
    written = verdict.written - (before.written if before else 0)
    stale = verdict.stale - (before.stale if before else 0)
    print(f"{name}: {outcome.what}")
    within = f", at most {within_s:.1f} s with a write each" if outcome.floor_s else ""
    print(f"  owned after {outcome.owned_s:.1f} s{within}{', ' if outcome.more else ''}{outcome.more}; load {load()}")
    print(
        f"  {written} records, {verdict.lost} lost, {verdict.doubled} doubled, {verdict.both} under two owners, "
        f"{stale} of an older lease; looked for {verdict.arrive_s:.1f} s"
    )
    for each in missed:
        print(f"  MISSED: {each}")
    sys.stdout.flush()
    return missed


def took(fleet: Fleet, seconds: float) -> None:
    """Print what each part takes while nothing happens but what cameras show."""
    with measured(fleet) as found:
        time.sleep(seconds)
    rows = [(name, f"{cpu:.1%}", f"{memory:.0f} MB") for name, (cpu, memory) in found.items()]
    table((f"calm, load {load()}", "of a core", "memory"), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one server, two nodes, 30 cameras, two troubles")
    parser.add_argument("--check", action="store_true", help="end with 1 where a limit is missed")
    parser.add_argument("--scale", action="store_true", help="what a camera costs, with 30, 300 and 3000 of them")
    parser.add_argument("--within", type=float, default=OWNED_S, help="seconds until all cameras are owned again")
    parser.add_argument("--only", nargs="+", choices=TROUBLES, metavar="TROUBLE", help=", ".join(TROUBLES))
    parser.add_argument("--cameras", type=int, default=300, help="simulated ones")
    parser.add_argument("--rtsp", type=int, default=6, help="real ones")
    options = parser.parse_args()
    if options.scale:
        curve((30, 300, 3000))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # all that was started ends
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))
    sizes = {"servers": 3, "nodes": 3, "cameras": options.cameras, "rtsp": options.rtsp}
    settle_s = QUICK_S if options.quick else SETTLE_S
    if options.quick:
        sizes = {"servers": 1, "nodes": 2, "cameras": 30, "rtsp": 0}
    missed, before = [], None
    try:
        with Fleet(folder, **sizes) as fleet:
            began = time.monotonic()
            fleet.start()
            first = fleet.until(fleet.all_owned, "owners of all cameras") - began
            print(
                f"{fleet.count} cameras owned {first:.1f} s after the start of {len(fleet.nodes)} nodes; load {load()}"
            )
            site_at_work(fleet, settle_s)
            if not options.quick:
                took(fleet, 20.0)
            for name in options.only or (QUICK if options.quick else TROUBLES):
                if name in NEEDS and shutil.which(NEEDS[name]) is None:
                    print(f"{name}: left out, as there is no `{NEEDS[name]}` here")
                    continue
                outcome = TROUBLES[name](fleet)
                site_at_work(fleet, settle_s)
                verdict = judged(fleet)
                missed += said(name, outcome, verdict, before, options.within)
                before = verdict
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(bool(missed) and options.check)


if __name__ == "__main__":
    sys.exit(main())
