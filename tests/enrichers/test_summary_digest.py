import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from scripted_queue import ScriptedQueue, answer
from summary_props import IN_UTC, NOON, ended, ring, sighting

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.locale import Locale
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import Author, Importance, Summary
from blikk_edge.core.watched import Watched
from blikk_edge.enrichers.summaries.digest import Digester, Every, next_end, period_start
from blikk_edge.enrichers.summaries.text_writer import TextWriter
from blikk_edge.llm.queue.port import Priority

HOUR = 3600.0


class Memory:
    """A history of these events."""

    def __init__(self, *events, summaries=(), rings=(), fails=0):
        self._rings = rings
        self._events = events
        self._summaries = summaries
        self._fails = fails

    def events(self, *, camera, since, until, limit):
        if self._fails:
            self._fails -= 1
            raise StoreError("disk")
        found = [e for e in self._events if camera in {None, e.camera} and since <= e.started < until]
        return sorted(found, key=lambda e: -e.started)[:limit]

    def summaries(self, **_):
        return self._summaries

    def rings(self, *, camera, since, until, limit):
        found = [ring for ring in self._rings if camera in {None, ring.camera} and since <= ring.time < until]
        return found[:limit]


def visit(n, at, camera="porch", label=Label.PERSON, peak=1):
    return ended(
        sighting(n, since=at, label=label),
        at=at + 30.0,
        started=at,
        key=f"{camera}-{n}",
        camera=camera,
        label=label,
        peak=peak,
    )


def digester(
    history, queue=None, *, modes=None, reported=None, clock=None, every=None, watched=None, locale=lambda: IN_UTC
):
    clock = clock or VirtualClock(NOON)
    return Digester(
        writer=TextWriter(queue=queue, check=lambda *_, **__: (), clock=clock),
        publish=[].append if reported is None else reported.append,
        clock=clock,
        mode_of=lambda camera: (modes or {}).get(camera, SummaryMode.TEXT),
        names={"porch": "Front door", "yard": "Yard"},
        node_name="Home",
        history=history,
        every=every,
        locale=locale,
        watched=watched,
    )


async def test_a_period_of_all_cameras_is_reported_by_the_model():
    queue = ScriptedQueue(answer(title="Two visits"))
    history = Memory(visit(1, 60.0), visit(2, 600.0, camera="yard", peak=2), visit(3, 2 * HOUR))
    summary = await digester(history, queue).digest(None, NOON, NOON + HOUR)
    assert (summary.camera, summary.event, summary.revision, summary.title) == (None, None, 1, "Two visits")
    assert (summary.since, summary.until, summary.source) == (NOON, NOON + HOUR, Author.LLM)
    assert queue.prompts[0].user.splitlines() == [
        'Home "Home" 12:00:00-13:00:00 (1h). Seen at once: two people.',
        '12:01 person 30s "Front door"',
        '12:10 2 people 30s "Yard"',
    ]
    assert queue.jobs[0].priority is Priority.USER


async def test_a_quiet_period_costs_no_tokens():
    queue = ScriptedQueue()
    summary = await digester(Memory(), queue).digest("porch", NOON, NOON + HOUR)
    assert (summary.text, summary.importance) == ("Nothing was seen from 12:00 to 13:00.", Importance.LOW)
    assert queue.jobs == []


def seen(**spans):
    """When each camera was watched; of a camera that is not named nothing is known."""
    kept = {camera: Watched().with_spans(each, now=NOON + 99 * HOUR) for camera, each in spans.items()}
    return kept.get


async def test_of_a_period_that_nobody_watched_nothing_is_known():
    clock = VirtualClock(NOON + HOUR)
    summary = await digester(Memory(), clock=clock, watched=seen(porch=(), yard=())).digest(None, NOON, NOON + HOUR)
    assert summary.title == "Not watched: Home"
    assert summary.text == "Nothing was watched from 12:00 to 13:00, so nothing is known."
    assert summary.importance is Importance.LOW


@pytest.mark.parametrize(
    ("watched", "said"),
    [
        (seen(porch=[(NOON, NOON + HOUR)], yard=()), "Nothing was seen from 12:00 to 13:00. Not watched: the yard."),
        (
            seen(porch=[(NOON + 1200.0, NOON + HOUR)], yard=[(NOON, NOON + HOUR)]),
            "Nothing was seen from 12:00 to 13:00. Not watched: the front door from 12:00 to 12:20.",
        ),
        (seen(porch=[(NOON, NOON + HOUR)]), "Nothing was seen from 12:00 to 13:00."),
        (seen(), "Nothing was seen from 12:00 to 13:00."),
    ],
)
async def test_what_of_a_period_was_not_watched_is_reported(watched, said):
    clock = VirtualClock(NOON + HOUR)
    summary = await digester(Memory(), clock=clock, watched=watched).digest(None, NOON, NOON + HOUR)
    assert summary.text == said


