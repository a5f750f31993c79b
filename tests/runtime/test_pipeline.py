"""One camera's way from Frame to what is reported."""

import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_props import PERSON, Gauge, ScriptedDetector, ScriptedSource, StampRedactor, frame, pipeline, tools

from blikk_edge.core.geometry import Box, Polygon
from blikk_edge.core.observation import MEASURED, Event, Observation, Observed, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Detection, Label, Measure
from blikk_edge.core.status import CameraState
from blikk_edge.runtime.pipeline import HINT_LOOKS, Pipeline, VisionTools
from blikk_edge.runtime.replay import replay
from blikk_edge.transforms.tracking.zones import Zone


def run(line: Pipeline, look_with: VisionTools, frames: range) -> list[Item]:
    scenes = (line.glance(frame(n / 5)) for n in frames)
    return [item for scene in scenes if scene is not None for item in line.step(scene, look_with)]


def test_a_visit_starts_within_three_looks_and_its_event_comes_before_its_picture() -> None:
    items = run(pipeline(), tools(), range(3))
    kinds = [
        type(item) for item in items if isinstance(item, Event | Picture) and getattr(item, "name", "") != "snapshot"
    ]
    assert kinds == [Event, Picture]


def test_an_event_names_its_picture_and_the_picture_its_event() -> None:
    items = run(pipeline(), tools(), range(3))
    event = next(item for item in items if isinstance(item, Event))
    picture = next(item for item in items if isinstance(item, Picture) and item.name == "person")
    assert (event.picture, picture.event) == ("person", event.id)


def test_no_picture_leaves_when_faces_cannot_be_looked_for_and_the_state_says_so() -> None:
    look_with = tools()
    assert isinstance(look_with.redactor, StampRedactor)
    look_with.redactor.broken = True
    line = pipeline()
    items = run(line, look_with, range(30))
    assert not any(isinstance(item, Picture) for item in items)
    assert any(isinstance(item, Event) and item.phase is Phase.STARTED for item in items)
    state = [item for item in items if isinstance(item, CameraState)][-1]
    assert state.problem == "the face model is damaged"


def test_pictures_come_again_after_the_face_model_is_mended() -> None:
    look_with = tools()
    assert isinstance(look_with.redactor, StampRedactor)
    look_with.redactor.broken = True
    line = pipeline()
    run(line, look_with, range(10))
    look_with.redactor.broken = False
    line.want("snapshot")
    items = run(line, look_with, range(10, 20))
    assert any(isinstance(item, Picture) for item in items)
    assert [item for item in items if isinstance(item, CameraState)][-1].problem is None


def test_switching_detection_off_ends_open_events_and_stops_inference() -> None:
    line, look_with = pipeline(), tools()
    run(line, look_with, range(5))
    line.switches.detect = False
    items = run(line, look_with, range(5, 20))
    assert [item.phase for item in items if isinstance(item, Event)] == [Phase.ENDED]
    before = line.inferences
    run(line, look_with, range(20, 40))
    assert line.inferences == before


def test_a_hint_makes_the_next_frames_worth_a_look_and_reports_nothing_by_itself() -> None:
    line, look_with = pipeline(moving=lambda at: False), tools(lambda look: ())
    run(line, look_with, range(50))
    before = line.inferences
    line.hint(12.0)
    assert not any(isinstance(item, Event | Observation) for item in run(line, look_with, range(50, 60)))
    assert line.inferences == before  # these were captured before the hint
    items = run(line, look_with, range(60, 100))
    assert line.inferences == before + HINT_LOOKS
    assert not any(isinstance(item, Event | Observation) for item in items)
    line.switches.detect = False
    line.hint(20.0)
    run(line, look_with, range(100, 120))
    assert line.inferences == before + HINT_LOOKS


def test_who_is_found_by_a_hint_is_followed_and_reported() -> None:
    line = pipeline(moving=lambda at: False)
    run(line, tools(lambda look: ()), range(50))
    line.hint(10.0)
    items = run(line, tools(), range(50, 60))
    assert next(item.phase for item in items if isinstance(item, Event)) is Phase.STARTED


