"""What watching costs and what it sees: `full`, `eco` and `auto` beside bare decoding and a hand-rolled loop.

    python bench/watch.py [--quick] [--check]

Cost: processes of their own, each with its own RTSP connection to the same server, in the same minutes; CPU is what the
kernel charged them. The bare rival decodes every frame and does nothing else; the hand-rolled one reads every frame
with OpenCV and compares every third one with the one before. An idle stream is a textured wall with sensor noise, a
busy one people who come, stand and go without a pause; blikk also detects them. Keyframes come every two seconds.

Sight: real visits with 20 quiet seconds before each, encoded as cameras do (constant quality or constant bit rate, a
keyframe every 1, 2 or 4 s), through `blikk replay`: how many events each way of watching reports, and how much later it
first saw the visitor than `full` did. Then live over RTSP and a real broker: from first sight to the message.
The visits are Intel's one-by-one-person-detection.mp4; without it the demo's own clip serves, with one visit.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from idle import RIVAL
from rig import Broker, RtspServer, blikk_run, cpu_s, data_folder, idle_clip, table

from blikk_edge.app.pipelines import wake_detector
from blikk_edge.app.replays import DEFAULTS, replay
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.fields import Watch
from blikk_edge.core.observation import Event, Phase
from blikk_edge.core.sightings import Label
from blikk_edge.demo import clip as own_clip
from blikk_edge.sinks.mqtt.listener import listen
from blikk_edge.sources.file import open_file
from blikk_edge.sources.terms import Terms

GOAL_ECO, GOAL_FULL, GOAL_BUSY = 0.3, 1.25, 6.0
BUSY_HEIGHT_PX = 480
# Until a stream that may sleep does: three keyframes to settle, ten quiet seconds, the next keyframe.
WARM_S = 30.0
QUIET_S = 20
TWINS = 2
WAYS = (Watch.FULL, Watch.ECO, Watch.AUTO)

HAND_ROLLED = """
import cv2, sys
capture, before, count = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG), None, 0
while True:
    fine, frame = capture.read()
    if not fine:
        break
    count += 1
    if count % 3:
        continue
    grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (5, 5), 0)
    if before is not None:
        moved = cv2.threshold(cv2.absdiff(before, grey), 25, 255, cv2.THRESH_BINARY)[1].any()
    before = grey
"""


class Visits(NamedTuple):
    """A clip with visits: its frames' rate, and from when to when each visitor is there, in seconds."""

    path: Path
    fps: int
    spans: list[tuple[float, float]]


class Encoding(NamedTuple):
    """How a camera encodes: seconds between keyframes, bits a second (0: constant quality)."""

    gop_s: int
    rate: int = 0

    def __str__(self) -> str:
        return f"{'CBR' if self.rate else 'VBR'}, keyframe every {self.gop_s} s"


# -- clips -------------------------------------------------------------------------------------------------------------


def source_visits(folder: Path) -> Visits:
    """The visits to work with."""
    if (data := data_folder()) is not None:
        name = "video/intel_sample/one-by-one-person-detection.mp4"
        labels = json.loads((data / "annotations" / "event_intervals.json").read_text())["clips"][name]
        fps = round(labels["fps"])
        return Visits(data / name, fps, [(first / fps, last / fps) for first, last in labels["intervals"]])
    print("no test data: the demo's own clip serves, with one visit")
    made = folder / "own.mp4"
    own_clip.make(made)
    return Visits(made, own_clip.FPS, [(own_clip.VISITOR[0], own_clip.VISITOR[3])])


