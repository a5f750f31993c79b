"""Whether memory stays flat: a day through the pipeline faster than real time, then `blikk run` on a live stream.

    python bench/soak.py [--minutes 20] [--only day|live] [--quick] [--check]

Day: 24 hours of stream time at 5 fps, 432,000 frames, through what `blikk replay` runs, with the store and the
summarizer (template mode, hourly digests) as a node has them, on a virtual clock; records go through the outbox and are
taken as delivered at once. Nothing is decoded meanwhile: the clips are decoded once, and their pictures come again and
again as new Frames with the running time, so the day takes minutes. It is quiet but for a visit every ten minutes:
people one by one, passing cars and a street full of walkers from the labelled clips; without them the demo's own
visitor and cat. In the first two hours a visit comes every 30 s, so that all that is bounded is full (the newest 256
events, for one) before memory is measured.

Live: `blikk run` on a real RTSP stream, visits with quiet between, and a real broker that is killed after a third of
the time and started again a while later. Sampled from /proc every 10 s; the first sixth is for warming up.

Flat means: the slope of the resident memory (Theil-Sen: the median of the slopes between all samples) over what was
measured makes at most 2 MB, so a node that restarts with its monthly update has by then grown by less than 60 MB. On
the day, where malloc is set to give back what is freed, samples scatter by some 100 kB; live they do by some MB. In
the second half never more descriptors than in the first, nor more threads but for those that asyncio's pool may still
start (processors + 4 in all). On the day also less than one Python object a visit.
"""

import argparse
import asyncio
import ctypes
import gc
import itertools
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
from rig import Broker, RtspServer, blikk_run, data_folder
from seed_table import write_scene
from soak_reel import FPS, HEIGHT, HOUR_S, planes, reel

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.app.writing import writing
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.locale import Locale
from blikk_edge.core.observation import Event, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.scene import Frame, Pixels
from blikk_edge.core.status import CameraAvailability, CameraState, Health, SummaryMode
from blikk_edge.core.summary import Summary
from blikk_edge.enrichers.summaries.digest_kind import DigestEvery
from blikk_edge.enrichers.summaries.kind import SummarySettings
from blikk_edge.runtime.outlets import Orders, Outlets
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.store.store import Store

GOAL_MB = 2.0
POOL = min(32, (os.cpu_count() or 1) + 4)
RUSH_HOURS, RUSH_EVERY_S = 2, 30
EVERY_S, QUICK_EVERY_S = 600, 120
MIDNIGHT = 1_767_225_600.0  # 2026-01-01 UTC
SAMPLE_S, ROW_EVERY = 10.0, 6
SCENE_S = 240.0
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
FIRST_VISIT_S = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a process holds. `at_h` is in hours of the stream; `objects` are those Python's collector knows."""

    at_h: float
    rss_mb: float
    threads: int
    descriptors: int
    objects: int = 0


def sample(pid: int, at_h: float) -> Sample:
    """Of any process, from /proc; the resident memory counted page by page (VmRSS is off by some pages a thread).

    A node lets nobody but root count its pages and descriptors; anybody else gets VmRSS, and what Linux 6.2 shows.
    """
    proc = Path(f"/proc/{pid}")
    try:
        memory, name = (proc / "smaps_rollup").read_text(), "Rss:"
        descriptors = sum(1 for _ in (proc / "fd").iterdir())
    except PermissionError:
        memory, name = (proc / "status").read_text(), "VmRSS:"
        descriptors = (proc / "fd").stat().st_size
    return Sample(
        at_h=at_h,
        rss_mb=int(next(line.split()[1] for line in memory.splitlines() if line.startswith(name))) / 1000,
        threads=sum(1 for _ in (proc / "task").iterdir()),
        descriptors=descriptors,
    )


