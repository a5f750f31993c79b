"""WebRTC in: time to the first frame, CPU, and what stays behind after many connections, against peers from npm.

    .venv/bin/python bench/webrtc.py [--connections 20]

Each row is a process of its own with a WHEP server beside it (`scripts/webrtc_peers`): werift in Node, which passes on
RTP of a third process, and libwebrtc (wrtc), which encodes itself. The first connection also imports the library.
"""

import argparse
import ctypes
import gc
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

from blikk_edge.core.clock import SystemClock
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.webrtc.options import WHEP
from blikk_edge.sources.webrtc.whep import WhepSource

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from webrtc_peer import whep_server  # noqa: E402

PEERS = (("werift", "h264"), ("werift", "vp8"), ("wrtc", "vp8"))
WARM = 25
"""Connections before the first look at what stays behind."""


def resident_kb() -> int:
    """This process's memory, once the allocator has given back what it holds for nothing."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


def held() -> tuple[int, int]:
    """Threads and open files of this process."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def measure(library: str, codec: str, connections: int, *, watched: int = 50) -> dict[str, object]:
    """One row, in this process; its last connection lasts for so many frames."""

    firsts: list[float] = []
    with whep_server(library, codec) as server:
        options = WHEP({"address": server.address, "token": server.token})
        source = WhepSource(options, Terms(camera="c", shown="whep", clock=SystemClock()))

        def once(frames: int) -> None:
            stop, began = threading.Event(), time.monotonic()
            for number, _ in enumerate(source.frames(stop), start=1):
                if number == 1:
                    firsts.append(time.monotonic() - began)
                if number == frames:
                    stop.set()

        for _ in range(WARM):
            once(1)
        before_kb, before = resident_kb(), held()
        for _ in range(connections):
            once(1)
        after_kb, after = resident_kb(), held()
        cpu, wall = time.process_time(), time.monotonic()
        once(watched)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    later = sorted(firsts[1:])
    return {
        "peer": f"{library} {codec}",
        "first connection": f"{firsts[0]:.2f} s",
        "later p50": f"{later[len(later) // 2]:.2f} s",
        "later most": f"{later[-1]:.2f} s",
        "CPU at 15 fps": f"{100 * cpu / wall:.1f} %",
        f"after {connections}": f"{after[0] - before[0]:+d} threads, {after[1] - before[1]:+d} files, "
        f"{after_kb - before_kb:+d} kB",
        "resident": f"{after_kb / 1024:.0f} MB",
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        print(json.dumps(measure(options.peer[0], options.peer[1], options.connections)))
        return
    rows = []
    for peer in PEERS:
        command = [sys.executable, __file__, "--connections", str(options.connections), "--peer", *peer]
        rows.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + " --- |" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(map(str, row.values())) + " |")


if __name__ == "__main__":
    main()