async def test_a_text_of_the_model_is_kept_and_what_was_not_watched_follows():
    queue = ScriptedQueue(answer(title="One visit", text="One person came."))
    clock = VirtualClock(NOON + HOUR)
    made = digester(Memory(visit(1, 60.0)), queue, clock=clock, watched=seen(porch=[(NOON, NOON + HOUR)], yard=()))
    summary = await made.digest(None, NOON, NOON + HOUR)
    assert summary.text == "One person came. Not watched: the yard."


async def test_without_a_model_the_template_reports_the_period():
    summary = await digester(Memory(visit(1, 60.0), visit(2, 90.0))).digest("porch", NOON, NOON + HOUR)
    assert summary.text == "From 12:00 to 13:00: two visits by a person."
    assert summary.title == "Front door: 2 visits"


async def test_a_busy_period_is_reported_by_the_hour():
    queue = ScriptedQueue()
    history = Memory(*(visit(n, 300.0 * n) for n in range(100)))
    await digester(history, queue).digest("porch", NOON, NOON + 24 * HOUR)
    lines = queue.prompts[0].user.splitlines()
    assert lines[1] == "01. 12:00 person 12 visits, longest 30s"
    assert len(lines) == 10


async def test_a_camera_that_is_off_is_left_out():
    queue = ScriptedQueue()
    history = Memory(visit(1, 60.0, camera="yard"))
    off = digester(history, queue, modes={"yard": SummaryMode.OFF})
    assert (await off.digest(None, NOON, NOON + HOUR)).text.startswith("Nothing was seen")
    assert (await off.digest("yard", NOON, NOON + HOUR)).title == "Yard: 1 visit"


async def test_where_no_camera_has_a_model_none_is_asked():
    queue = ScriptedQueue()
    modes = dict.fromkeys(("porch", "yard"), SummaryMode.TEMPLATE)
    summary = await digester(Memory(visit(1, 60.0)), queue, modes=modes).digest(None, NOON, NOON + HOUR)
    assert (summary.source, queue.jobs) == (Author.TEMPLATE, [])


async def test_what_mattered_in_the_period_goes_along():
    queue = ScriptedQueue()
    reported = Summary(
        id="s",
        camera="porch",
        event="porch-1",
        revision=2,
        time=NOON,
        since=NOON + 60,
        until=NOON + 90,
        title="t",
        text="A package came.",
        importance=Importance.HIGH,
    )
    await digester(Memory(visit(1, 60.0), summaries=[reported]), queue).digest("porch", NOON, NOON + HOUR)
    assert queue.prompts[0].user.splitlines()[-2:] == ["Earlier:", '12:01 "A package came."']


async def test_doorbells_of_before_the_start_are_known():
    history = Memory(visit(1, 60.0), rings=[ring(65.0), ring(70.0, camera="yard"), ring(2 * HOUR)])
    summary = await digester(history).digest("porch", NOON, NOON + HOUR)
    assert "doorbell" in summary.text.lower()
    quiet = await digester(Memory(rings=[ring(-60.0)])).digest("porch", NOON, NOON + HOUR)
    assert "doorbell" not in quiet.text.lower()


async def hours(history, count, *, fails=0):
    """What is reported in so many hours, a ring in the first."""
    clock, reported, queue = VirtualClock(NOON + 60.0), [], ScriptedQueue()
    inbox = asyncio.Queue()
    inbox.put_nowait(ring(120.0))  # passed over: the store knows it
    task = asyncio.ensure_future(
        digester(history, queue, reported=reported, clock=clock, every=Every.HOURLY).run(inbox)
    )
    for _ in range(count):
        await clock.advance(HOUR)
        for _ in range(200):  # the store is read in a thread
            await asyncio.sleep(0.001)
            if reported and reported[-1].until > clock.now() - HOUR:
                break
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})
    return reported


async def test_each_hour_is_reported_when_it_is_over():
    reported = await hours(Memory(visit(1, 600.0)), 2)
    assert [(one.since - NOON, one.until - NOON, one.source) for one in reported] == [
        (0.0, HOUR, Author.LLM),
        (HOUR, 2 * HOUR, Author.TEMPLATE),
    ]


async def test_an_hour_that_the_store_cannot_give_is_left_out(caplog):
    reported = await hours(Memory(fails=1), 2)
    assert [one.since - NOON for one in reported] == [HOUR]
    assert "no hourly digest this time: disk" in caplog.text


class SetClock(VirtualClock):
    ahead_s = 0.0

    def now(self):
        return super().now() + self.ahead_s


async def reported_after(ahead_s, every, *, begin=NOON + 60, advance_s=24 * HOUR, back_s=0.0):
    """The periods reported after a clock off by `ahead_s` was set right (to `back_s` later): since and until."""
    clock, reported = SetClock(begin), []
    clock.ahead_s = ahead_s
    made = digester(Memory(), reported=reported, clock=clock, every=every)
    made.digest = lambda camera, since, until, **_: asyncio.sleep(0, (since - NOON, until - NOON))
    task = asyncio.ensure_future(made.run(asyncio.Queue()))
    await asyncio.sleep(0)
    await clock.advance(30)
    assert reported == []
    clock.ahead_s = back_s
    for _ in range(int(advance_s / 60)):
        await clock.advance(60)
    task.cancel()
    await asyncio.wait({task})
    return reported