def pictures(path: Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24")


def with_quiet(visits: Visits, count: int) -> Iterator[np.ndarray]:
    """The first visits, each after `QUIET_S` in which the last moments before it are played to and fro."""
    begins = [round((begin - 1.0) * visits.fps) for begin, _ in visits.spans[:count]]
    last = round((visits.spans[count - 1][1] + 3.0) * visits.fps)
    recent: list[np.ndarray] = []
    for number, picture in enumerate(islice(pictures(visits.path), last)):
        recent = [*recent[-7:], picture]
        yield picture
        if number in begins:
            to_and_fro = [*recent[::-1], *recent]
            for n in range(QUIET_S * visits.fps):
                yield to_and_fro[n % len(to_and_fro)]


def encode(path: Path, frames: Iterator[np.ndarray], *, fps: int, how: Encoding) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        rate = {"b": str(how.rate), "x264-params": f"nal-hrd=cbr:vbv-maxrate={how.rate // 1000}"}
        rate["x264-params"] += f":vbv-bufsize={how.rate // 2000}"
        quality = rate if how.rate else {"crf": "23"}
        stream.options = {"preset": "veryfast", "g": str(how.gop_s * fps), "sc_threshold": "0", "bf": "0", **quality}
        stream.thread_count, stream.pix_fmt = 1, "yuv420p"
        for number, picture in enumerate(frames):
            if not number:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def busy(visits: Visits, width_px: int, height_px: int) -> Iterator[np.ndarray]:
    """Twenty seconds at 15 fps of somebody walking by."""
    begin = round(visits.spans[0][0] * visits.fps)
    for picture in islice(pictures(visits.path), begin, begin + 300):
        yield cv2.resize(picture, (width_px, height_px))


# -- cost --------------------------------------------------------------------------------------------------------------


def cost(folder: Path, clip: Path, *, twins: int, window_s: float, windows: int) -> dict[str, float]:
    """CPU seconds per stream hour of each way to watch a clip."""
    running: dict[str, list[subprocess.Popen[bytes]]] = {}
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder))
        server = stack.enter_context(RtspServer(clip))
        for kind, program in (("bare", RIVAL), ("OpenCV", HAND_ROLLED)):
            running[kind] = [subprocess.Popen([sys.executable, "-c", program, server.url]) for _ in range(twins)]
            for process in running[kind]:
                stack.callback(process.wait)
                stack.callback(process.kill)
        for watch in WAYS:
            running[watch] = []
            for twin in range(twins):
                home = folder / f"{watch}{twin}"
                home.mkdir()
                run = blikk_run(home, source=server.url, port=broker.port, node=f"{watch}{twin}", watch=watch)
                running[watch].append(stack.enter_context(run))
        time.sleep(WARM_S)
        spent: dict[str, list[float]] = {kind: [] for kind in running}
        for _ in range(windows):
            before = {kind: sum(cpu_s(p.pid) for p in processes) for kind, processes in running.items()}
            time.sleep(window_s)
            for kind, processes in running.items():
                spent[kind].append((sum(cpu_s(p.pid) for p in processes) - before[kind]) / twins)
        if any(process.poll() is not None for processes in running.values() for process in processes):
            raise RuntimeError("a process ended early")
    return {kind: statistics.median(seconds) * 3600 / window_s for kind, seconds in spent.items()}


def costs(folder: Path, visits: Visits, *, quick: bool) -> bool:
    """Print what watching costs; says whether a goal was missed."""
    rows, missed = [], False
    for width, height, twins in [(640, 480, TWINS), (1920, 1080, 1)][: 1 if quick else 2]:
        for scene in ("idle", "busy")[: 1 if quick else 2]:
            home = folder / f"{height}{scene}"
            home.mkdir()
            clip = home / "clip.mp4"
            if scene == "idle":
                idle_clip(clip, width_px=width, height_px=height, fps=15, seconds=20)
            else:
                encode(clip, busy(visits, width, height), fps=15, how=Encoding(2))
            spent = cost(home, clip, twins=twins, window_s=15.0 if quick else 20.0, windows=2 if quick else 3)
            bare = spent["bare"]
            rows.append(
                (
                    f"{height}p 15 fps {scene}",
                    *(f"{seconds:.0f} ({seconds / bare:.2f})" for seconds in spent.values()),
                    *(f"{3600 / spent[watch]:.0f}" for watch in (Watch.FULL, Watch.ECO)),
                )
            )
            if scene == "idle":
                missed |= spent[Watch.ECO] > GOAL_ECO * bare or spent[Watch.FULL] > GOAL_FULL * bare
            elif height == BUSY_HEIGHT_PX:
                missed |= spent[Watch.FULL] > GOAL_BUSY * bare
    print("\nCPU seconds per stream hour (times bare decoding), and cameras that one core of this machine carries\n")
    table(("stream", "bare", "OpenCV loop", "full", "eco", "auto", "full a core", "eco a core"), rows)
    print(f"goals, idle: eco at most {GOAL_ECO} times bare decoding, full at most {GOAL_FULL}")
    print(f"goal, busy: full at most {GOAL_BUSY:.0f} times at {BUSY_HEIGHT_PX}p")
    return missed


# -- sight -------------------------------------------------------------------------------------------------------------


