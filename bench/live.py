"""What the live view costs: CPU and memory of a node with 0, 1 and 20 viewers, beside a hand-rolled one.

    python bench/live.py [CLIP] [--seconds 20] [--check]

The same clip, 5 frames a second at 480p. Rival: OpenCV and aiohttp as tutorials put them together, which decodes all
the time, encodes every frame for each viewer, and blurs nothing. Beside them what detecting and redacting five frames a
second cost by themselves: the view must not cost more than that. Goals (`--check`): at most 25 MB for the server while
on, 20 viewers at most 1.5 times one.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
from rig import ROOT, cpu_s, data_folder, table

sys.path.insert(0, str(ROOT / "tests"))

from ports import free_port

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.streaming import settings_for
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.live import LiveFrame
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.terms import Terms

VIEWERS = (0, 1, 20)
SETTLE_S = 5.0
MEMORY_MB = 25.0
SHARED = 1.5

NODE = """\
node: bench
mqtt: false
store: {{path: {folder}/bench.db}}
cameras:
  cam: {{source: "{clip}"}}
"""
RIVAL = """\
import asyncio, sys, threading, time
import cv2
from aiohttp import web

frames = {"newest": None}

def read(path):
    while True:
        capture = cv2.VideoCapture(path)
        step = 1 / (capture.get(cv2.CAP_PROP_FPS) or 25)
        due = time.monotonic()
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            frames["newest"] = frame
            due += step
            time.sleep(max(0, due - time.monotonic()))

async def view(request):
    answer = web.StreamResponse(headers={"Content-Type": "multipart/x-mixed-replace; boundary=f"})
    await answer.prepare(request)
    while True:
        frame = frames["newest"]
        if frame is not None:
            small = cv2.resize(frame, (frame.shape[1] * 480 // frame.shape[0], 480))
            ok, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])
            await answer.write(b"--f\\r\\nContent-Type: image/jpeg\\r\\n\\r\\n" + jpeg.tobytes() + b"\\r\\n")
        await asyncio.sleep(0.2)

threading.Thread(target=read, args=(sys.argv[1],), daemon=True).start()
app = web.Application()
app.router.add_get("/live.mjpeg", view)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process: percent of a core, resident megabytes, and frames a second that each viewer got."""

    cpu_percent: float
    rss_mb: float
    fps: float


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Iterator[psutil.Process]:
    """A process, ended when the context is left."""
    environ = {**os.environ}
    if (data := data_folder()) is not None:
        environ.setdefault("BLIKK_MODELS", str(data / "models"))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)


async def watch(url: str, counts: list[int], number: int) -> None:
    """One viewer, who counts frames until cancelled."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        while True:
            try:
                async with session.get(url) as answer:
                    async for chunk in answer.content.iter_any():
                        counts[number] += chunk.count(b"image/jpeg")
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)  # it is starting


async def measured(process: psutil.Process, url: str, viewers: int, seconds: float) -> Cost:
    """What a process costs while so many look."""
    counts = [0] * viewers
    watching = [asyncio.create_task(watch(url, counts, number)) for number in range(viewers)]
    await asyncio.sleep(SETTLE_S)
    before, seen, began = cpu_s(process.pid), list(counts), time.monotonic()
    memory = []
    while time.monotonic() - began < seconds:
        await asyncio.sleep(0.5)
        memory.append(process.memory_info().rss / 1e6)
    spent, took = cpu_s(process.pid) - before, time.monotonic() - began
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    fps = statistics.mean((now - then) / took for now, then in zip(counts, seen, strict=True)) if viewers else 0.0
    return Cost(100 * spent / took, statistics.median(memory), fps)


class _Everyone:
    """An audience that looks at everything, and throws it away."""

    def looks_at(self, camera: str) -> bool:
        """Always."""
        return True

    def due(self, camera: str, time: float) -> bool:
        """Always."""
        return True

    def show(self, frame: LiveFrame) -> None:
        """Nothing is done with it."""


