"""Where members of events went: thinned out, bounded, and the same after the way through the store."""

from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box
from blikk_edge.core.paths import EVERY_S, POINTS_MAX, EventPath, PathPoint, PathRecorder
from blikk_edge.core.sightings import Label, Track
from blikk_edge.wire.paths import path_from_text, path_to_text

T0 = 1795262400.0


def track(number: int, time: float, left: float, *, missed: int = 0) -> Track:
    return Track(
        id=number,
        label=Label.PERSON,
        sub_label="person",
        score=0.9,
        best_score=0.9,
        box=Box(left, 0.1, min(1.0, left + 0.2), 0.9),
        first_seen=T0,
        last_seen=time,
        missed=missed,
        confirmed=True,
    )


def recorded(*scenes: tuple[float, tuple[Track, ...]], event: str = "visit") -> EventPath | None:
    kept: list[EventPath] = []
    recorder = PathRecorder(kept.append)
    for time, tracks in scenes:
        recorder.see(time, tracks, {event: {1, 2}})
    recorder.end(event)
    recorder.end(event)
    return kept[0] if kept else None


def test_a_path_has_where_somebody_came_went_and_was_last() -> None:
    path = recorded(*((T0 + n / 5, (track(1, T0 + n / 5, n / 50),)) for n in range(31)))
    assert path is not None
    assert [point.time for point in path.points[:2]] == [T0, T0 + EVERY_S]
    assert path.points[-1].box.x1 == 0.6
    assert len(path.points) <= 31 / 2 + 2


def test_who_stands_still_costs_a_first_and_a_last_place() -> None:
    path = recorded(*((T0 + n, (track(1, T0 + n, 0.3),)) for n in range(3600)))
    assert path is not None
    assert [point.time for point in path.points] == [T0, T0 + 3599]


def test_others_and_who_is_not_seen_are_no_part_of_it() -> None:
    path = recorded((T0, (track(1, T0, 0.1), track(3, T0, 0.5))), (T0 + 1, (track(1, T0, 0.4, missed=1),)))
    assert path is not None
    assert [(point.track, point.box.x1) for point in path.points] == [(1, 0.1)]
    assert recorded((T0, (track(3, T0, 0.5),))) is None


@given(st.lists(st.floats(0.0, 0.8), min_size=1, max_size=1500))
def test_however_long_it_is_bounded_in_order_and_ends_where_it_ended(lefts: list[float]) -> None:
    path = recorded(*((T0 + n, (track(1, T0 + n, left), track(2, T0 + n, 0.8 - left))) for n, left in enumerate(lefts)))
    assert path is not None
    times = [point.time for point in path.points]
    assert len(times) <= POINTS_MAX + 2
    assert times == sorted(times)
    assert times[0] == T0
    for number in (1, 2):
        assert [point.time for point in path.points if point.track == number][-1] == T0 + len(lefts) - 1


SIDE = st.floats(0.0, 1.0)
POINT = st.builds(
    lambda time, number, xs, ys: PathPoint(time=T0 + time, track=number, box=Box(xs[0], ys[0], xs[1], ys[1])),
    st.floats(0.0, 1e5),
    st.integers(1, 10**6),
    st.tuples(SIDE, SIDE).map(sorted),
    st.tuples(SIDE, SIDE).map(sorted),
)


@given(st.lists(POINT, min_size=1, max_size=30))
def test_a_path_survives_its_text_but_for_what_nobody_sees(points: list[PathPoint]) -> None:
    path = EventPath(event="visit", points=tuple(sorted(points, key=lambda point: point.time)))
    found = path_from_text(path_to_text(path))
    assert found.event == path.event
    for before, after in zip(path.points, found.points, strict=True):
        assert after.track == before.track
        assert abs(after.time - before.time) < 0.001
        assert abs(after.box.x1 - before.box.x1) < 0.0001
