"""Detections of a car's day through tracker and reporter: it comes, parks, is hard to see at night, and drives off."""

import random

from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Observed, Phase
from blikk_edge.core.parked import parked_from_json, parked_to_json
from blikk_edge.core.reporter import EventReporter
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.transforms.tracking.tracker import Tracker


class Camera:
    """A tracker and a reporter over one clock; a restart keeps nothing but what was persisted."""

    def __init__(self, scene):
        self._scene = scene
        self._random = random.Random(7)
        self._time = 1000.0
        self.tracker, self.reporter = Tracker(), EventReporter("drive")
        self.events = []

    def restart(self):
        self.events += self.reporter.end(self._time).events
        self.tracker = Tracker()
        self.reporter = EventReporter("drive", parked=parked_from_json(parked_to_json(self.reporter.parked)))
        self._time += 60.0

    def look(self, x1, *, every=0.2, seen=1.0):
        """One look at a car whose left side is at `x1` (None: there is none), found with probability `seen`."""
        self._time += every
        found = ()
        if x1 is not None and self._random.random() < seen:
            wobble = self._random.uniform(-0.006, 0.006)
            box = Box.clipped(x1 + wobble, 0.5 + wobble / 2, x1 + 0.3, 0.8 - wobble)
            found = (Detection(label=Label.VEHICLE, sub_label="car", score=0.7, box=box),) if box else ()
        reported = self.reporter.report(self.tracker(self._scene(self._time, detections=found)))
        self.events += reported.events

    def drive(self, start, end, looks=25):
        for i in range(looks):
            self.look(start + (end - start) * i / looks)

    def stand(self, seconds, **how):
        for _ in range(round(seconds / how.get("every", 0.2))):
            self.look(0.3, **how)

    def empty(self, seconds):
        for _ in range(round(seconds * 5)):
            self.look(None)


def lives(events):
    return [(e.phase, e.reason) for e in events if e.phase is not Phase.UPDATED]


ARRIVED = [(Phase.STARTED, Observed.APPEARED), (Phase.ENDED, Observed.STILL)]
LEFT = [(Phase.STARTED, Observed.MOVING), (Phase.ENDED, Observed.LEFT)]


def test_car_comes_parks_for_hours_and_leaves(scene):
    camera = Camera(scene)
    camera.drive(0.9, 0.3)
    camera.stand(60)
    camera.stand(7200, every=10.0)
    camera.drive(0.3, -0.3)
    camera.empty(10)
    assert lives(camera.events) == ARRIVED + LEFT
    assert camera.reporter.parked == ()


def test_parked_car_stays_untold_over_a_restart_and_its_leaving_is_reported(scene):
    camera = Camera(scene)
    camera.drive(0.9, 0.3)
    camera.stand(60)
    camera.restart()
    camera.stand(120)
    camera.drive(0.3, -0.3)
    camera.empty(10)
    assert lives(camera.events) == ARRIVED + LEFT


def test_parked_car_that_is_found_in_one_look_of_three_stays_untold(scene):
    camera = Camera(scene)
    camera.drive(0.9, 0.3)
    camera.stand(60)
    before = len(camera.events)
    camera.stand(1200, seen=0.33, every=0.5)
    assert camera.events[before:] == []


def test_car_that_left_unseen_is_reported_when_it_comes_back(scene):
    camera = Camera(scene)
    camera.drive(0.9, 0.3)
    camera.stand(60)
    camera.restart()
    camera.empty(130)
    camera.drive(0.9, 0.3)
    camera.stand(60)
    assert lives(camera.events) == ARRIVED + ARRIVED
