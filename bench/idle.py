"""What watching an idle scene costs: `blikk run` beside bare decoding of the same RTSP stream, in the same minute.

    python bench/idle.py [--windows 5] [--quick] [--check]

Three processes of each, all with an RTSP connection of their own to the same server; CPU is what the kernel charged
them over the same windows, after start-up. Where its memory happens to lie makes one process a twentieth dearer than
its twin, so the ratio is that of the means in each window, and its median is printed. The rival decodes every frame in
one thread and does nothing else. The floor is what nobody who looks at pixels can go below: it decodes like the rival,
and halves the brightness of five pictures a second twice, which has to read them once.

Memory is what is resident, and PSS, in which pages that several processes share count in part: with three nodes and
six others on the machine a library counts for a fraction.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil
from rig import Broker, RtspServer, blikk_run, cpu_s, idle_clip, table

GOAL_RATIO = 1.25
GOAL_RSS_MB = 160.0
WARM_S = 15.0
TWINS = 3

RIVAL = """
import av, sys
with av.open(sys.argv[1], options={"rtsp_transport": "tcp"}) as container:
    stream = container.streams.video[0]
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    for _ in container.decode(stream):
        pass
"""

FLOOR = """
import av, cv2, numpy, sys
with av.open(sys.argv[1], options={"rtsp_transport": "tcp"}) as container:
    stream = container.streams.video[0]
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    due = 0.0
    for picture in container.decode(stream):
        if picture.time is not None and picture.time >= due:
            due = picture.time + 0.19
            plane = picture.planes[0]
            luma = numpy.frombuffer(plane, numpy.uint8).reshape(plane.height, plane.line_size)[:, :plane.width]
            half = cv2.resize(luma, (plane.width // 2, plane.height // 2), interpolation=cv2.INTER_AREA)
            cv2.resize(half, (plane.width // 4, plane.height // 4), interpolation=cv2.INTER_AREA)
"""


class Measured(NamedTuple):
    """CPU seconds in each window, means of the twins, and our largest memory in MB."""

    bare: list[float]
    floor: list[float]
    ours: list[float]
    rss_mb: float
    pss_mb: float


def measure(folder: Path, *, width_px: int, height_px: int, fps: int, window_s: float, windows: int) -> Measured:
    """What each takes in the same windows."""
    homes = [folder / str(n) for n in range(TWINS)]
    for home in homes:
        home.mkdir(parents=True)
    clip = folder / "idle.mp4"
    idle_clip(clip, width_px=width_px, height_px=height_px, fps=fps, seconds=20)
    measured = Measured([], [], [], 0.0, 0.0)
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder))
        server = stack.enter_context(RtspServer(clip))
        runs = [
            stack.enter_context(blikk_run(home, source=server.url, port=broker.port, node=f"bench{home.name}"))
            for home in homes
        ]
        rivals, floors = (
            [subprocess.Popen([sys.executable, "-c", program, server.url]) for _ in homes] for program in (RIVAL, FLOOR)
        )
        for rival in (*rivals, *floors):
            stack.callback(rival.wait)
            stack.callback(rival.kill)
        time.sleep(WARM_S)
        for _ in range(windows):
            before = [_mean_cpu_s(processes) for processes in (rivals, floors, runs)]
            time.sleep(window_s)
            for processes, earlier, spent in zip((rivals, floors, runs), before, measured[:3], strict=True):
                spent.append(_mean_cpu_s(processes) - earlier)
            memory = [psutil.Process(run.pid).memory_full_info() for run in runs]
            measured = measured._replace(
                rss_mb=max(measured.rss_mb, *(taken.rss / 1e6 for taken in memory)),
                pss_mb=max(measured.pss_mb, *(taken.pss / 1e6 for taken in memory)),
            )
        if any(process.poll() is not None for process in (*rivals, *floors, *runs)):
            raise RuntimeError(f"a process ended early:\n{(homes[0] / 'blikk.log').read_text()}")
    return measured


def _mean_cpu_s(processes: list[subprocess.Popen[bytes]]) -> float:
    return statistics.mean(cpu_s(process.pid) for process in processes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=5, help="how often half a minute is measured")
    parser.add_argument("--quick", action="store_true", help="one stream, a short window")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    options = parser.parse_args()
    streams = [(640, 480, 15)] if options.quick else [(640, 480, 15), (768, 432, 10), (1280, 720, 15)]
    window_s, windows = (20.0, 2) if options.quick else (30.0, options.windows)
    rows, worst, largest = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as base:
        for width, height, fps in streams:
            got = measure(
                Path(base) / f"{width}", width_px=width, height_px=height, fps=fps, window_s=window_s, windows=windows
            )
            ratios = [mine / bare for mine, bare in zip(got.ours, got.bare, strict=True)]
            floors = [floor / bare for floor, bare in zip(got.floor, got.bare, strict=True)]
            ratio = statistics.median(ratios)
            worst, largest = max(worst, ratio), max(largest, got.rss_mb)
            per_hour = 3600 / window_s
            rows.append(
                (
                    f"{width}x{height} {fps} fps",
                    f"{statistics.median(got.bare) * per_hour:.0f}",
                    f"{statistics.median(got.ours) * per_hour:.0f}",
                    f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                    f"{statistics.median(floors):.2f}",
                    f"{got.rss_mb:.0f}",
                    f"{got.pss_mb:.0f}",
                )
            )
    table(("idle stream", "bare CPU s/h", "blikk CPU s/h", "ratio", "floor", "blikk RSS MB", "PSS MB"), rows)
    print(f"goals: ratio at most {GOAL_RATIO}, RSS at most {GOAL_RSS_MB:.0f} MB")
    missed = worst > GOAL_RATIO or largest > GOAL_RSS_MB
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
