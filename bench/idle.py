"""What watching an idle scene costs: `blikk run` beside bare decoding of the same RTSP stream, in the same minute.

    python bench/idle.py [--quick] [--check]

Both are processes of their own, each with its own RTSP connection to the same server; CPU is what the kernel charged
them over the same window, after start-up. The rival decodes every frame in one thread and does nothing else.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rig import Broker, RtspServer, blikk_run, cpu_s, idle_clip, table

GOAL_RATIO = 1.25
GOAL_RSS_MB = 180.0

RIVAL = """
import av, sys
with av.open(sys.argv[1], options={"rtsp_transport": "tcp"}) as container:
    stream = container.streams.video[0]
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    for _ in container.decode(stream):
        pass
"""


def measure(
    folder: Path, *, width_px: int, height_px: int, fps: int, warm_s: float, window_s: float
) -> tuple[float, float, float]:
    """CPU seconds of the rival and of ours over the window, and our RSS in MB at its end."""
    folder.mkdir()
    clip = folder / "idle.mp4"
    idle_clip(clip, width_px=width_px, height_px=height_px, fps=fps, seconds=20)
    with (
        Broker(folder) as broker,
        RtspServer(clip) as server,
        blikk_run(folder, source=server.url, port=broker.port) as run,
    ):
        rival = subprocess.Popen([sys.executable, "-c", RIVAL, server.url])
        try:
            theirs, ours = psutil.Process(rival.pid), psutil.Process(run.pid)
            time.sleep(warm_s)
            before = cpu_s(theirs), cpu_s(ours)
            time.sleep(window_s)
            after = cpu_s(theirs), cpu_s(ours)
            rss = ours.memory_info().rss / 1e6
            if rival.poll() is not None or run.poll() is not None:
                raise RuntimeError(f"a process ended early; see {folder}/blikk.log")
        finally:
            rival.kill()
            rival.wait()
    return after[0] - before[0], after[1] - before[1], rss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one stream, a short window")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    options = parser.parse_args()
    streams = [(640, 480, 15)] if options.quick else [(640, 480, 15), (768, 432, 10), (1280, 720, 15)]
    window_s = 30.0 if options.quick else 60.0
    rows, worst, largest = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as base:
        for width, height, fps in streams:
            theirs, ours, rss = measure(
                Path(base) / f"{width}", width_px=width, height_px=height, fps=fps, warm_s=15.0, window_s=window_s
            )
            ratio = ours / theirs
            worst, largest = max(worst, ratio), max(largest, rss)
            per_hour = 3600 / window_s
            rows.append(
                (
                    f"{width}x{height} {fps} fps",
                    f"{theirs * per_hour:.0f}",
                    f"{ours * per_hour:.0f}",
                    f"{ratio:.2f}",
                    f"{rss:.0f}",
                )
            )
    table(("idle stream", "bare CPU s/h", "blikk CPU s/h", "ratio", "blikk RSS MB"), rows)
    print(f"goals: ratio at most {GOAL_RATIO}, RSS at most {GOAL_RSS_MB:.0f} MB")
    missed = worst > GOAL_RATIO or largest > GOAL_RSS_MB
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
