"""Which share of annotated faces cannot be recognised in the Picture that would leave, and what that costs.

    python bench/privacy.py [--quick] [--kinds] [--attack] [--check] [--recogniser FOLDER] [--data FOLDER]

A face is unrecognisable when none of four face detectors (YuNet, Ultra-Light, two of BlazeFace) finds it in the decoded
JPEG, neither in the whole picture nor magnified, and its pixels keep at most 8 x 8 samples: every pixel that was not
blurred counts as one, every cell of the blur as one. Faces: dlib (boxes), COCO key points (nose and one or both eyes),
a walking GIF (boxes), and the first two shrunk into a wide frame (far). Each as it is, darkened, out of focus, and as a
bad JPEG; persons come from our own default detector, so what it overlooks counts against us. Blurred in vain is the
share of the picture that is blurred where nobody is: photographs without persons, and roads with cars.

`--kinds` adds a table of faces that are seldom photographed (`face_kinds.py`), `--attack` tries to bring the blurred
ones back (`restoring.py`).

Without test data there is neither a face model nor a detector: one face of one photograph, with what OpenCV carries.
`--check` exits 1 where a goal is missed.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from annotated_faces import (
    YUNET,
    AnnotatedFace,
    AnnotatedPicture,
    detector,
    photograph,
    pictures,
    roads,
    without_persons,
)
from face_judges import Judge, cascades, found, judges
from face_kinds import COVERED_BEFORE, kinds, of_kind
from redaction_steps import OURS, SLOW, Step, closed_steps, stand_in_steps, steps
from restoring import Recogniser, attempts, failed, targets
from restoring import show as show_attempts
from rig import data_folder, table

from blikk_edge.app.vision_models import BLURRED_SCORE
from blikk_edge.core.errors import ModelError
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Label
from blikk_edge.core.stages import Detector
from blikk_edge.transforms.models.builtin import BuiltinDetector
from blikk_edge.transforms.privacy.heads import Person
from blikk_edge.transforms.privacy.paint import Region, alikes, blur, covered, encode, shares_of_raw

MOST_SAMPLES = 64
FRAMES_STEP = 4
PERSON_THRESHOLD = BLURRED_SCORE
SIZES_PX = ((0, 12), (12, 16), (16, 24), (24, 48), (48, 10_000))
LIGHTS = ("as is", "dark", "out of focus", "bad JPEG")
GOAL_FROM_PX = 12
GOAL_SHARE = 0.99
GOAL_ROADS_AREA = 0.01
GOAL_PEOPLE_AREA = 0.17  # 15 % leaves faces bare that are covered now (docs/design/redaction.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one face: `samples` that are left of it, and which judges find it."""

    face: AnnotatedFace
    picture: str
    light: str
    in_person: bool
    samples: int
    judges: frozenset[str]

    @property
    def safe(self) -> bool:
        return self.samples <= MOST_SAMPLES and not self.judges


@dataclass(slots=True)
class Row:
    """What one step did."""

    verdicts: list[Verdict] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    area: dict[str, list[float]] = field(default_factory=dict)

    def share(
        self,
        *,
        light: str | None = None,
        size: tuple[int, int] | None = None,
        in_person: bool = False,
        shown: bool | None = None,
    ) -> str:
        """Safe faces of all that these words are true of."""
        low, high = size or (0, 10_000)
        chosen = [
            v.safe
            for v in self.verdicts
            if light in {None, v.light}
            and low <= v.face.width_px < high
            and (v.in_person or not in_person)
            and shown in {None, v.face.shown}
        ]
        return f"{sum(chosen)}/{len(chosen)}"

    def vain(self, kind: str) -> str:
        return f"{np.mean(self.area[kind]):.1%}" if kind in self.area else "-"


def lit(bgr: Pixels, light: str) -> Pixels:
    """The picture in another light: gamma 2.5, a blur of 1.5 px, or JPEG of quality 15."""
    if light == "dark":
        return np.asarray(255 * (bgr / 255.0) ** 2.5, np.uint8)
    if light == "out of focus":
        return np.asarray(cv2.GaussianBlur(bgr, (0, 0), 1.5), np.uint8)
    if light == "bad JPEG":
        return decoded(encode(bgr, 15))
    return bgr


