"""A model that is away, busy or refuses; limits, cool-downs and restarts: what the desk makes of them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from patience import PATIENCE
from queue_props import NOON, WIDE, Drawer, Office, completion, job

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.status import LlmPhase
from blikk_edge.llm.port import AwayError, BusyError, Completion, GarbledError, RefusedError
from blikk_edge.llm.queue.book import KEY
from blikk_edge.llm.queue.breaker import REFUSED_S
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.port import NotNowError, Priority


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    office = Office()
    await office.open()
    yield office
    await office.close()


# -- away --------------------------------------------------------------------------------------------------------


async def test_a_model_that_was_away_for_a_moment_is_asked_once_more(office: Office) -> None:
    office.model.script = [AwayError("connection reset")]
    (asked,) = await office.ask(job("visit"))
    assert not asked.done()
    await office.pass_time(1)
    assert asked.result().text == "visit"
    assert office.model.times == [NOON, NOON + 1.0]
    assert office.queue.state().problem is None


async def test_a_job_is_tried_twice_at_most(office: Office) -> None:
    office.model.always = AwayError("connection refused")
    (asked,) = await office.ask(job("visit"))
    await office.pass_time(30)
    with pytest.raises(AwayError, match="connection refused"):
        asked.result()
    assert office.model.asked == ["visit", "visit"]


async def test_no_second_try_when_nobody_would_need_it_any_more(office: Office) -> None:
    office.model.always = AwayError("connection refused")
    (asked,) = await office.ask(job("visit", useful_s=0.9))
    with pytest.raises(AwayError):
        asked.result()
    assert office.model.asked == ["visit"]


async def test_an_outage_of_a_day_is_knocked_at_ever_more_seldom_and_costs_no_budget(office: Office) -> None:
    office.model.always = AwayError("connection refused")
    await office.ask(job("first"))
    for number in range(24 * 30):
        await office.ask(job(number, useful_s=60.0))
        await office.pass_time(120, step_s=60.0)
    knocks = len(office.model.asked)
    assert 24 * 12 - 20 <= knocks <= 2 * 24 * 12 + 20  # each 2.5 to 5 min
    state = office.queue.state()
    assert (state.calls_today, state.tokens_today) == (0, 0)
    assert state.phase is LlmPhase.RESTING
    assert state.problem == "connection refused"
    office.model.always = None
    await office.pass_time(300)
    (asked,) = await office.ask(job("later"))
    assert asked.result().text == "later"
    assert office.queue.state().phase is LlmPhase.READY


async def test_while_it_rests_for_long_nobody_is_made_to_wait(office: Office) -> None:
    office.model.always = AwayError("connection refused")
    for number in range(9):
        await office.ask(job(number, useful_s=400))
        await office.pass_time(300, step_s=5.0)
        if office.queue._breaker.wait_s() > 60:
            break
    (asked,) = await office.ask(job("visit", useful_s=30))
    with pytest.raises(NotNowError, match="connection refused"):
        asked.result()


async def test_a_slow_failure_counts_as_spent_and_a_quick_one_does_not() -> None:
    office = Office(limits=replace(WIDE, timeout_s=10.0))
    await office.open()
    office.model.always = AwayError("it broke off")
    office.model.takes_s = 9.0
    await office.ask(job("visit", useful_s=5))
    await office.pass_time(9)
    assert (office.queue.state().calls_today, office.queue.state().tokens_today) == (1, 200)
    office.model.takes_s = 0.5
    await office.pass_time(2)
    await office.ask(job("visit", useful_s=0.5))
    await office.pass_time(1)
    assert len(office.model.asked) == 2
    assert (office.queue.state().calls_today, office.queue.state().tokens_today) == (1, 200)
    await office.close()


# -- busy --------------------------------------------------------------------------------------------------------


async def test_nothing_is_sent_before_retry_after(office: Office) -> None:
    office.model.script = [BusyError("429", retry_after_s=20.0)]
    patient, other, hasty = await office.ask(job("patient"), job("other"), job("hasty", useful_s=10))
    with pytest.raises(NotNowError, match="429"):
        hasty.result()
    (user,) = await office.ask(job("user", Priority.USER))
    await office.pass_time(19.5)
    assert office.model.asked == ["patient"]
    assert office.queue.state().phase is LlmPhase.RESTING
    await office.pass_time(1)
    assert office.model.times[1] == NOON + 20.0
    assert office.model.asked == ["patient", "user", "patient", "other"]
    assert all(task.done() and not task.exception() for task in (patient, other, user))


async def test_a_wait_longer_than_the_job_is_of_use_is_reported_at_once(office: Office) -> None:
    office.model.script = [BusyError("429: the day's quota", retry_after_s=7200.0)]
    (asked,) = await office.ask(job("visit"))
    with pytest.raises(BusyError):
        asked.result()
    (next_,) = await office.ask(job("next"))
    with pytest.raises(NotNowError, match="the day's quota"):
        next_.result()
    await office.pass_time(7200, step_s=60.0)
    (late,) = await office.ask(job("late"))
    assert late.result().text == "late"
    assert office.model.times[1] >= NOON + 7200.0


async def test_busy_again_and_again_gets_ever_longer_pauses(office: Office) -> None:
    office.model.always = BusyError("429", retry_after_s=1.0)
    (asked,) = await office.ask(job("visit", useful_s=120))
    await office.pass_time(130)
    assert isinstance(asked.exception(), NotNowError | BusyError)
    assert 5 <= len(office.model.asked) <= 9


async def test_what_the_job_came_to_before_is_the_cause(office: Office) -> None:
    office.model.script = [BusyError("429", retry_after_s=20.0)]
    _, asked = await office.ask(job("a"), job("visit"))
    del asked
    first = office.asking[0]
    office.model.takes_s = 0.0
    office.model.always = BusyError("429 again", retry_after_s=50.0)
    await office.pass_time(30)
    error = first.exception()
    assert isinstance(error, BusyError)
    assert str(error.__cause__) == "429"


# -- refused, garbled --------------------------------------------------------------------------------------------


async def test_a_wrong_key_is_asked_about_once_in_half_an_hour(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "blikk.llm")
    office.model.always = RefusedError("401: the key is wrong; see summary.api_key")
    for number in range(45):
        await office.ask(job(number))
        await office.pass_time(REFUSED_S / 50, step_s=9.0)
    assert office.model.asked == ["0"]
    state = office.queue.state()
    assert (state.phase, state.problem) == (LlmPhase.REFUSED, "401: the key is wrong; see summary.api_key")
    office.model.always = None
    await office.pass_time(REFUSED_S / 10, step_s=9.0)
    await office.ask(job("mended"))
    assert office.model.asked == ["0", "mended"]
    assert office.queue.state().phase is LlmPhase.READY
    assert [record.getMessage() for record in caplog.records] == [
        "tiny is not asked now: 401: the key is wrong; see summary.api_key",
        "tiny is asked again",
    ]


async def test_an_answer_that_is_none_is_passed_on_with_its_cost(office: Office) -> None:
    office.model.script = [GarbledError("cut off", spent=completion("{", input_tokens=300, output_tokens=100))]
    (asked,) = await office.ask(job("visit"))
    with pytest.raises(GarbledError):
        asked.result()
    state = office.queue.state()
    assert (state.calls_today, state.tokens_today, state.phase) == (1, 400, LlmPhase.READY)


async def test_something_else_that_answers_in_its_place_rests_it(office: Office) -> None:
    office.model.script = [GarbledError("HTML: is this a log-in page?")]
    (asked,) = await office.ask(job("visit"))
    with pytest.raises(GarbledError):
        asked.result()
    state = office.queue.state()
    assert (state.phase, state.problem) == (LlmPhase.RESTING, "HTML: is this a log-in page?")


async def test_only_one_probe_goes_out_however_many_may_run_at_once() -> None:
    office = Office(limits=replace(WIDE, concurrency=4))
    office.model.script = [AwayError("reset")]
    await office.open()
    (first,) = await office.ask(job("first"))
    office.model.takes_s = 2.0
    others = await office.ask(*(job(n) for n in range(3)))
    await office.pass_time(1.5)
    assert office.model.asked == ["first", "first"]
    await office.pass_time(5)
    assert all(task.done() and not task.exception() for task in (first, *others))
    assert office.model.most_at_once == 3
    await office.close()


async def test_a_probe_whose_caller_went_does_not_block_the_way(office: Office) -> None:
    office.model.script = [AwayError("reset")]
    (first,) = await office.ask(job("first"))
    office.model.takes_s = 5.0
    await office.pass_time(1.5)
    assert office.model.at_once == 1
    first.cancel()
    await office.rest()
    (second,) = await office.ask(job("second"))
    await office.pass_time(6)
    assert second.result().text == "second"


async def test_stopped_in_a_probe_it_can_probe_again_when_it_runs_again(office: Office) -> None:
    office.model.script = [AwayError("reset")]
    await office.ask(job("first"))
    office.model.takes_s = 5.0
    await office.pass_time(1.5)
    assert office.model.at_once == 1
    await office.close()
    await office.open()
    (asked,) = await office.ask(job("second"))
    await office.pass_time(6)
    assert asked.result().text == "second"


# -- limits ------------------------------------------------------------------------------------------------------


async def test_a_camera_cools_down_but_not_for_users_nor_for_others() -> None:
    office = Office(limits=replace(WIDE, cooldown_s=10.0))
    await office.open()
    await office.ask(job("door 1"))
    await office.ask(job("door 2"), job("yard", Priority.DIGEST, camera="yard"), job("user", Priority.USER))
    await office.ask(job("hasty", useful_s=5))
    assert office.model.asked == ["door 1", "user", "yard"]
    assert isinstance(office.asking[-1].exception(), NotNowError)
    await office.pass_time(9.5)
    assert office.model.asked == ["door 1", "user", "yard"]
    await office.pass_time(1)
    assert office.model.asked[3:] == ["door 2"]
    await office.close()


async def test_what_came_to_nothing_needs_no_cool_down() -> None:
    office = Office(limits=replace(WIDE, cooldown_s=10.0))
    office.model.script = [GarbledError("cut off", spent=completion("{"))]
    await office.open()
    await office.ask(job("visit"))
    (repair,) = await office.ask(job("visit"))
    assert repair.done()
    await office.close()


async def test_the_minute_is_waited_for_and_the_important_are_not_overtaken() -> None:
    office = Office(limits=replace(WIDE, tokens_per_minute=290))
    await office.open()
    await office.ask(job("first"))  # 70 tokens once settled
    big, small = await office.ask(job("big", max_tokens=150, useful_s=90), job("small", max_tokens=1, useful_s=90))
    assert office.model.asked == ["first"]
    (hasty,) = await office.ask(job("hasty", Priority.RING, max_tokens=150, useful_s=30))
    with pytest.raises(NotNowError, match="tokens_per_minute is 290"):
        hasty.result()
    await office.pass_time(59)
    assert office.model.asked == ["first"]
    await office.pass_time(2)
    assert office.model.asked == ["first", "big", "small"]
    assert big.done()
    assert small.done()
    await office.close()


async def test_never_more_calls_in_a_minute_than_allowed() -> None:
    office = Office(limits=Limits(calls_per_minute=6, cooldown_s=0.0))
    await office.open()
    for number in range(40):
        await office.ask(job(number, useful_s=600))
    await office.pass_time(240)
    times = office.model.times
    assert len(times) >= 24
    assert all(sum(0 <= other - time < 60.0 for other in times) <= 6 for time in times)
    await office.close()


async def test_over_budget_is_reported_at_once_and_over_at_midnight(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "blikk.llm")
    office = Office(limits=replace(WIDE, calls_per_day=1, price_input=2.0, price_output=8.0, currency="EUR"))
    await office.open()
    await office.ask(job("one"))
    (two,) = await office.ask(job("two"))
    with pytest.raises(NotNowError, match=r"summary\.limits\.calls_per_day is 1"):
        two.result()
    state = office.queue.state()
    assert (state.phase, state.calls_left) == (LlmPhase.OVER_BUDGET, 0)
    assert "calls_per_day is 1" in str(state.problem)
    assert state.cost_today == pytest.approx((50 * 2.0 + 20 * 8.0) / 1e6)
    assert state.currency == "EUR"
    assert office.changes[-1] is LlmPhase.OVER_BUDGET
    await office.pass_time(24 * 3600, step_s=300.0)  # over midnight, wherever that is
    assert office.changes[-1] is LlmPhase.READY
    assert office.queue.state().calls_left == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    await office.close()


async def test_a_camera_over_its_own_limit_is_no_matter_of_the_node() -> None:
    office = Office(limits=replace(WIDE, camera_calls_per_day=1))
    await office.open()
    _, door, yard = await office.ask(job("one"), job("two"), job("three", camera="yard"))
    with pytest.raises(NotNowError, match="camera_calls_per_day is 1"):
        door.result()
    assert yard.done()
    assert office.queue.state().phase is LlmPhase.READY
    await office.close()


# -- what is kept ------------------------------------------------------------------------------------------------


async def kept(drawer: Drawer, part: str) -> None:
    async with asyncio.timeout(10 * PATIENCE):
        while part not in drawer.kept.get(KEY, ""):
            await asyncio.sleep(0.002)


async def test_what_was_spent_outlives_the_desk() -> None:
    drawer = Drawer()
    office = Office(memory=drawer)
    await office.open()
    await office.ask(job("visit"))
    await office.close()
    assert '"door": [1, 50, 20]' in drawer.kept[KEY]
    again = Office(memory=drawer, limits=replace(WIDE, calls_per_day=1))
    await again.open()
    (asked,) = await again.ask(job("visit"))
    with pytest.raises(NotNowError):
        asked.result()
    assert (again.queue.state().calls_today, again.queue.state().phase) == (1, LlmPhase.OVER_BUDGET)
    await again.close()


async def test_run_again_it_does_not_count_twice() -> None:
    drawer = Drawer()
    office = Office(memory=drawer)
    await office.open()
    await office.ask(job("visit"))
    await office.close()
    await office.open()
    assert office.queue.state().calls_today == 1
    await office.close()


async def test_a_call_is_written_down_before_it_is_answered() -> None:
    drawer = Drawer()
    office = Office(memory=drawer)
    office.model.takes_s = 20.0
    await office.open()
    await office.ask(job("visit"))
    await kept(drawer, '"node": [1, 100, 100]')
    await office.close()


async def test_it_is_written_every_few_seconds_at_most() -> None:
    drawer = Drawer()
    office = Office(memory=drawer)
    await office.open()
    for number in range(60):
        await office.ask(job(number))
        await office.pass_time(0.25)
    assert drawer.writes <= 5
    await office.close()
    assert '"node": [60, 3000, 1200]' in drawer.kept[KEY]


async def test_a_store_that_fails_is_reported_once_and_nothing_is_overwritten(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "blikk.llm")
    drawer = Drawer()
    first = Office(memory=drawer)
    await first.open()
    await first.ask(job("earlier"))
    await first.close()
    drawer.jammed = True
    office = Office(memory=drawer)
    await office.open()
    for number in range(4):
        await office.ask(job(number))
        await office.pass_time(6)
    assert len(caplog.records) == 1
    assert "not kept over a restart: store: its disk is full" in caplog.text
    drawer.jammed = False
    await office.ask(job("last"))
    await office.pass_time(6)
    await kept(drawer, '"node": [6, ')
    async with asyncio.timeout(60 * PATIENCE):
        while "is kept now" not in caplog.text:
            await asyncio.sleep(0.01)
    await office.close()


async def test_what_could_not_be_read_is_not_overwritten() -> None:
    drawer = Drawer()
    drawer.kept[KEY] = "counters of before"
    drawer.deaf = True
    office = Office(memory=drawer)
    await office.open()
    await office.ask(job("visit"))
    await office.pass_time(20)
    await office.close()
    assert drawer.kept[KEY] == "counters of before"


async def test_damaged_counters_do_not_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    drawer = Drawer()
    drawer.kept[KEY] = "{"
    office = Office(memory=drawer)
    await office.open()
    (asked,) = await office.ask(job("visit"))
    assert asked.done()
    assert "cannot be read" in caplog.text
    await office.close()


async def test_changes_are_reported_when_something_visible_changed(office: Office) -> None:
    before = len(office.changes)
    await office.pass_time(300, step_s=10.0)
    assert len(office.changes) == before
    await office.ask(job("visit"))
    assert len(office.changes) > before


async def test_a_clock_set_back_does_not_stop_it() -> None:
    class Wall(VirtualClock):
        def __init__(self) -> None:
            super().__init__(NOON)
            self.off = 0.0

        def now(self) -> float:
            return super().now() + self.off

    office = Office(limits=replace(WIDE, cooldown_s=5.0))
    await office.open()
    wall = Wall()
    office.clock = office.model._clock = office.queue._clock = wall
    office.queue._budget._clock = office.queue._breaker._clock = wall
    await office.ask(job("one"))
    wall.off = -3 * 86400.0
    (two,) = await office.ask(job("two"))
    await office.pass_time(6)
    assert two.done()
    wall.off = 0.0
    assert office.queue.state().calls_today == 1
    await office.close()


async def test_answers_of_one_are_not_given_to_another(office: Office) -> None:
    office.model.takes_s = 0.5
    tasks = await office.ask(*(job(n) for n in range(20)))
    await office.pass_time(12)
    answers: list[Completion] = [task.result() for task in tasks]
    assert [answer.text for answer in answers] == [str(n) for n in range(20)]
