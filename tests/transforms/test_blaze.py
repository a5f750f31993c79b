"""Blaze models: known rows in, known boxes out; and the real ones on real pictures."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box, iou
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.models import blaze
from blikk_edge.transforms.models.decoders import Classes, decoder, merged
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.folders import ModelFolders, resolve
from blikk_edge.transforms.models.registry import OutputFormat
from blikk_edge.transforms.models.tflite import Tensor
from blikk_edge.transforms.privacy.faces import FaceFinder

SIDE = 64  # 8 x 8 cells with two anchors, 4 x 4 with two, 2 x 2 with six
ANCHORS = 128 + 32 + 24
PERSON = Classes(("person",), {Label.PERSON: 0.1})


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [
        Tensor(index=n, name=str(n), shape=shape, dtype="float32", scale=0.0, zero=0) for n, shape in enumerate(shapes)
    ]


def pose(*, rows_first: bool = True):
    shapes = [(1, ANCHORS, 12), (1, ANCHORS, 1)]
    outputs = tensors(*(shapes if rows_first else shapes[::-1]))
    return decoder(OutputFormat.BLAZEPOSE, classes=PERSON, width_px=SIDE, height_px=SIDE, outputs=outputs, model="m")


def outputs(anchor: int, hips: tuple[float, float], top: tuple[float, float], logit: float) -> list[np.ndarray]:
    """The output with one person: points in input pixels, from the anchor on."""
    rows, logits = np.zeros((1, ANCHORS, 12), np.float32), np.full((1, ANCHORS, 1), -50.0, np.float32)
    rows[0, anchor, 4:8] = (*hips, *top)
    logits[0, anchor] = logit
    return [rows, logits]


def test_anchors_lie_in_the_middle_of_their_cells_layer_by_layer() -> None:
    centres = blaze.anchors(SIDE, blaze.POSE_ANCHORS)
    assert centres.shape == (ANCHORS, 2)
    assert centres[[0, 1, 2, 16]].tolist() == [[4, 4], [4, 4], [12, 4], [4, 12]]
    assert centres[[128, 130, 160, 165, 166]].tolist() == [[8, 8], [24, 8], [16, 16], [16, 16], [48, 16]]
    assert len(blaze.anchors(224, blaze.POSE_ANCHORS)) == 2254
    assert len(blaze.anchors(192, blaze.FACE_ANCHORS)) == 2304


@pytest.mark.parametrize("rows_first", [True, False])
def test_a_person_is_a_box_about_hips_and_top(rows_first: bool) -> None:
    # anchor 2 lies at 12, 4: hips at 32, 44 and the top at 32, 24, so the way is 20 px long
    raw = outputs(2, (20.0, 40.0), (20.0, 20.0), logit=10.0)
    found = pose(rows_first=rows_first)(raw if rows_first else raw[::-1])
    assert found.boxes == pytest.approx(np.array([[32 - 9, 44 - 21, 32 + 9, 44 + 20]]))
    assert found.scores == pytest.approx([1.0], abs=0.001)
    assert found.classes.tolist() == [0]


def test_the_default_threshold_is_where_the_model_says_six_tenths() -> None:
    (score,) = pose()(outputs(2, (0, 40), (0, 20), logit=np.log(0.6 / 0.4))).scores
    assert score == pytest.approx(0.45, abs=0.01)


@pytest.mark.parametrize(
    ("top", "reported"),
    [((0, 0), True), ((30, 0), True), ((-30, 0), True), ((60, 10), False), ((40, 40), False), ((0, 80), False)],
)
def test_who_does_not_stand_upright_is_blurred_and_not_reported(top: tuple[float, float], reported: bool) -> None:
    (score,) = pose()(outputs(100, (0, 40), top, logit=10.0)).scores
    assert score >= 0.45 if reported else score == pytest.approx(blaze.LEANING_SHARE, abs=0.01)


def test_somebody_without_any_size_is_nobody() -> None:
    found = merged(pose()(outputs(2, (5, 5), (5, 5), logit=10.0)), PERSON)
    assert all(Box.clipped(*box) is None for box in found.boxes.tolist())


@pytest.mark.parametrize(
    ("shapes", "names"),
    [
        ([(1, ANCHORS, 12)], ("person",)),
        ([(1, ANCHORS, 12), (1, ANCHORS, 2)], ("person",)),
        ([(1, ANCHORS, 12), (1, ANCHORS, 12)], ("person",)),
        ([(1, ANCHORS + 1, 12), (1, ANCHORS + 1, 1)], ("person",)),
        ([(1, ANCHORS, 12), (1, ANCHORS, 1)], ("person", "cat")),
    ],
)
def test_outputs_that_are_not_blazepose_s_are_refused(shapes: list[tuple[int, ...]], names: tuple[str, ...]) -> None:
    classes = Classes(names, dict.fromkeys(Label, 0.3))
    with pytest.raises(ModelError, match="does not fit decoder blazepose"):
        decoder(
            OutputFormat.BLAZEPOSE, classes=classes, width_px=SIDE, height_px=SIDE, outputs=tensors(*shapes), model="m"
        )


@settings(max_examples=40)
@given(
    hnp.arrays(np.float32, (1, ANCHORS, 12), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)),
    hnp.arrays(np.float32, (1, ANCHORS, 1), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)),
)
def test_no_output_however_wild_breaks_it(rows: np.ndarray, logits: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        found = pose()([rows, logits])
        assert np.isfinite(found.boxes).all()
        assert ((found.scores >= np.float32(0.1)) & (found.scores <= 1)).all()
        merged(found, PERSON)


@pytest.fixture(scope="module")
def people(stand_ins: Path) -> TfliteDetector:
    model_folders = ModelFolders(cache=stand_ins, offline=True)
    return TfliteDetector(resolve("blazepose-person", model_folders=model_folders), thresholds={Label.PERSON: 0.1})


@pytest.fixture(scope="module")
def face_model(stand_ins: Path) -> Path:
    return resolve("blazeface-full", model_folders=ModelFolders(cache=stand_ins, offline=True)).path


@pytest.fixture(scope="module")
def finder(face_model: Path) -> FaceFinder:
    return FaceFinder(face_model, kind=OutputFormat.BLAZEFACE)


def picture(path: Path) -> Pixels:
    bgr = cv2.imread(str(path))
    assert bgr is not None
    return np.asarray(bgr, np.uint8)


def test_the_visitor_is_one_person_around_all_that_is_seen_of_her(people: TfliteDetector, photographs: Path) -> None:
    reported = [person for person in people.detect(picture(photographs / "astronaut.png")) if person.score >= 0.45]
    assert [(person.label, person.sub_label) for person in reported] == [(Label.PERSON, "person")]
    assert iou(reported[0].box, Box(0.0, 0.0, 0.9, 1.0)) > 0.6


@pytest.mark.parametrize("name", ["chelsea.png", "brick.png"])
def test_neither_a_cat_nor_a_wall_is_reported_as_a_person(people: TfliteDetector, photographs: Path, name: str) -> None:
    assert [p for p in people.detect(picture(photographs / name)) if p.score >= 0.25] == []


@pytest.mark.parametrize("name", ["cat.bmp", "pets.jpg"])
def test_animals_are_nobody(people: TfliteDetector, data: Path, name: str) -> None:
    assert [p for p in people.detect(picture(data / "images/coral" / name)) if p.score >= 0.45] == []


@pytest.mark.parametrize("clip", ["intel_sample/car-detection.mp4", "dvr_scan/traffic_camera.mp4"])
def test_a_road_full_of_cars_has_nobody_on_it(people: TfliteDetector, data: Path, clip: str) -> None:
    capture = cv2.VideoCapture(str(data / "video" / clip))
    looked = 0
    while capture.grab():
        looked += 1
        if looked % 40 == 0:
            _, bgr = capture.retrieve()
            assert [p for p in people.detect(np.asarray(bgr, np.uint8)) if p.score >= 0.45] == [], looked
    capture.release()
    assert looked > 300


def test_the_astronaut_has_one_sure_face_where_it_is(finder: FaceFinder, photographs: Path) -> None:
    face, *rest = finder.find(picture(photographs / "astronaut.png"))
    assert face.score > 0.8
    assert iou(face.box, Box(177 / 512, 64 / 512, 271 / 512, 187 / 512)) > 0.5
    assert all(other.score < 0.4 for other in rest)


def test_small_faces_of_a_crowd_are_found_each_once(finder: FaceFinder, photographs: Path) -> None:
    portrait = cv2.resize(picture(photographs / "astronaut.png"), (96, 96), interpolation=cv2.INTER_AREA)
    crowd = np.full((480, 854, 3), 110, np.uint8)
    places = [(x, y) for x in (30, 250, 470, 700) for y in (40, 300)]
    for x, y in places:
        crowd[y : y + 96, x : x + 96] = portrait
    found = [face for face in finder.find(crowd) if face.score >= 0.4]
    middles = [((f.box.x1 + f.box.x2) / 2 * 854, (f.box.y1 + f.box.y2) / 2 * 480) for f in found]
    assert len(middles) == len(places)
    for x, y in places:  # her face is 18 px wide
        assert sum(abs(across - x - 42) < 12 and abs(down - y - 23) < 12 for across, down in middles) == 1


@pytest.mark.parametrize("shape", [(16, 16), (480, 854), (288, 100)])
def test_there_is_no_face_in_nothing(finder: FaceFinder, shape: tuple[int, int]) -> None:
    assert finder.find(np.full((*shape, 3), 90, np.uint8)) == ()


def test_another_model_than_blazeface_is_refused(stand_ins: Path, tmp_path: Path) -> None:
    pose_model = resolve("blazepose-person", model_folders=ModelFolders(cache=stand_ins, offline=True)).path
    shutil.copy(pose_model, tmp_path / "face.tflite")
    with pytest.raises(ModelError, match="not what it claims to be"):
        FaceFinder(tmp_path / "face.tflite", kind=OutputFormat.BLAZEFACE).find(np.zeros((64, 64, 3), np.uint8))


def test_a_missing_face_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file; `blikk models pull` fetches it"):
        FaceFinder(tmp_path / "none.tflite", kind=OutputFormat.BLAZEFACE).find(np.zeros((64, 64, 3), np.uint8))