def test_a_snapshot_is_made_of_the_next_frame_even_when_nothing_moves() -> None:
    line = pipeline(moving=lambda at: False)
    look_with = tools(lambda look: ())
    run(line, look_with, range(5))
    line.want("snapshot")
    items = run(line, look_with, range(5, 6))
    assert [item.name for item in items if isinstance(item, Picture)] == ["snapshot"]


def test_a_quiet_scene_is_not_looked_at_but_for_samples() -> None:
    line = pipeline(moving=lambda at: False)
    run(line, tools(lambda look: ()), range(500))  # 100 s: the first frame, and one a minute
    assert 2 <= line.inferences <= 3


def pushed(line: Pipeline, look_with: VisionTools, found: tuple[Detection, ...] | None, frames: range) -> list[Item]:
    items: list[Item] = []
    for number in frames:
        sent = frame(number / 5)
        sent.found = found
        if (scene := line.glance(sent)) is not None:
            items += line.step(scene, look_with)
    return items


def test_an_edge_clients_frame_is_looked_at_here_too_before_a_picture_of_it_leaves() -> None:
    line, scenes = pipeline(), []

    class Keeping(StampRedactor):
        def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
            scenes.append(scene)
            return super().picture(scene, name=name, event=event)

    theirs = replace(PERSON, box=Box(0.0, 0.0, 0.1, 0.1))
    pushed(line, VisionTools(ScriptedDetector(lambda look: (PERSON,)), Keeping()), (theirs,), range(20))
    assert scenes
    assert all(scene.detections == (PERSON, theirs) for scene in scenes)
    # one look for each frame of which Pictures were made, none for the others
    assert line.inferences == len({scene.frame.seq for scene in scenes}) < 20


def test_what_an_edge_client_found_is_reported_and_not_what_is_seen_in_its_blurred_picture() -> None:
    line = pipeline()
    items = pushed(line, tools(), (replace(PERSON, label=Label.VEHICLE),), range(20))
    assert {item.label for item in items if isinstance(item, Event)} == {Label.VEHICLE}


def test_the_frames_of_an_edge_client_that_does_not_say_what_it_found_are_looked_at_here() -> None:
    items = pushed(pipeline(), tools(), None, range(5))
    assert {item.label for item in items if isinstance(item, Event)} == {Label.PERSON}


def passed_on(line: Pipeline, look_with: VisionTools, *, seconds: int) -> list[float]:
    times = []
    for number in range(5 * seconds):
        if (scene := line.glance(frame(number / 5))) is not None:
            times.append(number / 5)
            list(line.step(scene, look_with))
    return times


def test_quiet_scenes_are_passed_on_every_second_and_every_five_where_nobody_has_been_for_a_while() -> None:
    times = passed_on(pipeline(moving=lambda at: False), tools(lambda look: ()), seconds=40)
    assert times == [*map(float, range(15)), 19.0, 24.0, 29.0, 34.0, 39.0]


def test_quiet_scenes_are_passed_on_every_second_while_somebody_is_there() -> None:
    times = passed_on(pipeline(moving=lambda at: at < 2.0), tools(), seconds=40)
    assert max(after - before for before, after in pairwise(times)) <= 1.0 + 1e-9


def test_someone_who_never_moves_is_reported() -> None:
    items = run(pipeline(moving=lambda at: False), tools(), range(400))
    assert [item.phase for item in items if isinstance(item, Event)][:1] == [Phase.STARTED]


def test_labels_that_were_not_asked_for_are_not_reported() -> None:
    items = run(pipeline(labels=(Label.VEHICLE,)), tools(), range(30))
    assert not any(isinstance(item, Event) for item in items)
    states = [item for item in items if isinstance(item, CameraState)]
    assert all(dict(state.counts) == {Label.VEHICLE: 0} for state in states)


