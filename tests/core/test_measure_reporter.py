"""When a measure is worth an Observation: it appears, it changes, something is wrong with it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.ids import Ids
from blikk_edge.core.measures import ALERT_HOLD_S, MEASURE_EVERY_S, STALE_S, MeasureReporter
from blikk_edge.core.observation import Observation, Observed
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Measure, MeasureInfo, Motion, View

ANGLE = Measure(name="angle", value=10.0, unit="°")
INFOS = (
    MeasureInfo(name="angle", unit="°", min_change=1.0, alerts=("too_high", "too_low")),
    MeasureInfo(name="level", alerts=("empty",)),
)


def scene(at: float, *measures: Measure) -> Scene:
    frame = Frame(camera="door", seq=0, time=at, luma=np.zeros((2, 2), np.uint8), convert=lambda: np.zeros(0, np.uint8))
    return Scene(frame=frame, motion=Motion(view=View.QUIET), measures=measures)


def reporter() -> MeasureReporter:
    return MeasureReporter("door", INFOS, ids=Ids("door"))


def angle(value: float, alert: str | None = None) -> Measure:
    return replace(ANGLE, value=value, alert=alert)


def reported(report: MeasureReporter, scenes: list[Scene]) -> list[tuple[float, Observed, tuple[float, ...]]]:
    made = [observation for each in scenes for observation in report.report(each)]
    return [(o.time, o.kind, tuple(m.value for m in o.measures)) for o in made]


def test_nothing_measured_is_nothing_reported() -> None:
    report = reporter()
    assert [report.report(scene(n)) for n in range(100)] == [()] * 100
    assert report.current == ()


def test_a_measure_is_reported_when_it_appears_and_when_it_changed() -> None:
    values = [10, 10.5, 10.9, 11, 11, 11.5]
    scenes = [scene(10.0 * n, angle(value)) for n, value in enumerate(values)]
    assert reported(reporter(), scenes) == [
        (0.0, Observed.MEASURE, (10.0,)),
        (30.0, Observed.MEASURE, (11.0,)),
    ]


def test_a_slow_drift_is_reported_from_what_was_reported_last() -> None:
    scenes = [scene(10.0 * n, angle(10 + 0.4 * n)) for n in range(10)]
    assert [time for time, _, _ in reported(reporter(), scenes)] == [0.0, 30.0, 60.0, 90.0]


def test_a_measure_that_jitters_at_5_fps_is_reported_once_in_5_s() -> None:
    scenes = [scene(n / 5, angle(10 + 5 * (n % 2))) for n in range(5 * 60)]
    times = [time for time, _, _ in reported(reporter(), scenes)]
    assert len(times) <= 60 / MEASURE_EVERY_S
    assert min(np.diff(times)) >= MEASURE_EVERY_S


def test_what_is_due_at_the_same_time_is_reported_together() -> None:
    level = Measure(name="level", value=3.0)
    (observation,) = reporter().report(scene(0.0, ANGLE, level))
    assert observation.measures == (ANGLE, level)


def test_the_last_of_quick_changes_is_reported_in_the_end() -> None:
    report = reporter()
    scenes = [scene(0.0, angle(10)), scene(1.0, angle(20)), scene(2.0, angle(30)), scene(6.0, angle(30))]
    assert reported(report, scenes) == [(0.0, Observed.MEASURE, (10.0,)), (6.0, Observed.MEASURE, (30.0,))]
    assert report.current == (angle(30),)


def test_an_alert_is_reported_at_once_and_once_and_so_is_its_end() -> None:
    calm = [scene(n / 5, angle(10)) for n in range(5)]
    high = [scene(1 + n / 5, angle(10.2, "too_high")) for n in range(50)]
    over = [scene(11 + n / 5, angle(10)) for n in range(50)]
    report = reporter()
    assert reported(report, calm) == [(0.0, Observed.MEASURE, (10.0,))]
    assert reported(report, high) == [(1.0, Observed.ALERT, (10.2,))]
    assert report.current == (angle(10.2, "too_high"),)
    assert reported(report, over) == [(11 + ALERT_HOLD_S, Observed.ALERT_ENDED, (10.0,))]
    assert report.current == (angle(10),)


def test_the_end_of_an_alert_says_which_one() -> None:
    report = reporter()
    report.report(scene(0.0, angle(90, "too_high")))
    report.report(scene(1.0, angle(10)))
    (ended,) = report.report(scene(6.0, angle(10)))
    assert (ended.kind, ended.measures) == (Observed.ALERT_ENDED, (angle(10, "too_high"),))


def test_an_alert_that_flickers_is_one() -> None:
    scenes = [scene(n / 5, angle(90, "too_high" if n % 3 else None)) for n in range(500)]
    assert [kind for _, kind, _ in reported(reporter(), scenes)].count(Observed.ALERT) == 1


def test_two_alerts_that_take_turns_are_two() -> None:
    scenes = [scene(n / 5, angle(10, ("too_high", "too_low")[n % 2])) for n in range(500)]
    kinds = [kind for _, kind, _ in reported(reporter(), scenes)]
    assert (kinds.count(Observed.ALERT), kinds.count(Observed.ALERT_ENDED)) == (2, 0)


def test_things_that_come_by_in_turn_have_alerts_of_their_own() -> None:
    def part(item: int, alert: str | None) -> Measure:
        return replace(angle(8.0 if alert else 0.0, alert), item=item)

    report = reporter()
    tilted = {2, 3, 7}
    observed = [
        observation
        for item in range(1, 20)
        for look in range(3)
        for observation in report.report(scene(item + look / 5, part(item, "too_high" if item in tilted else None)))
        if observation.kind is not Observed.MEASURE
    ]
    assert [(o.kind, o.measures[0].item, o.measures[0].value) for o in observed if o.kind is Observed.ALERT] == [
        (Observed.ALERT, 2, 8.0),
        (Observed.ALERT, 3, 8.0),
        (Observed.ALERT, 7, 8.0),
    ]
    ended = [o.measures[0] for o in observed if o.kind is Observed.ALERT_ENDED]
    assert [(each.item, each.value, each.alert) for each in ended] == [(n, 8.0, "too_high") for n in sorted(tilted)]


@pytest.mark.parametrize("item", [0, -1, True, 1.0, "1", 10**16])
def test_what_counts_no_thing_is_no_item(item: object) -> None:
    with pytest.raises(ValueError, match="item of a measure is a whole number"):
        replace(ANGLE, item=item)


def test_a_measure_that_does_not_come_is_forgotten_and_its_alert_ends() -> None:
    report = reporter()
    report.report(scene(0.0, angle(90, "too_high")))
    assert report.report(scene(STALE_S - 1)) == ()
    assert report.current == (angle(90, "too_high"),)
    (ended,) = report.report(scene(STALE_S))
    assert ended.kind is Observed.ALERT_ENDED
    assert report.current == ()


def test_a_measure_that_was_not_read_for_a_moment_is_no_end_of_its_alert() -> None:
    report = reporter()
    report.report(scene(0.0, angle(90, "too_high")))
    assert reported(report, [scene(n) for n in range(1, 30)]) == []


@pytest.mark.parametrize("end", [lambda r: r.end(20.0), lambda r: r.end(), lambda r: r.end_timeline()])
def test_alerts_end_when_nothing_is_measured_any_more(end) -> None:  # type: ignore[no-untyped-def]
    report = reporter()
    report.report(scene(10.0, angle(90, "too_high")))
    (ended,) = end(report)
    assert (ended.kind, ended.measures) == (Observed.ALERT_ENDED, (angle(90, "too_high"),))
    assert ended.time in {10.0, 20.0}
    assert (report.current, end(report)) == ((), ())


def test_after_the_clock_was_set_back_values_are_reported() -> None:
    report = reporter()
    report.report(scene(1000.0, angle(10)))
    report.end_timeline()
    (observation,) = report.report(scene(10.0, angle(10)))
    assert observation.time == 10.0


MEASURES = st.lists(
    st.tuples(
        st.sampled_from(["angle", "level"]), st.floats(-5, 5), st.sampled_from([None, "too_high", "too_low", "empty"])
    ),
    max_size=2,
    unique_by=lambda each: each[0],
)


@given(st.lists(st.tuples(st.floats(0.0, 20.0), MEASURES), max_size=40))
def test_every_alert_that_begins_ends_once_and_ids_are_unique(
    script: list[tuple[float, list[tuple[str, float, str | None]]]],
) -> None:
    report, time = reporter(), 0.0
    made: list[Observation] = []
    for gap, measures in script:
        time += gap
        made += report.report(scene(time, *(Measure(name=n, value=v, alert=a) for n, v, a in measures)))
    made += report.end()
    open_alerts: set[tuple[str, str | None]] = set()
    for observation in made:
        if observation.kind is Observed.MEASURE:
            continue
        (measure,) = observation.measures
        key = measure.name, measure.alert
        assert (observation.kind is Observed.ALERT) == (key not in open_alerts)
        open_alerts ^= {key}
    assert not open_alerts
    assert len({observation.id for observation in made}) == len(made)
    assert [o.time for o in made] == sorted(o.time for o in made)
