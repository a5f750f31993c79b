import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.transforms.tracking.follow import REST_S
from blikk_edge.transforms.tracking.tracker import Tracker

FIVE_FPS = 0.2


def run(tracker, scene, looks, start=0.0, every=FIVE_FPS):
    """Feed one list of detections per frame; the tracks after each."""
    return [tracker(scene(start + i * every, *detections)).tracks for i, detections in enumerate(looks)]


def confirmed(tracks):
    return [t.id for t in tracks if t.confirmed]


def test_second_sight_confirms(scene, person):
    after = run(Tracker(), scene, [[person(0.5)], [person(0.5)]])
    assert [confirmed(tracks) for tracks in after] == [[], [1]]


def test_two_sights_in_three_looks_confirm(scene, person):
    after = run(Tracker(), scene, [[person(0.5)], [], [person(0.5)]])
    assert confirmed(after[-1]) == [1]


def test_single_false_detection_is_never_confirmed_and_goes(scene, person):
    after = run(Tracker(), scene, [[person(0.5, score=0.99)], [], [], []])
    assert not any(confirmed(tracks) for tracks in after)
    assert after[-1] == ()


def test_faint_detection_starts_no_track(scene, person):
    after = run(Tracker(thresholds={Label.PERSON: 0.6}), scene, [[person(0.5, score=0.5)]] * 4)
    assert after[-1] == ()


def test_faint_detection_continues_a_track(scene, person):
    looks = [[person(0.5)]] * 3 + [[person(0.5, score=0.3)]] * 10
    last = run(Tracker(), scene, looks)[-1]
    assert [(t.id, t.missed) for t in last] == [(1, 0)]


def test_score_of_the_threshold_itself_counts(scene, person):
    after = run(Tracker(thresholds={Label.PERSON: 0.45}), scene, [[person(0.5, score=0.45)]] * 2)
    assert confirmed(after[-1]) == [1]


@pytest.mark.parametrize("step", [0.03, 0.06, 0.09])
def test_walker_whose_boxes_do_not_overlap_keeps_the_id(scene, person, step):
    """0.06 of a 4:3 picture is 0.2 of the height of a person of 0.4 in one fifth of a second: a run."""
    looks = [[person(0.1 + step * i)] for i in range(9)]
    after = run(Tracker(), scene, looks)
    assert {t.id for tracks in after for t in tracks} == {1}


def test_track_survives_five_missed_looks_on_the_way(scene, person):
    looks = [[person(0.2 + 0.02 * i)] if not 10 <= i < 15 else [] for i in range(25)]
    after = run(Tracker(), scene, looks)
    assert {t.id for tracks in after for t in tracks} == {1}
    assert [t.missed for t in after[14]] == [5]


def test_missed_track_keeps_its_last_box(scene, person):
    after = run(Tracker(), scene, [[person(0.4)], [person(0.42)], []])
    assert after[-1][0].box == person(0.42).box


def test_people_who_cross_keep_their_ids(scene, person):
    """The one behind is hidden while they pass: the detector shows one box for three looks."""
    looks = []
    for i in range(21):
        a, b = 0.2 + 0.03 * i, 0.8 - 0.03 * i
        hidden = abs(a - b) < 0.1
        looks.append(
            [person(a, 0.55, height=0.44)] if hidden else [person(a, 0.55, height=0.44), person(b, height=0.4)]
        )
    after = run(Tracker(), scene, looks)
    ids = {t.id: t.box.centre[0] for t in after[-1]}
    assert ids == {1: pytest.approx(0.8), 2: pytest.approx(0.2)}


def test_ids_are_given_once(scene, person):
    tracker = Tracker()
    run(tracker, scene, [[person(0.5)]] * 3)
    tracker.reset()
    after = run(tracker, scene, [[person(0.5)]] * 2, start=10.0)
    assert confirmed(after[-1]) == [2]


def test_labels_never_mix_but_sub_labels_may_flip(scene):
    box = Box(0.3, 0.3, 0.6, 0.6)

    def seen(label, name):
        return [Detection(label=label, sub_label=name, score=0.8, box=box)]

    looks = [seen(Label.VEHICLE, name) for name in ("car", "truck", "car")] + [seen(Label.ANIMAL, "dog")] * 2
    last = run(Tracker(), scene, looks)[-1]
    assert [(t.id, t.label, t.sub_label) for t in last] == [(1, Label.VEHICLE, "car"), (2, Label.ANIMAL, "dog")]


def test_second_box_on_one_person_is_no_second_track(scene, person):
    looks = [[person(0.5), person(0.505, score=0.6)]] * 5
    assert len(run(Tracker(), scene, looks)[-1]) == 1


