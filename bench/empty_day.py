"""A day in which nobody comes: what is reported all the same, and how often the detector looks.

    python bench/empty_day.py [--minutes N] [--seed N] [--scenes NAME ...] [--tuning] [--evidence] [--check]

Eight scenes, an hour each in three real empty views: 24 hours in all. Sun and clouds, a bough in the wind, rain, a
lamp at night, insects before an infrared lamp, headlights, a running clock, and a camera that switches to infrared
and back. Each goes through the pipeline of `blikk replay` at the defaults, frame by frame, faster than real time.
Whatever event is reported is false. `motion` is how often motion was reported to have begun, `looks` how often the
network ran, `closer` how many of these were closer looks.

The constants of closer looks were chosen in the views of `--tuning`; the others judge them. `--minutes` takes as much
of each hour, `--seed` another weather; `--evidence` also prints the scores of closer looks; `--check` exits 1 where an
event was reported, or motion where the light alone changed.
"""

import argparse
import sys
import threading
import time as clock_
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from os import environ

import numpy as np
from empty_scenes import EMPTY, FPS, SCENES, START, View, pictures, streamed, view
from rig import data_folder, table

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.core.geometry import WHOLE, Box
from blikk_edge.core.observation import Event, Phase
from blikk_edge.core.scene import Frame, Pixels
from blikk_edge.core.sightings import Detection, Label, Lighting
from blikk_edge.core.stages import PartDetector
from blikk_edge.core.status import CameraState
from blikk_edge.runtime.replay import replay
from blikk_edge.sources.pixels import Scaler
from blikk_edge.transforms.models.closer import WITH

TUNING = {
    "day": ("street", "yard", "lawn"),
    "branches": ("street", "yard", "lawn"),
    "rain": ("street", "motorway", "lawn"),
    "night": ("street", "corridor", "lawn"),
    "insects": ("yard", "corridor", "lawn"),
    "headlights": ("street", "car park", "lawn"),
    "clock": ("corridor", "street", "yard"),
    "dusk": ("street", "corridor", "lawn"),
}
"""The three views of each scene, in which closer looks and the motion gate were tuned."""

JUDGING = {
    "day": ("bend", "verge", "bedroom"),
    "branches": ("verge", "gantry", "bend"),
    "rain": ("bend", "gantry", "lane"),
    "night": ("gantry", "lounge", "lane"),
    "insects": ("room", "verge", "lounge"),
    "headlights": ("bend", "verge", "room"),
    "clock": ("lounge", "gantry", "room"),
    "dusk": ("verge", "room", "bedroom"),
}
"""Others, in which nothing was tuned."""

STILL = frozenset({"day", "dusk"})
"""Scenes in which the light alone changes, everywhere."""


class Empty:
    """A source of one scene."""

    def __init__(self, shown: View, scene: str, seconds: float, seed: int) -> None:
        self._shown, self._scene, self._seconds, self._seed = shown, scene, seconds, seed

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        rng = np.random.default_rng(self._seed)
        shots = SCENES[self._scene](self._shown, rng, self._seconds)
        scaler = Scaler(DEFAULTS.cameras[0].height_px)
        for number, picture in enumerate(streamed(pictures(self._shown, shots, rng))):
            yield scaler.frame(picture, camera="camera", seq=number, time=START + number / FPS)


@dataclass(slots=True)
class Noted:
    """A detector that counts, and notes what closer looks found."""

    detector: PartDetector
    looks: int = 0
    scores: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.detector.name

    def detect(self, bgr: Pixels, part: Box = WHOLE, lighting: Lighting = Lighting.DAY) -> tuple[Detection, ...]:
        found = self.detector.detect(bgr, part, lighting)
        self.looks += 1
        if part != WHOLE:
            self.scores.append(max((d.score for d in found if d.label is Label.PERSON), default=0.0))
        return found


@dataclass(slots=True)
class Result:
    """What came of one scene in one view."""

    scene: str
    view: str
    seconds: float
    events: list[Event]
    motions: int
    looks: int
    scores: list[float]
    took_s: float


