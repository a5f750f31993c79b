"""Real faces through the models that stand in for the defaults; with the default face model gone, or both."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated_faces import AnnotatedPicture, scene_of

from blikk_edge.core.sightings import Detection, Label
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.folders import ModelFolders, resolve
from blikk_edge.transforms.models.registry import OutputFormat
from blikk_edge.transforms.privacy.faces import FaceFinder
from blikk_edge.transforms.privacy.heads import Person
from blikk_edge.transforms.privacy.paint import covered
from blikk_edge.transforms.privacy.redactor import Privacy


@pytest.fixture(scope="module")
def privacy(stand_ins: Path) -> Privacy:
    model = resolve("blazeface-full", model_folders=ModelFolders(cache=stand_ins, offline=True))
    return Privacy(FaceFinder(model.path, kind=OutputFormat.BLAZEFACE), person_threshold=0.1)


@pytest.fixture(scope="module")
def people(stand_ins: Path) -> TfliteDetector:
    model = resolve("blazepose-person", model_folders=ModelFolders(cache=stand_ins, offline=True))
    return TfliteDetector(model, thresholds={Label.PERSON: 0.1})


Persons = Callable[[AnnotatedPicture], Sequence[Detection]]


def bare(seen, privacy: Privacy, persons: Persons, *, in_persons_only: bool) -> tuple[int, int]:
    """How many faces were looked at, and how many are not covered."""
    looked = left = 0
    for number, each in enumerate(seen):
        height, width = each.picture.bgr.shape[:2]
        found = persons(each)
        people = [Person(d.box, d.head, d.score) for d in found]
        mask = covered(privacy._plan(each.picture.bgr, people, 10.0 * number).regions, width, height)
        for face in each.picture.faces:
            x, y = face.centre[0] / width, face.centre[1] / height
            if not in_persons_only or any(d.box.x1 <= x <= d.box.x2 and d.box.y1 <= y <= d.box.y2 for d in found):
                looked += 1
                left += not face.covered(mask)
    return looked, left


def test_every_face_in_a_person_is_covered_whichever_detector_found_the_person(seen, privacy, people):
    looked, left = bare(seen, privacy, lambda each: each.detections, in_persons_only=True)
    assert looked >= 60
    assert left == 0
    looked, left = bare(seen, privacy, lambda each: people.detect(each.picture.bgr), in_persons_only=True)
    assert looked >= 30
    assert left <= 1  # a small face of somebody else, whom BlazePose did not find


def test_of_all_faces_nine_in_ten_are_covered_where_only_stand_ins_look(seen, privacy, people):
    looked, left = bare(seen, privacy, lambda each: people.detect(each.picture.bgr), in_persons_only=False)
    assert looked >= 65
    assert left <= looked // 10


def test_less_than_half_as_many_faces_are_bare_as_where_whole_persons_are_blurred(seen, privacy, people):
    def persons(each) -> Sequence[Detection]:
        return people.detect(each.picture.bgr)

    _, with_faces = bare(seen, privacy, persons, in_persons_only=False)
    _, without = bare(seen, Privacy(None), persons, in_persons_only=False)
    assert with_faces < without / 2


def test_the_visitor_of_the_demo_has_no_face_in_the_picture_that_leaves(privacy, people, photographs: Path):
    bgr = np.asarray(cv2.imread(str(photographs / "astronaut.png")), np.uint8)
    picture = privacy.picture(scene_of(bgr, people.detect(bgr)), name="person")
    assert picture.faces >= 1
    assert picture.heads >= 1
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    shown = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert len(cascade.detectMultiScale(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), 1.1, 4)) > 0
    assert len(cascade.detectMultiScale(shown, 1.1, 4)) == 0