def gone_after(after, start):
    """Seconds from the first missing look until the track is gone."""
    return next(i for i, tracks in enumerate(after) if i > start and not tracks) * FIVE_FPS - start * FIVE_FPS


def test_who_leaves_over_the_border_is_gone_after_a_second_and_a_half(scene, person):
    looks = [[person(0.6 + 0.04 * i)] for i in range(11)] + [[]] * 30
    assert gone_after(run(Tracker(), scene, looks), 11) == pytest.approx(1.6, abs=0.11)


def test_who_vanishes_in_the_middle_is_kept_for_four_seconds(scene, person):
    looks = [[person(0.4 + 0.01 * i)] for i in range(10)] + [[]] * 30
    assert gone_after(run(Tracker(), scene, looks), 10) == pytest.approx(4.0, abs=0.11)


def test_who_comes_back_from_behind_something_keeps_the_id(scene, person):
    looks = [[person(0.3 + 0.01 * i)] for i in range(10)] + [[]] * 17 + [[person(0.45)]] * 3
    assert [t.id for t in run(Tracker(), scene, looks)[-1]] == [1]


def test_next_visitor_elsewhere_gets_an_own_id(scene, person):
    looks = [[person(0.3)]] * 10 + [[]] * 10 + [[person(0.75)]] * 3
    after = run(Tracker(), scene, looks)
    assert confirmed(after[-1]) == [1, 2]


def test_nothing_ages_while_nobody_looks(scene, person):
    tracker = Tracker()
    before = run(tracker, scene, [[person(0.5)]] * 3)[-1]
    for i in range(100):
        assert tracker(scene(1.0 + i, analysed=False)).tracks == before
    assert [t.id for t in tracker(scene(200.0, person(0.5))).tracks] == [1]


def test_standing_still_is_noticed_through_jitter(scene, person):
    wobble = (0.0, 0.008, -0.006, 0.004, -0.009)
    looks = [[person(0.5 + wobble[i % 5], 0.5 - wobble[i % 3])] for i in range(80)]
    after = run(Tracker(still_s=10.0), scene, looks)
    first = next(i for i, tracks in enumerate(after) if tracks[0].still_since is not None)
    assert first * FIVE_FPS == pytest.approx(10.0)
    assert after[-1][0].still_since == 0.0


def test_one_wild_box_does_not_end_standing_still(scene, person):
    looks = [[person(0.5)]] * 60 + [[person(0.5, 0.55, height=0.3)]] + [[person(0.5)]] * 5
    assert run(Tracker(still_s=10.0), scene, looks)[-1][0].still_since == 0.0


def test_walking_off_ends_standing_still(scene, person):
    looks = [[person(0.5)]] * 60 + [[person(0.5 + 0.02 * i)] for i in range(1, 10)]
    after = run(Tracker(still_s=10.0), scene, looks)
    assert after[59][0].still_since == 0.0
    assert after[-1][0].still_since is None


def test_slow_walker_does_not_stand_still(scene, person):
    looks = [[person(0.2 + 0.003 * i)] for i in range(200)]
    assert all(tracks[0].still_since is None for tracks in run(Tracker(still_s=10.0), scene, looks))


def test_still_object_that_the_detector_loses_stays_until_something_moves_there(scene, person):
    tracker = Tracker(still_s=2.0)
    run(tracker, scene, [[person(0.5)]] * 20)
    calm = run(tracker, scene, [[]] * 50, start=4.0)
    assert [t.id for t in calm[-1]] == [1]
    tracker(scene(14.0, motion=(Box(0.45, 0.4, 0.55, 0.6),)))
    assert tracker(scene(14.2)).tracks == ()


def test_motion_in_the_first_look_that_misses_a_still_object_counts(scene, person):
    tracker = Tracker(still_s=2.0)
    run(tracker, scene, [[person(0.5)]] * 20)
    tracker(scene(4.0, motion=(Box(0.45, 0.4, 0.55, 0.6),)))
    assert run(tracker, scene, [[]] * 22, start=4.2)[-1] == ()


def test_still_person_who_was_last_seen_walking_off_is_not_kept(scene, person):
    """At low rates one look is all there is between standing and gone."""
    tracker = Tracker(still_s=2.0)
    run(tracker, scene, [[person(0.5)]] * 20 + [[person(0.6)]])
    assert run(tracker, scene, [[]] * 25, start=4.2)[-1] == ()


