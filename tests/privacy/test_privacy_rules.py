"""Who is blurred and how: which persons count, heads with and without a face, polygons first."""

import itertools
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from annotated_faces import scene_of
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.geometry import Box, Polygon
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label, Track
from blikk_edge.transforms.privacy.faces import Face, FaceFinder, Seen, _each_once, head_region
from blikk_edge.transforms.privacy.heads import Person, face_ellipse
from blikk_edge.transforms.privacy.paint import Rounded, covered
from blikk_edge.transforms.privacy.redactor import Privacy

SIZE = (480, 640, 3)
CHECKER = np.tile(np.kron([[60, 190], [190, 60]], np.ones((2, 2))), (120, 160))[:, :, None].repeat(3, axis=2)
CHECKER = CHECKER.astype(np.uint8)
STANDING = Box(0.4, 0.1, 0.55, 0.9)
FACE = Box(0.45, 0.12, 0.5, 0.2)


class Found(FaceFinder):
    """A face finder with given faces; keeps what it was shown."""

    def __init__(self, *faces: Face) -> None:
        super().__init__(model=None)
        self._faces = faces
        self.faint: tuple[Face, ...] = ()
        self.shown: list[Pixels] = []

    def forget(self) -> bool:
        self._faces = ()
        return True

    def look(self, bgr):
        self.shown.append(bgr.copy())
        return Seen(faces=self._faces, faint=self.faint)


def face(box: Box = FACE, score: float = 0.9) -> Face:
    return Face(box=box, score=score)


def person(box: Box = STANDING, score: float = 0.8, label: Label = Label.PERSON) -> Detection:
    return Detection(label=label, sub_label=label.value, score=score, box=box)


def track(box: Box = STANDING, **more) -> Track:
    seen = {"id": 1, "label": Label.PERSON, "sub_label": "person", "score": 0.8, "best_score": 0.8}
    return Track(box=box, first_seen=0.0, last_seen=0.0, **{**seen, **more})


def counts(finder: FaceFinder | None, *detections: Detection, tracks: tuple[Track, ...] = (), **settings):
    scene = replace(scene_of(CHECKER, detections), tracks=tracks)
    picture = Privacy(finder, **settings).picture(scene, name="person")
    return picture.faces, picture.heads, picture.persons


def pixels(finder: FaceFinder | None, *detections: Detection, **settings) -> Pixels:
    jpeg = Privacy(finder, **settings).picture(scene_of(CHECKER, detections), name="person").jpeg
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def roughness(bgr: Pixels, box: Box) -> float:
    """How much of the checker is left in a box: the mean step between neighbours, 65 untouched."""
    x1, y1, x2, y2 = box.pixels(bgr.shape[1], bgr.shape[0])
    return float(np.abs(np.diff(bgr[y1:y2, x1:x2].astype(float), axis=1)).mean())


def test_of_a_person_who_shows_their_face_the_head_alone_is_blurred():
    assert counts(Found(face()), person()) == (1, 0, 0)
    bgr = pixels(Found(face()), person())
    assert roughness(bgr, FACE) < 5
    assert roughness(bgr, Box(0.4, 0.24, 0.55, 0.9)) > 50


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("it is on the chest", face(Box(0.45, 0.4, 0.5, 0.48))),
        ("it is of somebody far behind", face(Box(0.47, 0.14, 0.476, 0.15))),
        ("it is beside the head", face(Box(0.52, 0.12, 0.57, 0.2))),
        ("it is doubtful", face(score=0.44)),
    ],
)
def test_a_face_that_may_be_of_somebody_else_leaves_the_whole_upper_part_blurred(what, other):
    bgr = pixels(Found(other), person())
    assert roughness(bgr, Box(0.4, 0.1, 0.55, 0.3)) < 5


def test_one_face_is_the_face_of_one_of_two_persons():
    """Who stands behind and looks away has a head as well: of two who may show it, the one whom it fits better does."""
    behind = person(Box(0.435, 0.02, 0.62, 0.85))
    assert counts(Found(face()), person(), behind) == (1, 1, 0)
    assert roughness(pixels(Found(face()), person(), behind), Box(0.5, 0.02, 0.6, 0.15)) < 5


def test_a_faint_box_around_somebody_who_shows_their_face_is_the_same_person():
    again = person(Box(0.42, 0.1, 0.54, 0.5), score=0.2)
    assert counts(Found(face()), person(), again, person_threshold=0.1) == (1, 0, 0)
    beside = person(Box(0.46, 0.1, 0.7, 0.5), score=0.2)
    assert counts(Found(face()), person(), beside, person_threshold=0.1) == (1, 1, 0)


