"""What watching an idle scene costs: `blikk run` beside bare decoding of the same RTSP stream, in the same minute.

    python bench/idle.py [--quick] [--check]

Both are processes of their own, each with its own RTSP connection to the same server; CPU is what the kernel charged
them over the same windows, after start-up; the ratio is the median of the windows'. The rival decodes every frame in
one thread and does nothing else.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rig import Broker, RtspServer, blikk_run, cpu_s, idle_clip, table

GOAL_RATIO = 1.25
GOAL_RSS_MB = 180.0
WARM_S = 15.0

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
    """CPU seconds of the rival and of ours in each window, and our largest RSS in MB."""
    folder.mkdir()
    clip = folder / "idle.mp4"
    idle_clip(clip, width_px=width_px, height_px=height_px, fps=fps, seconds=20)
    theirs, ours, rss = [], [], 0.0
    with (
        Broker(folder) as broker,
        RtspServer(clip) as server,
        blikk_run(folder, source=server.url, port=broker.port) as run,
    ):
        rival = subprocess.Popen([sys.executable, "-c", RIVAL, server.url])
        try:
            time.sleep(WARM_S)
            for _ in range(windows):
                before = cpu_s(rival.pid), cpu_s(run.pid)
                time.sleep(window_s)
                theirs.append(cpu_s(rival.pid) - before[0])
                ours.append(cpu_s(run.pid) - before[1])
                rss = max(rss, psutil.Process(run.pid).memory_info().rss / 1e6)
            if rival.poll() is not None or run.poll() is not None:
                raise RuntimeError(f"a process ended early:\n{(folder / 'blikk.log').read_text()}")
        finally:
            rival.kill()
            rival.wait()
    return theirs, ours, rss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one stream, a short window")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    options = parser.parse_args()
    streams = [(640, 480, 15)] if options.quick else [(640, 480, 15), (768, 432, 10), (1280, 720, 15)]
    window_s, windows = (20.0, 2) if options.quick else (30.0, 5)
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