def decoded(jpeg: bytes) -> Pixels:
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.asarray(bgr, np.uint8)


def samples_left(face: AnnotatedFace, regions: Sequence[Region], shape: tuple[int, ...]) -> int:
    """How many numbers the face's pixels still are a function of: bare pixels, and samples that are drawn over them."""
    height, width = shape[:2]
    patch = face.patch(height, width)
    hidden = np.zeros_like(patch)
    samples = 0
    for step, alike in reversed(by_step(regions, shape).items()):
        solid = covered(alike, width, height)
        # A region of wider steps lies over those of smaller ones.
        ys, xs = np.nonzero(patch & solid & ~hidden)
        reach = np.arange(-1.5, 2.5)
        rows, columns = (np.floor(side[:, None] / step + reach).astype(int) for side in (ys, xs))
        samples += len(np.unique((rows[:, :, None] * 100_000 + columns[:, None, :]).ravel()))
        hidden |= solid
    return int((patch & ~hidden).sum()) + samples


def heads_of(picture: AnnotatedPicture) -> np.ndarray:
    """(h, w) bool, the annotated heads: ellipses 1.6 times as wide as the face, and twice as high."""
    mask = np.zeros(picture.bgr.shape[:2], np.uint8)
    for face in picture.faces:
        cv2.ellipse(mask, (face.centre, (1.6 * face.width_px, 2.0 * face.width_px), 0.0), 1, -1)
    return mask > 0


def by_step(regions: Sequence[Region], shape: tuple[int, ...]) -> dict[int, list[Region]]:
    """The regions of each lattice, the finest first."""
    steps: dict[int, list[Region]] = {}
    for alike in alikes(regions, shape[1], shape[0]):
        steps.setdefault(alike.step_px, []).extend(alike.regions)
    return steps


def judge(
    step: Step, row: Row, picture: AnnotatedPicture, light: str, persons: Sequence[Person], every: Sequence[Judge]
) -> None:
    """Redact a picture as this step does, encode it, and look what is left of its faces."""
    bgr = lit(picture.bgr, light)
    started = time.perf_counter()
    regions = step(bgr, persons)
    pixels = bgr.copy()
    blur(pixels, regions)
    jpeg = encode(pixels, 85)
    row.took_ms.append((time.perf_counter() - started) * 1000)
    height, width = bgr.shape[:2]
    if not picture.faces or light == LIGHTS[0]:
        hidden = covered(regions, width, height)
        row.area.setdefault(picture.set if not picture.faces else "people", []).append(float(hidden.mean()))
        if picture.faces and picture.set != "far":
            row.area.setdefault("near", []).append(float(hidden.mean()))
            row.area.setdefault("beyond", []).append(float((hidden & ~heads_of(picture)).mean()))
            row.area.setdefault("edge", []).append(float(blurred_share(regions, bgr.shape).mean()))
    left = [samples_left(face, regions, bgr.shape) for face in picture.faces]
    # A face that keeps more is recognisable, whatever the judges say: they are asked about the others alone.
    few = [face for face, samples in zip(picture.faces, left, strict=True) if samples <= MOST_SAMPLES]
    finders = dict(zip(map(id, few), found(every, decoded(jpeg), few), strict=True)) if few else {}
    for face, samples in zip(picture.faces, left, strict=True):
        x, y = face.centre[0] / width, face.centre[1] / height
        row.verdicts.append(
            Verdict(
                face=face,
                picture=f"{picture.set} {picture.name}",
                light=light,
                in_person=any(p.box.x1 <= x <= p.box.x2 and p.box.y1 <= y <= p.box.y2 for p in persons),
                samples=samples,
                judges=frozenset(finders.get(id(face), ())),
            )
        )


def blurred_share(regions: Sequence[Region], shape: tuple[int, ...]) -> np.ndarray:
    """(h, w), how much of each pixel is blurred: 1 in the regions, less where they fade into the picture."""
    shown = np.ones(shape[:2], np.float32)
    for alike in alikes(regions, shape[1], shape[0]):
        shown *= shares_of_raw(alike, shape[1], shape[0])
    return 1 - shown


