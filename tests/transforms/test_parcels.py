import cv2
import numpy as np
import pytest
from parcel_scenes import (
    ASIDE,
    BESIDE,
    DOORMAT,
    GROUND,
    HEIGHT,
    VISITOR,
    WIDTH,
    Street,
    cardboard,
    changes,
    seen_as,
    street,
)

from blikk_edge.core.geometry import Box, Polygon, iou
from blikk_edge.core.parcels import FIRST_ID, ParcelChange
from blikk_edge.core.sightings import Label, View
from blikk_edge.transforms.parcels.evidence import plausible
from blikk_edge.transforms.parcels.step import Parcels

LEFT, TAKEN = ParcelChange.LEFT_BEHIND, ParcelChange.TAKEN


def bright(view):
    return view


def dark(view):
    return view * 0.35 + 12


def dim(view):
    return view * 0.55 + 20


def infrared(view):
    """Another camera altogether: what reflects, not what is bright; some materials swap their order."""
    return cv2.LUT(view, (60 + 120 * np.sin(np.arange(256) / 256 * 2.4) ** 2).astype(np.uint8)) * 0.8 + 15


@pytest.mark.parametrize(
    ("noise", "light"), [(1.5, bright), (8.0, bright), (1.5, dark), (4.0, dark)], ids=["day", "noise", "dusk", "night"]
)
def test_what_somebody_left_is_told_once_with_who_was_near(noise, light):
    porch = street(noise=noise, light=light)

    [parcel] = porch.leave(DOORMAT)
    assert parcel.change is LEFT
    assert iou(parcel.track.box, DOORMAT) > 0.6
    assert (parcel.near.track, parcel.near.label, parcel.near.score) == (1, Label.PERSON, 1.0)
    assert parcel.track.label is Label.PACKAGE
    assert parcel.track.score >= 0.5
    assert parcel.track.id == FIRST_ID
    assert porch.play(60) == []
    assert [p.track.id for p in porch.shown.parcels] == [FIRST_ID]


def test_it_is_told_only_in_a_scene_that_was_looked_at():
    porch = street()
    porch.play(3, VISITOR)
    porch.view = cardboard(porch.view, DOORMAT)
    porch.play(2, VISITOR)
    porch.play(1, ASIDE)

    assert porch.play(9, analysed=False) == []
    assert changes(porch.play(1, analysed=True)) == [LEFT]


def test_what_is_picked_up_again_by_who_put_it_down_was_not_left():
    porch = street()
    porch.play(3, VISITOR)
    porch.view = cardboard(porch.view, DOORMAT)
    porch.play(2, VISITOR)
    porch.play(2, ASIDE)
    assert porch.take() == []


def test_nothing_is_left_while_its_owner_stays_beside_it():
    porch = street()
    porch.play(3, VISITOR)
    porch.view = cardboard(porch.view, DOORMAT)
    beside = Box(0.58, 0.2, 0.78, 0.9)

    assert porch.play(60, beside) == []
    assert changes(porch.play(1, ASIDE) + porch.play(9)) == [LEFT]


@pytest.mark.parametrize("light", [lambda view: view, dim, infrared], ids=["same light", "dimmed", "infrared"])
def test_taking_it_is_told_with_who_was_near_in_whatever_light_it_lies_by_then(light):
    porch = street()
    porch.leave(DOORMAT)
    porch.light = light
    assert porch.play(20) == []

    [parcel] = porch.take()
    assert (parcel.change, parcel.track.id, parcel.near.score, parcel.known) == (TAKEN, FIRST_ID, 1.0, False)
    assert porch.shown.parcels == porch.shown.tracks == ()
    assert porch.play(30) == []


def test_who_stands_in_front_of_it_has_not_taken_it():
    porch = street()
    porch.leave(DOORMAT)
    assert porch.play(40, VISITOR) == []
    assert porch.play(20, VISITOR, seen=False) == []
    assert porch.play(20) == []
    assert len(porch.shown.parcels) == 1


def test_what_was_pushed_aside_is_the_same_parcel():
    porch = street()
    porch.leave(DOORMAT)

    assert porch.take(cardboard(GROUND, BESIDE := Box(0.53, 0.6, 0.64, 0.75))) == []
    [parcel] = porch.shown.parcels
    assert parcel.track.id == FIRST_ID
    assert iou(parcel.track.box, BESIDE) > 0.6
    assert changes(porch.take()) == [TAKEN]


