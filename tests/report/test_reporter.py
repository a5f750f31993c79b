import pytest

from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Observed, Phase
from blikk_edge.core.parked import parked_from_json, parked_to_json
from blikk_edge.core.reporter import EventReporter, ReportRules, distance
from blikk_edge.core.sightings import Label, View

DRIVE = Box(0.2, 0.4, 0.5, 0.7)
QUICK = ReportRules(update_every_s=0.0)


def play(reporter, scenes):
    """Report scenes in order; all events and all observations."""
    events, observations = [], []
    for scene in scenes:
        reported = reporter.report(scene)
        events += reported.events
        observations += reported.observations
    return events, observations


def lives(events):
    return [(e.phase, e.reason, e.revision) for e in events]


def test_visit_is_started_with_the_first_confirmed_track_and_ended_once(scene, track):
    reporter = EventReporter("porch")
    scenes = [scene(0.0, track(1, 0.0, confirmed=False))]
    scenes += [scene(t / 5, track(1, t / 5, first=0.0)) for t in range(1, 6)]
    scenes += [scene(1.2, track(1, 1.0, first=0.0, missed=1)), scene(2.6), scene(2.8)]
    events, observations = play(reporter, scenes)
    assert lives(events) == [(Phase.STARTED, Observed.APPEARED, 1), (Phase.ENDED, Observed.LEFT, 2)]
    assert [(e.time, e.started, e.ended) for e in events] == [(0.2, 0.0, None), (2.6, 0.0, 1.0)]
    assert len({e.id for e in events}) == 1
    assert [(o.kind, o.event) for o in observations] == [
        (Observed.APPEARED, events[0].id),
        (Observed.LEFT, events[0].id),
    ]
    assert events[1].objects[0].track == 1


def test_ids_come_from_capture_time(scene, track):
    (event,), (observation,) = play(EventReporter("porch"), [scene(60.25, track(1, 60.25, first=60.0))])
    assert event.id == "porch-19700101T000100000-1"
    assert observation.id == "porch-19700101T000100250-2"


def test_person_who_only_stands_there_is_reported_once_and_stays_quiet(scene, track):
    looks = [scene(10.0 * i, track(1, 10.0 * i, first=0.0, still_since=0.0)) for i in range(1, 400)]
    events, _ = play(EventReporter("porch", ReportRules(loiter_s=0)), looks)
    assert lives(events) == [(Phase.STARTED, Observed.APPEARED, 1)]


def test_unconfirmed_track_is_not_reported(scene, track):
    assert play(EventReporter("porch"), [scene(i / 5, track(1, i / 5, confirmed=False)) for i in range(9)]) == ([], [])


def test_two_people_make_one_visit(scene, track):
    both = [scene(1.0, track(1, 1.0, first=0.0)), scene(4.0, track(1, 4.0, first=0.0), track(2, 4.0))]
    one = [scene(7.0, track(2, 7.0, first=4.0)), scene(10.0)]
    events, observations = play(EventReporter("porch"), both + one)
    assert lives(events) == [
        (Phase.STARTED, Observed.APPEARED, 1),
        (Phase.UPDATED, Observed.RECOUNT, 2),
        (Phase.UPDATED, Observed.RECOUNT, 3),
        (Phase.ENDED, Observed.LEFT, 4),
    ]
    assert [len(e.objects) for e in events] == [1, 2, 1, 1]
    assert [e.peak for e in events] == [1, 2, 2, 2]
    assert [(o.kind, o.time) for o in observations] == [
        (Observed.APPEARED, 1.0),
        (Observed.APPEARED, 4.0),
        (Observed.LEFT, 7.0),
        (Observed.LEFT, 10.0),
    ]


def test_people_and_vehicles_are_separate_events(scene, track):
    events, _ = play(EventReporter("porch"), [scene(1.0, track(1, 1.0), track(2, 1.0, label=Label.VEHICLE, box=DRIVE))])
    assert [e.label for e in events] == [Label.PERSON, Label.VEHICLE]
    assert len({e.id for e in events}) == 2


def test_labels_that_are_not_wanted_are_not_reported(scene, track):
    reporter = EventReporter("porch", ReportRules(labels=(Label.PERSON,)))
    assert play(reporter, [scene(1.0, track(2, 1.0, label=Label.VEHICLE, box=DRIVE))]) == ([], [])


