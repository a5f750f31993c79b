"""Parcels that are left and taken: how many are told, how late, how many that were none, and what looking costs.

    python bench/parcels.py [--seeds N] [--quick] [--check] [--pictures FOLDER]

Made clips first (parcel_clips.py): somebody of a real clip leaves a drawn parcel, somebody else takes it. A row is a
size and a light; each of its clips has another parcel, place and pair of people. `left` and `taken` are those told with
a box at the parcel and not before it happened; `extra` is whatever else was told. `late` is the mean time from when
nobody covers the parcel any more to when it is told. Each clip goes through what `blikk replay` runs, at the defaults.

Then clips in which nothing is left: the people's clip as it is, in other light, with exposure and infrared switches,
and every other clip of the test data. Whatever is told there is false. The last two columns are what the step takes in
a frame that it is given, with somebody there and with nobody, as shares of one look of the detector.

`--check` exits 1 where fewer than nine tenths are told, or anything that was not left or taken is.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import environ
from pathlib import Path

from parcel_clips import DAY, DUSK, INFRARED, NIGHT, Deed, Light, Script, Truth, make
from rig import data_folder, table

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS, clip_source
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.core.geometry import intersection
from blikk_edge.core.observation import Event
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.picture import Picture
from blikk_edge.core.scene import Scene
from blikk_edge.runtime.parcel_pictures import ParcelStep
from blikk_edge.runtime.replay import stepped

PAIRS = ((0, 2), (3, 4), (4, 5), (2, 3), (5, 0), (1, 4))
REAL = (
    "video/intel_sample/one-by-one-person-detection.mp4",
    "video/intel_sample/car-detection.mp4",
    "video/intel_sample_previews/people-detection.gif",
    "video/intel_sample_previews/face-demographics-walking.gif",
    "video/intel_sample_previews/person-bicycle-car-detection.gif",
    "video/vtest_pets09s2l1/vtest_first400.mp4",
    "video/mot15/TUD-Campus/TUD-Campus.mp4",
    "video/dvr_scan/issue53_brightness_change.avi",
    "video/dvr_scan/traffic_camera.mp4",
    "video/bgslibrary/video.avi",
    "video/bgslibrary/video02.avi",
    "video/cdnet_highway/bgslibrary_video03.avi",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """So large a parcel, in such a light.

    Attributes:
        name: What is printed.
        size: The parcel's height, a share of the picture's before it is made small.
        light: How the clip is lit.
        scale: How large the scene is.
        switch: Lights that follow each other while nobody is there.
    """

    name: str
    size: float
    light: Light = DAY
    scale: float = 1.0
    switch: tuple[Light, ...] = ()


ROWS = (
    Row(name="large", size=0.22),
    Row(name="small", size=0.10),
    Row(name="large, night", size=0.22, light=NIGHT),
    Row(name="small, night", size=0.12, light=NIGHT),
    Row(name="middle, infrared", size=0.16, light=INFRARED),
    Row(name="middle, to infrared while it lies", size=0.16, switch=(INFRARED,)),
    Row(name="far", size=0.20, scale=0.5),
    Row(name="far, dusk", size=0.22, light=DUSK, scale=0.5),
)
EMPTY = (
    ("the six visits", Script(visits=(0, 1, 2, 3, 4, 5))),
    ("the six visits, night", Script(visits=(0, 1, 2, 3, 4, 5), light=NIGHT)),
    (
        "the six visits, switching",
        Script(visits=(0, 1, 2, 3, 4, 5), switch=(INFRARED, DAY, DUSK, INFRARED, DAY, NIGHT)),
    ),
)


class Clocked:
    """The parcels step, with the time it takes."""

    def __init__(self, step: ParcelStep) -> None:
        self.spent: dict[bool, list[float]] = {True: [], False: []}
        self._step = step

    def __call__(self, scene: Scene) -> Scene:
        began = time.thread_time()
        made = self._step(scene)
        self.spent[bool(scene.tracks)].append(time.thread_time() - began)
        return made

    def reset(self) -> None:
        self._step.reset()


@dataclass(slots=True)
class Seen:
    """What one clip gave.

    Attributes:
        told: Events that say that a parcel was left or taken, and when since the start of the clip.
        pictures: Those of label package, in order.
        spent: Seconds that the step took, by whether somebody was followed.
        inference_s: What a look of the detector took.
        seconds: How long the clip is.
    """

    told: list[tuple[float, Event]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    spent: dict[bool, list[float]] = field(default_factory=dict)
    inference_s: float = 0.0
    seconds: float = 0.0


def watch(clip: Path, models: VisionModels) -> Seen:
    """All of a clip through the pipeline."""
    camera = DEFAULTS.cameras[0]
    line = pipeline(DEFAULTS, camera, (), ())
    clocked = Clocked(line._parcels)
    line._follow = tuple(clocked if step is line._parcels else step for step in line._follow)
    seen, first = Seen(spent=clocked.spent), None
    for frame, items in stepped(clip_source(clip, camera, 0.0), line, models.tools(DEFAULTS, None)(camera.id)):
        if frame is not None:
            first = frame.time if first is None else first
            seen.seconds = frame.time - first
        for item in items:
            if isinstance(item, Event) and item.change is not None:
                seen.told.append((item.time - (first or 0.0), item))
            elif isinstance(item, Picture) and item.name == "package":
                seen.pictures.append(item)
    seen.inference_s = (line._detect.inference_ms or 0.0) / 1000
    return seen


def script(row: Row, seed: int) -> Script:
    """A clip of this row: who, where and what follow from the seed."""
    rng = random.Random(7 * seed + 1)
    deed = Deed(foot=(rng.uniform(0.56, 0.63), rng.uniform(0.80, 0.90)), height=row.size, left=0, taken=1, seed=seed)
    return Script(visits=PAIRS[seed % len(PAIRS)], deeds=(deed,), light=row.light, scale=row.scale, switch=row.switch)


def judged(seen: Seen, truth: Truth) -> tuple[bool, bool, int, float, float]:
    """Whether it was told that it was left and taken, what else was, how late and how sure."""

    def first(change: ParcelChange, when: tuple[float, float] | None) -> tuple[float, Event] | None:
        for at, event in seen.told:
            boxes = [o.box for o in event.objects]
            there = any(intersection(box, truth.boxes[0]) > 0.3 * truth.boxes[0].area for box in boxes)
            if event.change is change and when is not None and at >= when[0] and there:
                return at, event
        return None

    left, taken = first(ParcelChange.LEFT_BEHIND, truth.left[0]), first(ParcelChange.TAKEN, truth.taken[0])
    extra = len(seen.told) - (left is not None) - (taken is not None)
    late = max(0.0, left[0] - truth.left[0][1]) if left and truth.left[0] else 0.0
    return left is not None, taken is not None, extra, late, left[1].objects[0].score if left else 0.0


def made(data: Path, rows: Sequence[Row], seeds: int, pictures: Path | None) -> bool:
    """Print what is told of made clips; says whether it is too little, or too much."""
    lines, poor = [], False
    models = VisionModels(DEFAULTS)
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            found = []
            for seed in range(seeds):
                truth = make(data, script(row, seed), clip := Path(folder) / "clip.mp4", seed)
                seen = watch(clip, models)
                found.append(judged(seen, truth))
                for number, picture in enumerate(seen.pictures if pictures else ()):
                    assert pictures is not None
                    (pictures / f"{row.name.replace(', ', '-')}-{seed}-{number}.jpg").write_bytes(picture.jpeg)
            left, taken, extra = (sum(one[k] for one in found) for k in range(3))
            told = [one for one in found if one[0]]
            late, sure = (sum(one[k] for one in told) / max(1, len(told)) for k in (3, 4))
            height_px = round(480 * row.size * row.scale)
            lines.append(
                (row.name, f"{height_px} px", f"{left} of {seeds}", f"{taken} of {seeds}", str(extra), f"{late:.1f} s",
                 f"{sure:.2f}")
            )  # fmt: skip
            print(f"... {' | '.join(lines[-1])}", file=sys.stderr, flush=True)
            poor |= left < 0.9 * seeds or taken < 0.9 * seeds or extra > 0
    table(("parcel", "of 480 px", "left", "taken", "extra", "late", "mean score"), lines)
    return poor


def nothing(data: Path, quick: bool) -> bool:
    """Print what is told of clips in which nothing is left, and what looking costs; says whether it is anything."""
    lines, wrong = [], False
    models = VisionModels(DEFAULTS)

    def line(name: str, seen: Seen) -> bool:
        shares = []
        for busy in (True, False):
            spent = sorted(seen.spent[busy])
            shares.append(f"{spent[len(spent) // 2] / seen.inference_s:.3f}" if spent and seen.inference_s else "-")
        lines.append((name, f"{seen.seconds:.0f} s", str(len(seen.told)), *shares))
        print(f"... {' | '.join(lines[-1])}", file=sys.stderr, flush=True)
        return bool(seen.told)

    with tempfile.TemporaryDirectory() as folder:
        for name, empty in EMPTY[: 1 if quick else None]:
            make(data, empty, clip := Path(folder) / "clip.mp4")
            wrong |= line(name, watch(clip, models))
    for path in REAL[: 2 if quick else None]:
        wrong |= line(Path(path).name, watch(data / path, models))
    table(("nothing is left", "long", "told", "cost, busy", "cost, idle"), lines)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    data = data_folder()
    if data is None:
        print("no test data", file=sys.stderr)
        return 1
    environ.setdefault("BLIKK_MODELS", str(data / "models"))
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    rows = ROWS[:2] if args.quick else ROWS
    poor = made(data, rows, 2 if args.quick else args.seeds, args.pictures)
    print()
    wrong = nothing(data, args.quick)
    return int(args.check and (poor or wrong))


if __name__ == "__main__":
    sys.exit(main())