@pytest.mark.parametrize("ahead_h", [0, 3, 24 * 30, -3, -24 * 30, -24 * 365 * 2])
async def test_every_hour_is_reported_once_after_the_clock_was_set(ahead_h):
    reported = await reported_after(ahead_h * HOUR, Every.HOURLY)
    assert reported == [(n * HOUR, (n + 1) * HOUR) for n in range(24)]


@pytest.mark.parametrize("ahead_d", [2, 400, -2, -400])
async def test_the_day_is_reported_after_the_clock_was_set(ahead_d):
    reported = await reported_after(ahead_d * 24 * HOUR, Every.DAILY)
    assert reported == [(-12 * HOUR, 12 * HOUR)]


async def test_a_period_whose_end_is_jumped_over_is_reported_at_once():
    """12:57:30 becomes 13:02:30: the hour has come to its end."""
    reported = await reported_after(0.0, Every.HOURLY, begin=NOON + 57 * 60, advance_s=60, back_s=300.0)
    assert reported == [(0.0, HOUR)]


async def test_an_hour_is_not_reported_again_when_the_clock_is_set_back_over_its_end():
    clock, reported = SetClock(NOON + 59 * 60), []
    made = digester(Memory(), reported=reported, clock=clock, every=Every.HOURLY)
    made.digest = lambda camera, since, until, **_: asyncio.sleep(0, (since - NOON, until - NOON))
    task = asyncio.ensure_future(made.run(asyncio.Queue()))
    await asyncio.sleep(0)
    await clock.advance(120)
    clock.ahead_s = -300.0
    for _ in range(100):
        await clock.advance(60)
    task.cancel()
    await asyncio.wait({task})
    assert reported == [(0.0, HOUR), (HOUR, 2 * HOUR)]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("every", "at", "begins", "ends"),
    [
        (Every.HOURLY, "2026-01-01 12:34:56+01:00", "2026-01-01 12:00+01:00", "2026-01-01 13:00+01:00"),
        (Every.DAILY, "2026-01-01 12:34:56+01:00", "2026-01-01 00:00+01:00", "2026-01-02 00:00+01:00"),
        (Every.DAILY, "2026-03-29 12:00+02:00", "2026-03-29 00:00+01:00", "2026-03-30 00:00+02:00"),
        (Every.DAILY, "2026-10-25 12:00+01:00", "2026-10-25 00:00+02:00", "2026-10-26 00:00+01:00"),
        (Every.HOURLY, "2026-01-01 13:00+01:00", "2026-01-01 13:00+01:00", "2026-01-01 14:00+01:00"),
    ],
)
def test_periods_begin_and_end_on_the_clock_of_the_house(every, at, begins, ends):
    end = next_end(datetime.fromisoformat(at).timestamp(), every, BERLIN)
    assert end == datetime.fromisoformat(ends).timestamp()
    assert period_start(end, every, BERLIN) == datetime.fromisoformat(begins).timestamp()


async def changed_zone(*, at, until):
    """The days reported from `at` on, where Berlin comes in place of UTC ten minutes later; in Berlin's time."""
    clock, reported, locales = VirtualClock(datetime.fromisoformat(at).timestamp()), [], [IN_UTC]
    made = digester(Memory(), reported=reported, clock=clock, every=Every.DAILY, locale=lambda: locales[-1])
    made.digest = lambda camera, since, until, **_: asyncio.sleep(0, (since, until))
    task = asyncio.ensure_future(made.run(asyncio.Queue()))
    await asyncio.sleep(0)
    await clock.advance(600)
    locales.append(Locale(timezone=BERLIN))
    while clock.now() < datetime.fromisoformat(until).timestamp():
        await clock.advance(60)
    task.cancel()
    await asyncio.wait({task})
    return [tuple(f"{datetime.fromtimestamp(time, BERLIN):%d. %H:%M}" for time in period) for period in reported]


async def test_a_new_time_zone_moves_the_end_of_the_day_without_a_restart():
    periods = await changed_zone(at="2026-03-27 20:00+00:00", until="2026-03-29 22:30+00:00")
    assert periods == [("27. 00:00", "28. 00:00"), ("28. 00:00", "29. 00:00"), ("29. 00:00", "30. 00:00")]


async def test_a_day_that_ended_in_the_new_zone_while_it_was_waited_for_is_reported_at_once():
    periods = await changed_zone(at="2026-03-27 22:55+00:00", until="2026-03-28 01:00+00:00")
    assert periods == [("27. 00:00", "28. 00:00")]
