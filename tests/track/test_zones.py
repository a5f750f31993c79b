import pytest

from blikk_edge.core.geometry import Polygon
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.tracking.tracker import Tracker
from blikk_edge.transforms.tracking.zones import Zone, Zones

LEFT = Zone(name="left", polygon=Polygon.of([(0, 0), (0.5, 0), (0.5, 1), (0, 1)]))
LOWER = Zone(name="lower", polygon=Polygon.of([(0, 0.6), (1, 0.6), (1, 1), (0, 1)]))


def zones_over(scene, looks, *zones):
    tracker, placing = Tracker(), Zones(zones)
    scenes = [placing(tracker(scene(0.2 * i, *detections))) for i, detections in enumerate(looks)]
    return [s.tracks[0].zones if s.tracks else None for s in scenes]


def test_new_track_is_where_it_is_first_seen(scene, person):
    assert zones_over(scene, [[person(0.2)]], LEFT, LOWER) == [("left", "lower")]


def test_feet_decide_not_the_middle(scene, person):
    assert zones_over(scene, [[person(0.2, 0.3)]], LEFT, LOWER) == [("left",)]


def test_change_counts_from_the_second_look(scene, person):
    looks = [[person(x)] for x in (0.46, 0.48, 0.52, 0.54, 0.56)]
    assert zones_over(scene, looks, LEFT) == [("left",)] * 3 + [()] * 2


def test_jitter_at_the_edge_does_not_flap(scene, person):
    looks = [[person(0.49 if i % 2 == 0 else 0.51)] for i in range(20)]
    assert zones_over(scene, looks, LEFT) == [("left",)] * 20


def test_missed_look_is_no_second_look(scene, person):
    looks = [[person(0.48)], [person(0.49)], [person(0.51)], [], [person(0.51)]]
    assert zones_over(scene, looks, LEFT) == [("left",)] * 4 + [()]


def test_frame_without_a_look_keeps_the_zones(scene, person):
    tracker, placing = Tracker(), Zones([LEFT])
    placing(tracker(scene(0.0, person(0.2))))
    assert placing(tracker(scene(0.2, analysed=False))).tracks[0].zones == ("left",)


def test_only_the_labels_of_a_zone_count(scene, person):
    cars_only = Zone(name="drive", polygon=LEFT.polygon, labels=(Label.VEHICLE,))
    assert zones_over(scene, [[person(0.2)]], cars_only) == [()]


@pytest.mark.parametrize("x", [0.99, 1.0])
def test_feet_at_the_border_are_in_a_zone_that_reaches_it(scene, person, x):
    assert zones_over(scene, [[person(x, 0.9)]], LOWER) == [("lower",)]


def test_reset_forgets_the_places(scene, person):
    tracker, placing = Tracker(), Zones([LEFT])
    placing(tracker(scene(0.0, person(0.48))))
    placing.reset()
    assert placing(tracker(scene(0.2, person(0.52)))).tracks[0].zones == ()


def test_who_was_seen_once_across_an_edge_may_not_rest_until_it_is_sure(scene, person):
    looks = [[person(0.44)]] * 6 + [[person(0.51)]] * 3
    tracker, placing = Tracker(), Zones([LEFT])
    tracks = [placing(tracker(scene(0.2 * i, *detections))).tracks[0] for i, detections in enumerate(looks)]
    assert [(t.zones, t.rest_s > 0) for t in tracks[5:]] == [
        (("left",), True),
        (("left",), False),
        ((), True),
        ((), True),
    ]
