"""The circuit breaker: when it opens, how long it stays open, what closes it."""

import random

import pytest

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.status import LlmPhase
from blikk_edge.llm.queue.breaker import LAST_PAUSE_S, PATIENCE_MAX_S, REFUSED_S, Breaker


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1000.0)


@pytest.fixture
def breaker(clock: VirtualClock) -> Breaker:
    return Breaker(clock, rng=random.Random(3))


def fail(breaker: Breaker) -> float:
    breaker.failed("it is away", probe=breaker.begin())
    return breaker.wait_s()


def test_closed_to_begin_with(breaker: Breaker) -> None:
    assert (breaker.wait_s(), breaker.phase, breaker.problem) == (0.0, LlmPhase.READY, None)
    assert not breaker.begin()


def test_pauses_double_with_jitter_up_to_five_minutes(breaker: Breaker, clock: VirtualClock) -> None:
    pauses = []
    for _ in range(14):
        pauses.append(fail(breaker))
        clock.set(clock.now() + pauses[-1])
        assert breaker.wait_s() == pytest.approx(0.0)
    ceilings = [min(LAST_PAUSE_S, 2.0**n) for n in range(14)]
    assert all(max(1.0, ceiling / 2) <= pause <= ceiling for pause, ceiling in zip(pauses, ceilings, strict=True))
    assert len({round(pause, 6) for pause in pauses[-4:]}) == 4


def test_one_probe_decides(breaker: Breaker, clock: VirtualClock) -> None:
    pause = fail(breaker)
    clock.set(clock.now() + pause)
    assert breaker.begin()
    assert breaker.probing
    assert breaker.phase is LlmPhase.RESTING
    breaker.worked(probe=True)
    assert (breaker.probing, breaker.phase, breaker.problem, breaker.wait_s()) == (False, LlmPhase.READY, None, 0.0)
    assert fail(breaker) == 1.0


def test_a_probe_that_was_let_go_may_be_made_again_at_once(breaker: Breaker, clock: VirtualClock) -> None:
    clock.set(clock.now() + fail(breaker))
    breaker.let_go(probe=breaker.begin())
    assert not breaker.probing
    assert breaker.wait_s() == 0.0
    assert breaker.begin()


def test_a_problem_is_shown_until_something_has_worked(breaker: Breaker, clock: VirtualClock) -> None:
    clock.set(clock.now() + fail(breaker) + 3600)
    assert (breaker.phase, breaker.problem) == (LlmPhase.RESTING, "it is away")


@pytest.mark.parametrize(
    ("asked_s", "least_s", "most_s"),
    [
        *((40.0, 40.0, 40.0), (0.2, 1.0, 1.0), (None, 1.0, 1.0), (0.0, 1.0, 1.0), (-5.0, 1.0, 1.0)),
        (float("nan"), 1.0, 1.0),
        (float("inf"), PATIENCE_MAX_S, PATIENCE_MAX_S),
    ],
)
def test_patience_lasts_as_long_as_was_asked(breaker: Breaker, asked_s: float, least_s: float, most_s: float) -> None:
    breaker.busy("429", asked_s, probe=breaker.begin())
    assert least_s <= breaker.wait_s() <= most_s
    assert breaker.phase is LlmPhase.RESTING


def test_patience_ends_with_its_time(breaker: Breaker, clock: VirtualClock) -> None:
    breaker.busy("429", 40.0, probe=breaker.begin())
    clock.set(clock.now() + 40.0)
    assert (breaker.phase, breaker.problem) == (LlmPhase.READY, None)


def test_who_says_busy_again_and_again_is_asked_ever_more_seldom(breaker: Breaker, clock: VirtualClock) -> None:
    for _ in range(12):
        breaker.busy("429", 1.0, probe=breaker.begin())
        pause = breaker.wait_s()
        clock.set(clock.now() + pause)
    assert pause >= LAST_PAUSE_S / 2


def test_refused_at_once_and_for_long(breaker: Breaker, clock: VirtualClock) -> None:
    breaker.refused("401: wrong key", probe=breaker.begin())
    assert (breaker.phase, breaker.problem) == (LlmPhase.REFUSED, "401: wrong key")
    assert breaker.wait_s() == REFUSED_S
    clock.set(clock.now() + REFUSED_S)
    breaker.worked(probe=breaker.begin())
    assert breaker.phase is LlmPhase.READY


def test_stragglers_neither_close_it_nor_double_the_pause(breaker: Breaker) -> None:
    first, second, third = breaker.begin(), breaker.begin(), breaker.begin()
    breaker.failed("it is away", probe=first)
    breaker.failed("it is away", probe=second)
    assert breaker.wait_s() == 1.0
    breaker.worked(probe=third)
    assert breaker.wait_s() == 1.0


def test_a_straggler_may_ask_for_more_patience(breaker: Breaker) -> None:
    first, second = breaker.begin(), breaker.begin()
    breaker.failed("it is away", probe=first)
    breaker.busy("429", 20.0, probe=second)
    assert breaker.wait_s() == 20.0