def redacting(clip: Path) -> float:
    """Percent of a core that five frames a second take beyond watching them: a look and a redaction for each."""
    settings = settings_for(
        {"source": str(clip), "models": {"offline": True}}, camera="cam", folder=Path.cwd(), environ=os.environ
    )
    tools = VisionModels(settings).tools(settings, None)("cam")
    spent = []
    for audience in (None, _Everyone()):
        line = pipeline(settings, settings.cameras[0], (), (), audience)
        terms = Terms(camera="cam", shown=str(clip), clock=SystemClock(), realtime=False, loop=False, start_time=0.0)
        began, count = time.process_time(), 0
        for frame in open_source(str(clip), terms).frames(threading.Event()):
            count += 1
            if (scene := line.glance(frame)) is not None:
                for _ in line.step(scene, tools):
                    pass
        spent.append((time.process_time() - began) / count)
    return 100 * 5 * (spent[1] - spent[0])


def main() -> int:
    """Print it all; with `--check` the exit status says whether the goals are met."""
    data = data_folder()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "clip",
        nargs="?",
        type=Path,
        default=data / "video/intel_sample/one-by-one-person-detection.mp4" if data else None,
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.clip is None:
        parser.error("no test data: name a clip")
    if data is not None:
        os.environ.setdefault("BLIKK_MODELS", str(data / "models"))
    blikk = str(Path(sys.executable).with_name("blikk"))
    rows: list[tuple[str, ...]] = []
    costs: dict[tuple[str, int], Cost] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rival.py").write_text(RIVAL)

        def measure(who: str, command: list[str], url: str, viewers: int) -> None:
            with running(command, folder) as process:
                cost = asyncio.run(measured(process, url, viewers, options.seconds))
            costs[who, viewers] = cost
            rows.append((who, str(viewers), f"{cost.cpu_percent:.1f}", f"{cost.rss_mb:.0f}", f"{cost.fps:.1f}"))

        for on in (False, True):
            port = free_port()
            config = folder / f"{'on' if on else 'off'}.yaml"
            config.write_text(
                NODE.format(folder=folder, clip=options.clip.absolute()) + (f"http: {{port: {port}}}\n" if on else "")
            )
            url = f"http://127.0.0.1:{port}/v1/cameras/cam/live.mjpeg"
            for viewers in VIEWERS if on else (0,):
                command = [blikk, "run", "--config", str(config)]
                measure("blikk, http on" if on else "blikk, http off", command, url, viewers)
        for viewers in VIEWERS:
            port = free_port()
            command = [sys.executable, str(folder / "rival.py"), str(options.clip), str(port)]
            measure("OpenCV + aiohttp, no blur (rival)", command, f"http://127.0.0.1:{port}/live.mjpeg", viewers)
    table(("who", "viewers", "% of a core", "MB", "fps each"), rows)
    alone = redacting(options.clip)
    off, none, one, many = (
        costs[key] for key in (("blikk, http off", 0), *((("blikk, http on", viewers)) for viewers in VIEWERS))
    )
    live = one.cpu_percent - none.cpu_percent
    print(f"\nserver on, nobody looks: {none.rss_mb - off.rss_mb:+.1f} MB, {none.cpu_percent - off.cpu_percent:+.1f} %")
    print(f"one viewer: {live:+.1f} % of a core; looking at and redacting 5 frames a second alone: {alone:.1f} %")
    print(f"20 viewers: {many.cpu_percent / one.cpu_percent:.2f} x one viewer, rival ", end="")
    rival = "OpenCV + aiohttp, no blur (rival)"
    print(f"{costs[rival, 20].cpu_percent / costs[rival, 1].cpu_percent:.2f} x")
    met = many.rss_mb - off.rss_mb <= MEMORY_MB and many.cpu_percent <= SHARED * one.cpu_percent
    print("goals met" if met else "goals missed")
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