def blurred_of(privacy: Privacy, finder: Found, *faces: Face, time: float, box: Box = STANDING) -> float:
    """The share of the upper part of the person that is blurred in a picture of this time."""
    finder._faces = faces
    mask = covered(privacy._plan(CHECKER, [Person(box)], time).regions, SIZE[1], SIZE[0])
    return float(mask[48:192, 256:352].mean())


def test_who_turns_away_is_blurred_where_the_head_was_and_not_for_long():
    finder = Found()
    privacy = Privacy(finder)
    seen = blurred_of(privacy, finder, face(), time=0.0)
    turned = blurred_of(privacy, finder, time=1.0)
    long_after = privacy._plan(CHECKER, [Person(STANDING)], 3.5)
    assert seen < turned < 0.8
    assert long_after.heads == (Rounded(head_region(STANDING, SIZE[1], SIZE[0])),)


@pytest.mark.parametrize(
    ("what", "box", "time"),
    [
        ("bent down", Box(0.38, 0.4, 0.58, 0.9), 0.4),
        ("somewhere else", Box(0.6, 0.1, 0.75, 0.9), 0.4),
        ("the clock went back", STANDING, -5.0),
    ],
)
def test_who_moved_otherwise_is_blurred_in_whole_upper_part(what, box, time):
    finder = Found()
    privacy = Privacy(finder)
    blurred_of(privacy, finder, face(), time=0.0)
    regions = privacy._plan(CHECKER, [Person(box)], time) if finder.forget() else None
    assert regions is not None
    assert regions.heads == (Rounded(head_region(box, SIZE[1], SIZE[0])),)


def test_who_is_tracked_alone_is_not_looked_for_where_the_head_was():
    """The box may be half a second old: all of its upper part is blurred."""
    finder = Found()
    privacy = Privacy(finder)
    blurred_of(privacy, finder, face(), time=0.0)
    finder.forget()
    plan = privacy._plan(CHECKER, [Person(STANDING, detected=False)], 0.4)
    assert plan.heads == (Rounded(head_region(STANDING, SIZE[1], SIZE[0])),)


def test_of_two_who_may_have_shown_their_face_a_moment_ago_nobody_did():
    finder = Found(face())
    privacy = Privacy(finder)
    blurred_of(privacy, finder, face(), time=0.0)
    finder.forget()
    behind = Box(0.43, 0.06, 0.58, 0.82)
    plan = privacy._plan(CHECKER, [Person(STANDING), Person(behind)], 0.4)
    assert plan.heads == tuple(Rounded(head_region(box, SIZE[1], SIZE[0])) for box in (STANDING, behind))


def test_a_second_head_that_is_hardly_seen_is_blurred_in_the_box_of_who_shows_their_face():
    finder = Found(face())
    second = replace(face(Box(0.41, 0.13, 0.45, 0.2), score=0.25), doubt=1.0)
    finder.faint = (
        second,
        replace(second, box=Box(0.45, 0.5, 0.49, 0.57)),  # a knee
        replace(second, box=Box(0.41, 0.11, 0.49, 0.26)),  # larger than the own face
        replace(second, box=Box(0.7, 0.13, 0.74, 0.2)),  # in nobody
    )
    plan = Privacy(finder)._plan(CHECKER, [Person(STANDING)], 0.0)
    assert plan.others == (face_ellipse(second),)
    assert len(plan.faces) == 1
    finder._faces = ()
    assert Privacy(finder)._plan(CHECKER, [Person(STANDING)], 0.0).others == ()


def test_who_lies_shows_their_own_face_only_where_it_is_sure():
    lying = Person(Box(0.2, 0.4, 0.8, 0.8))
    large = Box(0.6, 0.45, 0.8, 0.7)
    for score, alone in ((0.7, False), (0.85, True)):
        plan = Privacy(Found(face(large, score=score)))._plan(CHECKER, [lying], 0.0)
        assert (plan.heads == ()) is alone


def test_the_more_doubtful_a_face_is_the_larger_is_its_oval():
    ovals = [face_ellipse(replace(face(), doubt=doubt)) for doubt in (0.0, 0.5, 1.0)]
    for smaller, larger in itertools.pairwise(ovals):
        assert smaller.across < larger.across
        assert smaller.down < larger.down
    assert (ovals[-1].across, ovals[-1].down) == pytest.approx((FACE.width, FACE.height))


