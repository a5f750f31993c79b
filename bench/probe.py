"""What measuring costs a node: the probe on every frame, its memory, and a scrape of /metrics.

    python bench/probe.py [--frames 20000] [--check]

The pipeline is the real one, with a motion gate and a detector that read from a script and cost almost nothing, so that
what the probe adds can be seen at all: medians of runs that take turns with and without it. Somebody is there for six
seconds out of twenty. A scrape is what a web page of ours does for Prometheus: the figures, as text. Memory is what the
allocator of Python hands out, and for the packages what the resident memory grows by in a process of its own, in which
aiohttp has been imported as in a node with `http:`.
"""

import argparse
import statistics
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace

import numpy as np

from blikk_edge.core.geometry import Box
from blikk_edge.core.picture import Picture
from blikk_edge.core.probe import CameraProbe, LaneNote, MailboxNote, NodeNote, SinkNote
from blikk_edge.core.reporter import EventReporter
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection, Label, Motion, View
from blikk_edge.core.stages import Step
from blikk_edge.core.status import CameraState
from blikk_edge.runtime.pipeline import Pipeline, VisionTools
from blikk_edge.runtime.probe import NodeProbe
from blikk_edge.transforms.motion.select import Selector
from blikk_edge.transforms.tracking.tracker import Tracker
from blikk_edge.transforms.tracking.zones import Zones
from blikk_edge.web.exposition import node_families
from blikk_edge.web.prometheus import page

FPS = 5
RUNS = 5
CAMERAS = 4
GOAL_PERCENT = 1.0
LUMA = np.zeros((48, 64), np.uint8)
PERSON = Detection(label=Label.PERSON, sub_label="person", score=0.9, box=Box(0.4, 0.2, 0.6, 0.9))


class Gate(Step):
    """Somebody is there for six seconds out of twenty."""

    name = "motion"

    def __call__(self, scene: Scene) -> Scene:
        """The scene with its motion."""
        moves = scene.frame.time % 20 < 6
        return replace(scene, motion=Motion(view=View.MOVING if moves else View.QUIET, score=0.8 if moves else 0.0))


class Eyes:
    """Finds the same person in every frame, and makes Pictures of nothing."""

    name = "script"

    def detect(self, _bgr: Pixels) -> tuple[Detection, ...]:
        """The person."""
        return (PERSON,)

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        """A Picture without pixels."""
        frame = scene.frame
        return Picture(
            camera=frame.camera, name=name, time=frame.time, jpeg=b"", width_px=64, height_px=48, event=event
        )


def seconds(frames: int, probe: CameraProbe | None) -> float:
    """CPU seconds that so many frames take."""
    subject = Pipeline(
        camera="c0",
        gate=Gate(),
        select=Selector(),
        track=Tracker(),
        zones=Zones(()),
        reporter=EventReporter("c0"),
        labels=tuple(Label),
        probe=probe,
    )
    eyes = VisionTools(Eyes(), Eyes())
    colour = np.zeros((48, 64, 3), np.uint8)
    every = [Frame(camera="c0", seq=n, time=1000 + n / FPS, luma=LUMA, convert=lambda: colour) for n in range(frames)]
    began = time.process_time()
    for frame in every:
        if (scene := subject.glance(frame)) is not None:
            for _ in subject.step(scene, eyes):
                pass
    return time.process_time() - began


def added_us(frames: int) -> float:
    """Microseconds that the probe adds to a frame."""
    differences = []
    for _ in range(RUNS):
        without = seconds(frames, None)
        differences.append(seconds(frames, NodeProbe({"c0": FPS}).camera("c0")) - without)
    return statistics.median(differences) / frames * 1e6


def kept_kb() -> float:
    """Memory of one camera's probe after half an hour, in kB."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    probe = NodeProbe({"c0": FPS})
    seconds(1800 * FPS, probe.camera("c0"))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / 1e3


def scrape() -> tuple[float, int]:
    """CPU seconds and bytes of a scrape of a node with CAMERAS cameras, all stages measured."""
    names = tuple(f"c{n}" for n in range(CAMERAS))
    probe = NodeProbe(dict.fromkeys(names, FPS))
    for name in names:
        seconds(2000, probe.camera(name))
    note = NodeNote(
        cameras=tuple(CameraState(camera=name, online=True) for name in names),
        lanes=tuple(LaneNote(camera=name, waiting=0, busy=False) for name in names),
        mailboxes=tuple(MailboxNote(consumer=each, waiting=0, lost=0) for each in ("delivery", "mqtt")),
        sinks=(SinkNote(name="mqtt", backlog=0, problem=None),),
        lost=0,
        unsaved=0,
        llm=None,
        temperature_c=None,
        problems=(),
    )
    page(lambda: node_families(note, probe.figures()))
    began = time.process_time()
    for _ in range(20):
        content, _ = page(lambda: node_families(note, probe.figures()))
    return (time.process_time() - began) / 20, len(content)


def resident_mb() -> float:
    """What prometheus_client adds to a process that has aiohttp and the node's own modules."""
    code = "import psutil, aiohttp.web, blikk_edge.app.wiring\nbefore = psutil.Process().memory_info().rss\n"
    code += "import prometheus_client\nprint((psutil.Process().memory_info().rss - before) / 1e6)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def main() -> int:
    """Print what was measured; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    added = added_us(asked.frames)
    percent = added * FPS / 1e4
    scrape_s, size = scrape()
    print(f"the probe adds        {added:.1f} us to a frame: {percent:.4f} % of a core at {FPS} fps")
    print(f"its memory            {kept_kb():.0f} kB a camera, ten minutes of frames and all histograms")
    print(f"a scrape              {scrape_s * 1e3:.1f} ms and {size / 1e3:.0f} kB with {CAMERAS} cameras; "
          f"every 15 s: {scrape_s / 15 * 100:.3f} % of a core")  # fmt: skip
    print(f"prometheus_client     {resident_mb():.1f} MB resident beside aiohttp")
    return int(asked.check and percent > GOAL_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
