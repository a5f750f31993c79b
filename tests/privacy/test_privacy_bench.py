"""What the bench of privacy counts: samples that are left of a face, and whether a judge still finds it."""

import numpy as np
import pytest
from annotated_faces import AnnotatedFace, AnnotatedPicture
from face_judges import Judge, found
from privacy import MOST_SAMPLES, Row, judge, lit, samples_left

from blikk_edge.core.geometry import Box
from blikk_edge.transforms.privacy.heads import Person

SHAPE = (100, 100, 3)
FACE = AnnotatedFace(box=(40.0, 40.0, 60.0, 60.0), width_px=20.0)
NOISE = np.random.default_rng(1).integers(0, 255, SHAPE).astype(np.uint8)


def test_every_bare_pixel_is_a_sample():
    assert samples_left(FACE, [], SHAPE) == FACE.patch(100, 100).sum() > 300


def test_a_blurred_face_keeps_the_cells_it_lies_in():
    assert samples_left(FACE, [Box(0.3, 0.3, 0.7, 0.7)], SHAPE) <= 16


def test_what_sticks_out_of_the_blur_counts_pixel_by_pixel():
    half = samples_left(FACE, [Box(0.3, 0.3, 0.5, 0.7)], SHAPE)
    assert MOST_SAMPLES < half < FACE.patch(100, 100).sum()


def everywhere(name: str) -> Judge:
    return Judge(name=name, find=lambda bgr: np.array([[0.35, 0.35, 0.65, 0.65]]) * bgr.shape[0])


@pytest.mark.parametrize(("judges", "safe"), [((), True), ((everywhere("somebody"),), False)])
def test_a_face_that_a_judge_still_finds_is_not_safe(judges, safe):
    row = Row()
    picture = AnnotatedPicture(set="made", name="noise", bgr=NOISE, faces=(FACE,))
    judge(
        lambda bgr, persons: [Box(0.3, 0.3, 0.7, 0.7)], row, picture, "as is", [Person(Box(0.2, 0.2, 0.8, 0.9))], judges
    )
    (verdict,) = row.verdicts
    assert (verdict.safe, verdict.in_person) == (safe, True)
    assert row.share(light="as is", size=(16, 24)) == f"{int(safe)}/1"


def test_a_box_of_another_size_or_place_is_not_the_face():
    huge = Judge(name="huge", find=lambda bgr: np.array([[0.0, 0.0, 1.0, 1.0]]) * bgr.shape[0])
    aside = Judge(name="aside", find=lambda bgr: np.array([[0.0, 0.0, 0.2, 0.2]]) * bgr.shape[0])
    assert found((huge, aside), NOISE, [FACE]) == [set()]


@pytest.mark.parametrize("light", ["dark", "out of focus", "bad JPEG"])
def test_another_light_makes_another_picture_of_the_same_size(light):
    other = lit(NOISE, light)
    assert other.shape == NOISE.shape
    assert not np.array_equal(other, NOISE)