def asleep(clip: Path) -> float:
    """The share of a clip's packets that `eco` never decodes."""
    eco = replace(DEFAULTS.cameras[0], watch=Watch.ECO)
    terms = Terms(camera="cam", shown="clip", clock=SystemClock(), watch=Watch.ECO, wake_detector=wake_detector(eco))
    source = open_file(str(clip), terms, realtime=False, loop=False)
    for _ in source.frames(threading.Event()):
        pass
    with av.open(str(clip)) as container:
        return source.counts.slept / container.streams.video[0].frames


def reported(clip: Path, watch: Watch) -> list[float]:
    """When each visitor was first seen, seconds into the clip."""
    settings = replace(DEFAULTS, cameras=(replace(DEFAULTS.cameras[0], watch=watch),))
    return [
        item.started
        for item in replay(clip, settings=settings)
        if isinstance(item, Event) and item.phase is Phase.STARTED and item.label is Label.PERSON
    ]


def sights(folder: Path, visits: Visits, count: int, encodings: list[Encoding]) -> bool:
    """Print what each way of watching reports; says whether one reported less than `full`."""
    rows, missed = [], False
    for how in encodings:
        clip = encode(folder / f"{how}.mp4", with_quiet(visits, count), fps=visits.fps, how=how)
        full = reported(clip, Watch.FULL)
        row = [str(how), f"{len(full)} of {count}", f"{asleep(clip):.0%}"]
        for watch in (Watch.ECO, Watch.AUTO):
            seen = reported(clip, watch)
            later = [min((at - first for at in seen), key=abs, default=99.0) for first in full]
            found = sum(abs(late) < 5.0 for late in later)
            row += [f"{len(seen)}", f"{statistics.median(later):+.1f} ({max(later):+.1f})" if later else "-"]
            missed |= found < len(full)
        rows.append(tuple(row))
    print("\nvisits reported in replays of the same clip, and how much later than `full` it first saw them\n")
    table(
        (
            "camera",
            "full",
            "eco sleeps",
            "eco reports",
            "later by s: median (most)",
            "auto reports",
            "later by s: median (most)",
        ),
        rows,
    )
    print("goal: whatever full reports, eco and auto report")
    return missed


def live(folder: Path, visits: Visits, count: int) -> None:
    """Print how long it takes from first sight to the message, over real RTSP and a real broker."""
    clip = encode(folder / "live.mp4", with_quiet(visits, count), fps=visits.fps, how=Encoding(2))
    with av.open(str(clip)) as container:
        length_s = container.duration / av.time_base
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder))
        server = stack.enter_context(RtspServer(clip))
        for watch in WAYS:
            (home := folder / f"live {watch}").mkdir()
            stack.enter_context(blikk_run(home, source=server.url, port=broker.port, node=str(watch), watch=watch))
        seen = asyncio.run(_started(broker.port, length_s + 5.0))
    rows = []
    for watch in WAYS:
        waits = [late for node, late in seen if node == watch]
        spread = f"{statistics.median(waits):.2f} / {max(waits):.2f}" if waits else "-"
        rows.append((watch, f"{len(waits)} of {count}", spread))
    print("\nlive, keyframe every 2 s\n")
    table(("watch", "visits reported", "first sight to MQTT, s: median / most"), rows)


async def _started(port: int, seconds: float) -> list[tuple[str, float]]:
    """Node and seconds from first sight to its message, for every person's event."""
    seen: list[tuple[str, float]] = []
    try:
        async with asyncio.timeout(seconds):
            async for topic, payload in listen("127.0.0.1", port, "blikk/+/cam/event"):
                event = json.loads(payload)
                if event["label"] == "person" and event["phase"] == "started":
                    seen.append(
                        (topic.split("/")[1], time.time() - datetime.fromisoformat(event["started"]).timestamp())
                    )
    except (TimeoutError, SinkError):
        pass
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one idle stream, two visits")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--only", choices=("cost", "sight", "live"), help="one part of it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        if (data := data_folder()) is not None:
            os.environ.setdefault("BLIKK_MODELS", str(data / "models"))
        visits = source_visits(folder)
        count = min(2 if options.quick else 6, len(visits.spans))
        encodings = [Encoding(2), Encoding(1), Encoding(4), Encoding(2, 400_000), Encoding(4, 400_000)]
        missed = False
        if options.only in {None, "sight"}:
            missed |= sights(folder, visits, count, encodings[: 1 if options.quick else None])
        if options.only in {None, "live"}:
            live(folder, visits, count)
        if options.only in {None, "cost"}:
            missed |= costs(folder, visits, quick=options.quick)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