def test_of_two_parcels_each_is_told_for_itself():
    porch = street()
    assert changes(porch.leave(DOORMAT, BESIDE)) == [LEFT, LEFT]

    [taken] = porch.take(cardboard(GROUND, BESIDE))
    assert iou(taken.track.box, DOORMAT) > 0.5
    assert [iou(p.track.box, BESIDE) > 0.5 for p in porch.shown.parcels] == [True]


def test_what_is_left_beside_one_that_lies_there_is_another():
    porch = street()
    porch.leave(DOORMAT)
    assert changes(porch.leave(BESIDE)) == [LEFT]
    assert len(porch.shown.parcels) == 2


def lit(view, share, soft=0.0):
    """A part of the view in shadow, or in the light of a lamp or an open door."""
    x1, y1, x2, y2 = DOORMAT.pixels(WIDTH, HEIGHT)
    part = np.zeros((HEIGHT, WIDTH), np.float32)
    part[y1:y2, x1:x2] = 1
    part = cv2.GaussianBlur(part, (0, 0), soft) if soft else part
    return np.clip(view * (1 + (share - 1) * part), 0, 255).astype(np.uint8)


def door(view):
    drawn = view.copy()
    drawn[20:220, 130:190] = 30
    return drawn


PLAIN = np.full((HEIGHT, WIDTH), 130, np.uint8)


@pytest.mark.parametrize("ground", [PLAIN, GROUND], ids=["plain", "patterned"])
@pytest.mark.parametrize(
    "change",
    [lambda v: lit(v, 0.5), lambda v: lit(v, 0.6, 2.0), lambda v: lit(v, 1.5), lambda v: lit(v, 1.5, 2.0), door],
    ids=["shadow", "soft shadow", "light", "soft light", "door"],
)
def test_what_is_no_parcel_is_not_told(ground, change):
    porch = street(view=ground)
    porch.play(3, VISITOR)
    porch.view = change(porch.view)
    assert porch.play(2, VISITOR) + porch.play(1, ASIDE) + porch.play(20) == []
    assert porch.take(ground) + porch.play(20) == []


def test_who_sits_down_where_the_detector_does_not_see_them_was_not_left():
    porch = street()
    porch.play(5, VISITOR)
    for shift in (0.0, 0.02) * 3:
        assert porch.play(8, Box(0.42 + shift, 0.5 + shift, 0.58, 0.9), seen=False) == []
    assert porch.play(12) == []


def test_a_lamp_that_goes_on_and_off_with_the_visitor_leaves_nothing():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    lamp = 0.35 + np.exp(-((x - 160) ** 2 + (y - 150) ** 2) / 9800)
    porch = street(light=dark)
    porch.play(1, VISITOR)
    porch.light = lambda view: np.clip(view * lamp, 0, 255)
    assert porch.play(6, VISITOR) + porch.play(2, ASIDE) + porch.play(15) == []
    porch.light = dark
    assert porch.play(15) == []


def test_a_view_that_shifted_unnoticed_forgets_the_parcel_and_tells_nothing():
    porch = street()
    porch.leave(DOORMAT)
    porch.view = np.roll(porch.view, 20, axis=1)
    assert porch.play(15) + porch.play(4, VISITOR) + porch.play(20) == []
    assert porch.shown.parcels == ()


def test_what_is_taken_while_the_camera_switches_to_infrared_is_taken():
    porch = street()
    porch.leave(DOORMAT)
    porch.play(2, VISITOR)
    porch.light = infrared
    porch.play(1, VISITOR)
    assert changes(porch.take()) in ([TAKEN], [])
    assert porch.shown.parcels == ()


@pytest.mark.parametrize("place", [Box(0.45, 0.88, 0.56, 1.0), Box(0.94, 0.6, 1.0, 0.75)], ids=["below", "aside"])
def test_what_lies_half_outside_is_left_and_taken_or_neither(place):
    porch = street()
    there = Box(place.x1 - 0.1, 0.3, min(1.0, place.x2 + 0.05), 1.0)
    porch.play(3, there)
    porch.view = cardboard(porch.view, place)
    told = porch.play(2, there) + porch.play(1, ASIDE) + porch.play(9)
    told += porch.play(3, there)
    porch.view = GROUND
    told += porch.play(2, there) + porch.play(9)
    assert changes(told) in ([LEFT, TAKEN], [])


def test_what_appears_where_nobody_was_is_not_told():
    porch = street()
    porch.play(3, ASIDE)
    porch.view = cardboard(porch.view, BESIDE)
    assert porch.play(3, ASIDE) + porch.play(40) == []