def test_the_state_counts_by_zone_and_label() -> None:
    bottom = Zone(name="bottom", polygon=Polygon.of([(0, 0.6), (1, 0.6), (1, 1), (0, 1)]))
    left = Zone(name="left", polygon=Polygon.of([(0, 0), (0.3, 0), (0.3, 1), (0, 1)]))
    cat = Detection(label=Label.ANIMAL, sub_label="cat", score=0.9, box=Box(0.05, 0.7, 0.2, 0.9))
    look_with = tools(lambda look: (PERSON, cat) if look < 15 else ())
    states = [i for i in run(pipeline(zones=(bottom, left)), look_with, range(200)) if isinstance(i, CameraState)]
    seen = max(states, key=lambda state: len(state.zone_counts))
    assert seen.zone_counts == (("bottom", Label.ANIMAL, 1), ("bottom", Label.PERSON, 1), ("left", Label.ANIMAL, 1))
    assert seen.zones == (("bottom", 2), ("left", 1))
    assert states[-1].zone_counts == ()


def test_the_state_agrees_with_what_is_observed_when_it_is_observed() -> None:
    left = Zone(name="left", polygon=Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))))

    def walks(look: int) -> tuple[Detection, ...]:  # in from the right, out on the left
        x = 0.7 - 0.04 * (look - 3)
        return (replace(PERSON, box=Box(x, 0.2, x + 0.2, 0.9)),) if 3 < look < 20 else ()

    line = pipeline(zones=(left,))
    items = [*run(line, tools(walks), range(120)), *line.close(24.0)]
    said = {}
    for place, item in enumerate(items):
        if isinstance(item, Observation | Event):
            state = next(each for each in reversed(items[:place]) if isinstance(each, CameraState))
            what = item.kind if isinstance(item, Observation) else item.phase
            said[what] = dict(state.counts)[Label.PERSON], dict(state.zones)
    expected = {
        Phase.STARTED: (1, {}), Observed.APPEARED: (1, {}), Observed.ENTERED_ZONE: (1, {"left": 1}),
        Observed.LEFT: (0, {}), Phase.ENDED: (0, {}),
    }  # fmt: skip
    assert {kind: said[kind] for kind in expected} == expected


def test_closing_says_that_nobody_is_there_before_the_event_ends() -> None:
    line = pipeline()
    run(line, tools(), range(5))
    items = list(line.close(2.0))
    assert [type(item) for item in items] == [CameraState, Event]
    assert isinstance(items[0], CameraState)
    assert not any(count for _, count in items[0].counts)


def test_the_state_follows_motion_at_once_and_counts() -> None:
    line = pipeline(moving=lambda at: at < 4.0)
    look_with = tools(lambda look: (PERSON,) if look < 15 else ())
    states = [i for i in run(line, look_with, range(200)) if isinstance(i, CameraState)]
    assert [state.motion for state in states].count(True) >= 1
    assert not states[-1].motion
    assert {dict(state.counts)[Label.PERSON] for state in states} == {0, 1}
    assert dict(states[-1].counts)[Label.PERSON] == 0


def test_who_sways_now_and_then_is_one_motion() -> None:
    items = run(pipeline(moving=lambda at: at < 20.0 and at % 5.0 < 1.0), tools(lambda look: ()), range(200))
    motion = [item.motion for item in items if isinstance(item, CameraState)]
    assert set(motion) == {True, False}
    assert motion == sorted(motion, reverse=True)  # on at the first frame, off once


def test_closing_ends_what_is_open_once() -> None:
    line = pipeline()
    run(line, tools(), range(5))
    phases = [item.phase for item in line.close(2.0) if isinstance(item, Event)]
    assert phases == [Phase.ENDED]
    assert list(line.close(3.0)) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([(), (PERSON,), (PERSON, PERSON)]), min_size=5, max_size=60))
def test_the_same_frames_tell_the_same_records(script: list[tuple]) -> None:
    def reported() -> list[Item]:
        look_with = tools(lambda look: script[min(look, len(script) - 1)])
        items = run(pipeline(), look_with, range(len(script)))
        return [item for item in items if isinstance(item, Event | Observation | Picture)]

    first = reported()
    assert reported() == first
    for before, after in pairwise(item for item in first if isinstance(item, Event)):
        assert after.revision == before.revision + 1 if after.id == before.id else after.revision == 1


