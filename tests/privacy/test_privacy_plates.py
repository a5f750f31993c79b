"""Number plates of near vehicles are blurred, on every way out; what is far off or no vehicle costs nothing."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated_faces import YOLOX, scene_of

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.registry import REGISTRY, ResolvedModel
from blikk_edge.transforms.privacy.plates import find_plates, may_show_plate
from blikk_edge.transforms.privacy.redactor import Privacy

BUS = "000000005037.jpg"
BUS_PLATE = (180, 325, 234, 348)  # 55 px wide


@pytest.fixture(scope="module")
def bus(data: Path) -> Pixels:
    """A photograph of a bus, enlarged until its plate is 72 px wide."""
    path = next((data / "images").glob(f"**/{BUS}"))
    return np.asarray(cv2.resize(cv2.imread(str(path)), None, fx=1.3, fy=1.3, interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture(scope="module")
def vehicles(data: Path, bus: Pixels) -> tuple[Detection, ...]:
    """What the real detector finds in it."""
    model = ResolvedModel(path=data / YOLOX, entry=REGISTRY["yolox-nano"])
    return TfliteDetector(model, thresholds={Label.VEHICLE: 0.1}).detect(bus)


def on_the_plate(jpeg: bytes) -> Pixels:
    x1, y1, x2, y2 = (round(1.3 * side) for side in BUS_PLATE)
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)[y1:y2, x1:x2], np.uint8)


def edges(luma: Pixels) -> float:
    """The grey levels from pixel to pixel, as many edges as a plate has or as few as a blur."""
    return float(np.abs(np.diff(luma.astype(float), axis=1)).mean())


def test_the_plate_of_a_real_bus_is_blurred_unless_the_owner_says_no(bus, vehicles, finder) -> None:
    scene = scene_of(bus, vehicles)
    blurred = Privacy(finder).picture(scene, name="vehicle").jpeg
    shown = Privacy(finder, plates=False).picture(scene, name="vehicle").jpeg
    assert edges(on_the_plate(shown)) > 12
    assert edges(on_the_plate(blurred)) < 3


def test_where_no_vehicle_is_near_nothing_is_looked_for(bus) -> None:
    small = Box(0.4, 0.4, 0.4 + 160 / bus.shape[1], 0.9)
    assert not may_show_plate(small, bus.shape[1], bus.shape[0])
    assert find_plates(bus, [small]) == ()
    cut = Box(0.9, 0.2, 1.0, 0.9)  # how wide it is cannot be seen
    assert may_show_plate(cut, bus.shape[1], bus.shape[0])
