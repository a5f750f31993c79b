"""Two real parked cars at the edge of a street: reported once, and never again after a restart."""

import pytest

from blikk_edge.core.observation import Observed, Phase
from blikk_edge.core.parked import parked_from_json, parked_to_json
from blikk_edge.core.reporter import EventReporter
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.tracking.tracker import Tracker

CLIP = "video/vtest_pets09s2l1/vtest_first400.mp4"


@pytest.fixture(scope="module")
def scenes(look_at):
    """40 s at 5 fps, with people walking all the time."""
    return look_at(CLIP, fps=10, step=2)


def watch(scenes, thresholds, parked=()):
    tracker, reporter = Tracker(thresholds=thresholds), EventReporter("street", parked=parked)
    events = [event for scene in scenes for event in reporter.report(tracker(scene)).events]
    return [(e.phase, e.reason) for e in events if e.label is Label.VEHICLE], reporter.parked


def test_parked_cars_are_one_event_and_silent_after_a_restart(scenes, thresholds):
    first, parked = watch(scenes, thresholds)
    assert first == [
        (Phase.STARTED, Observed.APPEARED),
        (Phase.UPDATED, Observed.STILL),
        (Phase.ENDED, Observed.STILL),
    ]
    assert len(parked) == 2
    again, still_parked = watch(scenes, thresholds, parked_from_json(parked_to_json(parked)))
    assert again == []
    assert still_parked == parked
