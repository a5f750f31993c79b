"""People who are far away, by day, in the dark and by an infrared lamp: how many visits are reported, at what cost.

    python bench/far.py [--quick] [--others] [--check]

The six visits of Intel's one-by-one-person-detection.mp4, made small and put into the clip's own empty view, so that a
person is as many pixels high of 432 as a row says. Dark is gamma .45 and contrast .7 with noise; infrared is without
colour, by a lamp that lights the middle, with clothes that hardly stand out, a soft lens and noise. Both are made
before the clip is encoded, as a camera would see it. 40 px are somebody of 45 px at 480p.
Each clip goes through what `blikk replay` runs, at the defaults, three times:
with closer looks; without them; and without them, with a detector that looks at the whole frame and at six fixed tiles
of it each time, as others do for small objects. A visit counts when a person was reported while somebody was there; an
event without anybody is extra, and counted by the hour of all that the row's way has seen. Looks are runs of the
detector's network.

Then clips of the test data in which nobody walks: roads and a car park. Whatever person is reported there is false.

`--others` takes other people in other views instead (see passers.py): the constants of closer looks were chosen on the
six visits, and on these they are judged. The rival is left out. `--quick` takes three clips and, of the six visits,
three; `--check` exits 1 where closer looks miss a visit or report one too many.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from itertools import product
from os import environ
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from empty_scenes import EMPTY, decoded, infrared, median
from passers import CUTS, passer
from passers import visits as walking_by
from rig import data_folder, table

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS, clip_source
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.core.geometry import WHOLE, Box, iou
from blikk_edge.core.observation import Event
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label, Lighting
from blikk_edge.core.stages import PartDetector
from blikk_edge.runtime.replay import replay as replay_pipeline

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
FPS = 10
PERSON_PX = 376
"""The median height of a person in the clip as it is, by its own detections."""

NOBODY = (
    "video/intel_sample/car-detection.mp4",
    "video/bgslibrary/video.avi",
    "video/dvr_scan/traffic_camera.mp4",
    "video/cdnet_highway/bgslibrary_video03.avi",
)
SLACK_S = 1.0
SAME_IOU = 0.5


class Seen(NamedTuple):
    """What came of one clip: visits that were reported, of how many, reports too many, looks and its length."""

    found: int
    visits: int
    extra: int
    runs: int
    minutes: float


class Light(StrEnum):
    """By what a clip is made to be lit."""

    DAY = "day"
    DARK = "dark"
    INFRARED = "infrared"


@dataclass(frozen=True, slots=True)
class Small:
    """A clip: so many pixels high, by this light."""

    height_px: int
    light: Light = Light.DAY


HEIGHTS = (150, 80, 55, 40)
QUICK = (Small(80, Light.DARK), Small(55), Small(40, Light.INFRARED))
QUICK_S = 72.0
"""By then three of the six visits are over."""


def darkened(bgr: Pixels, noise: np.random.Generator) -> Pixels:
    dark = (bgr / np.float32(255)) ** (1 / 0.45) * np.float32(0.7 * 255)
    return np.clip(dark + noise.normal(0, 4, bgr.shape), 0, 255).astype(np.uint8)


def by_lamp(bgr: Pixels, empty: Pixels, noise: np.random.Generator) -> Pixels:
    """What a camera with an infrared lamp makes of it, (h, w) grey: all is nearly as bright as what is behind it."""
    dull = np.clip(empty + np.float32(0.7) * (bgr - empty.astype(np.float32)), 0, 255).astype(np.uint8)
    soft = cv2.GaussianBlur(infrared(dull), (0, 0), 1.0)
    return np.clip(0.6 * soft + noise.normal(0, 4, soft.shape), 0, 255).astype(np.uint8)


def lit(bgr: Pixels, empty: Pixels, light: Light, noise: np.random.Generator) -> av.VideoFrame:
    """A frame of this view by this light."""
    if light is Light.INFRARED:
        return av.VideoFrame.from_ndarray(by_lamp(bgr, empty, noise), format="gray").reformat(format="yuv420p")
    return av.VideoFrame.from_ndarray(darkened(bgr, noise) if light is Light.DARK else bgr, format="bgr24")


def empty_view(clip: Path, visits: Sequence[tuple[float, float]]) -> Pixels:
    """The median of the frames in which nobody is."""

    def empty(number: int) -> bool:
        return not any(a - SLACK_S <= number / FPS <= b + SLACK_S for a, b in visits)

    pictures = [picture for number, picture in enumerate(decoded(clip)) if empty(number)]
    return np.median(np.stack(pictures[:: max(1, len(pictures) // 40)]), axis=0).astype(np.uint8)


def made(clip: Path, empty: Pixels, small: Small, path: Path, last_s: float) -> Path:
    """The visits, made small in their own empty view."""

    def pictures() -> Iterator[Pixels]:
        height, width = empty.shape[:2]
        share = small.height_px / PERSON_PX
        for number, picture in enumerate(decoded(clip)):
            if number / FPS > last_s:
                break
            shown = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            view = empty.copy()
            top, left = round(0.4 * (height - shown.shape[0])), round(0.6 * (width - shown.shape[1]))
            view[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
            yield view

    return written(path, pictures(), empty, small)


def written(path: Path, pictures: Iterable[Pixels], empty: Pixels, small: Small) -> Path:
    """A clip of these pictures of a view, by its light."""
    noise = np.random.default_rng(small.height_px)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = empty.shape[:2]
        stream.pix_fmt, stream.thread_count = "yuv420p", 1
        stream.options = {"crf": "21", "preset": "veryfast", "g": str(2 * FPS), "bf": "0"}
        for number, picture in enumerate(pictures):
            frame = lit(picture, empty, small.light, noise)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def spans(clip: Path, *, closer: bool, tiles: bool = False) -> tuple[list[tuple[float, float]], int]:
    """When persons were reported to be there, seconds, and how often the network ran."""
    camera = DEFAULTS.cameras[0]
    if not closer:
        camera = replace(camera, select=replace(camera.select, closer_looks=0))
    settings = replace(DEFAULTS, cameras=(camera,))
    models = VisionModels(settings)
    tools = models.tools(settings, None)(camera.id)
    counted = Counted(tools.detector, tiles=tiles)
    found: dict[str, tuple[float, float]] = {}
    made = pipeline(settings, camera, (), ())
    for item in replay_pipeline(clip_source(clip, camera, 0.0), made, replace(tools, detector=counted)):
        if isinstance(item, Event) and item.label is Label.PERSON:
            found[item.id] = item.started, item.ended or item.time
    return list(found.values()), counted.runs


class Counted:
    """A detector that counts, and looks at tiles as well where it shall."""

    def __init__(self, detector: PartDetector, *, tiles: bool) -> None:
        self.name = detector.name
        self.runs = 0
        self._detector = detector
        self._tiles = tiles

    def detect(self, bgr: Pixels, part: Box = WHOLE, lighting: Lighting = Lighting.DAY) -> tuple[Detection, ...]:
        """What is found in the whole picture, and in three by two tiles that overlap by a fifth."""
        self.runs += 1
        found = list(self._detector.detect(bgr, part, lighting))
        for row, column in product(range(2), range(3)) if self._tiles else ():
            self.runs += 1
            tile = Box(0.3 * column, 0.4 * row, 0.3 * column + 0.4, 0.4 * row + 0.6)
            height, width = bgr.shape[:2]
            x1, y1, x2, y2 = tile.pixels(width, height)
            for seen in (d.within(tile) for d in self._detector.detect(np.ascontiguousarray(bgr[y1:y2, x1:x2]))):
                if all(iou(seen.box, other.box) < SAME_IOU for other in found):
                    found.append(seen)
        return tuple(sorted(found, key=lambda d: -d.score))


def score(persons: Sequence[tuple[float, float]], visits: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """Visits during which somebody was reported, and reports while nobody was there."""

    def meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return one[0] <= other[1] + SLACK_S and other[0] - SLACK_S <= one[1]

    found = sum(any(meet(person, visit) for person in persons) for visit in visits)
    return found, sum(not any(meet(person, visit) for visit in visits) for person in persons)


WAYS = (
    ("whole frame", {"closer": False}),
    ("and six tiles", {"closer": False, "tiles": True}),
    ("closer looks", {"closer": True}),
)


Spans = Sequence[tuple[float, float]]
Made = Callable[[Small, Path], tuple[Path, Spans]]
"""Makes a clip; says when somebody is there."""


def six_visits(data: Path, last_s: float) -> Made:
    """Makes the six visits, or those that end by then."""
    notes = json.loads((data / "annotations/event_intervals.json").read_text())["clips"][CLIP]
    visits = [(first / notes["fps"], last / notes["fps"]) for first, last in notes["intervals"]]
    empty = empty_view(data / CLIP, visits)

    def make(small: Small, path: Path) -> tuple[Path, Spans]:
        return made(data / CLIP, empty, small, path, last_s), [visit for visit in visits if visit[1] < last_s]

    return make


OTHER_VIEWS = {80: "lane", 55: "bend", 40: "room"}


def others(data: Path) -> Made:
    """Makes clips of other people in other views, one view for each height."""
    people = [passer(data, cut) for cut in CUTS]

    def make(small: Small, path: Path) -> tuple[Path, Spans]:
        clip, frames, _ = EMPTY[OTHER_VIEWS[small.height_px]]
        view = cv2.resize(median(data / clip, frames), (768, 432), interpolation=cv2.INTER_CUBIC)
        there: list[bool] = []

        def pictures() -> Iterator[Pixels]:
            for picture, somebody in walking_by(view, people, small.height_px):
                there.append(somebody)
                yield picture

        written(path, pictures(), view, small)
        turns = np.flatnonzero(np.diff(np.array(there, np.int8))) + 1
        return path, [(first / FPS, last / FPS) for first, last in turns.reshape(-1, 2)]

    return make


def far(make: Made, clips: Sequence[Small], ways: Sequence[tuple[str, dict[str, bool]]]) -> bool:
    """Print what each way reports; says whether closer looks miss a visit or report one too many."""
    missed = False
    lights = [light for light in Light if any(small.light is light for small in clips)]
    cells: dict[tuple[int, str], dict[Light, Seen]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for small in clips:
            path, visits = make(small, Path(folder) / "small.mp4")
            for name, how in ways:
                persons, runs = spans(path, **how)
                found, extra = score(persons, visits)
                cells.setdefault((small.height_px, name), {})[small.light] = Seen(
                    found, len(visits), extra, runs, length_s(path) / 60
                )
                missed |= name == ways[-1][0] and (found < len(visits) or extra > 0)
    lines = []
    for (height_px, name), by in cells.items():
        extra, runs, minutes = (sum(each[index] for each in by.values()) for index in (2, 3, 4))
        shown = (f"{by[light].found} of {by[light].visits}" if light in by else "" for light in lights)
        lines.append((f"{height_px} px", name, *shown, f"{60 * extra / minutes:.0f}", f"{runs / minutes:.0f}"))
    table(("person", "way", *lights, "extra an hour", "looks a minute"), lines)
    return missed


def length_s(clip: Path) -> float:
    """How long a clip is, seconds."""
    with av.open(str(clip)) as container:
        return container.streams.video[0].frames / FPS


def nobody(data: Path) -> bool:
    """Print what is reported of clips in which nobody walks; says whether it is anything."""
    lines, wrong = [], False
    for name in NOBODY:
        cells = []
        for _, how in WAYS:
            persons, runs = spans(data / name, **how)
            cells += [str(len(persons)), str(runs)]
        wrong |= bool(persons)
        lines.append((Path(name).name, *cells))
    print("\nfalse persons in clips in which nobody walks, and looks\n")
    table(("clip", *(column for name, _ in WAYS for column in (name, "looks"))), lines)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three clips and three visits")
    parser.add_argument("--others", action="store_true", help="other people in other views")
    parser.add_argument("--check", action="store_true", help="exit 1 where a visit is missed or one too many reported")
    arguments = parser.parse_args()
    data = data_folder()
    if data is None:
        print("needs the test data: set BLIKK_TEST_DATA")
        return 0
    environ.setdefault("BLIKK_MODELS", str(data / "models"))
    if arguments.others:
        every = [Small(px, light) for px in OTHER_VIEWS for light in Light]
        wrong = far(others(data), QUICK if arguments.quick else every, (WAYS[0], WAYS[-1]))
    else:
        every = [Small(px, light) for px in HEIGHTS for light in Light]
        wrong = far(
            six_visits(data, QUICK_S if arguments.quick else math.inf), QUICK if arguments.quick else every, WAYS
        )
        if not arguments.quick:
            wrong |= nobody(data)
    print("goals: every visit is reported, and nobody who is not there")
    return 1 if arguments.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
