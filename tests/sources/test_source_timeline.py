"""Time: steady whatever a camera sends, about five frames a second, honest and never back."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.clock import VirtualClock
from blikk_edge.sources.timeline import Grid, LiveTime, PacedTime, ReplayTime, StreamTime


def stream_times(
    pts: list[float | None], rate: float | None = 25.0, arrivals: list[float] | None = None
) -> list[float]:
    stream = StreamTime()
    stream.restart(rate)
    return [stream.at(p, None if arrivals is None else arrivals[n]) for n, p in enumerate(pts)]


@pytest.mark.parametrize(
    ("pts", "wanted"),
    [
        ([0.0, 0.04, 0.08], [0.0, 0.04, 0.08]),
        ([95443.7, 95443.74, 95443.78], [0.0, 0.04, 0.08]),
        ([-0.08, -0.04, 0.0], [0.0, 0.04, 0.08]),
        ([None, None, None], [0.0, 0.04, 0.08]),
        ([5.0, None, 5.08, None, 5.16], [0.0, 0.04, 0.08, 0.12, 0.16]),
        ([None, 7.0, 7.04], [0.0, 0.04, 0.08]),
        # variable rate
        ([0.0, 0.04, 0.5, 3.0], [0.0, 0.04, 0.5, 3.0]),
        # an hour forward, a wrap (2^33 ticks of 90 kHz), a reset
        ([0.0, 0.04, 3600.0, 3600.04], [0.0, 0.04, 0.08, 0.12]),
        ([95443.68, 95443.72, 0.0, 0.04], [0.0, 0.04, 0.08, 0.12]),
        ([100.0, 100.04, 50.0, 50.04], [0.0, 0.04, 0.08, 0.12]),
        # one frame out of order
        ([0.0, 0.04, 0.12, 0.08, 0.16], [0.0, 0.04, 0.12, 0.12, 0.16]),
        # one repeated timestamp after a day/night switch
        ([0.0, 0.04, 0.04, 0.08], [0.0, 0.04, 0.04, 0.08]),
    ],
)
def test_stream_time_of_timestamps(pts: list[float | None], wanted: list[float]) -> None:
    assert stream_times(pts) == pytest.approx(wanted)


def test_stuck_timestamps_do_not_stop_stream_time() -> None:
    times = stream_times([1.0] * 100)

    assert times[-1] == pytest.approx(96 * 0.04)


def test_stuck_timestamps_of_a_live_stream_follow_arrival() -> None:
    times = stream_times([1.0] * 100, arrivals=[50 + n / 10 for n in range(100)])

    assert times[-1] == pytest.approx(9.6)


def test_live_jump_is_bridged_by_the_time_that_passed() -> None:
    assert stream_times([0.0, 0.1, 7200.0, 7200.1], arrivals=[0.0, 0.1, 6.1, 6.2]) == pytest.approx(
        [0.0, 0.1, 6.1, 6.2]
    )


def test_new_connection_goes_on_after_the_time_that_passed() -> None:
    stream = StreamTime()
    stream.restart(10)
    first = [stream.at(900.0, 10.0), stream.at(900.1, 10.1)]
    stream.restart(10)

    assert [*first, stream.at(3.0, 14.1), stream.at(3.1, 14.2)] == pytest.approx([0.0, 0.1, 4.1, 4.2])


@pytest.mark.parametrize("pace", [0.011, 0.5, 0.9, 1.1, 2.0, 90.0])
def test_timestamps_that_go_on_at_another_pace_than_time_are_given_up(pace: float) -> None:
    arrivals = [n * 0.1 for n in range(600)]

    times = stream_times([pace * at for at in arrivals], arrivals=arrivals)

    assert times[-1] - times[-300] == pytest.approx(29.9)  # the last half goes on as time does
    assert times[-1] > 59.0  # and is as late as it was at first


@pytest.mark.parametrize("pace", [0.999, 1.0, 1.001])
def test_timestamps_of_a_real_clock_are_believed_whatever_the_network_does(pace: float) -> None:
    pts = [n * 0.1 for n in range(900)]
    sent_at_first = [max(0.0, at - 3.0) for at in pts]
    held_up = [max(at, 40.0) if 33.0 < at < 40.0 else at + n % 3 * 0.1 for n, at in enumerate(sent_at_first)]

    times = stream_times([pace * at for at in pts], arrivals=held_up)

    assert times == pytest.approx([pace * at for at in pts])


@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=2, max_size=80), st.booleans())
def test_stream_time_never_goes_back_nor_leaps(pts: list[float | None], live: bool) -> None:
    times = stream_times(pts, arrivals=[n * 0.1 for n in range(len(pts))] if live else None)

    assert times[0] == 0.0
    assert all(0 <= later - earlier <= 10.0 + 1e-6 for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize(
    "rate", [5.0, 6.0, 7.5, 8.0, 10.0, 12.0, 12.5, 15.0, 20.0, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0]
)
def test_grid_thins_any_rate_to_five_a_second(rate: float) -> None:
    grid = Grid(5.0)

    taken = [t for t in (n / rate for n in range(int(rate * 60))) if grid.due(t)]

    assert len(taken) == pytest.approx(300, abs=2)
    assert max(b - a for a, b in itertools.pairwise(taken)) <= 0.2 + 1 / rate + 1e-6


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0, 4.9])
def test_grid_lets_a_slower_stream_pass_whole(rate: float) -> None:
    grid = Grid(5.0)

    assert all(grid.due(n / rate) for n in range(200))


@given(st.sampled_from([10.0, 12.5, 15.0, 25.0, 30.0]), st.lists(st.floats(-0.015, 0.015), min_size=300, max_size=300))
def test_grid_withstands_jitter(rate: float, jitter: list[float]) -> None:
    grid = Grid(5.0)

    taken = sum(grid.due(max(0.0, n / rate + late)) for n, late in enumerate(jitter))

    assert taken == pytest.approx(300 / rate * 5, abs=2)


def test_grid_does_not_catch_up_after_a_gap() -> None:
    grid = Grid(5.0)
    before = [grid.due(n * 0.04) for n in range(25)]

    after = [grid.due(100 + n * 0.04) for n in range(25)]

    assert sum(before) == pytest.approx(sum(after), abs=1)


def live(arrivals: list[tuple[float, float]], start: float = 1.7e9) -> list[float]:
    """Capture times, from `start`, of frames that arrive at (seconds, stream seconds)."""
    clock = VirtualClock(start)
    keeper = LiveTime(clock)
    keeper.restart()
    times = []
    for moment, stream_s in arrivals:
        clock.set(start + moment)
        times.append(keeper.at(stream_s) - start)
    return times


def test_live_time_does_not_show_the_jitter_of_the_network() -> None:
    late = itertools.cycle([0.0, 0.15, 0.05, 0.3, 0.0, 0.1])

    times = live([(n * 0.2 + next(late), n * 0.2) for n in range(300)])

    assert times == pytest.approx([n * 0.2 for n in range(300)], abs=0.005)


def test_live_time_sees_through_frames_that_were_held_up() -> None:
    held = [(n * 0.2, n * 0.2) for n in range(10)] + [(8.0 + n * 0.001, n * 0.2) for n in range(10, 40)]

    assert live(held) == pytest.approx([n * 0.2 for n in range(40)], abs=0.02)


@pytest.mark.parametrize("rate", [0.9998, 1.0002])
def test_live_time_follows_a_camera_clock_that_drifts(rate: float) -> None:
    day = [(n * 2.0, n * 2.0 * rate) for n in range(43200)]

    assert max(abs(t - moment) for t, (moment, _) in zip(live(day), day, strict=True)) < 0.05


def test_live_time_is_now_after_the_stream_lost_its_place() -> None:
    times = live([(0.0, 0.0), (0.2, 0.2), (60.0, 0.4), (60.2, 0.6)])

    assert times == pytest.approx([0.0, 0.2, 60.0, 60.2], abs=0.001)


class SteppedClock(VirtualClock):
    """A machine whose wall clock is set, as by NTP after boot."""

    step = 0.0

    def now(self) -> float:
        return super().now() + self.step


def stepped(
    keeper_of: type[LiveTime] | type[PacedTime], steps: dict[float, float], moments: list[float]
) -> list[float]:
    """How far capture times are from the start in seconds; `steps` says by how much the clock is off from when on."""
    clock = SteppedClock(1.7e9)
    keeper = keeper_of(clock)
    times = []
    for moment in moments:
        clock.set(1.7e9 + moment)
        clock.step = next((step for since, step in reversed(steps.items()) if moment >= since), 0.0)
        times.append(keeper.at(moment) - 1.7e9)
    return times


KEEPERS = pytest.mark.parametrize("keeper_of", [LiveTime, PacedTime])


@KEEPERS
@given(step=st.floats(-119, 119), rate=st.sampled_from([1.0, 5.0, 12.5]))
def test_a_small_correction_of_the_wall_clock_is_followed_slowly(
    keeper_of: type[LiveTime] | type[PacedTime], step: float, rate: float
) -> None:
    times = stepped(keeper_of, {1 / rate: step}, [n / rate for n in range(int(60 * rate) + 1)])

    assert all(b > a for a, b in itertools.pairwise(times))
    assert 53.9 <= times[-1] - times[0] <= 66.1


@KEEPERS
@pytest.mark.parametrize("step", [-60.0, 60.0, 119.0])
def test_times_meet_a_wall_clock_that_was_corrected(keeper_of: type[LiveTime] | type[PacedTime], step: float) -> None:
    times = stepped(keeper_of, {0.2: step}, [n * 0.2 for n in range(5 * 1300)])

    assert times[-1] == pytest.approx(6499 * 0.2 + step, abs=0.03)


@KEEPERS
@given(step=(st.floats(-1.6e9, -121) | st.floats(121, 1e9)))
def test_a_wall_clock_that_was_set_begins_a_timeline_at_the_new_time(
    keeper_of: type[LiveTime] | type[PacedTime], step: float
) -> None:
    clock = SteppedClock(1.7e9)
    keeper = keeper_of(clock)
    seen = []
    for n in range(100):
        clock.set(1.7e9 + n * 0.2)
        clock.step = step if n >= 50 else 0.0
        seen.append((keeper.at(n * 0.2), keeper.timeline))

    assert seen[49] == (pytest.approx(1.7e9 + 49 * 0.2, abs=0.01), 0)
    assert seen[50] == (pytest.approx(1.7e9 + 50 * 0.2 + step, abs=0.01), 1)
    assert seen[99] == (pytest.approx(1.7e9 + 99 * 0.2 + step, abs=0.01), 1)


@KEEPERS
def test_a_wall_clock_that_goes_ahead_for_a_moment_leaves_nothing_behind(
    keeper_of: type[LiveTime] | type[PacedTime],
) -> None:
    times = stepped(keeper_of, {10.0: 21600.0, 35.0: 0.0}, [n * 0.2 for n in range(500)])

    assert times[:50] == pytest.approx([n * 0.2 for n in range(50)])
    assert times[50:175] == pytest.approx([21600 + n * 0.2 for n in range(50, 175)], abs=0.01)
    assert times[175:] == pytest.approx([n * 0.2 for n in range(175, 500)])


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.floats(-1e5, 1e5), st.booleans()), min_size=2, max_size=60)
)
def test_live_times_never_go_back_within_a_timeline_whatever_clocks_and_connections_do(
    frames: list[tuple[float, float, float, bool]],
) -> None:
    clock = SteppedClock(1.7e9)
    keeper = LiveTime(clock)
    times = []
    moment = stream_s = 0.0
    for passed, streamed, clock.step, again in frames:
        moment, stream_s = moment + passed, stream_s + streamed
        clock.set(1.7e9 + moment)
        if again:
            keeper.restart()
        times.append((keeper.at(stream_s), keeper.timeline))

    assert all(later > time or begun > timeline for (time, timeline), (later, begun) in itertools.pairwise(times))


def test_live_time_is_anchored_anew_with_each_connection() -> None:
    clock = VirtualClock(1e9)
    keeper = LiveTime(clock)
    keeper.restart()
    keeper.at(0.0)
    clock.set(1e9 + 5)
    keeper.restart()

    assert keeper.at(0.04) == 1e9 + 5


def test_paced_time_holds_frames_until_their_moment() -> None:
    clock = VirtualClock(1e9)
    keeper = PacedTime(clock)

    holds = []
    for n in range(5):
        time = keeper.at(n * 0.2)
        holds.append(keeper.hold_s)
        assert time == pytest.approx(1e9 + n * 0.2)
        clock.set(time - 0.05)

    assert holds == pytest.approx([0.0, 0.2, 0.25, 0.25, 0.25])


def test_paced_time_plays_on_from_now_when_it_is_late() -> None:
    clock = VirtualClock(1e9)
    keeper = PacedTime(clock)
    keeper.at(0.0)
    clock.set(1e9 + 30)

    assert keeper.at(0.2) == pytest.approx(1e9 + 30)
    assert keeper.hold_s == 0.0
    assert keeper.at(0.4) == pytest.approx(1e9 + 30.2)


def test_paced_time_does_not_wait_for_a_wall_clock_that_was_set_back() -> None:
    clock = SteppedClock(1e9)
    keeper = PacedTime(clock)
    first = keeper.at(0.0)
    clock.step = -3600.0

    assert keeper.at(0.2) == pytest.approx(first + 0.2 - 3600, abs=0.01)
    assert keeper.hold_s == pytest.approx(0.2)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_replay_times_always_rise(steps: list[float]) -> None:
    keeper = ReplayTime(1e9)

    times = [keeper.at(moment) for moment in itertools.accumulate(steps)]

    assert all(b > a for a, b in itertools.pairwise(times))
    assert math.isclose(times[0], 1e9 + steps[0])