def test_of_a_faint_box_that_may_be_a_head_alone_all_is_blurred():
    piece = Person(Box(0.4, 0.3, 0.5, 0.6), score=0.17)
    plan = Privacy(Found())._plan(CHECKER, [piece], 0.0)
    assert plan.heads == (Rounded(piece.box.grown(0.1)),)


def test_a_person_who_shows_no_face_has_the_head_blurred():
    assert counts(Found(), person()) == (0, 1, 0)
    bgr = pixels(Found(), person())
    assert roughness(bgr, Box(0.4, 0.1, 0.55, 0.3)) < 5
    assert roughness(bgr, Box(0.4, 0.5, 0.55, 0.9)) > 50


def test_a_face_outside_every_person_is_blurred():
    assert counts(Found(face(Box(0.8, 0.8, 0.9, 0.9))), person()) == (1, 1, 0)
    assert roughness(pixels(Found(face(Box(0.8, 0.8, 0.9, 0.9)))), Box(0.8, 0.8, 0.9, 0.9)) < 5


@pytest.mark.parametrize("score", [0.1, 0.39, 0.4, 0.86, 0.9, 1.0])
def test_a_face_of_any_score_is_blurred_beyond_all_of_its_box(score):
    box = Box(0.45, 0.12, 0.5, 0.2)
    head = face_ellipse(replace(face(box, score=score), front=float(score == 1), doubt=float(score < 0.4)))
    mask = covered([head], SIZE[1], SIZE[0])
    x1, y1, x2, y2 = box.pixels(SIZE[1], SIZE[0])
    assert mask[y1:y2, x1:x2].mean() > 0.99
    assert head.across > 0.7 * box.width
    assert head.down > 0.7 * box.height


def test_who_is_surely_seen_from_the_front_has_the_smaller_oval():
    doubtful, sure = (face_ellipse(replace(face(), front=front)) for front in (0.0, 1.0))
    assert sure.across < doubtful.across
    assert sure.down < doubtful.down
    cut = face(Box(0.45, 0.0, 0.5, 0.08))
    assert face_ellipse(replace(cut, front=1.0)) == face_ellipse(cut)


def test_a_crowd_that_two_looks_saw_is_each_face_once_around_both_boxes():
    spots = [(x / 40, y / 25) for x in range(40) for y in range(25)]
    one = [face(Box(x, y, x + 0.010, y + 0.02), score=0.9) for x, y in spots]
    two = [face(Box(x + 0.002, y, x + 0.012, y + 0.02), score=0.3) for x, y in spots]
    started = time.process_time()
    every = _each_once([*two, *one])
    assert time.process_time() - started < 1
    assert {(f.box, f.score) for f in every} == {(Box(x, y, x + 0.012, y + 0.02), 0.9) for x, y in spots}


def test_a_person_of_low_score_counts_down_to_the_threshold():
    assert counts(Found(), person(score=0.26)) == (0, 1, 0)
    assert counts(Found(), person(score=0.24)) == (0, 0, 0)
    assert counts(Found(), person(score=0.24), person_threshold=0.2) == (0, 1, 0)


def test_a_tracked_person_who_was_not_detected_in_this_frame_counts():
    assert counts(Found(), tracks=(track(missed=3),)) == (0, 1, 0)


def test_a_walker_who_was_not_detected_is_blurred_where_last_seen_and_where_expected():
    scene = scene_of(CHECKER, ())
    walker = track(missed=1, velocity=(0.4, 0.0))
    walker = replace(walker, last_seen=scene.frame.time - 0.5)
    jpeg = Privacy(Found()).picture(replace(scene, tracks=(walker,)), name="person").jpeg
    bgr = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    assert roughness(bgr, Box(0.4, 0.1, 0.55, 0.3)) < 5
    assert roughness(bgr, Box(0.6, 0.1, 0.75, 0.3)) < 5


def test_a_person_detected_and_tracked_is_one_person():
    moved = Box(0.41, 0.11, 0.56, 0.9)
    assert counts(Found(), person(), tracks=(track(moved),)) == (0, 1, 0)


def test_other_things_are_not_blurred():
    things = [person(Box(0.1 * i, 0.5, 0.1 * i + 0.2, 0.7), label=label) for i, label in enumerate(Label, 1)]
    assert counts(None, *things) == (0, 0, 1)