def row(*cells: object) -> None:
    """Print a line of the table at once: a soak is long."""
    print("  ".join(f"{cell:>11}" for cell in cells), flush=True)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen: the median of the slopes between all pairs; one late step does not tilt it, steady growth does."""
    return statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2))


def judged(samples: Sequence[Sample]) -> list[str]:
    """Print how memory went while it was measured; what was not flat."""
    first, last = samples[0], samples[-1]
    per_h = slope([(each.at_h, each.rss_mb) for each in samples])
    grown = per_h * (last.at_h - first.at_h)
    print(
        f"RSS MB: start {first.rss_mb:.1f}, end {last.rss_mb:.1f}, largest {max(s.rss_mb for s in samples):.1f}; "
        f"slope {per_h * 1000:+.1f} kB an hour, {grown:+.2f} MB in the {last.at_h - first.at_h:.1f} h measured "
        f"(goal: at most {GOAL_MB})"
    )
    missed = [f"RSS grew by {grown:.2f} MB"] if grown > GOAL_MB else []
    for what, room in (("threads", POOL), ("descriptors", 0)):
        counts = [getattr(each, what) for each in samples]
        before, after = max(counts[: len(counts) // 2]), max(counts[len(counts) // 2 :])
        print(f"{what}: start {counts[0]}, end {counts[-1]}, most {before} in the first half, {after} in the second")
        missed += [f"{what}: {before} became {after}"] if after > before + room else []
    return missed


# -- the day -----------------------------------------------------------------------------------------------------------


class Post:
    """In the broker's place: every record goes into the outbox, and is acknowledged in batches."""

    name = "post"

    def __init__(self, store: Store) -> None:
        self._store = store
        self.events = self.summaries = self.records = self.pictures = 0

    async def run(self, inbox: Inbox[Item]) -> None:
        """Put, and deliver, until cancelled."""
        while True:
            item = await inbox.get()
            match item:
                case Picture():
                    self.pictures += 1
                    continue
                case CameraState() | CameraAvailability() | Health():
                    continue
                case Event(phase=Phase.STARTED):
                    self.events += 1
                case Summary():
                    self.summaries += 1
            self.records += 1
            await asyncio.to_thread(self._store.put, item)
            if self._store.depth("mqtt") >= 20:
                await asyncio.to_thread(self._deliver)

    def _deliver(self) -> None:
        self._store.delivered("mqtt", [waiting.seq for waiting in self._store.pending("mqtt", 100)])

    def delivered(self) -> tuple[int, ...]:
        """Events, records, Summaries and Pictures so far."""
        return self.events, self.records, self.summaries, self.pictures


async def day(folder: Path, pictures: Iterator[Pixels], *, sample_every_s: int) -> list[Sample]:
    """One camera's pictures through everything; a sample after each span of stream time."""
    settings = replace(DEFAULTS, summary=SummarySettings(digest=DigestEvery.HOURLY))
    clock, outlets, store = VirtualClock(MIDNIGHT), Outlets(), Store(folder / "day.db")
    store.open()
    store.follow({"mqtt": None})
    slow = writing(
        settings,
        mode_of=lambda _: SummaryMode.TEMPLATE,
        history=store,
        memory=store,
        publish=outlets.deliver,
        order=Orders().give,
        supervisor=Supervisor(),
        clock=clock,
        locale=Locale,
    )
    assert slow is not None  # the settings above ask for it
    post = Post(store)
    consumers = (post, *slow.enrichers)
    tasks = [
        asyncio.create_task(each.run(box))
        for each, box in zip(consumers, outlets.open([each.name for each in consumers]), strict=True)
    ]
    samples: list[Sample] = []
    for second in watched(settings, pictures, outlets):
        await clock.advance(1.0)
        while outlets.waiting():
            await asyncio.sleep(0)
        for task in tasks:
            if task.done():
                task.result()  # raises what it ended with
        if second % sample_every_s == 0:
            gc.collect()
            now = replace(sample(os.getpid(), second / HOUR_S), objects=len(gc.get_objects()))
            row(f"{now.at_h:.2f}", f"{now.rss_mb:.1f}", now.objects, now.threads, now.descriptors, *post.delivered())
            samples.append(now)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    store.close()
    return samples


def watched(settings: Settings, pictures: Iterator[Pixels], outlets: Outlets) -> Iterator[int]:
    """Take pictures through the pipeline; after each second its number, from 1."""
    camera = settings.cameras[0]
    watching, tools = pipeline(settings, camera, ()), VisionModels(settings).tools(settings)(camera.id)
    for number, picture in enumerate(pictures, start=1):
        frame = Frame(
            camera=camera.id,
            seq=number,
            time=MIDNIGHT + number / FPS,
            luma=picture[:HEIGHT],
            convert=partial(cv2.cvtColor, picture, cv2.COLOR_YUV2BGR_I420),
        )
        if (scene := watching.glance(frame)) is not None:
            for item in watching.step(scene, tools):
                outlets.deliver(item)
        if number % FPS == 0:
            yield number // FPS


