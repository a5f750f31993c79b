"""Tracking quality: our tracker beside a plain greedy-IoU one, on the same detections of real clips.

Prints IDF1 (Ristani et al. 2016), MOTA and identity switches (Bernardin and Stiefelhagen 2008) at IoU 0.5 for
TUD-Campus and PETS09-S2L1 (OpenCV's vtest), at full rate and at 5 fps, the frames that the detector looked at, and the
time of one tracker step. The last row looks only at those frames that a track asks for, as a node does, and at one a
second; in between everybody is where the tracks are expected. `--check` exits 1 where ours is not better in IDF1 at 5
fps, below the goals, or loses a hundredth of it by looking less often. `--quick` takes 150 frames at most.

Needs the test data (BLIKK_TEST_DATA, default ../shared/data) and SciPy (the `bench` extra).
"""

import argparse
import csv
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from scipy.optimize import linear_sum_assignment

from blikk_edge.core.geometry import Box, iou
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection, Label, Motion, Track, View
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.registry import REGISTRY, ResolvedModel
from blikk_edge.transforms.tracking.tracker import Tracker

DATA = Path(os.environ.get("BLIKK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
MODEL = "models/detect/yolox_nano/yolox_nano_float16_quantize.tflite"
FLOOR = 0.15
THRESHOLD = 0.45
OVERLAP = 0.5
AGAIN_S = 1.0
LOST_IDF1 = 0.01

# IDF1 of ours at 5 fps that must be reached: measured .714 and .677 less five points, because one pair of people taken
# for each other in the middle of such short clips costs that much, and another build of the detector decides it.
GOALS = {"TUD-Campus": 0.66, "vtest": 0.62}


@dataclass(frozen=True)
class Clip:
    """A clip with ground truth. `size` is the picture size that the truth is given in; `step` makes it 5 fps."""

    name: str
    video: str
    truth: str
    size: tuple[int, int]
    fps: float
    step: int


CLIPS = (
    Clip(
        "TUD-Campus",
        "video/mot15/TUD-Campus/TUD-Campus.mp4",
        "video/mot15/TUD-Campus/gt/gt.txt",
        (640, 480),
        25.0,
        5,
    ),
    Clip(
        "vtest",
        "video/vtest_pets09s2l1/vtest_first400.mp4",
        "annotations/mot15/PETS09-S2L1/gt_first400.txt",
        (768, 576),
        10.0,
        2,
    ),
)

Boxes = dict[int, Box]
"""Boxes of one frame by id."""


class Look(NamedTuple):
    """One frame as the trackers get it."""

    time: float
    luma: np.ndarray
    detections: tuple[Detection, ...]


class Quality(NamedTuple):
    """What a tracker made of a clip."""

    idf1: float
    mota: float
    switches: int
    ids: int


def looks(clip: Clip, limit: int | None) -> list[Look]:
    """Every frame of a clip with what the detector finds in it."""
    thresholds = dict.fromkeys(Label, FLOOR)
    model = ResolvedModel(path=DATA / MODEL, entry=REGISTRY["yolox-nano"])
    detector = TfliteDetector(model, thresholds=thresholds, threads=1)
    found = []
    with av.open(str(DATA / clip.video)) as container:
        for index, picture in enumerate(container.decode(video=0)):
            if limit is not None and index >= limit:
                break
            bgr = picture.to_ndarray(format="bgr24")
            people = tuple(d for d in detector.detect(bgr) if d.label is Label.PERSON)
            found.append(Look(index / clip.fps, bgr[:, :, 0], people))
    return found


def truth(clip: Clip) -> dict[int, Boxes]:
    """Ground truth by video frame from 0; MOT frame n is video frame n - 1 in both clips."""
    width, height = clip.size
    frames: dict[int, Boxes] = {}
    with (DATA / clip.truth).open(newline="") as rows:
        for row in csv.reader(rows):
            frame, key, x, y, w, h = (float(v) for v in row[:6])
            box = Box.clipped(x / width, y / height, (x + w) / width, (y + h) / height)
            if box is not None and float(row[6]) > 0:
                frames.setdefault(int(frame) - 1, {})[int(key)] = box
    return frames


def ours(seen: Iterable[Look]) -> list[Boxes]:
    """Our tracker: the confirmed tracks found in each frame."""
    tracker = Tracker(thresholds={Label.PERSON: THRESHOLD})
    out = []
    for look in seen:
        frame = Frame(camera="bench", seq=len(out), time=look.time, luma=look.luma, convert=no_colour)
        scene = Scene(frame=frame, motion=Motion(view=View.QUIET), analysed=True, detections=look.detections)
        out.append({t.id: t.box for t in tracker(scene).tracks if t.confirmed and not t.missed})
    return out


def ours_at_rest(seen: Iterable[Look]) -> list[Boxes]:
    """Our tracker, which is given a frame once a track may not rest any longer; else what it expects of the frame."""
    tracker = Tracker(thresholds={Label.PERSON: THRESHOLD})
    out: list[Boxes] = []
    tracks: tuple[Track, ...] = ()
    looked = before = float("-inf")
    for look in seen:
        since_s = look.time - looked + 1e-3
        rested_s, before = since_s + (look.time - before) / 2, look.time
        if since_s < AGAIN_S and all(rested_s < track.rest_s for track in tracks):
            expected = {t.id: t.expected(look.time) for t in tracks if t.confirmed and not t.missed}
            out.append({key: box for key, box in expected.items() if box is not None})
            continue
        looked = look.time
        LOOKED["ours, looking as needed"] += 1
        frame = Frame(camera="bench", seq=len(out), time=look.time, luma=look.luma, convert=no_colour)
        scene = Scene(frame=frame, motion=Motion(view=View.QUIET), analysed=True, detections=look.detections)
        tracks = tracker(scene).tracks
        out.append({t.id: t.box for t in tracks if t.confirmed and not t.missed})
    return out


def no_colour() -> Pixels:
    """Trackers do not look at pixels."""
    raise AssertionError("a tracker asked for pixels")


def ours_confident(seen: Iterable[Look]) -> list[Boxes]:
    """Our tracker without the faint detections."""
    return ours(look._replace(detections=confident(look)) for look in seen)


def greedy(seen: Iterable[Look]) -> list[Boxes]:
    """The usual first tracker: best IoU first (at least 0.3), no motion model, second hit confirms, 3 misses end it."""
    live: dict[int, tuple[Box, int, int]] = {}  # box, hits, misses
    out, last = [], 0
    for look in seen:
        boxes = [d.box for d in confident(look)]
        ranked = sorted(((iou(b, live[k][0]), k, i) for k in live for i, b in enumerate(boxes)), reverse=True)
        used, matched = set(), {}
        for overlap, key, index in ranked:
            if overlap >= 0.3 and key not in matched and index not in used:
                matched[key] = index
                used.add(index)
        for key, (box, hits, misses) in list(live.items()):
            if key in matched:
                live[key] = (boxes[matched[key]], hits + 1, 0)
            elif misses >= 3 or hits < 2:
                del live[key]
            else:
                live[key] = (box, hits, misses + 1)
        for index, box in enumerate(boxes):
            if index not in used:
                last += 1
                live[last] = (box, 1, 0)
        out.append({k: box for k, (box, hits, misses) in live.items() if hits >= 2 and not misses})
    return out


def confident(look: Look) -> tuple[Detection, ...]:
    """The detections at or above the threshold."""
    return tuple(d for d in look.detections if d.score >= THRESHOLD)


def quality(real: Sequence[Boxes], reported: Sequence[Boxes]) -> Quality:
    """IDF1 and MOTA of reported boxes against real ones, frame by frame; as py-motmetrics 1.4 to three digits."""
    missed = false = switches = total = 0
    kept: dict[int, int] = {}  # real id -> reported id of its last match
    shared: dict[tuple[int, int], int] = {}
    for truths, tracks in zip(real, reported, strict=True):
        total += len(truths)
        near = {(r, t): iou(a, b) for r, a in truths.items() for t, b in tracks.items()}
        near = {pair: overlap for pair, overlap in near.items() if overlap >= OVERLAP}
        for pair in near:
            shared[pair] = shared.get(pair, 0) + 1
        matched: dict[int, int] = {}
        for r in truths:
            if (r, kept.get(r)) in near and kept[r] not in matched.values():
                matched[r] = kept[r]
        rest_r = [r for r in truths if r not in matched]
        rest_t = [t for t in tracks if t not in matched.values()]
        for r, t in best(rest_r, rest_t, lambda r, t, near=near: near.get((r, t), 0.0)):
            switches += kept.get(r, t) != t
            matched[r] = t
        missed += len(truths) - len(matched)
        false += len(tracks) - len(matched)
        kept.update(matched)
    reals, ours = sorted({r for f in real for r in f}), sorted({t for f in reported for t in f})
    true_ids = sum(shared[pair] for pair in best(reals, ours, lambda r, t: float(shared.get((r, t), 0))))
    boxes = sum(len(f) for f in reported)
    return Quality(
        idf1=2 * true_ids / max(1, total + boxes),
        mota=1 - (missed + false + switches) / max(1, total),
        switches=switches,
        ids=len(ours),
    )


def bound(real: dict[int, Boxes], seen: Sequence[Look]) -> float:
    """The MOTA of a tracker that shows every confident detection with the right id: the detector's share."""
    right = shown = 0
    for index, look in enumerate(seen):
        truths, boxes = real.get(index, {}), [d.box for d in confident(look)]
        near = {(r, i): iou(a, b) for r, a in truths.items() for i, b in enumerate(boxes) if iou(a, b) >= OVERLAP}
        right += len(best(list(truths), range(len(boxes)), lambda r, i, near=near: near.get((r, i), 0.0)))
        shown += len(boxes)
    return (2 * right - shown) / max(1, sum(len(boxes) for boxes in real.values()))


def best(rows: Sequence[int], columns: Sequence[int], gain: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """The pairing with the greatest gain; pairs without gain are left out."""
    if not rows or not columns:
        return []
    table = np.array([[gain(r, c) for c in columns] for r in rows])
    chosen = zip(*linear_sum_assignment(-table), strict=True)
    return [(rows[i], columns[j]) for i, j in chosen if table[i, j] > 0]


RIVALS: dict[str, Callable[[Iterable[Look]], list[Boxes]]] = {
    "greedy IoU": greedy,
    "ours, confident only": ours_confident,
    "ours": ours,
    "ours, looking as needed": ours_at_rest,
}
LOOKED: Counter[str] = Counter()
"""Frames that were looked at, of a way that does not look at all."""


def main() -> int:
    """Run, print the table, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer frames")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"no test data at {DATA}; set BLIKK_TEST_DATA", file=sys.stderr)
        return 2
    failures = []
    print(
        f"{'clip':12}{'fps':>5}  {'tracker':24}{'IDF1':>7}{'MOTA':>7}{'switches':>9}"
        f"{'ids':>6}{'looks':>7}{'ms/step':>9}"
    )
    for clip in CLIPS:
        seen, real = looks(clip, 150 if arguments.quick else None), truth(clip)
        for step in (1, clip.step):
            frames = range(0, len(seen), step)
            results = {}
            for name, track in RIVALS.items():
                LOOKED.clear()
                started = time.perf_counter()
                reported = track([seen[i] for i in frames])
                took_ms = (time.perf_counter() - started) * 1000 / len(frames)
                got = results[name] = quality([real.get(i, {}) for i in frames], reported)
                print(
                    f"{clip.name:12}{clip.fps / step:5.0f}  {name:24}{got.idf1:7.3f}{got.mota:7.3f}"
                    f"{got.switches:9}{got.ids:6}{LOOKED.get(name, len(frames)):7}{took_ms:9.2f}"
                )
            if step > 1:
                failures += judge(clip, results, arguments.quick)
        inside = {i: boxes for i, boxes in real.items() if i < len(seen)}
        ids = len({key for boxes in inside.values() for key in boxes})
        print(f"{clip.name:12}       {ids} people; perfect ids on the confident boxes: MOTA {bound(inside, seen):.3f}")
    for failure in failures:
        print(f"MISSED: {failure}")
    return 1 if failures and arguments.check else 0


def judge(clip: Clip, results: dict[str, Quality], quick: bool) -> list[str]:
    """The goals that were missed."""
    failures = []
    if results["ours"].idf1 <= results["greedy IoU"].idf1:
        failures.append(f"{clip.name}: IDF1 at 5 fps is not better than greedy IoU")
    if results["ours, looking as needed"].idf1 < results["ours"].idf1 - LOST_IDF1:
        failures.append(f"{clip.name}: IDF1 at 5 fps is lower by more than {LOST_IDF1} where the tracks may rest")
    if not quick and results["ours"].idf1 < GOALS[clip.name]:
        failures.append(f"{clip.name}: IDF1 at 5 fps {results['ours'].idf1:.3f} < {GOALS[clip.name]}")
    return failures


if __name__ == "__main__":
    sys.exit(main())
