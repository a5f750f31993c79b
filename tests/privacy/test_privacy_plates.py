"""Number plates of near vehicles are blurred, on every way out; what is far off or no vehicle costs nothing."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated_faces import YOLOX, scene_of
from drawn_plates import drawn_pictures
from privacy import MOST_SAMPLES, samples_left

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label, Track
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.registry import REGISTRY, ResolvedModel
from blikk_edge.transforms.privacy.plates import WITHOUT_PLATES, find_plates, may_show_plate
from blikk_edge.transforms.privacy.redactor import Privacy

BUS = "000000005037.jpg"
BUS_PLATE = (180, 325, 234, 348)  # 55 px wide
NEARER = 1.3


@pytest.fixture(scope="module")
def bus(data: Path) -> Pixels:
    """A photograph of a bus, enlarged until its plate is 72 px wide."""
    path = next((data / "images").glob(f"**/{BUS}"))
    bgr = cv2.resize(cv2.imread(str(path)), None, fx=NEARER, fy=NEARER, interpolation=cv2.INTER_CUBIC)
    return np.asarray(bgr, np.uint8)


@pytest.fixture(scope="module")
def detector(data: Path) -> TfliteDetector:
    model = ResolvedModel(path=data / YOLOX, entry=REGISTRY["yolox-nano"])
    return TfliteDetector(model, thresholds={Label.VEHICLE: 0.1})


@pytest.fixture(scope="module")
def vehicles(detector: TfliteDetector, bus: Pixels) -> tuple[Detection, ...]:
    """What the real detector finds in it."""
    return detector.detect(bus)


def edges(jpeg: bytes) -> float:
    """The grey levels from pixel to pixel on the bus's plate, many where it can be read and few where it is blurred."""
    x1, y1, x2, y2 = (round(NEARER * side) for side in BUS_PLATE)
    luma = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)[y1:y2, x1:x2]
    return float(np.abs(np.diff(luma.astype(float), axis=1)).mean())


def test_the_plate_of_a_real_bus_is_blurred_unless_the_owner_says_no(bus, vehicles, finder) -> None:
    scene = scene_of(bus, vehicles)
    assert edges(Privacy(finder, plates=False).picture(scene, name="vehicle").jpeg) > 12
    assert edges(Privacy(finder).picture(scene, name="vehicle").jpeg) < 3
    assert edges(Privacy(None).picture(scene, name="vehicle").jpeg) < 3


def test_the_plate_of_a_vehicle_that_is_missed_for_a_moment_is_blurred_where_it_is_tracked(
    bus, vehicles, finder
) -> None:
    best = max(vehicles, key=lambda each: each.score)
    track = Track(
        id=1, label=best.label, sub_label=best.sub_label, score=0.9, best_score=0.9, box=best.box, first_seen=1.0,
        last_seen=2.0, missed=1,
    )  # fmt: skip
    nobody = scene_of(bus, ())
    assert edges(Privacy(finder).picture(nobody, name="vehicle").jpeg) > 12
    assert edges(Privacy(finder).picture(replace(nobody, tracks=(track,)), name="vehicle").jpeg) < 3


def test_plates_of_many_countries_keep_few_samples_on_every_vehicle_that_is_found(data: Path, detector) -> None:
    judged = 0
    for picture in drawn_pictures(data, seed=5, widths=(60, 160), step=7):
        height, width = picture.bgr.shape[:2]
        x, y = np.mean(picture.plate.corners, axis=0)
        boxes = [each.box for each in detector.detect(picture.bgr) if each.sub_label not in WITHOUT_PLATES]
        if any(box.x1 <= x / width <= box.x2 and box.y1 <= y / height <= box.y2 for box in boxes):
            judged += 1
            left = samples_left(picture.plate, find_plates(picture.bgr, boxes), picture.bgr.shape)
            assert left <= MOST_SAMPLES, (picture.vehicle, picture.layout, picture.light)
    assert judged >= 10


def test_where_no_vehicle_is_near_nothing_is_looked_for(bus) -> None:
    height, width = bus.shape[:2]
    small = Box(0.4, 0.4, 0.4 + 160 / width, 0.9)
    assert not may_show_plate(small, width, height)
    assert find_plates(bus, [small]) == ()
    assert may_show_plate(Box(0.9, 0.2, 1.0, 0.9), width, height)  # it is cut: how wide it is cannot be seen


def test_a_train_carries_no_plate(bus, vehicles, finder) -> None:
    train = [replace(each, sub_label="train") for each in vehicles]
    assert edges(Privacy(finder).picture(scene_of(bus, tuple(train)), name="vehicle").jpeg) > 12
