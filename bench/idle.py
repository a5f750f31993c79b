"""What watching an idle scene costs: `blikk run` beside bare decoding of the same RTSP stream, in the same minute.

    python bench/idle.py [--windows 5] [--quick] [--check]

Three processes of each, all with an RTSP connection of their own to the same server; CPU is what the kernel charged
them over the same windows, after start-up. Where its memory happens to lie makes one process a twentieth dearer than
its twin, so the ratio is that of the means in each window, and its median is printed. The rival decodes every frame in
one thread and does nothing else.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
from rig import Broker, RtspServer, blikk_run, cpu_s, idle_clip, table

GOAL_RATIO = 1.25
GOAL_RSS_MB = 180.0
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


def measure(
    folder: Path, *, width_px: int, height_px: int, fps: int, window_s: float, windows: int
) -> tuple[list[float], list[float], float]:
    """Mean CPU seconds of the rivals and of ours in each window, and our largest RSS in MB."""
    homes = [folder / str(n) for n in range(TWINS)]
    for home in homes:
        home.mkdir(parents=True)
    clip = folder / "idle.mp4"
    idle_clip(clip, width_px=width_px, height_px=height_px, fps=fps, seconds=20)
    theirs, ours, rss = [], [], 0.0
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder))
        server = stack.enter_context(RtspServer(clip))
        runs = [
            stack.enter_context(blikk_run(home, source=server.url, port=broker.port, node=f"bench{home.name}"))
            for home in homes
        ]
        rivals = [subprocess.Popen([sys.executable, "-c", RIVAL, server.url]) for _ in homes]
        for rival in rivals:
            stack.callback(rival.wait)
            stack.callback(rival.kill)
        time.sleep(WARM_S)
        for _ in range(windows):
            before = _mean_cpu_s(rivals), _mean_cpu_s(runs)
            time.sleep(window_s)
            theirs.append(_mean_cpu_s(rivals) - before[0])
            ours.append(_mean_cpu_s(runs) - before[1])
            rss = max(rss, *(psutil.Process(run.pid).memory_info().rss / 1e6 for run in runs))
        if any(process.poll() is not None for process in (*rivals, *runs)):
            raise RuntimeError(f"a process ended early:\n{(homes[0] / 'blikk.log').read_text()}")
    return theirs, ours, rss


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
            theirs, ours, rss = measure(
                Path(base) / f"{width}", width_px=width, height_px=height, fps=fps, window_s=window_s, windows=windows
            )
            ratios = [mine / bare for mine, bare in zip(ours, theirs, strict=True)]
            ratio = statistics.median(ratios)
            worst, largest = max(worst, ratio), max(largest, rss)
            per_hour = 3600 / window_s
            rows.append(
                (
                    f"{width}x{height} {fps} fps",
                    f"{statistics.median(theirs) * per_hour:.0f}",
                    f"{statistics.median(ours) * per_hour:.0f}",
                    f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                    f"{rss:.0f}",
                )
            )
    table(("idle stream", "bare CPU s/h", "blikk CPU s/h", "ratio", "blikk RSS MB"), rows)
    print(f"goals: ratio at most {GOAL_RATIO}, RSS at most {GOAL_RSS_MB:.0f} MB")
    missed = worst > GOAL_RATIO or largest > GOAL_RSS_MB
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
