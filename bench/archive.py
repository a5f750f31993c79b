"""What recording costs: our recorder beside `ffmpeg -c copy`, from one RTSP server, in one run, as ratios.

    python bench/archive.py [--seconds 30] [--rounds 3]

Each round one after the other, so that both meet the same machine: CPU seconds (user and system) of a process that only
records, of ffmpeg with `-c copy -f segment` of the same stream, and of ffmpeg that decodes it. Needs ffmpeg, and the
Debian packages of the tests' RTSP server.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from rtsp_server import RtspServer  # noqa: E402

SIZES: Final = {"1080p": ("1920x1080", "4M"), "4K": ("3840x2160", "16M")}

OURS: Final = """
import sys, threading, time
sys.path[:0] = {paths!r}
from pathlib import Path
from recording_stage import options, recording
from blikk_edge.recording.options import RecordMode
with recording(Path(sys.argv[1]), sys.argv[2], options(RecordMode(sys.argv[3]))):
    print("ready", flush=True)
    threading.Event().wait(float(sys.argv[4]))
"""


def make(path: Path, size: str, rate: str) -> None:
    """A clip with noise, so that it is as large as a camera's: 25 fps, a keyframe every 2 s, ten seconds."""
    source = f"testsrc2=size={size}:rate=25:duration=10,noise=alls=12:allf=t"
    coder = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", rate, "-maxrate", rate, "-bufsize", rate]
    shape = ["-g", "50", "-bf", "0", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *coder, *shape, "-y", str(path)]
    subprocess.run(command, check=True)


def cpu_s(command: Sequence[str], seconds: float) -> float:
    """CPU seconds of a command that ends by itself after so long, with its start taken out by half the time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=seconds + 120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cost(command: "Sequence[str]", short: "Sequence[str]", seconds: float) -> float:
    """CPU seconds of each second of the stream: what the long run took more than the short one."""
    return (cpu_s(command, seconds) - cpu_s(short, seconds / 3)) / (seconds * 2 / 3)


def ours(folder: Path, url: str, mode: str, seconds: float) -> list[str]:
    """Our recorder alone."""
    code = OURS.format(paths=[str(TESTS / "recording"), str(TESTS), str(TESTS.parent)])
    return [sys.executable, "-c", code, str(folder), url, mode, f"{seconds:g}"]


def ffmpeg(url: str, seconds: float, *output: str) -> list[str]:
    """Ffmpeg on the same stream."""
    return ["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-t", f"{seconds:g}", *output, "-y"]


def measure(folder: Path, url: str, seconds: float, rounds: int) -> dict[str, float]:
    """CPU seconds of each second of the stream, by way: medians."""
    rows: dict[str, list[float]] = {"continuous": [], "events, waiting": [], "ffmpeg -c copy": [], "decoding": []}
    spans = (seconds, seconds / 3)
    for number in range(rounds):
        for way, mode in (("continuous", "continuous"), ("events, waiting", "events")):
            long, short = (ours(folder / f"{mode}{number}{at:g}" / "r", url, mode, at) for at in spans)
            rows[way].append(cost(long, short, seconds))
        segments = ("-c", "copy", "-f", "segment", "-segment_time", "2", str(folder / "%d.mp4"))
        for way, output in (("ffmpeg -c copy", segments), ("decoding", ("-threads", "1", "-f", "null", "-"))):
            long, short = (ffmpeg(url, at, *output) for at in spans)
            rows[way].append(cost(long, short, seconds))
    return {way: statistics.median(costs) for way, costs in rows.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, medians of {options.rounds} rounds")
    for name, (size, rate) in SIZES.items():
        with tempfile.TemporaryDirectory() as temporary:
            clip = Path(temporary) / "clip.mp4"
            make(clip, size, rate)
            with RtspServer(clip) as server:
                found = measure(Path(temporary), server.url, options.seconds, options.rounds)
        for way, each in found.items():
            times = each / found["ffmpeg -c copy"]
            print(f"{name:6} {way:16} {100 * each:7.2f} % of a core  {times:6.2f} x -c copy", flush=True)


if __name__ == "__main__":
    main()