def test_track_missed_for_some_looks_changes_nothing(scene, track):
    looks = [scene(1.0, track(1, 1.0))] + [scene(1.0 + i, track(1, 1.0, missed=i)) for i in range(1, 4)]
    events, _ = play(EventReporter("porch", QUICK), looks)
    assert lives(events) == [(Phase.STARTED, Observed.APPEARED, 1)]


def test_updates_come_at_most_every_two_seconds_and_tell_the_latest(scene, track):
    crowd = [[track(k, i / 5, first=0.0) for k in range(1, 2 + i)] for i in range(16)]
    events, _ = play(EventReporter("porch"), [scene(i / 5, *tracks) for i, tracks in enumerate(crowd)])
    assert [(e.phase, e.time, len(e.objects)) for e in events] == [
        (Phase.STARTED, 0.0, 1),
        (Phase.UPDATED, 2.0, 11),
    ]


def test_change_within_the_cap_is_reported_when_the_cap_allows(scene, track):
    scenes = [scene(0.0, track(1, 0.0)), scene(0.4, track(1, 0.4, first=0.0), track(2, 0.4))]
    scenes += [scene(i / 5, track(1, 0.4, first=0.0), track(2, 0.4), analysed=False) for i in range(3, 12)]
    events, _ = play(EventReporter("porch"), scenes)
    assert [(e.phase, e.time) for e in events] == [(Phase.STARTED, 0.0), (Phase.UPDATED, 2.0)]


def test_zones_are_reported_and_collected(scene, track):
    path = [("street",), ("street", "garden"), ("garden",), ()]
    scenes = [scene(3.0 * i, track(1, 3.0 * i, first=0.0, zones=zones)) for i, zones in enumerate(path)]
    events, observations = play(EventReporter("porch"), scenes)
    assert [(e.reason, e.zones) for e in events] == [
        (Observed.APPEARED, ("street",)),
        (Observed.ENTERED_ZONE, ("street", "garden")),
        (Observed.LEFT_ZONE, ("street", "garden")),
        (Observed.LEFT_ZONE, ("street", "garden")),
    ]
    assert [(o.kind, o.zones) for o in observations] == [
        (Observed.APPEARED, ("street",)),
        (Observed.ENTERED_ZONE, ("garden",)),
        (Observed.LEFT_ZONE, ("street",)),
        (Observed.LEFT_ZONE, ("garden",)),
    ]


def test_loitering_is_reported_once(scene, track):
    scenes = [scene(float(t), track(1, float(t), first=0.0)) for t in range(0, 200, 2)]
    events, observations = play(EventReporter("porch", ReportRules(loiter_s=60)), scenes)
    assert [(e.time, e.loitering) for e in events] == [(0.0, False), (60.0, True)]
    assert [o.kind for o in observations] == [Observed.APPEARED, Observed.LOITERING]


@pytest.mark.parametrize(("zone_s", "reported_at"), [(20.0, 50.0), (300.0, None)])
def test_zone_has_its_own_patience(scene, track, zone_s, reported_at):
    """The person enters the zone at 30 s; the camera's 60 s do not hold in there."""
    scenes = [
        scene(float(t), track(1, float(t), first=0.0, zones=("garden",) if t >= 30 else ())) for t in range(0, 120, 2)
    ]
    rules = ReportRules(loiter_s=60, zone_loiter_s=(("garden", zone_s),))
    _, observations = play(EventReporter("porch", rules), scenes)
    assert next((o.time for o in observations if o.kind is Observed.LOITERING), None) == reported_at


def test_standing_still_and_moving_again_are_reported(scene, track):
    scenes = [
        scene(0.0, track(1, 0.0)),
        scene(12.0, track(1, 12.0, first=0.0, still_since=1.0)),
        scene(20.0, track(1, 20.0, first=0.0)),
    ]
    events, _ = play(EventReporter("porch"), scenes)
    assert [(e.reason, e.objects[0].still) for e in events] == [
        (Observed.APPEARED, False),
        (Observed.STILL, True),
        (Observed.MOVING, False),
    ]