def test_what_stood_there_from_the_start_and_is_gone_was_not_left():
    porch = Street(step=Parcels(), view=cardboard(GROUND, DOORMAT))
    porch.play(6)
    assert porch.take() + porch.play(30) == []


def test_what_comes_to_light_when_something_is_moved_that_was_no_parcel_was_not_left():
    mat = cardboard(GROUND, DOORMAT, seed=2)
    porch = Street(step=Parcels(), view=mat)
    porch.play(6)
    x1, y1, x2, y2 = DOORMAT.pixels(WIDTH, HEIGHT)
    porch.view = mat.copy()
    porch.view[y1:y2, x1:x2] = 118
    assert porch.play(30) == []
    assert porch.take(mat) + porch.play(30) == []


def test_what_the_detector_takes_for_a_vehicle_is_no_parcel():
    porch = street()
    porch.play(3, VISITOR)
    porch.view = cardboard(porch.view, DOORMAT)
    porch.play(2, VISITOR)
    assert porch.play(30, others=[seen_as(Label.VEHICLE, DOORMAT.grown(0.1))]) == []


def test_flicker_of_the_whole_picture_leaves_nothing_and_takes_nothing():
    porch = street()
    porch.leave(DOORMAT)
    for light in (dim, lambda view: view, infrared, lambda view: view) * 3:
        porch.light = light
        assert porch.play(5) + porch.play(3, VISITOR) + porch.play(5) == []
    assert len(porch.shown.parcels) == 1


def test_a_camera_that_was_turned_forgets_what_lay_in_the_other_view():
    porch = street()
    porch.leave(DOORMAT)
    porch.view = np.ascontiguousarray(GROUND[:, ::-1])

    assert porch.play(0.5, gate=View.NEW_SCENE) + porch.play(20) == []
    assert porch.shown.parcels == ()
    assert porch.step.lying == ()


def test_after_a_restart_it_is_known_and_its_taking_told():
    before = street()
    before.leave(DOORMAT)

    porch = Street(step=Parcels(lying=before.step.lying), view=before.view, time=before.time + 3600)
    assert porch.play(20) == []
    assert [(p.known, p.track.first_seen < before.time) for p in porch.shown.parcels] == [(True, True)]
    [parcel] = porch.take()
    assert (parcel.change, parcel.known) == (TAKEN, True)


def test_what_was_taken_while_nobody_looked_is_forgotten():
    before = street()
    before.leave(DOORMAT)

    porch = Street(step=Parcels(lying=before.step.lying), time=before.time + 3600)
    assert porch.play(20) == []
    assert porch.shown.parcels == ()


def test_what_the_detector_calls_a_suitcase_is_one_parcel_under_its_own_name():
    porch = street()
    suitcase = seen_as(Label.PACKAGE, DOORMAT, key=7, sub_label="suitcase")
    porch.play(3, VISITOR)
    porch.view = cardboard(porch.view, DOORMAT)
    porch.play(2, VISITOR, others=[suitcase])
    porch.play(1, ASIDE, others=[suitcase])

    [parcel] = porch.play(9, others=[suitcase])
    assert (parcel.track.id, parcel.track.sub_label) == (7, "suitcase")
    assert [track.id for track in porch.shown.tracks] == [7]
    porch.play(2)
    assert [track.id for track in porch.shown.tracks] == [7]  # the detector has lost it
    porch.play(2, others=[seen_as(Label.PACKAGE, DOORMAT, key=8, sub_label="suitcase")])
    assert [track.id for track in porch.shown.tracks] == [7]  # and found it again


def test_what_lies_in_a_private_part_is_not_seen():
    porch = Street(step=Parcels(private=[Polygon.of([(0.4, 0.5), (0.6, 0.5), (0.6, 0.8), (0.4, 0.8)])]))
    porch.play(6)
    assert porch.leave(DOORMAT) == []


def test_who_stands_on_without_being_looked_at_again_has_not_taken_it():
    porch = street()
    porch.leave(DOORMAT)
    porch.play(3, VISITOR)
    assert porch.play(40, VISITOR, analysed=False) == []


def test_a_sliver_at_the_lower_border_is_no_parcel_but_half_a_box_is() -> None:
    assert not plausible(Box(0.909, 0.9, 0.934, 1.0), 0.88, 16 / 9)
    assert plausible(Box(0.909, 0.8, 0.934, 0.9), 0.88, 16 / 9)
    assert plausible(Box(0.85, 0.8, 0.95, 1.0), 0.88, 16 / 9)
