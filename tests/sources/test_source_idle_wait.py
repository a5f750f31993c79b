"""Idle waits of a reader: never past the next frame that counts, never so long that the sender must wait."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.sources import idle_wait
from blikk_edge.sources.idle_wait import EARLY_S, LONGEST_S, MOST_BYTES, RATE_S, IdleWait
from blikk_edge.sources.timeline import Grid, StreamTime


class Machine:
    """The machine's times, moved by hand; `slept` are the waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.worked = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(
        idle_wait,
        "time",
        SimpleNamespace(monotonic=lambda: made.now, thread_time=lambda: made.worked, sleep=made.sleep),
    )
    return made


def rested(machine: Machine, bytes_a_second: int = 1000) -> IdleWait:
    """The idle waits of a connection that is old enough."""
    made = IdleWait()
    machine.now += RATE_S
    made.read(int(bytes_a_second * RATE_S))
    return made


def test_nap_ends_before_the_next_frame_that_counts(machine: Machine) -> None:
    rested(machine).take(0.15)

    assert machine.slept == pytest.approx([0.15 - EARLY_S])


def test_nap_leaves_time_for_what_there_is_to_do(machine: Machine) -> None:
    reader = rested(machine)
    machine.worked += 0.04

    reader.take(0.15)

    assert machine.slept == pytest.approx([0.11 - EARLY_S])


def test_no_nap_where_it_would_save_nothing(machine: Machine) -> None:
    rested(machine).take(EARLY_S + 0.01)

    assert machine.slept == []


def test_no_nap_in_the_first_seconds_of_a_connection(machine: Machine) -> None:
    IdleWait().take(0.15)

    assert machine.slept == []


def test_nap_is_never_so_long_that_a_stop_would_be_noticed_late(machine: Machine) -> None:
    rested(machine).take(60.0)

    assert machine.slept == [LONGEST_S]


def test_no_more_gathers_than_a_connection_holds(machine: Machine) -> None:
    rested(machine, 10 * MOST_BYTES).take(10.0)

    assert machine.slept == pytest.approx([0.1])


@given(st.sampled_from([1.0, 5.0, 7.5]), st.lists(st.floats(0, 0.4), min_size=1, max_size=60))
def test_frame_is_due_exactly_when_the_grid_says_so_in_advance(fps: float, steps: list[float]) -> None:
    grid, time = Grid(fps), 0.0
    for step in steps:
        time += step
        waits = grid.wait_s(time) > 0.0

        assert grid.due(time) is not waits


@given(st.lists(st.floats(-0.9, 0.9), min_size=2, max_size=60))
def test_expected_stream_time_is_never_later_than_the_one_given(steps: list[float]) -> None:
    stream, pts = StreamTime(), 50.0
    for step in steps:
        pts += step
        expected = stream.expected(pts)
        given_s = stream.at(pts)

        assert expected is None or expected <= given_s + 1e-9
