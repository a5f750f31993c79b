"""Debian's Motion beside ours on the same RTSP stream, in the same minutes: CPU, memory, and what each reports.

    python bench/peers.py [--quick] [--check]

Motion (motion-project.github.io, `apt install motion`) decodes every frame and compares it with a background, as our
motion gate does; it does not know what moves, writes no pictures here, and reports an event by running a command. It
runs with its defaults, but for the size of the stream, and a gap of 3 s instead of a minute between two events: with a
minute the six visits would be one. Ours also runs with its defaults, and reports persons to a broker. A bare decoder of
the same stream is 1.

An event is a visit's where it starts while the visitor is there, or a second before or after; another one of the same
visit is extra, and so is one at any other time. Both connect at another moment of the clip; each is shifted to where
most of its visits fit. `--quick` watches the first two visits.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from shutil import which
from typing import NamedTuple

import psutil
from idle import RIVAL
from rig import Broker, RtspServer, blikk_run, cpu_s, data_folder, idle_clip, table
from visits import events_of
from watch import source_visits

CONFIG = """\
daemon off
setup_mode off
log_level 4
netcam_url {url}
width {width}
height {height}
framerate {fps}
event_gap 3
picture_output off
movie_output off
webcontrol_port 0
stream_port 0
target_dir {folder}
on_event_start date +%s.%N >> {folder}/events
"""
SLACK_S = 1.0
WARM_S = 20.0
IDLE_S = 40.0


class Taken(NamedTuple):
    """Cores and MB of a process."""

    cores: float
    rss_mb: float


class Scored(NamedTuple):
    """Visits with an event, and events beside them."""

    visits: int
    extra: int


def scored(starts: list[float], spans: list[tuple[float, float]]) -> Scored:
    """How events at these times fit visits at those of the clip, shifted to where most do."""

    def at(shift: float) -> Scored:
        hits = [sum(begin - SLACK_S <= start + shift <= end + SLACK_S for start in starts) > 0 for begin, end in spans]
        return Scored(sum(hits), len(starts) - sum(hits))

    shifts = [begin - start for start in starts for begin, _ in spans]
    return max((at(shift) for shift in shifts), default=Scored(0, 0))


def motion(stack: ExitStack, folder: Path, url: str, *, width: int, height: int, fps: int) -> subprocess.Popen[bytes]:
    """Motion on this stream; its events are in a file in the folder."""
    config = folder / "motion.conf"
    config.write_text(CONFIG.format(url=url, width=width, height=height, fps=fps, folder=folder))
    log = stack.enter_context((folder / "motion.log").open("wb"))
    process = subprocess.Popen(["motion", "-n", "-c", str(config)], stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def beside(
    folder: Path, clip: Path, seconds: float, *, width: int, height: int, fps: int, once: bool, warm_s: float
) -> tuple[dict[str, Taken], list[float], list[float]]:
    """What each takes on this clip; when Motion's events and ours of persons began."""
    folder.mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder))
        server = stack.enter_context(RtspServer(clip, once=once))
        run = stack.enter_context(blikk_run(folder, source=server.url, port=broker.port))
        peer = motion(stack, folder, server.url, width=width, height=height, fps=fps)
        bare = subprocess.Popen([sys.executable, "-c", RIVAL, server.url])
        stack.callback(bare.wait)
        stack.callback(bare.kill)
        running = {"bare decoding": bare, "Motion": peer, "blikk": run}
        time.sleep(warm_s)
        before = {name: cpu_s(process.pid) for name, process in running.items()}
        began = time.monotonic()
        seen = asyncio.run(events_of(broker.port, seconds))
        passed_s = time.monotonic() - began
        taken = {
            name: Taken(
                (cpu_s(process.pid) - before[name]) / passed_s, psutil.Process(process.pid).memory_info().rss / 1e6
            )
            for name, process in running.items()
        }
        events = folder / "events"
        theirs = [float(line) for line in events.read_text().split()] if events.exists() else []
    ours = [
        datetime.fromisoformat(event["started"]).timestamp()
        for _, event in seen
        if event["label"] == "person" and event["phase"] == "started"
    ]
    return taken, theirs, ours


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two visits, a short idle window")
    parser.add_argument(
        "--check", action="store_true", help="exit 1 where a visit is missed or something extra reported"
    )
    options = parser.parse_args()
    if which("motion") is None:
        print("skipped: Motion is not installed; apt install motion", file=sys.stderr)
        return 0
    if data_folder() is None:
        print("skipped: no test data; set BLIKK_TEST_DATA", file=sys.stderr)
        return 0
    rows = []
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        idle = folder / "idle.mp4"
        idle_clip(idle, width_px=640, height_px=480, fps=15, seconds=20)
        quiet, their_false, our_false = beside(
            folder / "idle", idle, 15.0 if options.quick else IDLE_S, width=640, height=480, fps=15, once=False,
            warm_s=WARM_S,
        )  # fmt: skip
        visits = source_visits(folder)
        spans = visits.spans[:2] if options.quick else visits.spans
        # the bare decoder must not have come to the clip's end when it is measured
        busy, theirs, ours = beside(
            folder / "visits", visits.path, spans[-1][1] + 1.0, width=768, height=432, fps=visits.fps, once=False,
            warm_s=0.0,
        )  # fmt: skip
    found = {"Motion": scored(theirs, spans), "blikk": scored(ours, spans)}
    false = {"Motion": len(their_false), "blikk": len(our_false)}
    for name in quiet:
        idle_ratio = quiet[name].cores / quiet["bare decoding"].cores
        busy_ratio = busy[name].cores / busy["bare decoding"].cores
        said = (
            (f"{found[name].visits} of {len(spans)}", f"{found[name].extra}", f"{false[name]}")
            if name in found
            else ("-", "-", "-")
        )
        rows.append((name, f"{idle_ratio:.2f}", f"{busy_ratio:.2f}", f"{busy[name].rss_mb:.0f}", *said))
    table(("", "CPU idle, 480p", "CPU visits, 432p", "MB", "visits", "extra", "events while idle"), rows)
    print("CPU: bare decoding of the same stream in the same minutes is 1")
    missed = found["blikk"] != Scored(len(spans), 0) or false["blikk"] > 0
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
