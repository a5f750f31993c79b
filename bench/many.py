"""Many cameras in one node: what each costs, how many a core carries, and how late events are at each number of them.

    python bench/many.py [--cameras 1 4 16] [--quick] [--check] [--only cost | latency]

Cost: one `blikk run` with so many cameras, `full` and `eco`, and in the same minutes one bare decoder (every frame, and
nothing else) and one polling loop as people write it: OpenCV, a process for each camera, reads every frame, and every
two seconds the same detector looks at one. All streams are 640x480 at 15 fps over RTSP from one server; CPU is what the
kernel charged. In an idle stream nothing moves; in a busy one somebody walks by without a pause, in all at once. One
vision worker looks for all cameras of a node: where more is to be seen than it can look at, each camera gets fewer
looks, and no more CPU is used. What the polling loop is said to take with many cameras is that of one, times so many.

Latency: visitors walk by in all cameras of a `full` node at the same moments, which is the worst case; from the capture
of the first frame that shows them to the message on a real broker. The visits are those of bench/visits.py.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import av
import psutil
from idle import RIVAL
from rig import Broker, RtspServer, blikk_run, cpu_s, data_folder, idle_clip, table
from watch import Encoding, Visits, busy, encode, pictures, source_visits

from blikk_edge.core.errors import SinkError
from blikk_edge.sinks.mqtt.listener import listen

WIDTH_PX, HEIGHT_PX, FPS = 640, 480, 15
GOAL_ECO_IDLE = 4.0
"""An idle camera in `eco` is to cost so many times less than the polling loop, at every number of cameras."""
WARM_S = 30.0
POLL_S = 2.0

POLLING = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import cv2
from visits import person_detector
detector, looked = person_detector(), 0.0
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
while True:
    fine, frame = capture.read()
    if not fine:
        break
    if time.monotonic() - looked >= {POLL_S}:
        looked = time.monotonic()
        detector.detect(frame)
"""


class Cost(NamedTuple):
    """What one node took, a camera: cores, and MB and threads of the whole process."""

    cores: float
    rss_mb: float
    threads: int


class Rival(NamedTuple):
    """What one process took."""

    cores: float
    rss_mb: float


# -- cost --------------------------------------------------------------------------------------------------------------


