"""Which frames are worth a look."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Label, Motion, Reason, Track, View
from blikk_edge.transforms.motion.select import Selector

LUMA = np.zeros((2, 2), np.uint8)
QUIET = Motion(view=View.QUIET)
MOVING = Motion(view=View.MOVING, score=0.8)
LIGHT = Motion(view=View.LIGHT)


def no_colour() -> Pixels:
    raise AssertionError("selecting needs no colour")


def scene(time: float, motion: Motion = QUIET) -> Scene:
    return Scene(frame=Frame(camera="porch", seq=0, time=time, luma=LUMA, convert=no_colour), motion=motion)


def track(
    *, last_seen: float, still_since: float | None = None, missed: int = 0, rest_s: float = 0.0, speed: float = 0.0
) -> Track:
    return Track(
        id=1,
        label=Label.PERSON,
        sub_label="person",
        score=0.9,
        best_score=0.9,
        box=Box(0.1, 0.1, 0.2, 0.5),
        first_seen=0.0,
        last_seen=last_seen,
        missed=missed,
        still_since=still_since,
        velocity=(speed, 0.0),
        rest_s=rest_s,
    )


def started(**arguments: float) -> Selector:
    selector = Selector(**arguments)  # type: ignore[arg-type]  # every argument used here is a number or a bool
    assert selector.look(scene(0.0), ()) is Reason.FIRST
    return selector


def test_first_frame_is_looked_at_whatever_it_shows():
    assert Selector(every_s=0, motion=False).look(scene(5.0, Motion(view=View.SETTLING)), ()) is Reason.FIRST


def test_quiet_frame_is_not_looked_at():
    assert started().look(scene(0.2), ()) is None


@pytest.mark.parametrize(("score", "reason"), [(0.29, None), (0.3, Reason.MOTION), (1.0, Reason.MOTION)])
def test_motion_counts_from_the_threshold(score, reason):
    assert started().look(scene(0.2, Motion(view=View.MOVING, score=score)), ()) is reason


def test_threshold_may_be_set_while_running():
    selector = started()
    selector.threshold = 0.9
    assert selector.look(scene(0.2, MOVING), ()) is None


def moving(x1: float, x2: float) -> Motion:
    return Motion(view=View.MOVING, score=0.8, boxes=(Box(x1, 0.2, x2, 0.8),))


def test_motion_is_looked_at_in_every_frame_of_its_first_second():
    selector = started()
    assert [selector.look(scene(t, moving(0.1, 0.2)), ()) for t in (0.2, 0.4, 0.6, 1.2)] == [Reason.MOTION] * 4


def test_motion_that_keeps_to_its_place_is_looked_at_once_a_second():
    selector = started()
    for time in (0.2, 0.6, 1.2):
        selector.look(scene(time, moving(0.1, 0.2)), ())
    reasons = [selector.look(scene(t, moving(0.11, 0.21)), ()) for t in (1.4, 2.0, 2.2, 2.4)]
    assert reasons == [None, None, Reason.MOTION, None]


def test_motion_that_comes_to_a_new_place_is_looked_at_at_once():
    selector = started()
    for time in (0.2, 0.6, 1.2):
        selector.look(scene(time, moving(0.1, 0.2)), ())
    assert selector.look(scene(1.4, moving(0.15, 0.25)), ()) is Reason.MOTION


def test_second_mover_is_looked_at_at_once_while_the_first_keeps_to_its_place():
    selector = started()
    for time in (0.2, 0.6, 1.2):
        selector.look(scene(time, moving(0.1, 0.2)), ())
    both = Motion(view=View.MOVING, score=0.9, boxes=(Box(0.1, 0.2, 0.2, 0.8), Box(0.7, 0.2, 0.8, 0.8)))
    assert selector.look(scene(1.4, both), ()) is Reason.MOTION


def test_motion_after_a_pause_is_looked_at_like_the_first():
    selector = started()
    for time in (0.2, 1.2, 1.4):
        selector.look(scene(time, moving(0.1, 0.2)), ())
    assert [selector.look(scene(t, moving(0.1, 0.2)), ()) for t in (3.0, 3.2, 3.4)] == [Reason.MOTION] * 3


def test_motion_is_looked_at_for_a_tail_after_it_ended():
    selector = started()
    selector.look(scene(0.2, MOVING), ())
    reasons = [selector.look(scene(t), ()) for t in (0.4, 0.6, 0.7, 1.2, 1.3, 1.8)]
    assert reasons == [None, None, Reason.MOTION, Reason.MOTION, None, None]


def test_motion_can_be_left_out():
    assert started(motion=False).look(scene(0.2, MOVING), ()) is None


def test_new_scene_is_looked_at():
    assert started().look(scene(0.2, Motion(view=View.NEW_SCENE, score=1.0)), ()) is Reason.SCENE


def test_light_is_looked_at_once_when_it_has_ended():
    selector = started()
    motions = (LIGHT, LIGHT, QUIET, QUIET)
    assert [selector.look(scene(0.2 * i, m), ()) for i, m in enumerate(motions, 1)] == [None, None, Reason.SCENE, None]


def test_scene_change_can_be_left_out():
    selector = started(scene_change=False)
    assert [selector.look(scene(0.2, LIGHT), ()), selector.look(scene(0.4), ())] == [None, None]


def test_sampling_counts_from_the_last_look_for_any_reason():
    selector = started(every_s=10.0)
    assert selector.look(scene(6.0, MOVING), ()) is Reason.MOTION
    assert [selector.look(scene(t), ()) for t in (15.9, 16.0, 16.2)] == [None, Reason.SAMPLE, None]


def looks(selector: Selector, *, until: int, tracks: tuple[Track, ...] = ()) -> list[int]:
    return [time for time in range(1, until) if selector.look(scene(time), tracks)]


def test_sampling_pauses_longer_with_each_look_at_an_empty_scene_up_to_five_times():
    assert looks(started(every_s=10.0), until=260) == [10, 30, 60, 100, 150, 200, 250]


def test_sampling_keeps_its_pace_while_somebody_is_there():
    still = track(last_seen=0.0, still_since=0.0, rest_s=math.inf)
    assert looks(started(every_s=10.0), until=60, tracks=(still,)) == [10, 20, 30, 40, 50]


def test_any_other_look_brings_the_sampling_back_to_its_pace():
    selector = started(every_s=10.0)
    assert looks(selector, until=62) == [10, 30, 60]
    assert selector.look(scene(62.0, LIGHT), ()) is None
    assert selector.look(scene(63.0), ()) is Reason.SCENE
    assert [selector.look(scene(t), ()) for t in (72.9, 73.0)] == [None, Reason.SAMPLE]


def test_sampling_never_happens_at_zero():
    assert started(every_s=0).look(scene(1e6), ()) is None


def test_moving_track_is_followed_without_motion():
    assert started().look(scene(0.2), (track(last_seen=0.0),)) is Reason.FOLLOW


def test_still_tracks_are_not_looked_at():
    assert started().look(scene(0.2), (track(last_seen=0.0, still_since=0.0, rest_s=math.inf),)) is None


def test_still_track_that_was_missed_is_looked_for():
    assert started().look(scene(0.2), (track(last_seen=0.0, still_since=0.0, missed=1),)) is Reason.FOLLOW


@pytest.mark.parametrize(("fps", "every"), [(2.5, 1), (4, 2), (5, 3), (10, 6)])
def test_track_that_may_rest_is_looked_at_in_the_frame_nearest_to_when_it_is_due(fps, every):
    selector, walker, looked = started(), track(last_seen=0.0, rest_s=0.6), []
    for n in range(1, 4 * every + 1):
        if selector.look(scene(n / fps), (walker,)) is Reason.FOLLOW:
            looked.append(n)
            walker = replace(walker, last_seen=n / fps)
    assert looked == [every, 2 * every, 3 * every, 4 * every]


def test_where_the_frame_that_was_due_is_dropped_the_next_one_is_looked_at():
    selector, walker = started(), track(last_seen=0.0, rest_s=0.6)
    assert [selector.look(scene(n / 5), (walker,)) for n in (1, 2, 3, 4)] == [None, None, Reason.FOLLOW, Reason.FOLLOW]


def test_one_track_that_may_not_rest_is_reason_enough():
    tracks = (track(last_seen=0.0, rest_s=0.5), track(last_seen=0.0, rest_s=0.0))
    assert started().look(scene(0.2), tracks) is Reason.FOLLOW


def test_motion_where_a_resting_track_is_expected_is_nothing_new():
    """The track is at 0.1 to 0.2, seen at 0.0, and walks a tenth of the picture in half a second."""
    walker = track(last_seen=0.0, rest_s=1.0, speed=0.2)
    where_expected, elsewhere = (
        Motion(view=View.MOVING, score=0.8, boxes=(Box(x, 0.1, x + 0.1, 0.5),)) for x in (0.18, 0.5)
    )
    assert started().look(scene(0.4, where_expected), (walker,)) is None
    assert started().look(scene(0.4, elsewhere), (walker,)) is Reason.MOTION
    assert started().look(scene(0.4, where_expected), (track(last_seen=0.0, rest_s=1.0, speed=-0.4),)) is Reason.MOTION


def test_who_comes_beside_a_resting_track_is_looked_at_at_once_and_once():
    selector = started()
    walker = track(last_seen=2.0, rest_s=1.0)
    both = Motion(view=View.MOVING, score=0.9, boxes=(Box(0.1, 0.1, 0.2, 0.5), Box(0.7, 0.2, 0.8, 0.8)))
    for time in (0.2, 1.0, 2.0):
        selector.look(scene(time, moving(0.1, 0.2)), ())
    assert [selector.look(scene(t, both), (walker,)) for t in (2.2, 2.4)] == [Reason.MOTION, None]


@pytest.mark.parametrize(("label", "reason"), [(Label.PERSON, None), (Label.VEHICLE, Reason.MOTION)])
def test_who_comes_in_front_of_a_parked_car_is_looked_at_at_once(label, reason):
    """What moves within a person who stands there is that person; a parked car does not sway."""
    standing = replace(track(last_seen=0.0, still_since=0.0, rest_s=math.inf), label=label, box=Box(0.1, 0.1, 0.6, 0.5))
    in_front = Motion(view=View.MOVING, score=0.8, boxes=(Box(0.3, 0.2, 0.4, 0.5),))
    assert started().look(scene(0.4, in_front), (standing,)) is reason


def test_motion_much_larger_than_who_is_expected_is_not_explained():
    wide = Motion(view=View.MOVING, score=0.9, boxes=(Box(0.1, 0.1, 0.5, 0.5),))
    assert started().look(scene(0.2, wide), (track(last_seen=0.0, rest_s=1.0),)) is Reason.MOTION


def test_lost_track_is_not_looked_for_for_ever():
    selector = started(every_s=0)
    gone = track(last_seen=0.0, missed=9)
    assert [selector.look(scene(t), (gone,)) for t in (5.0, 5.2)] == [Reason.FOLLOW, None]


def test_reset_makes_the_next_frame_the_first():
    selector = started()
    selector.reset()
    assert selector.look(scene(0.2), ()) is Reason.FIRST


@given(
    st.lists(st.tuples(st.floats(0.01, 3.0), st.sampled_from(View), st.floats(0, 1)), min_size=1, max_size=60),
    st.floats(0.5, 20.0),
)
def test_no_two_looks_lie_further_apart_than_five_times_the_sampling_and_one_frame(steps, every_s):
    selector = Selector(every_s=every_s)
    time = looked = 0.0
    for step, view, score in steps:
        time += step
        if selector.look(scene(time, Motion(view=view, score=score)), ()) is not None:
            looked = time
        else:
            assert time - looked < 5 * every_s


def test_little_motion_is_looked_at_where_it_shall_be_and_not_often():
    little = Motion(view=View.MOVING, score=0.2)
    assert started().look(scene(0.2, little), ()) is None
    selector = started(small=True)
    assert selector.look(scene(0.2, Motion(view=View.MOVING, score=0.1)), ()) is None
    looked = [selector.look(scene(1 + k / 5, little), ()) for k in range(1500)]
    assert set(looked) == {Reason.SMALL, None}
    assert 50 <= looked.count(Reason.SMALL) <= 62  # five minutes


def test_little_motion_is_no_reason_where_motion_is_none():
    selector = started(small=True, motion=False)
    assert selector.look(scene(0.2, Motion(view=View.MOVING, score=0.2)), ()) is None