def show(rows: dict[str, Row], ours: str) -> None:
    """Print every table, and every face of our own that can be recognised."""
    print("faces that are unrecognisable, by step; ms from pixels to JPEG; share of the picture that is blurred")
    areas = ("area, people", "near", "near, beyond heads", "near, with the edge", "in vain: nobody", "roads")
    head = ("step", *LIGHTS, "in persons", "ms p50", "ms p95", *areas)
    table(
        head,
        [
            (
                name,
                *(row.share(light=light) for light in LIGHTS),
                row.share(in_person=True),
                *(f"{ms:.0f}" for ms in np.percentile(row.took_ms, (50, 95))),
                *(row.vain(kind) for kind in ("people", "near", "beyond", "edge", "photographs", "roads")),
            )
            for name, row in rows.items()
        ],
    )
    print(f"\n{ours}, by width of the face")
    table(
        ("light", *(f"{low}-{high} px" if high < 10_000 else f">= {low} px" for low, high in SIZES_PX)),
        [(light, *(rows[ours].share(light=light, size=size) for size in SIZES_PX)) for light in LIGHTS],
    )
    print(f"\n{ours}, faces of people who are there, and those on screens, posters and photographs in the picture")
    table(
        ("light", "people", "pictures of people"),
        [(light, *(rows[ours].share(light=light, shown=shown) for shown in (False, True))) for light in LIGHTS],
    )
    print()
    for verdict in rows[ours].verdicts:
        if not verdict.safe:
            where = "in a person" if verdict.in_person else "in nobody the detector found"
            why = f"found by {', '.join(sorted(verdict.judges))}" if verdict.judges else f"{verdict.samples} samples"
            print(f"recognisable: {verdict.picture}, {verdict.light}, {verdict.face.width_px:.0f} px, {where}: {why}")


def sight(every: Sequence[AnnotatedPicture], checks: Sequence[Judge]) -> str:
    """How good the judges are: the faces they find where nothing is blurred."""
    seen = [bool(names) for picture in every for names in found(checks, picture.bgr, picture.faces)]
    return f"of {len(seen)} faces the judges find {sum(seen)} where nothing is blurred"


def goals(row: Row) -> dict[str, bool]:
    """What is to be reached, and whether it is."""
    judged = [v for v in row.verdicts if v.light == LIGHTS[0] and v.face.width_px >= GOAL_FROM_PX and not v.face.shown]
    share = np.mean([v.safe for v in judged])
    inside = [v for v in row.verdicts if v.in_person]
    roads_area = float(np.mean(row.area.get("roads", [0.0])))
    near_area = float(np.mean(row.area.get("near", [0.0])))
    return {
        "every face in a detected person, in every light, keeps at most 8 x 8 samples": all(
            v.samples <= MOST_SAMPLES for v in inside
        ),
        "every face in a detected person is unrecognisable": all(v.safe for v in inside if v.light == LIGHTS[0]),
        f"{GOAL_SHARE:.0%} of people's faces of {GOAL_FROM_PX} px and more are unrecognisable ({share:.1%})": share
        >= GOAL_SHARE,
        f"at most {GOAL_PEOPLE_AREA:.0%} of pictures of people who are near are blurred ({near_area:.1%})": near_area
        <= GOAL_PEOPLE_AREA,
        f"at most {GOAL_ROADS_AREA:.0%} of roads blurred in vain": roads_area <= GOAL_ROADS_AREA,
    }


def measured(
    every: Sequence[AnnotatedPicture], tried: dict[str, Step], persons: Detector, checks: Sequence[Judge]
) -> dict[str, Row]:
    """One row for each step; pictures without faces, and slow steps, are looked at as they are alone."""
    rows = {name: Row() for name in tried}
    for picture in every:
        for light in LIGHTS if picture.faces else LIGHTS[:1]:
            people = _people(persons, lit(picture.bgr, light))
            for name, step in tried.items():
                if light == LIGHTS[0] or name not in SLOW:
                    judge(step, rows[name], picture, light, people, checks)
    return rows