def test_time_that_steps_back_changes_no_id(scene, person):
    tracker = Tracker()
    run(tracker, scene, [[person(0.5)]] * 3, start=100.0)
    assert [t.id for t in tracker(scene(50.0, person(0.5))).tracks] == [1]
    assert tracker(scene(50.0, person(0.5))).tracks[0].last_seen >= 100.0


unit = st.floats(0, 1)


@st.composite
def detections(draw):
    x1, x2 = sorted((draw(unit), draw(unit)))
    y1, y2 = sorted((draw(unit), draw(unit)))
    if draw(st.booleans()):
        x2 = x1
    return Detection(label=draw(st.sampled_from(Label)), sub_label="thing", score=draw(unit), box=Box(x1, y1, x2, y2))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.lists(detections(), max_size=5)), max_size=25),
    st.sampled_from([(640, 480), (1, 4000), (4000, 1)]),
)
def test_any_boxes_and_times_give_sound_tracks(scene, steps, size):
    tracker, time, known = Tracker(still_s=1.0), 1000.0, set()
    for dt, analysed, found in steps:
        time += dt
        tracks = tracker(scene(time, *(found if analysed else ()), analysed=analysed, size=size)).tracks
        ids = [t.id for t in tracks]
        assert ids == sorted(set(ids))
        assert not {i for i in ids if i not in known and i < max(known, default=0)}
        known |= set(ids)
        for t in tracks:
            assert all(math.isfinite(v) for v in (t.score, t.best_score, t.first_seen, t.last_seen))
            assert 1000.0 <= t.first_seen <= t.last_seen <= time
            assert t.score <= t.best_score
            assert t.still_since is None or t.first_seen <= t.still_since <= t.last_seen
        for follow in tracker._follows:
            assert math.isfinite(follow._x.position + follow._y.position + follow._width.position)


def rests(after, key=1):
    return [next(t.rest_s for t in tracks if t.id == key) for tracks in after]


def test_young_track_may_not_rest_and_a_steady_walker_may_for_a_while(scene, person):
    """0.02 of a 4:3 picture in a fifth of a second are a third of the height of a person of 0.4 in a second."""
    after = run(Tracker(), scene, [[person(0.2 + 0.02 * i)] for i in range(12)])
    assert rests(after)[:3] == [0.0] * 3
    assert set(rests(after)[6:]) == {REST_S}


def test_who_stands_may_rest_and_who_has_stood_for_long_until_something_moves(scene, person):
    after = run(Tracker(still_s=5.0), scene, [[person(0.5)] for _ in range(40)])
    assert rests(after)[10] == REST_S
    assert rests(after)[-1] == math.inf


def test_who_just_moves_off_after_standing_may_not_rest(scene, person):
    looks = [[person(0.5)] for _ in range(40)] + [[person(0.58)]]
    after = run(Tracker(still_s=5.0), scene, looks)
    assert after[-1][0].still_since is not None
    assert rests(after)[-1] == 0.0


def test_runner_may_not_rest(scene, person):
    after = run(Tracker(), scene, [[person(0.1 + 0.1 * i)] for i in range(8)])
    assert set(rests(after)) == {0.0}


def test_who_turns_round_may_not_rest(scene, person):
    there = [[person(0.2 + 0.04 * i)] for i in range(10)]
    back = [[person(0.56 - 0.06)]]
    after = run(Tracker(), scene, there + back)
    assert rests(after)[-2:] == [REST_S, 0.0]


def test_two_who_are_about_to_meet_may_not_rest_and_two_apart_may(scene, person):
    """They are 0.15 wide, and 0.12 apart when they come as near as the motion until the next look."""
    looks = [[person(0.2 + 0.02 * i), person(0.8 - 0.02 * i)] for i in range(12)]
    after = run(Tracker(), scene, looks)
    assert rests(after)[7] == rests(after, 2)[7] == REST_S
    assert rests(after)[-1] == rests(after, 2)[-1] == 0.0


def test_who_is_missed_is_looked_for_in_every_frame(scene, person):
    looks = [[person(0.5)] for _ in range(10)] + [[] for _ in range(5)]
    assert rests(run(Tracker(), scene, looks))[-5:] == [0.0] * 5


def test_a_walker_who_is_looked_at_twice_a_second_keeps_the_id_and_is_expected_where_he_is(scene, person):
    tracker = Tracker()
    at = 0.0
    while at < 8.0:
        track = tracker(scene(at, person(0.1 + 0.1 * at))).tracks[0]
        at += track.rest_s or FIVE_FPS
    expected = track.expected(track.last_seen + 0.5)
    assert track.id == 1
    assert expected.centre[0] == pytest.approx(track.box.centre[0] + 0.05, abs=0.01)
