"""How often an edge client sends."""

from blikk_edge.core.pace import LONGEST_S, MOVING_S, QUIET_S, Pace
from blikk_edge.core.push_queue import KEPT, Pushed, PushQueue


def test_one_frame_a_second_while_something_moves_and_fewer_when_quiet() -> None:
    pace = Pace()
    assert (pace.gap_s(moving=True), pace.gap_s(moving=False)) == (MOVING_S, QUIET_S)


def test_a_slow_line_makes_the_gaps_longer_and_a_fast_one_short_again() -> None:
    pace = Pace()
    pace.sent(2.0)
    assert pace.gap_s(moving=True) == 4.0
    for _ in range(30):
        pace.sent(0.05)
    assert pace.gap_s(moving=True) == MOVING_S


def test_the_node_may_ask_for_fewer_but_not_for_none() -> None:
    pace = Pace()
    pace.asked(3.0)
    assert pace.gap_s(moving=True) == 3.0
    pace.asked(1e9)
    assert pace.gap_s(moving=True) == LONGEST_S
    pace.asked(-1.0)
    assert pace.gap_s(moving=True) == MOVING_S


def test_of_frames_that_nobody_takes_the_newest_stay() -> None:
    push_queue = PushQueue()
    free = [push_queue.put(Pushed(seq=n, time=float(n), jpeg=b"")) for n in range(8)]
    assert free == [True] * KEPT + [False] * 3
    assert [push_queue.get(0.0).seq for _ in range(KEPT)] == [3, 4, 5, 6, 7]
    assert push_queue.get(0.0) is None