def test_without_a_face_model_the_whole_person_is_blurred_and_it_is_said():
    assert counts(None, person()) == (0, 0, 1)
    assert roughness(pixels(None, person()), STANDING.grown(0.08)) < 5
    assert Privacy(None).state == "no face model: whole persons are blurred"


def test_a_polygon_is_painted_before_faces_are_looked_for():
    finder = Found()
    private = Polygon.of([(0.4, 0.0), (0.6, 0.0), (0.6, 0.5), (0.4, 0.5)])
    pixels(finder, person(), private=(private,))
    assert not finder.shown[0][:240, 256:384].any()
    assert finder.shown[0][300:, 400:].any()


@pytest.mark.parametrize("blur", [True, False])
def test_a_polygon_is_black_in_the_picture_even_where_a_head_is_blurred_over_it(blur):
    private = Polygon.of([(0.4, 0.0), (0.6, 0.0), (0.6, 0.15), (0.4, 0.15)])
    bgr = pixels(Found(), person(), private=(private,), blur=blur)
    assert bgr[: round(0.15 * SIZE[0]) - 2, 258:382].max() <= 12


def test_a_face_in_a_polygon_is_not_found(data, finder):
    grace = cv2.imread(str(data / "images/coral/grace_hopper.bmp"))[:400]
    whole = Polygon.of([(0, 0), (1, 0), (1, 0.9), (0, 0.9)])
    picture = Privacy(finder, private=(whole,)).picture(scene_of(grace, ()), name="person")
    assert Privacy(finder).picture(scene_of(grace, ()), name="person").faces == 1
    assert picture.faces == 0


def test_several_pictures_of_one_scene_look_for_faces_once():
    finder = Found(face())
    privacy, scene = Privacy(finder), scene_of(CHECKER, (person(),))
    one, two = privacy.picture(scene, name="person", event="e1"), privacy.picture(scene, name="snapshot")
    assert len(finder.shown) == 1
    assert (one.name, one.event, two.name, two.event) == ("person", "e1", "snapshot", None)
    assert one.jpeg == two.jpeg


def test_a_frame_or_a_person_more_is_looked_at_anew():
    finder = Found()
    privacy = Privacy(finder)
    other = CHECKER.copy()
    other[0, 0] = 7
    for scene in (scene_of(CHECKER, ()), scene_of(other, ()), scene_of(other, (person(),))):
        privacy.picture(scene, name="person")
    assert len(finder.shown) == 3


def test_a_picture_made_before_does_not_serve_when_the_detector_did_not_look():
    privacy = Privacy(Found())
    privacy.picture(scene_of(CHECKER, ()), name="person")
    with pytest.raises(PrivacyError):
        privacy.picture(scene_of(CHECKER, (), analysed=False), name="snapshot")


@pytest.mark.parametrize(
    ("what", "box", "holds"),
    [
        ("standing", Box(0.4, 0.1, 0.5, 0.9), Box(0.41, 0.1, 0.49, 0.28)),
        ("sitting", Box(0.3, 0.3, 0.6, 0.9), Box(0.32, 0.3, 0.58, 0.58)),
        ("close-up", Box(0.2, 0.1, 0.8, 1.0), Box(0.25, 0.12, 0.75, 0.7)),
        ("lying", Box(0.1, 0.6, 0.7, 0.8), Box(0.1, 0.6, 0.7, 0.8)),
        ("half out at the left", Box(0.0, 0.0, 0.2, 1.0), Box(0.0, 0.02, 0.18, 0.4)),
        ("a face that fills the picture", Box(0.0, 0.0, 1.0, 1.0), Box(0.0, 0.0, 1.0, 1.0)),
    ],
)
def test_the_head_region_holds_the_head_of_who_is(what, box, holds):
    region = head_region(box, 640, 480)
    assert region.x1 <= holds.x1
    assert region.y1 <= holds.y1
    assert region.x2 >= holds.x2
    assert region.y2 >= holds.y2


shares = st.floats(0, 1, allow_nan=False, width=32)


@given(shares, shares, shares, shares, st.integers(16, 900), st.integers(16, 900))
def test_a_head_region_is_in_the_picture_and_spans_the_top_quarter_of_its_person(a, b, c, d, width, height):
    box = Box(min(a, b), min(c, d), max(a, b), max(c, d))
    region = head_region(box, width, height)
    assert 0 <= region.x1 <= box.x1
    assert 0 <= region.y1 <= box.y1
    assert box.x2 <= region.x2 <= 1
    assert box.y1 + 0.2499 * box.height <= region.y2 <= 1