def cost(folder: Path, clip: Path, *, watch: str, cameras: int, window_s: float) -> tuple[Cost, Rival, Rival]:
    """A node with so many cameras, one polling loop and one bare decoder, over the same window."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder))
        server = stack.enter_context(RtspServer(clip))
        rivals = [subprocess.Popen([sys.executable, "-c", program, server.url]) for program in (POLLING, RIVAL)]
        for rival in rivals:
            stack.callback(rival.wait)
            stack.callback(rival.kill)
        run = stack.enter_context(
            blikk_run(folder, source=server.url, port=broker.port, cameras=cameras, watch=watch, node="many")
        )
        time.sleep(WARM_S)
        before = [cpu_s(process.pid) for process in (run, *rivals)]
        began = time.monotonic()
        time.sleep(window_s)
        passed_s = time.monotonic() - began
        node, polling, bare = (
            (cpu_s(process.pid) - earlier) / passed_s for process, earlier in zip((run, *rivals), before, strict=True)
        )
        if any(process.poll() is not None for process in (run, *rivals)):
            raise RuntimeError(f"a process ended early:\n{(folder / 'blikk.log').read_text()[-2000:]}")
        ours = psutil.Process(run.pid)
        return (
            Cost(node / cameras, ours.memory_info().rss / 1e6, ours.num_threads()),
            Rival(polling, psutil.Process(rivals[0].pid).memory_info().rss / 1e6),
            Rival(bare, psutil.Process(rivals[1].pid).memory_info().rss / 1e6),
        )


def costs(folder: Path, visits: Visits, counts: list[int], *, window_s: float) -> bool:
    """Print what a camera costs at each number of them; says whether a goal was missed."""
    clips = {"idle": folder / "idle.mp4", "busy": folder / "busy.mp4"}
    idle_clip(clips["idle"], width_px=WIDTH_PX, height_px=HEIGHT_PX, fps=FPS, seconds=20)
    encode(clips["busy"], busy(visits, WIDTH_PX, HEIGHT_PX), fps=FPS, how=Encoding(2))
    rows, missed = [], False
    small: dict[tuple[str, str], tuple[int, Cost]] = {}
    for scene, clip in clips.items():
        for watch in ("full", "eco"):
            for cameras in counts:
                (home := folder / f"{scene}-{watch}-{cameras}").mkdir()
                ours, polling, bare = cost(home, clip, watch=watch, cameras=cameras, window_s=window_s)
                first, base = small.setdefault((scene, watch), (cameras, ours))
                added = (ours.rss_mb - base.rss_mb) / (cameras - first) if cameras > first else None
                rows.append(
                    (
                        f"{scene}, {watch}",
                        f"{cameras}",
                        f"{ours.cores / bare.cores:.2f}",
                        f"{polling.cores / bare.cores:.2f}",
                        f"{1 / ours.cores:.0f}",
                        f"{1 / polling.cores:.0f}",
                        f"{1 / bare.cores:.0f}",
                        f"{ours.rss_mb:.0f}" + (f" (+{added:.1f} each)" if added is not None else ""),
                        f"{polling.rss_mb * cameras:.0f}",
                        f"{ours.threads}",
                    )
                )
                print(".", end="", flush=True)
                missed |= scene == "idle" and watch == "eco" and polling.cores < GOAL_ECO_IDLE * ours.cores
    print(
        "\n\nCPU a camera (bare decoding in the same minutes is 1), and cameras that one core of this machine carries\n"
    )
    table(
        (
            "480p 15 fps",
            "cameras",
            "blikk",
            "polling",
            "blikk a core",
            "polling a core",
            "bare a core",
            "blikk MB",
            "polling MB",
            "threads",
        ),
        rows,
    )
    print(f"goal: an idle camera in eco costs {GOAL_ECO_IDLE:.0f} times less than the polling loop")
    return missed


# -- latency -----------------------------------------------------------------------------------------------------------


def latencies(folder: Path, visits: Visits, counts: list[int], *, most: int) -> None:
    """Print how late events are at each number of cameras."""
    count = min(most, len(visits.spans))
    last = round((visits.spans[count - 1][1] + 3.0) * visits.fps)
    frames = (picture for number, picture in enumerate(pictures(visits.path)) if number < last)
    clip = encode(folder / "visits.mp4", frames, fps=visits.fps, how=Encoding(2))
    with av.open(str(clip)) as container:
        length_s = container.duration / av.time_base
    rows = []
    for cameras in counts:
        (home := folder / f"visits-{cameras}").mkdir()
        with (
            Broker(home) as broker,
            RtspServer(clip, once=True) as server,
            blikk_run(home, source=server.url, port=broker.port, cameras=cameras, watch="full", node="many"),
        ):
            waits = sorted(asyncio.run(started(broker.port, length_s + 12.0, most=count)))
        late = [1000 * wait for wait in waits]
        rows.append(
            (
                f"{cameras}",
                f"{len(late)} of {count * cameras}",
                f"{statistics.median(late):.0f}" if late else "-",
                f"{late[int(0.95 * (len(late) - 1))]:.0f}" if late else "-",
            )
        )
        print(".", end="", flush=True)
    print("\n\nvisits in all cameras at the same moments\n")
    table(("cameras", "reported", "first sight to MQTT, p50 ms", "p95 ms"), rows)


async def started(port: int, seconds: float, *, most: int) -> list[float]:
    """Seconds from first sight to the message, of the `most` first visits at each camera: the clip may begin again."""
    seen: list[float] = []
    events: Counter[str] = Counter()
    try:
        async with asyncio.timeout(seconds):
            async for topic, payload in listen("127.0.0.1", port, "blikk/many/+/event"):
                event = json.loads(payload)
                if event["label"] == "person" and event["phase"] == "started" and events[topic] < most:
                    events[topic] += 1
                    seen.append(time.time() - datetime.fromisoformat(event["started"]).timestamp())
    except (TimeoutError, SinkError):
        pass
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 4, 16], help="the numbers of cameras")
    parser.add_argument("--quick", action="store_true", help="one and four cameras, short windows, one visit")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--only", choices=("cost", "latency"), help="one part of it")
    options = parser.parse_args()
    counts = [1, 4] if options.quick else sorted(options.cameras)
    missed = False
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        if (data := data_folder()) is not None:
            os.environ.setdefault("BLIKK_MODELS", str(data / "models"))
        visits = source_visits(folder)
        if options.only in {None, "cost"}:
            missed |= costs(folder, visits, counts, window_s=10.0 if options.quick else 15.0)
        if options.only in {None, "latency"}:
            latencies(folder, visits, counts, most=1 if options.quick else 3)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
