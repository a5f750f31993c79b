"""One 4K stream: what watching costs in each way, in ratios to bare decoding of the same stream in the same minutes.

    python bench/uhd.py [--quick] [--check]

The stream is H.264, 3840x2160 at 15 fps with a keyframe every two seconds, over RTSP; once a textured wall on which
nothing moves, once people who walk by without a pause. Beside bare decoding in one thread: a loop as people write it,
OpenCV, which makes a full-size BGR picture of every frame and scales one in three to 480p, and the same with scaling
straight from the decoder's planes, which is what a node does. Then `blikk run`: `full`, `eco`, `keyframes`, and
`measured`, which chooses. What it chose and why is printed from its log. Each is one process with its own connection;
CPU is what the kernel charged, memory what is resident.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import psutil
from idle import RIVAL
from rig import Broker, RtspServer, blikk_run, cpu_s, data_folder, table
from watch import Encoding, Visits, encode, pictures, source_visits

from blikk_edge.core.fields import Watch

WIDTH_PX, HEIGHT_PX, FPS = 3840, 2160, 15
WARM_S = 45.0
GOAL_KEYFRAMES, GOAL_FULL = 0.2, 1.25

OPENCV = """
import cv2, sys
capture, count = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG), 0
while True:
    fine, frame = capture.read()
    if not fine:
        break
    count += 1
    if count % 3 == 0:
        cv2.resize(frame, (854, 480), interpolation=cv2.INTER_AREA)
"""

SCALED = """
import av, sys
with av.open(sys.argv[1], options={"rtsp_transport": "tcp"}) as container:
    stream = container.streams.video[0]
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    scaler = av.video.reformatter.VideoReformatter()
    for count, frame in enumerate(container.decode(stream)):
        if count % 3 == 0:
            scaler.reformat(frame, width=854, height=480, format="bgr24", threads=1)
"""

WAYS = (Watch.FULL, Watch.ECO, Watch.KEYFRAMES, Watch.MEASURED)


def wall(seconds: float) -> Iterator[np.ndarray]:
    """Nothing moves: squares of grey with sensor noise, of which a few fields are moved about."""
    rng = np.random.default_rng(1)
    flat = rng.integers(60, 180, (HEIGHT_PX // 16, WIDTH_PX // 16)).repeat(16, 0).repeat(16, 1).astype(np.int16)
    fields = [rng.normal(0, 2, flat.shape).astype(np.int16) for _ in range(4)]
    for number in range(round(seconds * FPS)):
        grey = np.clip(flat + np.roll(fields[number % 4], 37 * number), 0, 255).astype(np.uint8)
        yield cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


def walkers(visits: Visits, seconds: float) -> Iterator[np.ndarray]:
    """Somebody walks by, enlarged."""
    begin = round(visits.spans[0][0] * visits.fps)
    for picture in islice(pictures(visits.path), begin, begin + round(seconds * FPS)):
        yield cv2.resize(picture, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)


def cost(
    folder: Path, clip: Path, *, window_s: float, windows: int
) -> tuple[dict[str, list[float]], dict[str, float], str]:
    """Cores that each way took in each window, its MB, and what the node that measures said."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder))
        server = stack.enter_context(RtspServer(clip))
        running: dict[str, subprocess.Popen[bytes]] = {}
        for kind, program in (("bare", RIVAL), ("OpenCV loop", OPENCV), ("scaled loop", SCALED)):
            running[kind] = subprocess.Popen([sys.executable, "-c", program, server.url])
            stack.callback(running[kind].wait)
            stack.callback(running[kind].kill)
        for watch in WAYS:
            (home := folder / watch).mkdir()
            run = blikk_run(home, source=server.url, port=broker.port, node=str(watch), watch=watch)
            running[watch] = stack.enter_context(run)
        time.sleep(WARM_S)
        spent: dict[str, list[float]] = {kind: [] for kind in running}
        for _ in range(windows):
            before, began = {kind: cpu_s(process.pid) for kind, process in running.items()}, time.monotonic()
            time.sleep(window_s)
            passed_s = time.monotonic() - began
            for kind, process in running.items():
                spent[kind].append((cpu_s(process.pid) - before[kind]) / passed_s)
        if any(process.poll() is not None for process in running.values()):
            raise RuntimeError("a process ended early")
        resident = {kind: psutil.Process(process.pid).memory_info().rss / 1e6 for kind, process in running.items()}
    log = (folder / Watch.MEASURED / "blikk.log").read_text()
    return spent, resident, "\n".join(line for line in log.splitlines() if "decoded" in line)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a short window of the idle stream")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    options = parser.parse_args()
    rows, missed, said = [], False, {}
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        if (data := data_folder()) is not None:
            os.environ.setdefault("BLIKK_MODELS", str(data / "models"))
        visits = source_visits(folder)
        for scene in ("idle", "busy")[: 1 if options.quick else 2]:
            (home := folder / scene).mkdir()
            made = wall(4.0) if scene == "idle" else walkers(visits, 8.0)
            clip = encode(home / "clip.mp4", made, fps=FPS, how=Encoding(2))
            spent, resident, said[scene] = cost(
                home, clip, window_s=10.0 if options.quick else 15.0, windows=1 if options.quick else 3
            )
            ratios = {
                kind: statistics.median(one / bare for one, bare in zip(cores, spent["bare"], strict=True))
                for kind, cores in spent.items()
            }
            for kind, ratio in ratios.items():
                rows.append(
                    (scene, kind, f"{ratio:.2f}", f"{statistics.median(spent[kind]):.2f}", f"{resident[kind]:.0f}")
                )
            missed |= ratios[Watch.KEYFRAMES] > GOAL_KEYFRAMES
            missed |= scene == "idle" and ratios[Watch.FULL] > GOAL_FULL
    print("\none 4K stream, H.264 at 15 fps; CPU in times of bare decoding, in the same minutes\n")
    table(("scene", "way", "CPU", "cores", "MB"), rows)
    for scene, lines in said.items():
        print(f"\nwhat `measured` said, {scene}:\n{lines}")
    print(f"\ngoals: keyframes at most {GOAL_KEYFRAMES}, full at most {GOAL_FULL} on the idle stream")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