def test_switching_detection_on_again_forgets_who_was_there() -> None:
    line, look_with = pipeline(), tools()
    run(line, look_with, range(5))
    line.switches.detect = False
    run(line, look_with, range(5, 10))
    line.switches.detect = True
    later = range(8 * 3600 * 5, 8 * 3600 * 5 + 20)
    events = [item for item in run(line, look_with, later) if isinstance(item, Event)]
    assert events[0].phase is Phase.STARTED
    assert events[0].started >= later.start / 5
    assert not events[0].loitering


def test_a_person_who_stands_still_is_looked_at_as_soon_as_detection_is_on() -> None:
    line = pipeline(moving=lambda at: False)
    line.switches.detect = False
    run(line, tools(), range(50))
    line.switches.detect = True
    assert any(isinstance(item, Event) for item in run(line, tools(), range(50, 70)))


def test_a_picture_is_of_the_first_frame_after_it_was_wanted() -> None:
    line, look_with = pipeline(moving=lambda at: False), tools(lambda look: ())
    before = line.glance(frame(0.0))
    line.want("ring", "door-ring-1")
    after = line.glance(frame(0.2))
    assert before is not None
    assert after is not None
    rings = [
        (item.time, item.event)
        for scene in (before, after)
        for item in line.step(scene, look_with)
        if isinstance(item, Picture) and item.name == "ring"
    ]
    assert rings == [(0.2, "door-ring-1")]


def test_who_rings_twice_within_a_frame_gets_a_picture_for_each_ring() -> None:
    line, look_with = pipeline(moving=lambda at: False), tools(lambda look: ())
    line.want("ring", "door-ring-1")
    line.want("ring", "door-ring-2")
    scene = line.glance(frame(0.0))
    assert scene is not None
    pictures = [item.event for item in line.step(scene, look_with) if isinstance(item, Picture) and item.event]
    assert pictures == ["door-ring-1", "door-ring-2"]


def test_an_event_whose_picture_failed_gets_one_when_faces_can_be_looked_for() -> None:
    look_with = tools()
    assert isinstance(look_with.redactor, StampRedactor)
    look_with.redactor.broken = True
    line = pipeline()
    run(line, look_with, range(10))
    look_with.redactor.broken = False
    items = run(line, look_with, range(10, 15))
    assert [item.name for item in items if isinstance(item, Picture)] == ["person", "snapshot"]


def test_a_person_who_is_hardly_seen_is_blurred_and_counts_for_nothing_else() -> None:
    faint = replace(PERSON, score=0.12, box=Box(0.7, 0.1, 0.8, 0.4))
    line, look_with = pipeline(), tools(lambda look: (PERSON, faint))
    seen = []
    draw = look_with.redactor.picture

    def picture(scene: Scene, *, name: str, event: str | None = None) -> Picture:
        seen.append(scene.detections)
        return draw(scene, name=name, event=event)

    look_with.redactor.picture = picture
    items = run(line, look_with, range(10))
    assert {len(detections) for detections in seen} == {2}
    assert {event.peak for event in items if isinstance(event, Event)} == {1}


def test_a_vehicle_that_is_not_reported_is_known_to_who_blurs_its_plate() -> None:
    car = Detection(label=Label.VEHICLE, sub_label="car", score=0.9, box=Box(0.5, 0.5, 0.9, 0.9))
    hardly = replace(car, score=0.12, box=Box(0.1, 0.5, 0.4, 0.9))
    line, look_with = pipeline(labels=(Label.PERSON,)), tools(lambda look: (PERSON, car, hardly))
    seen = []
    draw = look_with.redactor.picture

    def picture(scene: Scene, *, name: str, event: str | None = None) -> Picture:
        seen.append(scene.detections)
        return draw(scene, name=name, event=event)

    look_with.redactor.picture = picture
    items = run(line, look_with, range(10))
    assert seen
    assert all({car, hardly} <= set(detections) for detections in seen)
    assert {event.label for event in items if isinstance(event, Event)} == {Label.PERSON}


