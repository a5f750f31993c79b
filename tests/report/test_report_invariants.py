"""Whatever a detector finds, the records keep the contract."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box, Polygon
from blikk_edge.core.observation import Phase
from blikk_edge.core.reporter import EventReporter, ReportRules
from blikk_edge.core.sightings import Detection, Label, Motion, View
from blikk_edge.transforms.tracking.tracker import Tracker
from blikk_edge.transforms.tracking.zones import Zone, Zones

HALVES = [
    Zone(name="left", polygon=Polygon.of([(0, 0), (0.5, 0), (0.5, 1), (0, 1)])),
    Zone(name="right", polygon=Polygon.of([(0.5, 0), (1, 0), (1, 1), (0.5, 1)])),
]

# A few places on a grid, so that things come back where they were and tracks really live for a while.
places = st.builds(
    lambda label, column, wobble, score: Detection(
        label=label,
        sub_label=str(label),
        score=score,
        box=Box(0.1 + 0.2 * column + wobble, 0.3, 0.22 + 0.2 * column + wobble, 0.7),
    ),
    st.sampled_from(Label),
    st.integers(0, 3),
    st.floats(-0.02, 0.02),
    st.sampled_from([0.2, 0.5, 0.9]),
)
scenes = st.tuples(
    st.sampled_from([0.2, 0.2, 0.2, 0.5, 3.0, 20.0]),
    st.sampled_from([True, True, True, False]),
    st.lists(places, max_size=4),
    st.sampled_from(View),
    st.floats(0, 1),
    st.integers(1, 6),
)


def records(make, steps, rules):
    tracker, zones, reporter = Tracker(still_s=1.0), Zones(HALVES), EventReporter("porch", rules)
    reported, time = [], 1000.0
    for dt, analysed, detections, view, score, repeats in steps:
        for _ in range(repeats):
            time += dt
            scene = replace(
                make(time, analysed=analysed, detections=tuple(detections) if analysed else ()),
                motion=Motion(view=view, score=score),
            )
            reported.append((time, reporter.report(zones(tracker(scene)))))
    reported.append((time + 5, reporter.end(time + 5)))
    return reported


def keeps_contract(reported, window, cap):
    lives = {}
    for time, one in reported:
        for event in one.events:
            lives.setdefault(event.id, []).append(event)
            assert event.time == time
    for life in lives.values():
        assert [e.revision for e in life] == list(range(1, len(life) + 1))
        assert [e.phase for e in life] == [Phase.STARTED] + [Phase.UPDATED] * (len(life) - 2) + [Phase.ENDED]
        assert len({(e.started, e.label, e.camera) for e in life}) == 1
        assert all(b.peak >= a.peak and set(b.zones) >= set(a.zones) for a, b in pairwise(life))
        assert all(e.objects for e in life)
        assert life[0].started <= life[-1].ended <= life[-1].time
        open_times = [e.time for e in life[:-1]]
        assert all(b - a >= cap - 1e-6 for a, b in pairwise(open_times))

    observations = [(time, o) for time, one in reported for o in one.observations]
    assert [o.time for _, o in observations] == sorted(o.time for _, o in observations)
    assert all(o.time <= o.until <= time for time, o in observations)
    assert all(1 <= o.folded <= window for _, o in observations)
    assert all(o.event in lives for _, o in observations if o.event)
    ids = [*lives, *(o.id for _, o in observations)]
    assert len(ids) == len(set(ids))


@settings(max_examples=120, deadline=None)
@given(st.lists(scenes, max_size=25), st.integers(1, 6), st.sampled_from([0.0, 2.0]))
def test_records_keep_the_contract(scene, steps, window, cap):
    reported = records(scene, steps, ReportRules(summary_window=window, update_every_s=cap, loiter_s=5, park_s=4))
    keeps_contract(reported, window, cap)


@settings(max_examples=120, deadline=None)
@given(st.lists(scenes, max_size=25), st.integers(2, 6))
def test_folding_loses_no_observation(scene, steps, window):
    def count(size):
        rules = ReportRules(summary_window=size, park_s=4)
        return sum(o.folded for _, one in records(scene, steps, rules) for o in one.observations)

    assert count(window) == count(1)


@settings(max_examples=60, deadline=None)
@given(st.lists(scenes, max_size=25))
def test_same_scenes_give_the_same_records(scene, steps):
    assert repr(records(scene, steps, ReportRules())) == repr(records(scene, steps, ReportRules()))


# Tracks as no tracker would make them: they come and go, stand and move, change zones as they like.
wild_tracks = st.tuples(
    st.integers(1, 6),
    st.sampled_from([Box(0.1, 0.1, 0.3, 0.3), Box(0.12, 0.1, 0.32, 0.3), Box(0.6, 0.5, 0.9, 0.9), Box(0, 0, 0, 0)]),
    st.booleans(),
    st.sampled_from([(), ("left",), ("left", "right")]),
    st.integers(0, 2),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.2, 1.0, 10.0, 100.0]),
            st.booleans(),
            st.lists(wild_tracks, max_size=4, unique_by=lambda t: t[0]),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.sampled_from([0.0, 2.0]),
)
def test_wild_tracks_keep_the_contract(scene, track, steps, cap):
    rules = ReportRules(update_every_s=cap, loiter_s=5, park_s=4, zone_loiter_s=(("left", 3.0),))
    reporter, reported, time = EventReporter("porch", rules), [], 1000.0
    for dt, analysed, wild, ends in steps:
        time += dt
        tracks = [
            track(
                key,
                time,
                first=max(1000.0, time - 20),
                label=list(Label)[key % 4],
                box=box,
                still_since=max(1000.0, time - 10) if still else None,
                zones=zones,
                missed=missed,
            )
            for key, box, still, zones, missed in wild
        ]
        reported.append((time, reporter.report(scene(time, *tracks, analysed=analysed))))
        if ends:
            reported.append((time, reporter.end(time)))
    reported.append((time + 5, reporter.end(time + 5)))
    keeps_contract(reported, rules.summary_window, cap)


@pytest.mark.parametrize("gap", [0, 1])
def test_started_comes_at_most_three_looks_after_first_sight(scene, gap):
    person = Detection(label=Label.PERSON, sub_label="person", score=0.8, box=Box(0.4, 0.3, 0.5, 0.7))
    tracker, reporter = Tracker(), EventReporter("porch")
    looks = [(person,), *[()] * gap, (person,)]
    reported = [reporter.report(tracker(scene(i / 5, detections=found))) for i, found in enumerate(looks)]
    assert [len(one.events) for one in reported] == [0] * (len(looks) - 1) + [1]
    assert len(looks) <= 3
