"""A real clip through the real detector: six people, one after another, are six visits."""

import json
from dataclasses import replace

import pytest

from blikk_edge.core.observation import Observed, Phase
from blikk_edge.core.reporter import EventReporter
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.tracking.tracker import Tracker

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
FPS = 10
SLACK_S = 0.8  # the intervals were marked to within half a second, and a look comes every 0.2 s


@pytest.fixture(scope="module")
def scenes(look_at):
    """Every second frame: 5 fps."""
    return look_at(CLIP, fps=FPS, step=2)


@pytest.fixture(scope="module")
def intervals(data):
    """When somebody is there, in seconds."""
    clips = json.loads((data / "annotations/event_intervals.json").read_text())["clips"]
    return [(first / FPS, last / FPS) for first, last in clips[CLIP]["intervals"]]


def reported(scenes, thresholds):
    tracker, reporter = Tracker(thresholds=thresholds), EventReporter("hall")
    every = [reporter.report(tracker(scene)) for scene in scenes]
    return [*every, reporter.end(scenes[-1].frame.time)]


def events(every, phase):
    return [event for one in every for event in one.events if event.phase is phase]


@pytest.mark.parametrize("faint", [True, False], ids=["with faint boxes", "confident boxes only"])
def test_six_people_are_six_visits_and_nothing_else(scenes, thresholds, intervals, faint):
    if not faint:
        scenes = [
            replace(s, detections=tuple(d for d in s.detections if d.score >= thresholds[d.label])) for s in scenes
        ]
    every = reported(scenes, thresholds)
    visits = [(e.label, e.started, e.ended) for e in events(every, Phase.ENDED)]
    assert [label for label, _, _ in visits] == [Label.PERSON] * 6
    for (_, started, ended), (first, last) in zip(visits, intervals, strict=True):
        assert started == pytest.approx(first, abs=SLACK_S)
        assert ended == pytest.approx(last, abs=SLACK_S)


@pytest.mark.parametrize("every_nth", [1, 2])
def test_started_comes_within_three_looks_of_first_sight(scenes, thresholds, every_nth):
    every = reported(scenes[::every_nth], thresholds)
    delays = [event.time - event.started for event in events(every, Phase.STARTED)]
    assert len(delays) == 6
    assert max(delays) <= 3 * 0.2 * every_nth


def test_the_four_who_stand_for_ten_seconds_are_reported_to_stand_still(scenes, thresholds):
    every = reported(scenes, thresholds)
    still = {o.event for one in every for o in one.observations if o.kind is Observed.STILL}
    order = [event.id for event in events(every, Phase.STARTED)]
    assert [order.index(event) for event in order if event in still] == [0, 1, 2, 4]


def test_visit_ends_within_two_seconds_of_the_last_sight(scenes, thresholds):
    assert all(event.time - event.ended <= 2.0 for event in events(reported(scenes, thresholds), Phase.ENDED)[:-1])


def test_same_clip_gives_the_same_records_byte_for_byte(scenes, thresholds):
    assert repr(reported(scenes, thresholds)).encode() == repr(reported(scenes, thresholds)).encode()