def run(shown: View, name: str, scene: str, seconds: float, seed: int = 0) -> Result:
    """One scene in one view, through the real pipeline."""
    camera = DEFAULTS.cameras[0]
    models = VisionModels(DEFAULTS)
    tools = models.tools(DEFAULTS, None)(camera.id)
    noted = Noted(tools.detector)
    if noted.name not in WITH:
        sys.exit("needs the model of the defaults: without it nothing is looked at closer")
    source = Empty(shown, scene, seconds, 1000 * seed + 100 * list(SCENES).index(scene) + list(EMPTY).index(name))
    events, motions, moving, began = [], 0, False, clock_.process_time()
    for item in replay(source, pipeline(DEFAULTS, camera, ()), replace(tools, detector=noted)):
        if isinstance(item, Event) and item.phase is Phase.STARTED:
            events.append(item)
        elif isinstance(item, CameraState):
            motions += item.motion and not moving
            moving = item.motion
    took = clock_.process_time() - began
    return Result(scene, name, seconds, events, motions, noted.looks, noted.scores, took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tuning", action="store_true", help="the views in which the constants were chosen")
    parser.add_argument("--minutes", type=float, default=60.0, help="of each hour")
    parser.add_argument("--seed", type=int, default=0, help="another weather")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--evidence", action="store_true", help="print the scores of closer looks")
    parser.add_argument("--check", action="store_true", help="exit 1 where an event was reported")
    arguments = parser.parse_args()
    data = data_folder()
    if data is None:
        print("needs the test data: set BLIKK_TEST_DATA")
        return 0
    environ.setdefault("BLIKK_MODELS", str(data / "models"))
    views = TUNING if arguments.tuning else JUDGING
    results = []
    for number, scene in product(range(3), arguments.scenes):
        name = views[scene][number]
        results.append(run(view(data, name), name, scene, 60 * arguments.minutes, arguments.seed))
        print(line(f"{scene}, {name}", results[-1:]), flush=True)
    return show(results, evidence=arguments.evidence, check=arguments.check)


def show(results: list[Result], *, evidence: bool, check: bool) -> int:
    """Print what came of them; 1 where it shall be checked and is wrong."""
    lines, wrong = [], False
    for scene in dict.fromkeys(result.scene for result in results):
        of_it = [result for result in results if result.scene == scene]
        lines.append(line(scene, of_it))
        wrong |= any(result.events for result in of_it)
        wrong |= scene in STILL and any(result.motions for result in of_it)
    lines.append(line("all", results))
    table(("scene", "hours", "events", "motion an hour", "looks an hour", "closer an hour", "CPU s an hour"), lines)
    for result in results:
        for event in result.events:
            at = event.started - START
            print(f"{result.scene}, {result.view}, {at / 60:.1f} min: {event.label.value} {event.objects}")
    if evidence:
        histogram(results)
    print("goals: no event, and no motion where the light alone changes")
    return 1 if check and wrong else 0


def line(name: str, results: list[Result]) -> tuple[str, ...]:
    hours = sum(result.seconds for result in results) / 3600
    counts = Counter(event.label.value for result in results for event in result.events)
    return (
        name,
        f"{hours:.2g}",
        ", ".join(f"{count} {label}" for label, count in counts.items()) or "none",
        f"{sum(result.motions for result in results) / hours:.1f}",
        f"{sum(result.looks for result in results) / hours:.0f}",
        f"{sum(len(result.scores) for result in results) / hours:.0f}",
        f"{sum(result.took_s for result in results) / hours:.0f}",
    )


def histogram(results: list[Result]) -> None:
    """The scores of persons in closer looks, where nobody is."""
    edges = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 1.01)
    print("\ncloser looks by their best score for a person")
    rows = []
    for scene in dict.fromkeys(result.scene for result in results):
        scores = [score for result in results if result.scene == scene for score in result.scores]
        counts, _ = np.histogram(scores, edges)
        rows.append((scene, *(str(count) for count in counts)))
    table(("scene", *(f"from {edge:g}" for edge in edges[:-1])), rows)


if __name__ == "__main__":
    sys.exit(main())
