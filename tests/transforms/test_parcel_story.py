"""A parcel through the whole pipeline of one camera: what is reported, with which pictures, over a restart too."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import pytest
from parcel_scenes import ASIDE, DOORMAT, GROUND, VISITOR, cardboard, somebody

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS
from blikk_edge.core.geometry import WHOLE, Box
from blikk_edge.core.observation import Event, Observation, Observed, Phase
from blikk_edge.core.parcels import Lying, ParcelChange, lying_from_json, lying_to_json
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.core.status import CameraState
from blikk_edge.language.facts import only_taken
from blikk_edge.runtime.pipeline import Pipeline, VisionTools

FPS = 5


class NoDetector:
    """Whoever is there was found before, by an edge client."""

    name = "none"

    def detect(self, bgr: Pixels, part: Box = WHOLE) -> tuple[Detection, ...]:
        return ()


class NotedRedactor:
    """Makes a Picture of nothing and notes how many persons were to be blurred in it."""

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        persons = sum(d.label is Label.PERSON for d in scene.detections)
        return Picture(
            camera=scene.frame.camera,
            name=name,
            time=scene.frame.time,
            jpeg=b"jpeg",
            width_px=320,
            height_px=240,
            event=event,
            persons=persons,
        )


class Door:
    """A camera's pipeline that sees drawn frames; `items` is all that it reported."""

    def __init__(self, *, lying: tuple[Lying, ...] = (), start: float = 1000.0, view: Pixels = GROUND) -> None:
        self.line: Pipeline = pipeline(DEFAULTS, DEFAULTS.cameras[0], (), (), lying=lying)
        self.view = view
        self.items: list[Item] = []
        self._tools = VisionTools(NoDetector(), NotedRedactor())
        self._number = round(start * FPS)

    def play(self, seconds: float, *people: Box) -> list[Item]:
        """So many seconds with these people in them."""
        new = list(self._items(seconds, people))
        self.items += new
        return new

    def _items(self, seconds: float, people: Sequence[Box]) -> Iterator[Item]:
        for _ in range(round(seconds * FPS)):
            self._number += 1
            luma = self.view
            for box in people:
                luma = somebody(luma, box)
            found = tuple(Detection(label=Label.PERSON, sub_label="person", score=0.9, box=box) for box in people)
            frame = Frame(
                camera="camera",
                seq=self._number,
                time=self._number / FPS,
                luma=luma,
                convert=lambda shown=luma: cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR),
                found=found,
            )
            if (scene := self.line.glance(frame)) is not None:
                yield from self.line.step(scene, self._tools)

    def leave(self) -> list[Item]:
        """Somebody comes, leaves a parcel, and goes."""
        items = self.play(3, VISITOR)
        self.view = cardboard(GROUND, DOORMAT)
        return items + self.play(2, VISITOR) + self.play(1, ASIDE) + self.play(15)

    def take(self) -> list[Item]:
        """Somebody comes, takes it, and goes."""
        items = self.play(3, VISITOR)
        self.view = GROUND
        return items + self.play(2, VISITOR) + self.play(15)


def of(items: Sequence[Item], label: Label) -> list[Event]:
    return [item for item in items if isinstance(item, Event) and item.label is label]


def packages(state: CameraState) -> int:
    return dict(state.counts)[Label.PACKAGE]


def states(items: Sequence[Item]) -> list[CameraState]:
    return [item for item in items if isinstance(item, CameraState)]


@pytest.fixture(scope="module")
def door() -> Door:
    """One at which a parcel was left, and taken by somebody else a minute later."""
    door = Door()
    door.play(8)
    door.leave()
    door.play(60)
    door.take()
    return door


def test_a_parcel_is_one_event_from_when_it_was_left_to_when_it_was_taken(door):
    left, taken = of(door.items, Label.PACKAGE)

    first, second = (event.id for event in of(door.items, Label.PERSON) if event.phase is Phase.STARTED)
    assert (left.phase, left.change, left.near.event) == (Phase.STARTED, ParcelChange.LEFT_BEHIND, first)
    assert (taken.phase, taken.change, taken.near.event) == (Phase.ENDED, ParcelChange.TAKEN, second)
    assert left.id == taken.id
    assert left.started < left.time < left.started + 12
    assert taken.duration_s > 60


def test_observations_say_what_happened_to_it(door):
    told = [(o.kind, o.change) for o in door.items if isinstance(o, Observation) and o.change is not None]
    assert told == [(Observed.APPEARED, ParcelChange.LEFT_BEHIND), (Observed.LEFT, ParcelChange.TAKEN)]


def test_it_is_counted_while_it_lies_there(door):
    counts = [packages(state) for state in states(door.items)]
    assert max(counts) == 1
    assert counts[0] == counts[-1] == 0


def test_its_pictures_show_it_and_then_the_visit_in_which_it_was_taken(door):
    left, taken = of(door.items, Label.PACKAGE)

    first, *_, last = (p for p in door.items if isinstance(p, Picture) and p.name == "package")
    assert (first.event, first.time, first.persons) == (left.id, left.time, 0)
    assert (last.event, last.persons) == (left.id, 1)
    assert last.time < taken.time
    visit = of(door.items, Label.PERSON)[-1]
    assert visit.started <= last.time <= visit.ended


def test_over_a_restart_it_is_counted_and_no_news_and_its_taking_is_an_event():
    before = Door()
    before.play(8)
    before.leave()
    kept = lying_from_json(lying_to_json(before.line.lying))

    door = Door(lying=kept, start=2000.0, view=before.view)
    quiet = door.play(30)
    assert of(quiet, Label.PACKAGE) == []
    assert {packages(state) for state in states(quiet)} == {1}

    [event] = of(door.take(), Label.PACKAGE)
    assert (event.phase, event.revision, event.change) == (Phase.ENDED, 1, ParcelChange.TAKEN)
    assert only_taken(event)
    assert event.near.score == 1.0
    assert packages(states(door.items)[-1]) == 0
    assert door.line.lying == ()
    assert [p.event for p in door.items if isinstance(p, Picture) and p.name == "package"] == [event.id]


@pytest.mark.parametrize("off", [{"parcels": False}, {"labels": (Label.PACKAGE,)}, {"labels": (Label.PERSON,)}])
def test_nothing_looks_for_parcels_where_they_are_not_wanted(off):
    camera = replace(DEFAULTS.cameras[0], **off)
    line = pipeline(DEFAULTS, camera, (), (), lying=(Lying(box=DOORMAT, since=1.0, score=0.5, edges=bytes(64)),))
    assert line.lying == ()
