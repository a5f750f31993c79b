"""The scheduler: what happens at 3 a.m."""

import asyncio
import logging
import random
import threading

import pytest
from patience import PATIENCE

from blikk_edge.core.allowance import LOGGED, LOGGED_EVERY_S
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.errors import SinkError, SourceError
from blikk_edge.runtime.scheduler import Scheduler, SupervisedThread, Supervisor


def test_backoff_grows_from_one_to_thirty_seconds_and_starts_again() -> None:
    backoff = Backoff(rng=random.Random(1))
    pauses = [backoff.next_s() for _ in range(12)]
    assert all(1.0 <= p <= 30.0 for p in pauses)
    assert max(pauses) > 15.0
    backoff.reset()
    assert backoff.next_s() <= 1.0


def test_backoff_grows_to_a_longest_pause_of_half_an_hour() -> None:
    backoff = Backoff(last_s=1800.0, rng=random.Random(1))
    late = [backoff.next_s() for _ in range(40)][11:]
    assert all(900.0 <= p <= 1800.0 for p in late)
    assert max(late) > 1200.0


def test_backoff_is_jittered() -> None:
    late = []
    for seed in range(5):
        backoff = Backoff(rng=random.Random(seed))
        late.append([backoff.next_s() for _ in range(6)][-1])
    assert len(set(late)) == 5


def test_a_problem_is_reported_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    supervisor = Supervisor()
    supervisor.well("camera.door")
    for _ in range(3):
        with supervisor.guard("camera.door"):
            raise SourceError("rtsp://cam: refused")
    assert supervisor.problems == {"camera.door": "rtsp://cam: refused"}
    supervisor.well("camera.door")
    supervisor.well("camera.door")
    assert [r.getMessage() for r in caplog.records] == ["rtsp://cam: refused", "works again"]


def test_what_never_worked_does_not_work_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    supervisor = Supervisor()
    supervisor.fail("camera.door", SourceError("rtsp://cam: refused"))
    supervisor.well("camera.door")
    supervisor.fail("camera.door", SourceError("rtsp://cam: refused"))
    supervisor.well("camera.door")
    assert [r.getMessage() for r in caplog.records] == [
        *("rtsp://cam: refused", "works now"),
        *("rtsp://cam: refused", "works again"),
    ]


def test_what_comes_and_goes_for_ever_is_reported_a_few_times_and_then_seldom_with_its_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = VirtualClock(1000.0)
    supervisor = Supervisor(clock)
    supervisor.well("camera.door")
    for _ in range(400):  # an hour of connections of 9 s
        supervisor.fail("camera.door", SourceError("rtsp://cam: broke"))
        clock.set(clock.now() + 1.0)
        supervisor.well("camera.door")
        clock.set(clock.now() + 8.0)
    reported = [r.getMessage() for r in caplog.records]
    assert reported[: 2 * LOGGED] == ["rtsp://cam: broke", "works again"] * LOGGED
    assert len(reported) <= 2 * (LOGGED + 6)
    assert reported[-2].startswith("rtsp://cam: broke (and 6")
    supervisor.fail("camera.door", SourceError("rtsp://cam: refused"))  # what is new is reported at once
    supervisor.well("camera.door")
    assert [r.getMessage() for r in caplog.records][-2:] == ["rtsp://cam: refused", "works again"]
    clock.set(clock.now() + LOGGED * LOGGED_EVERY_S)
    supervisor.fail("camera.door", SourceError("rtsp://cam: broke"))
    assert "rtsp://cam: broke" in caplog.records[-1].getMessage()


def test_a_bug_is_reported_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with Supervisor().guard("vision") as outcome:
        raise ZeroDivisionError("oops")
    assert outcome.failed
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.records[0].exc_info is not None


def test_the_end_of_the_program_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), Supervisor().guard("vision"):
        raise KeyboardInterrupt


async def test_a_failing_task_is_tried_again_after_a_pause_on_the_clock() -> None:
    clock = VirtualClock()
    scheduler = Scheduler(clock, Supervisor())
    tries = []

    async def body() -> None:
        tries.append(clock.now())
        if len(tries) < 3:
            raise SinkError("broker away")

    task = scheduler.task("mqtt", body)
    await clock.advance(10)
    assert task.done()
    assert len(tries) == 3
    assert tries[1] >= 1.0


