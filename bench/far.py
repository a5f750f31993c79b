"""People who are far away, by day and in the dark: how many visits are reported, and what that takes.

    python bench/far.py [--quick] [--check]

The six visits of Intel's one-by-one-person-detection.mp4, made small and put into the clip's own empty view, so that a
person is as many pixels high of 432 as a row says. Dark is gamma .45 and contrast .7 with noise, made before the clip
is encoded, as a camera would see it. Each clip goes through what `blikk replay` runs, at the defaults, three times:
with closer looks; without them; and without them, with a detector that looks at the whole frame and at six fixed tiles
of it each time, as others do for small objects. A visit counts when a person was reported while somebody was there; an
event without anybody is extra. Looks are runs of the detector's network.

Then clips of the test data in which nobody walks: roads and a car park. Whatever person is reported there is false.

`--quick` takes two rows and three visits; `--check` exits 1 where closer looks miss a visit or report one too many.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import av
import cv2
import numpy as np
from rig import data_folder, table

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS, clip_source
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.core.geometry import WHOLE, Box, iou
from blikk_edge.core.observation import Event
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label
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


@dataclass(frozen=True, slots=True)
class Row:
    """So many pixels high, by day or in the dark."""

    height_px: int
    dark: bool = False

    def __str__(self) -> str:
        return f"{self.height_px} px{', dark' if self.dark else ''}"


ROWS = tuple(Row(px, dark) for px in (150, 80, 55) for dark in (False, True))


def decoded(path: Path) -> Iterator[Pixels]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24")


def darkened(bgr: Pixels, noise: np.random.Generator) -> Pixels:
    dark = (bgr / np.float32(255)) ** (1 / 0.45) * np.float32(0.7 * 255)
    return np.clip(dark + noise.normal(0, 4, bgr.shape), 0, 255).astype(np.uint8)


def empty_view(clip: Path, visits: Sequence[tuple[float, float]]) -> Pixels:
    """The median of the frames in which nobody is."""

    def empty(number: int) -> bool:
        return not any(a - SLACK_S <= number / FPS <= b + SLACK_S for a, b in visits)

    pictures = [picture for number, picture in enumerate(decoded(clip)) if empty(number)]
    return np.median(np.stack(pictures[:: max(1, len(pictures) // 40)]), axis=0).astype(np.uint8)


def made(clip: Path, empty: Pixels, row: Row, path: Path, last_s: float) -> Path:
    """The visits, made small in their own empty view."""
    height, width = empty.shape[:2]
    share = row.height_px / PERSON_PX
    noise = np.random.default_rng(row.height_px)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1
        stream.options = {"crf": "21", "preset": "veryfast", "g": str(2 * FPS), "bf": "0"}
        for number, picture in enumerate(decoded(clip)):
            if number / FPS > last_s:
                break
            small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            view = empty.copy()
            top, left = round(0.4 * (height - small.shape[0])), round(0.6 * (width - small.shape[1]))
            view[top : top + small.shape[0], left : left + small.shape[1]] = small
            frame = av.VideoFrame.from_ndarray(darkened(view, noise) if row.dark else view, format="bgr24")
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

    def detect(self, bgr: Pixels, part: Box = WHOLE) -> tuple[Detection, ...]:
        """What is found in the whole picture, and in three by two tiles that overlap by a fifth."""
        self.runs += 1
        found = list(self._detector.detect(bgr, part))
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


def far(clip: Path, visits: Sequence[tuple[float, float]], rows: Sequence[Row], last_s: float) -> bool:
    """Print what each way reports; says whether closer looks miss a visit or report one too many."""
    empty, lines, missed = empty_view(clip, visits), [], False
    visits = [visit for visit in visits if visit[1] < last_s]
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            small = made(clip, empty, row, Path(folder) / "small.mp4", last_s)
            cells = []
            for name, how in WAYS:
                persons, runs = spans(small, **how)
                found, extra = score(persons, visits)
                cells += [f"{found} of {len(visits)}" + (f", {extra} extra" if extra else ""), str(runs)]
                missed |= name == WAYS[-1][0] and (found < len(visits) or extra > 0)
            lines.append((str(row), *cells))
    table(("person", *(column for name, _ in WAYS for column in (name, "looks"))), lines)
    return missed


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
    print("\nfalse persons in clips in which nobody walks\n")
    table(("clip", *(column for name, _ in WAYS for column in (name, "looks"))), lines)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rows and three visits")
    parser.add_argument("--check", action="store_true", help="exit 1 where a visit is missed or one too many reported")
    arguments = parser.parse_args()
    data = data_folder()
    if data is None:
        print("needs the test data: set BLIKK_TEST_DATA")
        return 0
    notes = json.loads((data / "annotations/event_intervals.json").read_text())["clips"][CLIP]
    visits = [(first / notes["fps"], last / notes["fps"]) for first, last in notes["intervals"]]
    rows, last_s = (ROWS[3:5], visits[3][0] - 2) if arguments.quick else (ROWS, math.inf)
    wrong = far(data / CLIP, visits, rows, last_s)
    if not arguments.quick:
        wrong |= nobody(data)
    print("goals: every visit is reported, and nobody who is not there")
    return 1 if arguments.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
