"""One 4K stream: what watching costs in each way, in ratios to bare decoding of the same stream.

    python bench/uhd.py [--quick] [--check]

The stream is H.264, 3840x2160 at 15 fps with a keyframe every two seconds: once a real scene in which nothing moves,
once somebody who walks by without a pause, both enlarged. It is read from a file, as fast as it can be, by one process
for each way, so that a machine that is busy changes nothing but the time it takes: counted is CPU, all threads. Bare
decoding is in one thread. Beside it a loop as people write it, OpenCV, which makes a full-size BGR picture of every
frame and scales one in three to 480p; and the same with scaling straight from the decoder's planes, which is what a
node does. Then `blikk replay`: `full`, `eco` and `keyframes`, with motion gate, detector and all. Memory is the most
that was resident. Starting Python and the models is taken away from the CPU, by a clip of one second.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import av
import cv2
import numpy as np
from rig import data_folder, table
from watch import Encoding, Visits, encode, pictures, source_visits

from blikk_edge.app.replays import DEFAULTS, replay
from blikk_edge.core.fields import Watch

WIDTH_PX, HEIGHT_PX, FPS = 3840, 2160, 15
GOAL_KEYFRAMES, GOAL_FULL = 0.2, 1.25
WAYS: Final = ("bare", "OpenCV loop", "scaled loop", Watch.FULL, Watch.ECO, Watch.KEYFRAMES)


class Spent(NamedTuple):
    """What one process took."""

    cpu_s: float
    rss_mb: float


# -- the ways, each in a process of its own ----------------------------------------------------------------------------


def bare(clip: Path, *, scaled: bool) -> None:
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        scaler = av.video.reformatter.VideoReformatter()
        for count, frame in enumerate(container.decode(stream)):
            if scaled and count % 3 == 0:
                scaler.reformat(frame, width=854, height=480, format="bgr24", threads=1)


def opencv(clip: Path) -> None:
    capture, count = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG), 0
    while capture.isOpened():
        fine, frame = capture.read()
        if not fine:
            return
        count += 1
        if count % 3 == 0:
            cv2.resize(frame, (854, 480), interpolation=cv2.INTER_AREA)


def watched(clip: Path, watch: Watch) -> None:
    for _ in replay(clip, settings=replace(DEFAULTS, cameras=(replace(DEFAULTS.cameras[0], watch=watch),))):
        pass


def run(way: str, clip: Path) -> None:
    """Go this way, and print what it took."""
    if way == "OpenCV loop":
        opencv(clip)
    elif way in {"bare", "scaled loop"}:
        bare(clip, scaled=way != "bare")
    else:
        watched(clip, Watch(way))
    used = resource.getrusage(resource.RUSAGE_SELF)
    # what getrusage says of memory is that of the process that started this one, where it had more
    lines = Path("/proc/self/status").read_text().splitlines()
    most_kb = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    print(used.ru_utime + used.ru_stime, most_kb / 1024)


def spent(way: str, clip: Path) -> Spent:
    """What a process took that went this way."""
    command = [sys.executable, __file__, "--way", way, "--clip", str(clip)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Spent(*map(float, answer[-2:]))


# -- clips -------------------------------------------------------------------------------------------------------------


def scene(visits: Visits, begin: int, seconds: float) -> Iterator[np.ndarray]:
    """The clip with the visits from a frame on, enlarged, at 15 frames a second."""
    for picture in islice(pictures(visits.path), begin, begin + round(seconds * FPS)):
        yield cv2.resize(picture, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)


def repeated(clip: Path, path: Path, times: int) -> Path:
    """The clip so many times in a row, without encoding it again."""
    with av.open(str(path), "w") as made:
        for turn in range(times):
            with av.open(str(clip)) as container:
                stream = container.streams.video[0]
                if not turn:
                    target = made.add_stream_from_template(stream)
                length = turn * stream.duration
                for packet in container.demux(stream):
                    if packet.size:
                        packet.pts, packet.dts, packet.stream = packet.pts + length, packet.dts + length, target
                        made.mux(packet)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the idle stream alone, once")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--way", choices=WAYS, help="go one way, for the bench itself")
    parser.add_argument("--clip", type=Path, help="the clip for it")
    options = parser.parse_args()
    if (data := data_folder()) is not None:
        os.environ.setdefault("BLIKK_MODELS", str(data / "models"))
    if options.way is not None:
        run(options.way, options.clip)
        return 0
    rows, missed = [], False
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        visits = source_visits(folder)
        for name in ("idle", "busy")[: 1 if options.quick else 2]:
            begin = 0 if name == "idle" else round(visits.spans[0][0] * visits.fps)
            short = encode(folder / f"{name}-4.mp4", scene(visits, begin, 4.0), fps=FPS, how=Encoding(2))
            one = encode(folder / f"{name}-1.mp4", scene(visits, begin, 1.0), fps=FPS, how=Encoding(2))
            turns = 15
            clip = repeated(short, folder / f"{name}.mp4", turns)
            took = {}
            for way in WAYS:
                whole, start = spent(way, clip), spent(way, one)
                took[way] = Spent((whole.cpu_s - start.cpu_s) / (4.0 * turns - 1.0), whole.rss_mb)
            for way, each in took.items():
                ratio = each.cpu_s / took["bare"].cpu_s
                rows.append((name, way, f"{ratio:.2f}", f"{each.cpu_s:.3f}", f"{each.rss_mb:.0f}"))
            rate = 8 * short.stat().st_size / 4.0 / 1e6
            print(f"{name}: {rate:.1f} Mbit/s")
            missed |= took[Watch.KEYFRAMES].cpu_s > GOAL_KEYFRAMES * took["bare"].cpu_s
            missed |= name == "idle" and took[Watch.FULL].cpu_s > GOAL_FULL * took["bare"].cpu_s
    print("\none 4K stream, H.264 at 15 fps\n")
    table(("scene", "way", "CPU, times bare decoding", "CPU s a second of stream", "MB"), rows)
    print(f"\ngoals: keyframes at most {GOAL_KEYFRAMES}, full at most {GOAL_FULL} on the idle stream")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