def parking(scene, track, key, start, *, seconds=60):
    """A car that arrives at `start`, drives for 5 s and stands still on the drive."""
    for i in range(seconds * 5):
        time = start + i / 5
        arrived = i >= 25
        box = DRIVE if arrived else Box(0.5 - i / 100, 0.1, 0.8 - i / 100, 0.4)
        still = start + 5 if i >= 75 else None
        yield scene(time, track(key, time, first=start, label=Label.VEHICLE, box=box, still_since=still))


def driving_off(scene, track, key, start):
    for i in range(30):
        box = Box(0.2 + i / 60, 0.4, min(1.0, 0.5 + i / 60), 0.7)
        yield scene(start + i / 5, track(key, start + i / 5, first=start - 9, label=Label.VEHICLE, box=box))


def test_vehicle_event_ends_when_it_has_parked(scene, track):
    reporter = EventReporter("porch", QUICK)
    events, _ = play(reporter, parking(scene, track, 1, 100.0))
    assert lives(events) == [
        (Phase.STARTED, Observed.APPEARED, 1),
        (Phase.UPDATED, Observed.STILL, 2),
        (Phase.ENDED, Observed.STILL, 3),
    ]
    assert [(p.box, p.since) for p in reporter.parked] == [(DRIVE, 105.0)]
    assert events[-1].time == pytest.approx(135.0)
    assert events[-1].objects[0].track == 1


def test_parked_vehicle_is_not_reported_again_after_a_restart(scene, track):
    before = EventReporter("porch")
    play(before, parking(scene, track, 1, 100.0))
    after = EventReporter("porch", parked=parked_from_json(parked_to_json(before.parked)))
    seen = Box(0.21, 0.41, 0.5, 0.71)
    looks = [scene(900.0 + t, track(1, 900.0 + t, first=900.0, label=Label.VEHICLE, box=seen)) for t in range(200)]
    assert play(after, looks) == ([], [])
    assert after.parked == before.parked


def test_parked_vehicle_with_a_new_track_is_not_reported_again(scene, track):
    reporter = EventReporter("porch")
    play(reporter, parking(scene, track, 1, 100.0))
    again = [scene(200.0 + t, track(2, 200.0 + t, first=200.0, label=Label.VEHICLE, box=DRIVE)) for t in range(50)]
    assert play(reporter, again) == ([], [])


def test_parked_vehicle_that_drives_off_is_reported(scene, track):
    reporter = EventReporter("porch")
    play(reporter, parking(scene, track, 1, 100.0))
    events, _ = play(reporter, driving_off(scene, track, 1, 500.0))
    assert lives(events)[:1] == [(Phase.STARTED, Observed.MOVING, 1)]
    assert 500.0 < events[0].started <= events[0].time < 504.0
    gone, _ = play(reporter, [scene(506.0 + i / 5) for i in range(50)])
    assert [(e.phase, e.id) for e in gone] == [(Phase.ENDED, events[0].id)]
    assert reporter.parked == ()


def test_second_vehicle_is_reported_while_the_first_is_parked(scene, track):
    reporter = EventReporter("porch")
    play(reporter, parking(scene, track, 1, 100.0))
    parked = track(1, 200.0, first=100.0, label=Label.VEHICLE, box=DRIVE, still_since=105.0)
    passing = track(2, 200.0, label=Label.VEHICLE, box=Box(0.6, 0.1, 0.9, 0.3))
    events, _ = play(reporter, [scene(200.0, parked, passing)])
    assert [[o.track for o in e.objects] for e in events] == [[2]]


def test_package_is_reported_once_it_stands_alone(scene, track):
    parcel, carrier = Box(0.45, 0.55, 0.52, 0.62), Box(0.4, 0.3, 0.55, 0.8)
    with_carrier = [
        scene(t, track(1, t, first=0.0, box=carrier), track(2, t, first=0.0, label=Label.PACKAGE, box=parcel))
        for t in (i / 5 for i in range(50))
    ]
    alone = [scene(t, track(2, t, first=0.0, label=Label.PACKAGE, box=parcel)) for t in (10 + i / 5 for i in range(50))]
    events, _ = play(EventReporter("porch"), with_carrier + alone)
    (package,) = [e for e in events if e.label is Label.PACKAGE]
    assert (package.phase, package.started, package.time) == (Phase.STARTED, 9.8, pytest.approx(12.8))


