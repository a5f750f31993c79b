"""What was blurred does not come back, what was blurred weakly does; and how faces of each kind are made."""

import numpy as np
import pytest
import restoring
from annotated_faces import AnnotatedFace, AnnotatedPicture, photograph
from face_kinds import kinds
from restoring import CONTROL, OURS, attempts, failed, targets

BOX = (40.0, 30.0, 60.0, 50.0)
MADE = AnnotatedPicture(
    set="made",
    name="one",
    bgr=np.full((100, 120, 3), 90, np.uint8),
    faces=(AnnotatedFace(box=BOX, width_px=20.0),),
)


@pytest.fixture(scope="module")
def done(data):
    """Every attack on NASA's photograph, with fewer frames than the bench takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restoring, "FRAMES", 8)
        return attempts(targets([photograph()], data), data, None)


def test_no_attack_brings_a_blurred_face_back(done):
    ours = [each for each in done if each.blur == OURS]
    assert len(ours) == 3
    assert all(each.faces == 1 and each.features == 0 for each in ours)


def test_the_same_attacks_bring_a_weakly_blurred_face_back(done):
    assert [each.features for each in done if each.blur == CONTROL] == [1, 1, 1]
    assert not failed(done)


@pytest.mark.parametrize(
    ("name", "centre"),
    [("as it is", (50, 40)), ("mirrored", (70, 40)), ("lying (90°)", (40, 70)), ("upside down", (70, 60))],
)
def test_a_face_is_where_it_was_turned_to(name, centre):
    (face,) = kinds()[name](MADE).faces
    assert face.centre == pytest.approx(centre, abs=1.5)


@pytest.mark.parametrize("name", ["mask over mouth and nose", "hat down to the brows", "against the light"])
def test_a_mask_a_hat_and_light_change_the_picture_and_not_where_the_face_is(name):
    made = kinds()[name](MADE)
    assert made.faces == MADE.faces
    assert not np.array_equal(made.bgr, MADE.bgr)