def set_clock_runs(line: Pipeline, look_with: VisionTools, runs: list[tuple[float, int]]) -> list[Item]:
    """What is reported of runs of frames, each from a time on and so many, each on a timeline of its own."""
    frames = (frame(begin + n / 5, timeline=index) for index, (begin, count) in enumerate(runs) for n in range(count))
    scenes = (line.glance(each) for each in frames)
    return [item for scene in scenes if scene is not None for item in line.step(scene, look_with)]


@pytest.mark.parametrize("jump_s", [21_600.0, -21_600.0, -30 * 86400.0, 900.0, -1.7e9])
def test_when_the_clock_is_set_a_visit_ends_with_its_true_length_and_a_new_one_begins(jump_s: float) -> None:
    start = 1.79e9
    items = set_clock_runs(pipeline(), tools(), [(start, 100), (start + 20 + jump_s, 100)])
    events = [item for item in items if isinstance(item, Event)]
    first, second = dict.fromkeys(event.id for event in events)
    reported = [event for event in events if event.id == first]
    assert [event.phase for event in reported][-1] is Phase.ENDED
    assert start + 18.5 < reported[-1].ended < start + 20
    assert 18.5 < reported[-1].duration_s < 20.0
    begun = next(event for event in events if event.id == second)
    assert start + 20 + jump_s <= begun.started < start + 22 + jump_s
    assert events.index(reported[-1]) < events.index(begun)


def test_a_clock_that_goes_ahead_for_a_moment_makes_no_long_visit() -> None:
    start = 1.79e9
    items = set_clock_runs(pipeline(), tools(), [(start, 100), (start + 21_620, 125), (start + 45, 100)])
    events = [item for item in items if isinstance(item, Event)]
    assert len({event.id for event in events}) == 3
    assert max(event.duration_s for event in events) < 26.0
    assert all(event.ended is None or event.ended >= event.started for event in events)


@pytest.mark.parametrize("jump_s", [21_600.0, -21_600.0])
def test_motion_states_and_snapshots_go_on_when_the_clock_is_set(jump_s: float) -> None:
    line, look_with, start = pipeline(moving=lambda at: 1.79e9 <= at < 1.79e9 + 9), tools(lambda look: ()), 1.79e9
    before = set_clock_runs(line, look_with, [(start, 50)])
    assert [item.motion for item in before if isinstance(item, CameraState)][-1]
    frames = (frame(start + 10 + jump_s + n / 5, timeline=1) for n in range(400))
    scenes = [scene for scene in map(line.glance, frames) if scene is not None]
    after = [item for scene in scenes for item in line.step(scene, look_with)]
    states = [item for item in after if isinstance(item, CameraState)]
    assert not states[-1].motion
    assert len(states) >= 3  # reported every half minute, as before
    assert any(isinstance(item, Picture) and item.name == "snapshot" for item in after)


@pytest.mark.parametrize("jump_s", [21_600.0, -21_600.0])
def test_a_parked_car_stays_parked_when_the_clock_is_set(jump_s: float) -> None:
    car = Detection(label=Label.VEHICLE, sub_label="car", score=0.9, box=Box(0.2, 0.5, 0.6, 0.9))
    line, start = pipeline(), 1.79e9
    items = set_clock_runs(line, tools(lambda look: (car,)), [(start, 400), (start + 80 + jump_s, 400)])
    events = [item for item in items if isinstance(item, Event)]
    assert len({event.id for event in events}) == 1
    assert (events[-1].phase, events[-1].reason) == (Phase.ENDED, Observed.STILL)
    assert len(line.reporter.parked) == 1


@pytest.mark.parametrize("jump_s", [21_600.0, -21_600.0])
def test_similar_observations_are_not_folded_over_a_clock_that_was_set(jump_s: float) -> None:
    items = set_clock_runs(pipeline(), tools(lambda look: ()), [(1.79e9, 40), (1.79e9 + 8 + jump_s, 40)])
    reported = [item for item in items if isinstance(item, Observation)]
    assert all(0 <= each.until - each.time <= 10 for each in reported)
    assert any(abs(each.time - (1.79e9 + 8 + jump_s)) < 1 for each in reported)


