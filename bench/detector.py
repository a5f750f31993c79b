"""How well and how fast pictures are looked at: our detector beside the classic SSD and what stands in for it.

Prints average precision (COCO's AP at IoU .50:.95, by pycocotools) by Label on pictures of COCO val2017, which none of
the YOLOX models was trained on; recall and false boxes for people at the default thresholds; and the time of a picture
from pixels to Detections on one thread. All rows come from one run over the same pictures, through our whole path.
`ssd on regions` is the classic detector fed as Frigate feeds it: square regions at the model's own size, not the whole
picture squeezed.

`--quick` takes the two main rows; `--check` exits 1 where a goal is missed.

Needs the test data (BLIKK_TEST_DATA, default ../shared/data) and pycocotools (the `bench` extra).
"""

import argparse
import contextlib
import importlib.util
import io
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2

from blikk_edge.core.geometry import Box, iou
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.transforms.models.builtin import BuiltinDetector
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.folders import ModelFolders, default_cache, folders_from_environment, resolve
from blikk_edge.transforms.models.labels import COCO, label_of

DATA = Path(os.environ.get("BLIKK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
OURS, RIVAL = "yolox-nano", "ssd-mobilenet-v1"
LABELS = tuple(Label)
EVERYTHING = 0.01
"""AP is an area under all thresholds; pycocotools looks at the best 100 boxes of a picture."""

GOAL_PERSON_AP = 0.34
DEFAULT_PERSON = 0.45
"""The default threshold of `config.settings.DetectorSettings`."""

Look = Callable[[Pixels], tuple[Detection, ...]]


class Picture(NamedTuple):
    """A picture and what is in it."""

    pixels: Pixels
    truth: tuple[tuple[Label, Box], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One detector's figures. `ap` by Label, None for what it never reports."""

    name: str
    ap: dict[Label, float | None]
    person_ap50: float
    recall: float
    false_a_picture: float
    ms: float

    @property
    def overall(self) -> float | None:
        """The mean AP over all Labels; None where it does not report one of them."""
        values = [ap for ap in self.ap.values() if ap is not None]
        return statistics.mean(values) if len(values) == len(LABELS) else None


def pictures() -> list[Picture]:
    folder = DATA / "images" / "coco128_lightly"
    found = []
    for path in sorted((folder / "images" / "val2017").glob("*.jpg")):
        pixels = cv2.imread(str(path))
        lines = (folder / "object_detection" / "labels" / "val2017" / f"{path.stem}.txt").read_text().splitlines()
        truth = []
        for line in lines:
            row, x, y, width, height = line.split()
            label, (cx, cy, w, h) = label_of(COCO[int(row)]), map(float, (x, y, width, height))
            box = Box.clipped(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
            if label is not None and box is not None:
                truth.append((label, box))
        found.append(Picture(pixels, tuple(truth)))
    return found


def on_regions(look: Look) -> Look:
    """Look at overlapping squares as high as the picture is (or as wide, where that is less), and merge."""

    def looked(bgr: Pixels) -> tuple[Detection, ...]:
        height, width = bgr.shape[:2]
        side = min(height, width)
        places = sorted({0, (max(height, width) - side) // 2, max(height, width) - side})
        found: list[Detection] = []
        for place in places:
            x, y = (place, 0) if width > height else (0, place)
            for part in look(bgr[y : y + side, x : x + side]):
                b = part.box
                box = Box.clipped(
                    (x + b.x1 * side) / width, (y + b.y1 * side) / height,
                    (x + b.x2 * side) / width, (y + b.y2 * side) / height,
                )  # fmt: skip
                if box is not None:
                    found.append(Detection(label=part.label, sub_label=part.sub_label, score=part.score, box=box))
        kept: list[Detection] = []
        for detection in sorted(found, key=lambda d: -d.score):
            if all(other.label != detection.label or iou(other.box, detection.box) <= 0.5 for other in kept):
                kept.append(detection)
        return tuple(kept)

    return looked


def average_precision(
    shown: Sequence[Picture], found: Sequence[Sequence[Detection]]
) -> dict[Label, tuple[float, float]]:
    """AP .50:.95 and AP50 by Label."""
    from pycocotools.coco import COCO as Truth  # noqa: PLC0415, N811  main() has said where it is missing; ours is a list
    from pycocotools.cocoeval import COCOeval  # noqa: PLC0415  as above

    def xywh(box: Box, pixels: Pixels) -> list[float]:
        height, width = pixels.shape[:2]
        return [box.x1 * width, box.y1 * height, box.width * width, box.height * height]

    truth, said = [], []
    for image, (picture, detections) in enumerate(zip(shown, found, strict=True), 1):
        for label, box in picture.truth:
            rectangle = xywh(box, picture.pixels)
            truth.append(
                {"id": len(truth) + 1, "image_id": image, "category_id": LABELS.index(label) + 1, "bbox": rectangle,
                 "area": rectangle[2] * rectangle[3], "iscrowd": 0}
            )  # fmt: skip
        said += [
            {"image_id": image, "category_id": LABELS.index(d.label) + 1, "bbox": xywh(d.box, picture.pixels),
             "score": d.score}
            for d in detections
        ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco = Truth()
        coco.dataset = {
            "info": {},
            "images": [{"id": k + 1} for k in range(len(shown))],
            "annotations": truth,
            "categories": [{"id": k + 1, "name": label.value} for k, label in enumerate(LABELS)],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(said), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]  # IoU x recall x category x area x most boxes
    return {
        label: (float(precision[:, :, k, 0, -1].mean()), float(precision[0, :, k, 0, -1].mean()))
        for k, label in enumerate(LABELS)
    }


def people_at_default(shown: Sequence[Picture], found: Sequence[Sequence[Detection]]) -> tuple[float, float]:
    """Recall of people and false boxes a picture, at IoU .5 and the default threshold."""
    hits = boxes = people = 0
    for picture, detections in zip(shown, found, strict=True):
        open_truth = [box for label, box in picture.truth if label is Label.PERSON]
        people += len(open_truth)
        for detection in detections:
            if detection.label is not Label.PERSON or detection.score < DEFAULT_PERSON:
                continue
            boxes += 1
            best = max(open_truth, key=lambda box: iou(box, detection.box), default=None)
            if best is not None and iou(best, detection.box) >= 0.5:
                open_truth.remove(best)
                hits += 1
    return hits / people, (boxes - hits) / len(shown)


def measure(name: str, look: Look, shown: Sequence[Picture]) -> Row:
    look(shown[0].pixels)
    found, times = [], []
    for picture in shown:
        started = time.perf_counter()
        found.append(look(picture.pixels))
        times.append((time.perf_counter() - started) * 1000)
    by_label = average_precision(shown, found)
    reported = {detection.label for detections in found for detection in detections}
    recall, false = people_at_default(shown, found)
    return Row(
        name=name,
        ap={label: ap if label in reported else None for label, (ap, _) in by_label.items()},
        person_ap50=by_label[Label.PERSON][1],
        recall=recall,
        false_a_picture=false,
        ms=statistics.median(times),
    )


def show(rows: Sequence[Row], shown: Sequence[Picture]) -> None:
    counts = {label: sum(truth[0] is label for picture in shown for truth in picture.truth) for label in LABELS}
    things = ", ".join(f"{count} {label}" for label, count in counts.items())
    print(f"{len(shown)} pictures of COCO val2017 with {things}; one thread\n")
    names = "".join(f"{label:>9}" for label in LABELS)
    print(f"{'AP .50:.95':20}{names}  overall | person: AP50  recall  false/picture | ms a picture")
    for row in rows:
        aps = "".join(f"{'-' if ap is None else f'{ap:.3f}':>9}" for ap in (*row.ap.values(), row.overall))
        print(
            f"{row.name:20}{aps} | {row.person_ap50:12.3f}{row.recall:8.2f}{row.false_a_picture:15.2f} | {row.ms:10.1f}"
        )
    print("\nrecall and false boxes at IoU .5 and the default threshold of people; the last three find people only")


def check(rows: Sequence[Row]) -> list[str]:
    by_name = {row.name: row for row in rows}
    ours, rival = by_name[OURS], by_name[RIVAL]
    person = ours.ap[Label.PERSON] or 0.0
    missed = []
    if person < GOAL_PERSON_AP:
        missed.append(f"AP of people {person:.3f}, goal {GOAL_PERSON_AP}")
    if (ours.overall or 0.0) <= (rival.overall or 0.0):
        missed.append(f"overall AP {ours.overall}, not above {RIVAL} with {rival.overall}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="our default and the classic SSD only")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    options = parser.parse_args()
    if not (DATA / "images" / "coco128_lightly").is_dir():
        print(f"skipped: no test data at {DATA}; set BLIKK_TEST_DATA", file=sys.stderr)
        return 0
    if importlib.util.find_spec("pycocotools") is None:
        print("skipped: pycocotools is not installed; .venv/bin/python -m pip install -e '.[bench]'", file=sys.stderr)
        return 0
    cv2.setNumThreads(1)
    model_folders = ModelFolders(
        cache=default_cache(), folders=(*folders_from_environment(), DATA / "models"), offline=True
    )

    def model(name: str) -> Look:
        return TfliteDetector(
            resolve(name, model_folders=model_folders), thresholds=dict.fromkeys(Label, EVERYTHING)
        ).detect

    looks: dict[str, Look] = {OURS: model(OURS), RIVAL: model(RIVAL)}
    if not options.quick:

        def people(name: str) -> Look:
            return TfliteDetector(
                resolve(name, model_folders=model_folders), thresholds={Label.PERSON: EVERYTHING}
            ).detect

        looks |= {
            "ssd on regions": on_regions(model(RIVAL)),
            "yolox-nano-dynamic": model("yolox-nano-dynamic"),
            "yolox-nano-decoded": model("yolox-nano-decoded"),
            **{name: people(name) for name in ("person-192", "blazepose-person")},
            BuiltinDetector.name: BuiltinDetector(threshold=0.0).detect,
        }
    shown = pictures()
    rows = [measure(name, look, shown) for name, look in looks.items()]
    show(rows, shown)
    missed = check(rows) if options.check else []
    for goal in missed:
        print(f"missed: {goal}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