def _people(detector: Detector, bgr: Pixels) -> list[Person]:
    found = [d for d in detector.detect(bgr) if d.label is Label.PERSON and d.score >= PERSON_THRESHOLD]
    return [Person(d.box, d.head, d.score) for d in found]


def show_kinds(data: Path, step: Step, *, gif_step: int) -> list[str]:
    """Print how many faces of each kind keep at most 8 x 8 samples; the kinds of which fewer do than before.

    Judges know upright faces only: none is asked.
    """
    persons = detector(data, PERSON_THRESHOLD)
    rows, problems = [], []
    for name, kind in kinds().items():
        left: list[tuple[float, int]] = []
        near = (picture for picture in pictures(data, gif_step=gif_step) if picture.set != "far")
        for picture in of_kind(kind, near):
            regions = step(picture.bgr, _people(persons, picture.bgr))
            left += [(face.width_px, samples_left(face, regions, picture.bgr.shape)) for face in picture.faces]
        large = [samples <= MOST_SAMPLES for width, samples in left if width >= GOAL_FROM_PX]
        every = [samples <= MOST_SAMPLES for _, samples in left]
        before = COVERED_BEFORE[name] if gif_step == FRAMES_STEP else 0
        rows.append((name, f"{sum(every)}/{len(every)}", f"{sum(large)}/{len(large)}", str(before or "-")))
        if sum(every) < before:
            problems.append(f"{name}: {sum(every)} faces are covered, {before} were before")
    print(f"\nfaces that keep at most 8 x 8 samples, by kind, of all and of those of {GOAL_FROM_PX} px and more")
    table(("kind", "all", f">= {GOAL_FROM_PX} px", "all, before"), rows)
    return problems


def show_attack(data: Path, recogniser: Path | None) -> list[str]:
    """Print what an attack brings back; what is not as it must be."""
    every = targets([picture for picture in pictures(data, gif_step=100) if picture.set != "far"], data)
    done = attempts(every, data, None if recogniser is None else Recogniser(recogniser, every))
    print("\nfaces of 40 px and more that an attack brings back")
    show_attempts(done)
    return failed(done)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pictures, and ours and the stand-ins alone")
    parser.add_argument("--kinds", action="store_true", help="a table by kind of face as well")
    parser.add_argument("--attack", action="store_true", help="try to bring blurred faces back as well")
    parser.add_argument("--recogniser", type=Path, help="the folder of dlib's two models, for --attack")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--data", type=Path, default=data_folder(), help="the folder of models and pictures")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data, quick = arguments.data, arguments.quick
    gif_step = 6 * FRAMES_STEP if quick else FRAMES_STEP
    if data is not None and data.is_dir():
        nobody = [*without_persons(data), *roads(data, step=50)]
        people = [picture for picture in pictures(data, gif_step=gif_step) if picture.faces]
        tried, ours = steps(data / YUNET), OURS
        if quick:
            people, nobody, tried = people[::2], nobody[::6], {OURS: tried[OURS]}
        try:
            tried |= stand_in_steps()
        except ModelError as error:
            print(f"without the stand-ins: {error}")
        checks = judges(data)
        print(sight(people, checks))
        rows = measured([*people, *nobody], tried, detector(data, PERSON_THRESHOLD), checks)
    else:
        print("no test data: one photograph, people by their face; give --data or set BLIKK_TEST_DATA")
        tried = closed_steps()
        ours = next(reversed(tried))
        rows = measured([photograph()], tried, BuiltinDetector(), cascades())
    show(rows, ours)
    problems: list[str] = []
    if data is not None and data.is_dir():
        if arguments.kinds:
            problems += show_kinds(data, tried[ours], gif_step=gif_step)
        if arguments.attack:
            problems += show_attack(data, arguments.recogniser)
    print()
    for problem in problems:
        print(f"MISSED: {problem}")
    met = goals(rows[ours])
    for goal, reached in met.items():
        print(f"{'met' if reached else 'MISSED'}: {goal}")
    return 1 if arguments.check and (problems or not all(met.values())) else 0


if __name__ == "__main__":
    sys.exit(main())