async def test_a_bug_in_one_task_leaves_the_others_running() -> None:
    clock = VirtualClock()
    supervisor = Supervisor()
    scheduler = Scheduler(clock, supervisor)
    ticks = []

    async def broken() -> None:
        raise ValueError("bug")

    async def sound() -> None:
        while True:
            ticks.append(clock.now())
            await clock.sleep(1.0)

    scheduler.task("broken", broken)
    scheduler.task("sound", sound)
    await clock.advance(20)
    assert len(ticks) >= 20
    assert "ValueError: bug" in supervisor.problems["broken"]
    await scheduler.end_tasks()


async def test_a_failing_thread_is_started_again_and_ends_when_asked() -> None:
    supervisor = Supervisor()
    scheduler = Scheduler(SystemClock(), supervisor)
    again = threading.Event()
    tries = []

    def body(thread: SupervisedThread) -> None:
        tries.append(threading.current_thread().name)
        if len(tries) == 1:
            raise SourceError("first connection refused")
        thread.well()
        again.set()
        thread.stop.wait(30)

    scheduler.thread("camera.door", body)
    assert await asyncio.to_thread(again.wait, 10)
    assert supervisor.problems == {}
    await scheduler.end_threads()
    assert tries == ["camera.door", "camera.door"]


async def test_a_failure_that_asks_to_be_left_alone_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, waited = Scheduler(SystemClock(), Supervisor()), []
    done = threading.Event()

    def body(thread: SupervisedThread) -> None:
        if waited:
            done.set()
            return
        monkeypatch.setattr(thread.stop, "wait", waited.append)
        raise SourceError("the login was refused", retry_s=600)

    scheduler.thread("camera.door", body)
    assert await asyncio.to_thread(done.wait, 10)
    await scheduler.end_threads()

    assert waited == [600]


async def test_a_hanging_thread_does_not_hold_up_the_end() -> None:
    scheduler = Scheduler(SystemClock(), Supervisor(), grace_s=0.1)
    release = threading.Event()
    scheduler.thread("camera.door", lambda _thread: release.wait(30) and None)
    async with asyncio.timeout(5 * PATIENCE):
        await scheduler.end_threads()
    release.set()


async def test_a_thread_that_may_be_left_is_waited_for_no_longer_and_nothing_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scheduler = Scheduler(SystemClock(), Supervisor(), grace_s=300.0)
    release = threading.Event()
    scheduler.thread("camera.door", lambda _thread: release.wait(30) and None, leave_after_s=0.1)
    async with asyncio.timeout(20 * PATIENCE):
        await scheduler.end_threads()
    assert not release.is_set()
    assert caplog.records == []
    release.set()


@pytest.mark.parametrize("failing", [SourceError("it broke"), ValueError("a bug")])
async def test_what_fails_after_it_was_asked_to_end_is_no_problem_of_who_took_its_place(
    failing: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor()
    scheduler = Scheduler(SystemClock(), supervisor)
    release = threading.Event()

    def late(_thread: SupervisedThread) -> None:
        release.wait(30)
        raise failing

    thread = scheduler.thread("camera.door", late)
    scheduler.retire(thread)
    release.set()
    assert await asyncio.to_thread(thread.ended.wait, 10)
    assert supervisor.problems == {}
    assert [record.levelname for record in caplog.records] == ["ERROR"] * isinstance(failing, ValueError)


async def test_cancelled_tasks_may_clean_up() -> None:
    scheduler = Scheduler(SystemClock(), Supervisor())
    farewell = []

    async def body() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            farewell.append("offline")

    scheduler.task("mqtt", body)
    await asyncio.sleep(0)
    await scheduler.end_tasks()
    assert farewell == ["offline"]


def test_an_attempt_that_fails_is_a_problem_until_one_does_not() -> None:
    supervisor = Supervisor()
    with supervisor.attempt("store") as outcome:
        raise SinkError("disk full")
    assert outcome.failed
    assert supervisor.problems == {"store": "disk full"}
    with supervisor.attempt("store") as outcome:
        pass
    assert not outcome.failed
    assert supervisor.problems == {}
