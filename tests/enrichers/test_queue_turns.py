"""The desk's queue: who goes first, who is turned away, and that it never grows."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from queue_props import PICTURE, WIDE, Office, completion, job

from blikk_edge.llm.port import BlindError, Completion, RefusedError, TooLongError
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.port import JobQueue, NotNowError, Priority, SupersededError


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    office = Office()
    office.model.takes_s = 1.0
    await office.open()
    yield office
    await office.close()


async def test_it_is_a_desk(office: Office) -> None:
    queue: JobQueue = office.queue
    assert queue.sees
    (asked,) = await office.ask(job("visit"))
    await office.pass_time(1)
    assert asked.result() == completion("visit")


async def test_the_most_important_goes_first_then_the_oldest(office: Office) -> None:
    order = [Priority.PERSON, *reversed(Priority), Priority.RING]  # the first is being served when the others come
    await office.ask(*(job(f"{priority.name} {n}", priority) for n, priority in enumerate(order)))
    await office.pass_time(12)
    assert office.model.asked == [
        *("PERSON 0", "USER 8", "RING 7", "RING 9", "PERSON 6", "PACKAGE 5", "ANIMAL 4", "VEHICLE 3", "QUESTION 2"),
        "DIGEST 1",
    ]
    assert office.model.most_at_once == 1


async def test_two_at_once_where_that_is_allowed() -> None:
    office = Office(limits=replace(WIDE, concurrency=2))
    office.model.takes_s = 1.0
    await office.open()
    asked = await office.ask(*(job(n) for n in range(6)))
    await office.pass_time(3)
    assert office.model.most_at_once == 2
    assert all(task.done() for task in asked)
    await office.close()


async def test_of_the_same_key_the_newest_is_done_in_the_place_of_the_oldest(office: Office) -> None:
    await office.ask(job("now"))
    first, other, second = await office.ask(
        job("visit", useful_s=30), job("other"), replace(job("visit"), prompt=job("visit, later").prompt)
    )
    with pytest.raises(SupersededError):
        first.result()
    await office.pass_time(3)
    assert office.model.asked == ["now", "visit, later", "other"]
    assert second.result().text == "visit, later"
    assert other.done()


async def test_work_that_is_being_done_is_not_superseded(office: Office) -> None:
    (first,) = await office.ask(job("visit"))
    (second,) = await office.ask(job("visit"))
    await office.pass_time(2)
    assert first.result() == second.result() == completion("visit")


async def test_a_full_queue_turns_away_the_least_important_newest() -> None:
    office = Office(limits=replace(WIDE, queue=3))
    office.model.takes_s = 1.0
    await office.open()
    await office.ask(job("now"))
    old, new, person = await office.ask(job("car 1", Priority.VEHICLE), job("car 2", Priority.VEHICLE), job("person"))
    (ring,) = await office.ask(job("ring", Priority.RING))
    with pytest.raises(NotNowError, match="3 jobs wait"):
        new.result()
    (late,) = await office.ask(job("car 3", Priority.VEHICLE))
    with pytest.raises(NotNowError, match="3 jobs wait"):
        late.result()
    await office.pass_time(4)
    assert office.model.asked == ["now", "ring", "person", "car 1"]
    assert all(task.done() and not task.exception() for task in (old, person, ring))
    await office.close()


async def test_ten_thousand_jobs_leave_a_short_queue_and_everybody_with_an_answer() -> None:
    office = Office(limits=Limits(queue=50, calls_per_minute=600, cooldown_s=0))
    office.model.takes_s = 5.0
    await office.open()
    await office.ask(job("now"))
    done = 0

    async def someone(number: int) -> str:
        nonlocal done
        try:
            answer = await office.queue.ask(job(number, list(Priority)[number % 8], camera=f"camera {number % 4}"))
        except NotNowError:
            return "turned away"
        finally:
            done += 1
        return answer.text

    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    crowd: list[asyncio.Task[str]] = []
    for start in range(0, 10_000, 500):
        crowd += [asyncio.ensure_future(someone(number)) for number in range(start, start + 500)]
        await office.rest()
        assert office.queue.state().waiting == 50
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert done == 9_950
    assert after - before < 20e6  # mostly the test's own 10,000 tasks
    await office.pass_time(70)
    assert done == 10_000
    answers = [task.result() for task in crowd]
    served = office.model.asked[1:]
    assert answers.count("turned away") == 10_000 - len(served)
    # a call each 5 s, and nobody wants an answer after 60 s; only users were left in the queue
    assert 11 <= len(served) <= 13
    assert {int(text) % 8 for text in served} == {Priority.USER}
    assert office.queue.state().waiting == 0
    await office.close()


async def test_nobody_waits_longer_than_it_is_of_use(office: Office) -> None:
    office.model.takes_s = 20.0
    _, short, long = await office.ask(job("now"), job("short", useful_s=5), job("long", useful_s=300))
    await office.pass_time(4.75)
    assert not short.done()
    await office.pass_time(0.5)
    with pytest.raises(NotNowError, match="not its turn within 5 s"):
        short.result()
    await office.pass_time(40)
    assert long.result().text == "long"
    assert office.model.asked == ["now", "long"]


async def test_a_caller_who_went_leaves_the_queue(office: Office) -> None:
    _, gone, stays = await office.ask(job("now"), job("gone"), job("stays"))
    gone.cancel()
    await office.rest()
    assert office.queue.state().waiting == 1
    await office.pass_time(3)
    assert office.model.asked == ["now", "stays"]
    assert stays.done()


async def test_a_caller_who_went_breaks_off_his_call_which_says_nothing_of_the_model(office: Office) -> None:
    office.model.takes_s = 10.0
    gone, stays = await office.ask(job("gone"), job("stays"))
    gone.cancel()
    await office.rest()
    assert office.model.broken_off == 1
    assert office.model.asked == ["gone", "stays"]
    await office.pass_time(10)
    assert stays.result().text == "stays"
    # what was broken off may have been worked on: its estimate stays
    assert office.queue.state().tokens_today == 200 + 70


async def test_pictures_are_kept_from_a_model_that_turned_out_blind(office: Office) -> None:
    office.model.script = [BlindError("it takes no pictures")]
    first, second, third = await office.ask(job(1, pictures=(PICTURE,)), job(2, pictures=(PICTURE,)), job(3))
    await office.pass_time(3)
    for task in (first, second):
        with pytest.raises(BlindError):
            task.result()
    assert not office.queue.sees
    assert third.done()
    assert office.model.asked == ["1", "3"]


async def test_too_long_is_the_callers_to_shorten_and_costs_nothing(office: Office) -> None:
    office.model.script = [TooLongError("5000 of 4096")]
    asked, other = await office.ask(job("visit"), job("other"))
    await office.pass_time(1)
    with pytest.raises(TooLongError):
        asked.result()
    assert office.queue.state().problem is None
    await office.pass_time(1)
    assert other.done()
    assert office.queue.state().calls_today == 1


async def test_a_desk_that_does_not_run_turns_everybody_away() -> None:
    office = Office()
    with pytest.raises(NotNowError, match="not running"):
        await office.queue.ask(job("visit"))


async def test_when_it_stops_nobody_is_left_waiting(office: Office) -> None:
    office.model.takes_s = 10.0
    served, waits = await office.ask(job("served"), job("waits"))
    assert office.task is not None
    office.task.cancel()
    await office.rest()
    for task in (served, waits):
        with pytest.raises(NotNowError, match="not running"):
            task.result()
    assert office.model.broken_off == 1
    assert office.task.cancelled()


async def test_stopped_in_the_moment_a_call_begins_nobody_is_left_waiting(office: Office) -> None:
    asking = asyncio.ensure_future(office.queue.ask(job("visit")))
    while not office.queue._calls:
        await asyncio.sleep(0)
    assert office.task is not None
    office.task.cancel()
    await office.rest()
    with pytest.raises(NotNowError):
        asking.result()


async def test_closed_it_lets_the_model_go_and_asks_it_nothing_more(office: Office) -> None:
    office.model.takes_s = 10.0
    served, waits = await office.ask(job("served"), job("waits"))
    await office.queue.close()
    await office.rest()
    assert office.model.closed
    assert office.model.broken_off == 1
    for task in (served, waits):
        with pytest.raises(NotNowError):
            task.result()
    with pytest.raises(NotNowError):
        await office.queue.ask(job("late"))
    assert office.model.asked == ["served"]


async def test_after_a_bug_in_a_model_it_can_run_again() -> None:
    office = Office()
    await office.open()
    office.model.script = [ZeroDivisionError()]
    (hit,) = await office.ask(job("visit"))
    with pytest.raises(NotNowError):
        hit.result()
    assert office.task is not None
    with pytest.raises(ExceptionGroup):
        office.task.result()
    await office.open()
    (asked,) = await office.ask(job("visit"))
    assert asked.result().text == "visit"
    await office.close()


async def test_a_model_that_ignores_its_deadline_is_cut_off() -> None:
    office = Office(limits=replace(WIDE, timeout_s=30.0))

    async def never() -> Completion:
        await asyncio.Event().wait()
        raise AssertionError

    office.model.script = [never, never]
    await office.open()
    (asked,) = await office.ask(job("visit", useful_s=50))
    await office.pass_time(62.5, step_s=0.5)
    assert office.model.broken_off == 1  # asked again after a second, and inside that call now
    await office.pass_time(2)
    assert office.model.broken_off == 2
    assert "did not answer within 30 s" in str(asked.exception())
    await office.close()


async def test_a_refused_job_is_not_tried_again(office: Office) -> None:
    office.model.script = [RefusedError("401: wrong key")]
    refused, after = await office.ask(job("visit"), job("after"))
    await office.pass_time(1)
    with pytest.raises(RefusedError):
        refused.result()
    with pytest.raises(NotNowError, match="401"):
        after.result()
    assert office.model.asked == ["visit"]


async def test_a_caller_who_went_a_moment_ago_is_not_paid_for(office: Office) -> None:
    asking = asyncio.ensure_future(office.queue.ask(job("visit")))
    await asyncio.sleep(0)
    (waiting,) = office.queue._line
    waiting.answer.cancel()
    await office.rest()
    assert asking.cancelled()
    assert office.model.asked == []
    assert office.queue.state().calls_today == 0
