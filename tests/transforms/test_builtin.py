"""The last resort: people found without any model."""

import importlib.util
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from blikk_edge.core.errors import ModelError
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.models.builtin import BuiltinDetector


def read(path: Path) -> Pixels:
    pixels = cv2.imread(str(path))
    assert pixels is not None
    return pixels


@pytest.fixture
def astronaut() -> Pixels:
    """A portrait of Eileen Collins by NASA, public domain, as scikit-image carries it."""
    spec = importlib.util.find_spec("skimage")
    places = [Path(place) / "data" / "astronaut.png" for place in (spec and spec.submodule_search_locations) or ()]
    if not any(place.is_file() for place in places):
        pytest.skip("scikit-image is not installed; it carries the picture")
    return read(next(place for place in places if place.is_file()))


def test_astronaut_is_one_person_around_her_face(astronaut: Pixels) -> None:
    (person,) = BuiltinDetector().detect(astronaut)
    assert (person.label, person.sub_label) == (Label.PERSON, "face")
    assert person.score > 0.6
    # Her face, in pixels of the 512 x 512 picture.
    assert person.box.x1 < 170 / 512 < 270 / 512 < person.box.x2
    assert person.box.y1 < 65 / 512
    assert person.box.y2 > 0.9


def test_portrait_is_one_person(data: Path) -> None:
    (person,) = BuiltinDetector().detect(read(data / "images/coral/grace_hopper.bmp"))
    assert (person.label, person.sub_label) == (Label.PERSON, "face")


def test_group_is_several_people_best_first(data: Path) -> None:
    people = BuiltinDetector().detect(read(data / "images/coral/face.jpg"))
    assert len(people) >= 3
    assert [person.score for person in people] == sorted((person.score for person in people), reverse=True)


@pytest.mark.parametrize("name", ["cat.bmp", "pets.jpg"])
def test_animals_are_nobody(data: Path, name: str) -> None:
    assert BuiltinDetector().detect(read(data / "images/coral" / name)) == ()


def frames(clip: Path, wanted: range) -> list[Pixels]:
    capture, found = cv2.VideoCapture(str(clip)), []
    for index in range(wanted.stop):
        there, pixels = capture.read()
        assert there, f"{clip} ends at frame {index}"
        if index in wanted:
            found.append(cv2.resize(pixels, (854, 480), interpolation=cv2.INTER_AREA))
    capture.release()
    return found


def test_a_room_is_empty_and_nobody_is_reported_who_shows_no_face(data: Path) -> None:
    clip = data / "video/intel_sample/one-by-one-person-detection.mp4"
    detector = BuiltinDetector()
    reported = [detector.detect(pixels) for pixels in frames(clip, range(0, 440, 12))]
    assert {person.sub_label for people in reported for person in people} <= {"face"}
    assert reported[:5] == [()] * 5


def test_empty_car_park_is_empty(data: Path) -> None:
    clip = data / "video/intel_sample/car-detection.mp4"
    assert [BuiltinDetector().detect(pixels) for pixels in frames(clip, range(0, 10, 5))] == [(), ()]


@pytest.mark.parametrize("shape", [(480, 854, 3), (20, 20, 3), (1080, 4, 3), (1, 1, 3)])
def test_nothing_is_found_in_nothing(shape: tuple[int, int, int]) -> None:
    assert BuiltinDetector().detect(np.full(shape, 90, dtype=np.uint8)) == ()


def test_noise_is_nobody() -> None:
    noise = np.random.default_rng(5).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    assert BuiltinDetector().detect(noise) == ()


class LastFirst:
    """A cascade whose threads ended in another order: the same faces, the last one first."""

    def __init__(self, cascade: cv2.CascadeClassifier) -> None:
        self._cascade = cascade

    def detectMultiScale2(self, *given: object, **named: object) -> tuple[list[object], list[object]]:
        faces, counts = self._cascade.detectMultiScale2(*given, **named)
        return list(faces)[::-1], list(counts)[::-1]


def test_same_picture_gives_identical_detections(data: Path) -> None:
    pixels = read(data / "images/coral/face.jpg")
    detector, other = BuiltinDetector(threshold=0.3), BuiltinDetector(threshold=0.3)
    other.__dict__["_faces"] = LastFirst(detector._faces)
    found = detector.detect(pixels)
    assert len({person.score for person in found}) < len(found)
    assert other.detect(pixels) == found


def test_threshold_holds(data: Path) -> None:
    pixels = read(data / "images/coral/face.jpg")
    assert len(BuiltinDetector(threshold=0.9).detect(pixels)) < len(BuiltinDetector(threshold=0.3).detect(pixels))


def test_a_picture_takes_less_than_a_second_even_here(data: Path) -> None:
    detector, pixels = BuiltinDetector(), read(data / "images/coral/kite_and_cold.jpg")
    detector.detect(pixels)
    started = time.process_time()
    detector.detect(pixels)
    assert time.process_time() - started < 2.0  # OpenCV takes two threads


def test_anything_but_a_colour_picture_is_refused() -> None:
    with pytest.raises(ModelError, match=r"not a .* picture"):
        BuiltinDetector().detect(np.zeros((480, 854), dtype=np.uint8))