def tell_malloc() -> None:
    """Have glibc give back what is freed: left to itself it learns to keep megabytes, in which a leak would hide."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            libc.mallopt(parameter, 128 * 1024)


def show_day(folder: Path, *, quick: bool) -> list[str]:
    """Print how the day went; what was not flat."""
    tell_malloc()
    shown = reel(folder)
    if quick:
        plan, every_s, warm_h = [(1, QUICK_EVERY_S)], 300, 0.25
    else:
        plan, every_s, warm_h = [(RUSH_HOURS, RUSH_EVERY_S), (24 - RUSH_HOURS, EVERY_S)], HOUR_S, float(RUSH_HOURS)
    hours = sum(span for span, _ in plan)
    print(f"\n{hours} h of stream time, {hours * HOUR_S * FPS:,} frames, from {shown.what}\n")
    row("hour", "RSS MB", "objects", "threads", "descriptors", "events", "records", "texts", "Pictures")
    began = time.monotonic()
    samples = asyncio.run(day(folder, planes(shown, plan), sample_every_s=every_s))
    print(f"\nit took {(time.monotonic() - began) / 60:.1f} minutes")
    measured = [each for each in samples if each.at_h >= warm_h]
    missed = judged(measured)
    if not quick:  # in an hour the newest 256 events are still being gathered
        span_h = measured[-1].at_h - measured[0].at_h
        objects = slope([(each.at_h, each.objects) for each in measured]) * span_h
        visits = span_h * HOUR_S / EVERY_S
        print(f"objects: {objects:+.0f} (goal: less than one for each of the {visits:.0f} visits)")
        missed += [f"{objects:.0f} objects more"] if objects >= visits else []
    return missed


# -- live --------------------------------------------------------------------------------------------------------------


def show_live(folder: Path, *, seconds: float) -> list[str]:
    """Print how `blikk run` went; what was not flat."""
    scene, scene_s = folder / "scene.mp4", min(SCENE_S, seconds)
    spans, name = write_scene(scene, scene_s, folder)
    (home := folder / "live").mkdir()
    print(f"\n`blikk run` for {seconds / 60:.0f} minutes on RTSP ({name})\n")
    row("minute", "RSS MB", "threads", "descriptors")
    with (
        Broker(folder) as broker,
        RtspServer(scene) as server,
        blikk_run(home, source=server.url, port=broker.port, top="summary: {provider: template}\n") as run,
    ):
        samples, away_s = [], 0.0
        began = time.monotonic()
        while (at_s := time.monotonic() - began) < seconds:
            if run.poll() is not None:
                raise RuntimeError(f"blikk ended early:\n{(home / 'blikk.log').read_text()}")
            samples.append(now := sample(run.pid, at_s / HOUR_S))
            if (len(samples) - 1) % ROW_EVERY == 0:
                row(f"{now.at_h * 60:.1f}", f"{now.rss_mb:.1f}", now.threads, now.descriptors)
            if not away_s and at_s >= seconds / 3:
                broker.kill()
                away_s = seconds / 20
                time.sleep(away_s)
                broker.start()
            time.sleep(min(SAMPLE_S, seconds / 30))
    store = Store(home / "bench.db")
    store.open()
    store.follow({"mqtt": None})
    reported = store.events(since=0.0, limit=100_000)
    waiting = store.depth("mqtt")
    store.close()
    shown = round(seconds / scene_s) * len(spans)
    print(f"\nthe broker was away for {away_s:.0f} s")
    missed = judged([each for each in samples if each.at_h * HOUR_S >= max(FIRST_VISIT_S, seconds / 6)])
    print(f"events reported: {len(reported)} of {shown} visits shown; records never delivered: {waiting}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="how long `blikk run` is watched")
    parser.add_argument("--only", choices=("day", "live"), help="one part of it")
    parser.add_argument("--quick", action="store_true", help="an hour of stream time, and 60 s live")
    parser.add_argument("--check", action="store_true", help="exit 1 where memory is not flat")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if (data := data_folder()) is not None:
        os.environ.setdefault("BLIKK_MODELS", str(data / "models"))
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="blikk-bench-") as base:
        if options.only != "live":
            missed += show_day(Path(base), quick=options.quick)
        if options.only != "day":
            missed += show_live(Path(base), seconds=60.0 if options.quick else options.minutes * 60)
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