def moving(scene, time, score=0.6):
    return scene(time, view=View.MOVING, score=score, analysed=False)


def test_motion_alone_is_observed_but_is_no_event(scene):
    events, observations = play(EventReporter("porch"), [moving(scene, i / 5) for i in range(5)])
    assert events == []
    assert [(o.kind, o.event, o.score) for o in observations] == [(Observed.MOTION, None, 0.6)]


def test_lasting_motion_is_folded(scene):
    scenes = [moving(scene, i / 5) for i in range(150)] + [scene(30 + i / 5) for i in range(30)]
    _, observations = play(EventReporter("porch"), scenes)
    assert [(o.time, o.folded) for o in observations] == [(0.0, 1), (2.0, 5), (12.0, 5), (22.0, 4)]


def test_motion_below_the_threshold_is_not_reported_until_the_threshold_is_set(scene):
    reporter = EventReporter("porch")
    assert reporter.report(moving(scene, 0.0, 0.2)).observations == ()
    reporter.event_threshold = 0.1
    assert [o.kind for o in reporter.report(moving(scene, 0.2, 0.2)).observations] == [Observed.MOTION]


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_threshold_outside_0_to_1_is_refused(value):
    reporter = EventReporter("porch")
    with pytest.raises(ValueError, match="event_threshold"):
        reporter.event_threshold = value
    assert reporter.event_threshold == 0.3


def test_motion_of_a_visitor_is_not_reported_apart(scene, track):
    scenes = [scene(t, track(1, t, first=0.0), view=View.MOVING, score=0.9) for t in (i / 5 for i in range(50))]
    _, observations = play(EventReporter("porch"), scenes)
    assert [o.kind for o in observations] == [Observed.APPEARED]


def test_another_view_is_observed_once(scene):
    scenes = [scene(0.0), *(scene(0.2 * i, view=View.NEW_SCENE) for i in range(1, 5)), scene(1.0)]
    events, observations = play(EventReporter("porch"), scenes)
    assert (events, [o.kind for o in observations]) == ([], [Observed.SCENE])


def test_embedding_far_from_the_last_one_reported_is_observed(scene):
    path = [(1.0, 0.0), (0.95, 0.3), (0.0, 1.0), (0.1, 1.0)]
    _, observations = play(EventReporter("porch"), [scene(20.0 * i, embedding=e) for i, e in enumerate(path)])
    assert [(o.kind, o.time) for o in observations] == [(Observed.SCENE, 40.0)]


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [((1, 0), (2, 0), 0.0), ((1, 0), (0, 1), 1.0), ((1, 0), (-1, 0), 1.0), ((0, 0), (1, 0), 1.0), ((1,), (1, 0), 1.0)],
)
def test_distance_of_embeddings(a, b, apart):
    assert distance(a, b) == pytest.approx(apart)


def test_end_ends_every_open_event_once_and_reports_what_was_held(scene, track):
    reporter = EventReporter("porch")
    play(reporter, [moving(scene, 0.0), moving(scene, 2.0), scene(3.0, analysed=False)])
    started, _ = play(reporter, [scene(3.2, track(2, 3.2, label=Label.VEHICLE, box=DRIVE), track(1, 3.2))])
    reported = reporter.end(9.0)
    assert [(e.id, e.phase, e.time, e.ended) for e in reported.events] == [
        (e.id, Phase.ENDED, 9.0, 3.2) for e in started
    ]
    assert reporter.end(10.0).events == ()


def test_who_is_still_there_after_an_end_is_a_new_event(scene, track):
    reporter = EventReporter("porch")
    before, _ = play(reporter, [scene(1.0, track(1, 1.0))])
    reporter.end(2.0)
    after, _ = play(reporter, [scene(3.0, track(1, 3.0, first=1.0))])
    assert lives(after) == [(Phase.STARTED, Observed.APPEARED, 1)]
    assert after[0].id != before[0].id


def test_track_that_nobody_sees_now_starts_nothing(scene, track):
    """As after detection was off for an hour: the tracker still knows who was there."""
    reporter = EventReporter("porch")
    reporter.end(3600.0)
    old = [scene(3600.2, track(1, 5.0, first=1.0), analysed=False), scene(3600.4, track(1, 5.0, first=1.0, missed=1))]
    assert play(reporter, old) == ([], [])