# -- added steps -----------------------------------------------------------------------------------------------------


def kinds(items: list[Item]) -> list[Observed]:
    return [item.kind for item in items if isinstance(item, Observation) and item.kind in MEASURED]


def test_a_measure_is_observed_and_is_in_the_state() -> None:
    items = run(pipeline(steps=(Gauge(),)), tools(), range(10))
    assert kinds(items) == [Observed.MEASURE]
    state = [item for item in items if isinstance(item, CameraState)][-1]
    assert state.measures == (Measure(name="angle", value=12.0, unit="°"),)


def test_a_new_value_is_in_the_state_at_once_where_nothing_moves() -> None:
    line = pipeline(moving=lambda at: False, steps=(Gauge(lambda at: 10.0 if at < 30 else 20.0),))
    items = run(line, tools(lambda look: ()), range(5 * 40))
    changed = next(item for item in items if isinstance(item, CameraState) and item.measures[0].value == 20.0)
    observed = next(item for item in items if isinstance(item, Observation) and item.measures[0].value == 20.0)
    assert items.index(changed) == items.index(observed) - 1


def test_added_steps_see_the_tracks_of_the_same_frame() -> None:
    seen: list[tuple[str, ...]] = []

    class Look(Gauge):
        def __call__(self, scene: Scene) -> Scene:
            seen.append(tuple(name for track in scene.tracks for name in track.zones))
            return scene

    porch = Zone(name="porch", polygon=Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))))
    run(pipeline(zones=(porch,), steps=(Look(),)), tools(), range(1))
    assert seen == [("porch",)]


def test_switching_detection_off_pauses_added_steps_and_ends_alerts() -> None:
    line, look_with = pipeline(steps=(Gauge(lambda at: 90.0),)), tools()
    assert Observed.ALERT in kinds(run(line, look_with, range(5)))
    line.switches.detect = False
    items = run(line, look_with, range(5, 20))
    assert kinds(items) == [Observed.ALERT_ENDED]
    assert [item for item in items if isinstance(item, CameraState)][-1].measures == ()


def test_closing_ends_alerts() -> None:
    line = pipeline(steps=(Gauge(lambda at: 90.0),))
    run(line, tools(), range(5))
    assert kinds(list(line.close())) == [Observed.ALERT_ENDED]


def test_a_step_that_breaks_changes_nothing_of_what_the_rest_reports() -> None:
    class Broken(Gauge):
        def __call__(self, scene: Scene) -> Scene:
            raise ZeroDivisionError

    with_it = [item for item in run(pipeline(steps=(Broken(),)), tools(), range(50)) if not_state(item)]
    assert with_it == [item for item in run(pipeline(), tools(), range(50)) if not_state(item)]


def not_state(item: Item) -> bool:
    return not isinstance(item, CameraState)


def test_a_step_that_hides_people_and_swaps_frames_cannot_unblur_them() -> None:
    class Sly(Gauge):
        def __call__(self, scene: Scene) -> Scene:
            return replace(scene, frame=frame(99.0), detections=(), tracks=(), analysed=False)

    seen: list[Scene] = []

    class Watching(StampRedactor):
        def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
            seen.append(scene)
            return super().picture(scene, name=name, event=event)

    run(pipeline(steps=(Sly(),)), VisionTools(ScriptedDetector(lambda look: (PERSON,)), Watching()), range(10))
    assert seen
    assert all(scene.detections == (PERSON,) and scene.frame.time < 99.0 for scene in seen)


def test_a_slow_step_is_not_skipped_in_a_replay() -> None:
    calls: list[float] = []

    class Slow(Gauge):
        def __call__(self, scene: Scene) -> Scene:
            time.sleep(0.06)
            calls.append(scene.frame.time)
            return super().__call__(scene)

    line = pipeline(steps=(Slow(),))
    list(replay(ScriptedSource(last=20, gap_s=0.0), line, tools()))
    assert (len(calls), line.added.skipped) == (20, ())
