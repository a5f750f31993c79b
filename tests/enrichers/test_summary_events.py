import asyncio
from contextlib import asynccontextmanager

import pytest
from scripted_queue import ScriptedQueue, answer
from summary_props import IN_UTC, NOON, ended, event, observation, ring, sighting

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Observed, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState, SummaryMode
from blikk_edge.core.summary import Author, Importance, Summary
from blikk_edge.enrichers.summaries.recent import Recent
from blikk_edge.enrichers.summaries.summarizer import EARLY_S, MAX_FOLLOWED, SETTLE_S, Summarizer
from blikk_edge.enrichers.summaries.text_writer import TextWriter
from blikk_edge.llm.port import AwayError
from blikk_edge.llm.queue.port import NotNowError, Priority

LEFT = {"kind": Observed.LEFT, "key": "porch-o2"}


class Room:
    """A Summarizer at work on a clock that the test moves."""

    def __init__(self, queue, mode, **more):
        self.clock = VirtualClock(NOON)
        self.queue = queue
        self.mode = mode
        self.reported = []
        self.inbox = asyncio.Queue()
        more.setdefault("names", {"porch": "Front door"})
        writer = TextWriter(queue=queue, check=lambda *_, **__: (), clock=self.clock)
        self.summarizer = Summarizer(
            writer=writer,
            publish=self.reported.append,
            clock=self.clock,
            mode_of=lambda _camera: self.mode,
            locale=lambda: IN_UTC,
            **more,
        )

    async def hear(self, *items, then_s=0.0):
        """Let these pass by, then some time."""
        for item in items:
            self.inbox.put_nowait(item)
        while not self.inbox.empty():
            await asyncio.sleep(0)
        await self.clock.advance(then_s)
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def revisions(self):
        return [(one.event, one.revision, one.source) for one in self.reported]


@asynccontextmanager
async def room(*script, mode=SummaryMode.TEXT, queue=None, **more):
    """A Room with a desk of this script; nothing is left running."""
    there = Room(queue or ScriptedQueue(*script), mode, **more)
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(there.summarizer.run(there.inbox))
    try:
        yield there
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


def picture(at=0.0, *, event="porch-1", name="person", width_px=480):
    return Picture(
        camera="porch", name=name, time=NOON + at, jpeg=b"\xff\xd8", width_px=width_px, height_px=360, event=event
    )


async def test_an_event_is_reported_early_and_finally():
    async with room() as there:
        await there.hear(event(sighting()), observation(sighting()), then_s=EARLY_S)
        assert there.revisions == [("porch-1", 1, Author.TEMPLATE)]
        await there.hear(
            ended(sighting(dwell_s=20.0), at=20.0), observation(sighting(), **LEFT, at=20.0), then_s=SETTLE_S
        )
        assert there.revisions[1:] == [("porch-1", 2, Author.LLM)]
    early, final = there.reported
    assert early.text == "A person has been at the front door since 12:00."
    assert (final.id, final.camera, final.labels, final.model) == ("porch-1-s2", "porch", (Label.PERSON,), "tiny")
    assert (final.since - NOON, final.until - NOON) == (0.0, 20.0)
    assert (final.input_tokens, final.output_tokens) == (100, 20)


async def test_a_short_event_has_the_final_text_only():
    async with room() as there:
        await there.hear(event(sighting()), then_s=2.0)
        await there.hear(ended(sighting(), at=2.0), then_s=SETTLE_S)
        assert there.revisions == [("porch-1", 2, Author.LLM)]


async def test_what_has_ended_has_its_last_word_also_when_the_node_stops():
    async with room() as there:
        await there.hear(event(sighting()), then_s=EARLY_S)
        await there.hear(ended(sighting(dwell_s=20.0), at=20.0))
    assert there.revisions == [("porch-1", 1, Author.TEMPLATE), ("porch-1", 2, Author.TEMPLATE)]


async def test_what_goes_on_when_the_node_stops_has_no_last_word():
    async with room() as there:
        await there.hear(event(sighting()), then_s=EARLY_S)
    assert there.revisions == [("porch-1", 1, Author.TEMPLATE)]


@pytest.mark.parametrize(
    "hint", [ring(0.5), event(sighting(), at=0.5, phase=Phase.UPDATED, loitering=True, revision=2)]
)
async def test_what_matters_is_reported_at_once(hint):
    async with room() as there:
        await there.hear(event(sighting()), hint)
        assert there.revisions == [("porch-1", 1, Author.TEMPLATE)]
        assert there.reported[0].importance is Importance.HIGH


async def test_a_ring_before_anybody_was_made_out_belongs_to_who_comes():
    async with room() as there:
        await there.hear(ring(-3.0), event(sighting()))
        assert there.reported[0].title == "Doorbell: a person at the front door"
        await there.hear(ended(sighting(), at=9.0), then_s=SETTLE_S)
        assert there.queue.jobs[0].priority is Priority.RING
        assert "11:59:57 doorbell rings" in there.queue.prompts[0].user


async def test_lines_are_what_was_observed():
    async with room() as there:
        moved = observation(
            sighting(dwell_s=4.0, zones=("porch",)), kind=Observed.ENTERED_ZONE, at=4.0, zones=("porch",)
        )
        await there.hear(event(sighting()), observation(sighting()), moved)
        last = observation(sighting(dwell_s=20.0), **LEFT, at=21.5)
        await there.hear(ended(sighting(dwell_s=20.0), at=20.0), last, then_s=SETTLE_S)
        assert there.queue.prompts[0].user.splitlines() == [
            'Camera "Front door" 12:00:00-12:00:20 (20s), ended. Seen at once: a person.',
            "12:00:00 person 1 came",
            '12:00:04 person 1 enters "porch" 4s',
            "12:00:20 person 1 gone 20s",
        ]


async def test_vehicles_that_pass_cost_no_tokens():
    async with room() as there:
        passing = ended(sighting(label=Label.VEHICLE), at=4.0, label=Label.VEHICLE)
        await there.hear(event(label=Label.VEHICLE), passing, then_s=SETTLE_S)
        assert there.reported[0].text == "A car passed the front door."
        assert there.queue.jobs == []


@pytest.mark.parametrize(("mode", "reported"), [(SummaryMode.OFF, 0), (SummaryMode.TEMPLATE, 2)])
async def test_without_a_model_nothing_is_asked(mode, reported):
    async with room(mode=mode) as there:
        await there.hear(event(sighting()), then_s=EARLY_S)
        await there.hear(ended(sighting(), at=20.0), then_s=SETTLE_S)
        assert (len(there.reported), there.queue.jobs) == (reported, [])


async def test_the_mode_may_change_while_running():
    async with room(mode=SummaryMode.OFF) as there:
        await there.hear(event(sighting()), then_s=EARLY_S)
        there.mode = SummaryMode.TEXT
        await there.hear(ended(sighting(), at=20.0), then_s=SETTLE_S)
        assert there.revisions == [("porch-1", 2, Author.LLM)]


@pytest.mark.parametrize("trouble", [NotNowError("over budget"), AwayError("refused")])
async def test_the_template_serves_whenever_the_model_does_not(trouble):
    async with room(trouble) as there:
        await there.hear(event(sighting()), ended(sighting(), at=20.0), then_s=SETTLE_S)
        assert there.revisions == [("porch-1", 2, Author.TEMPLATE)]


async def test_a_model_that_hangs_holds_up_nobody_else():
    hanging = asyncio.get_running_loop().create_future()
    async with room(hanging, pace_s=0.0) as there:
        await there.hear(event(sighting()), ended(sighting(), at=9.0), then_s=SETTLE_S)
        other = {"key": "porch-2", "started": 30.0}
        await there.hear(
            event(sighting(2, since=30.0), **other), ended(sighting(2, since=30.0), at=39.0, **other), then_s=SETTLE_S
        )
        assert there.revisions == [("porch-2", 2, Author.LLM)]
        hanging.set_result(answer())
        await there.hear()
        assert there.revisions[1:] == [("porch-1", 2, Author.LLM)]


async def test_many_events_at_once_ask_the_model_for_a_bounded_number():
    hanging = [asyncio.get_running_loop().create_future() for _ in range(2 * MAX_FOLLOWED)]
    async with room(*hanging, pace_s=0.0) as there:
        for n in range(2 * MAX_FOLLOWED):
            there.inbox.put_nowait(ended(sighting(n, since=n), at=n + 9.0, started=n, key=f"porch-{n}"))
        await there.hear(then_s=SETTLE_S)
        assert len(there.queue.jobs) == MAX_FOLLOWED
        assert len(there.reported) == MAX_FOLLOWED


async def test_everyday_visits_are_worded_by_the_model_once_a_minute():
    async with room() as there:
        for n in range(5):
            await final_of(there, n, 20.0 * n, then_s=20.0)
        assert [one.source for one in there.reported] == [
            *[Author.LLM],
            *[Author.TEMPLATE] * 2,
            *[Author.LLM],
            *[Author.TEMPLATE],
        ]


async def test_what_matters_is_worded_however_short_ago_the_last_was():
    async with room() as there:
        await final_of(there, 1, 0.0, then_s=5.0)
        await final_of(there, 2, 5.0, ring(6.0), then_s=5.0)
        assert [one.source for one in there.reported] == [Author.LLM, Author.LLM]


async def test_an_end_that_is_reported_twice_is_written_once():
    async with room() as there:
        over = ended(sighting(), at=9.0)
        await there.hear(event(sighting()), over, over, then_s=SETTLE_S)
        await there.hear(over, then_s=SETTLE_S)
        assert len(there.reported) == 1


async def test_only_the_labels_that_were_chosen_are_written_about():
    async with room(labels=(Label.PERSON,)) as there:
        await there.hear(ended(label=Label.PACKAGE, at=90.0), then_s=SETTLE_S)
        assert there.reported == []


async def test_after_a_restart_events_go_on():
    async with room() as there:
        await there.hear(event(sighting()), then_s=1.0)
    task = asyncio.ensure_future(there.summarizer.run(there.inbox))
    await there.hear(ended(sighting(), at=9.0), then_s=SETTLE_S)
    task.cancel()
    await asyncio.wait({task})
    assert there.revisions == [("porch-1", 2, Author.LLM)]


# -- vision --------------------------------------------------------------------------------------------------------


async def test_pictures_are_shown_once_and_the_text_so_far_goes_along():
    async with room(answer(text="A person in a red jacket is there."), mode=SummaryMode.VISION) as there:
        await there.hear(event(sighting()), picture(0.0), picture(1.0), picture(2.0), then_s=EARLY_S)
        assert there.revisions == [("porch-1", 1, Author.LLM)]
        await there.hear(picture(8.0), ended(sighting(), at=20.0), then_s=SETTLE_S)
        early, final = there.queue.prompts
        shown = [[one.time - NOON for one in prompt.pictures] for prompt in (early, final)]
        assert shown == [[0.0, 2.0], [1.0, 8.0]]
        assert 'Text so far: "A person in a red jacket is there."' in final.user
        assert [one.pictures for one in there.reported] == [2, 2]


async def test_pictures_that_never_left_are_shown_later():
    async with room(NotNowError("resting"), mode=SummaryMode.VISION) as there:
        await there.hear(event(sighting()), picture(0.0), then_s=EARLY_S)
        await there.hear(ended(sighting(), at=20.0), then_s=SETTLE_S)
        assert [len(prompt.pictures) for prompt in there.queue.prompts] == [1, 1]


async def test_a_blind_model_is_given_lines_alone():
    async with room(queue=ScriptedQueue(sees=False), mode=SummaryMode.VISION) as there:
        await there.hear(event(sighting()), picture(0.0), then_s=EARLY_S)
        await there.hear(ended(sighting(), at=20.0), then_s=SETTLE_S)
        assert [len(prompt.pictures) for prompt in there.queue.prompts] == [0]
        assert there.revisions == [("porch-1", 1, Author.TEMPLATE), ("porch-1", 2, Author.LLM)]


async def test_text_mode_shows_no_picture():
    async with room() as there:
        await there.hear(event(sighting()), picture(0.0), ended(sighting(), at=20.0), then_s=SETTLE_S)
        assert there.queue.prompts[0].pictures == ()


async def test_the_picture_of_a_ring_belongs_to_the_person_who_is_there():
    async with room(mode=SummaryMode.VISION) as there:
        await there.hear(event(sighting()), picture(1.0, event=None, name="ring"), ring(1.0))
        assert [one.name for one in there.queue.prompts[0].pictures] == ["ring"]


# -- what came before ----------------------------------------------------------------------------------------------


class Kept:
    """A history of one summary."""

    def __init__(self, fails=False):
        self.asked = 0
        self._fails = fails

    def event(self, _id):
        return ended(sighting(dwell_s=30.0), at=30.0, key="porch-0")

    def summaries(self, **_):
        self.asked += 1
        if self._fails:
            raise StoreError("disk")
        return [
            Summary(
                id="porch-0-s2",
                camera="porch",
                event="porch-0",
                revision=2,
                time=NOON - 500,
                since=NOON - 600,
                until=NOON - 500,
                title="A car",
                text="A car parked.",
            )
        ]


async def final_of(there, n, at, *more, then_s=SETTLE_S):
    key = {"key": f"porch-{n}", "started": at}
    over = ended(sighting(n, since=at), at=at + 2.0, **key)
    await there.hear(event(sighting(n, since=at), **key), *more, over, then_s=then_s)


async def test_who_was_here_before_goes_along_with_since_when():
    async with room() as there:
        car = sighting(9, label=Label.VEHICLE, since=-600.0, dwell_s=590.0, still=True)
        waiting = {"label": Label.VEHICLE, "key": "porch-0", "started": -600.0}
        await there.hear(event(car, at=-10.0, **waiting))
        await final_of(there, 1, 0.0)
        user = there.queue.prompts[0].user
        assert "Also here:\ncar still since 11:50 (10min)\n" in user
        assert "a person, a car" in user


async def test_two_events_at_once_are_described_line_by_line():
    async with room() as there:
        car = {"label": Label.VEHICLE, "key": "porch-2"}
        await there.hear(event(sighting()), observation(sighting()))
        await there.hear(event(sighting(9, label=Label.VEHICLE), **car))
        await there.hear(observation(sighting(9, label=Label.VEHICLE), event="porch-2", key="porch-o2", at=1.0))
        await there.summarizer.describe("porch")
        assert there.queue.prompts[0].user.splitlines()[1:] == ["12:00:00 person 1 came", "12:00:01 car 1 came"]


async def test_earlier_texts_go_along_from_before_the_start_too():
    history = Kept()
    async with room(answer(text="Somebody came."), history=history, pace_s=0.0) as there:
        await final_of(there, 1, 0.0)
        for _ in range(100):
            if there.reported:
                break
            await asyncio.sleep(0.01)
        await final_of(there, 2, 60.0)
        first, second = there.queue.prompts
        assert first.user.splitlines()[-2:] == ["Earlier:", '11:50 "A car parked."']
        assert second.user.splitlines()[-2:] == ['11:50 "A car parked."', '12:00 "Somebody came."']
        assert history.asked == 1


async def test_a_store_that_cannot_be_read_costs_only_the_memory():
    async with room(history=Kept(fails=True)) as there:
        await final_of(there, 1, 0.0)
        for _ in range(100):
            if there.reported:
                break
            await asyncio.sleep(0.01)
        assert there.revisions == [("porch-1", 2, Author.LLM)]


# -- on demand -----------------------------------------------------------------------------------------------------


async def test_what_is_there_now_is_described():
    async with room(answer(title="One person waits")) as there:
        await there.hear(event(sighting()), observation(sighting()))
        summary = await there.summarizer.describe("porch")
        assert (summary.event, summary.title, summary.source) == (None, "One person waits", Author.LLM)
        assert there.queue.jobs[0].priority is Priority.USER
        assert there.reported == []


async def test_a_quiet_camera_is_described_without_a_model():
    async with room() as there:
        summary = await there.summarizer.describe("porch")
        assert summary.text == "Nothing is to be seen at the front door at 12:00."
        assert there.queue.jobs == []


async def test_what_is_parked_is_part_of_what_is_there():
    async with room(mode=SummaryMode.TEMPLATE) as there:
        await there.hear(CameraState(camera="porch", online=True, counts=((Label.VEHICLE, 2),)))
        summary = await there.summarizer.describe("porch")
        assert summary.text == "At 12:00 there are two vehicles at the front door."


async def test_seeing_the_newest_picture_is_described():
    async with room(mode=SummaryMode.VISION) as there:
        await there.hear(picture(0.0, event=None, name="snapshot"))
        await there.summarizer.describe("porch")
        assert len(there.queue.prompts[0].pictures) == 1
        await there.hear(then_s=70.0)
        await there.hear(picture(0.0, event=None, name="snapshot"))
        assert (await there.summarizer.describe("porch")).source is Author.TEMPLATE


async def test_an_event_of_long_ago_is_described_from_the_store():
    async with room(history=Kept()) as there:
        summary = await there.summarizer.describe_event("porch-0")
        assert (summary.event, summary.revision, summary.source) == ("porch-0", 2, Author.LLM)


async def test_an_event_that_nobody_knows_is_none():
    async with room() as there:
        assert await there.summarizer.describe_event("nobody") is None


# -- forgetting ----------------------------------------------------------------------------------------------------


async def test_a_forgotten_event_has_no_further_text_and_no_later_one_knows_of_it():
    async with room() as there:
        await there.hear(event(sighting(), key="porch-0"), then_s=EARLY_S)
        await there.hear(ended(sighting(), at=6.0, key="porch-0"), then_s=SETTLE_S)
        await there.hear(event(sighting(), at=10.0, started=10.0), ring(11.0), then_s=EARLY_S)
        there.reported.clear()
        there.summarizer.forget(Forget(camera="porch", until=NOON + 12.0))
        await there.hear(ended(sighting(), at=20.0, started=13.0, key="porch-2"), then_s=SETTLE_S)
        assert [(one.event, one.revision) for one in there.reported] == [("porch-2", 2)]
        assert "Earlier" not in there.queue.prompts[-1].user
        assert "porch-1" not in {one.event for one in there.reported}


@pytest.mark.parametrize("request_", [Forget(camera="yard"), Forget(event="porch-9"), Forget(since=NOON + 60.0)])
async def test_what_is_not_meant_is_not_forgotten(request_):
    async with room() as there:
        await there.hear(event(sighting()), then_s=EARLY_S)
        there.summarizer.forget(request_)
        await there.hear(ended(sighting(dwell_s=20.0), at=20.0), then_s=SETTLE_S)
        assert [one.revision for one in there.reported] == [1, 2]


class Texts:
    """A history of texts; `meanwhile` happens while it is read for the first time."""

    def __init__(self, *kept, meanwhile=lambda: None):
        self.kept = kept
        self.meanwhile = meanwhile

    def summaries(self, **_):
        found, meanwhile, self.meanwhile = self.kept, self.meanwhile, lambda: None
        meanwhile()
        return found


async def test_after_forgetting_the_texts_that_are_left_are_read_again():
    async with room() as there:
        await there.hear(event(sighting()), then_s=EARLY_S)
        await there.hear(ended(sighting(), at=6.0), then_s=SETTLE_S)
        old, new = there.reported
    history = Texts(old)
    recent = Recent(history=history, clock=VirtualClock(NOON))
    recent.add(new)
    assert await recent.of("porch") == (old, new)
    history.kept = (old,)
    recent.forget()
    assert await recent.of("porch") == (old,)


async def test_what_is_forgotten_while_it_is_read_is_not_known():
    async with room() as there:
        await there.hear(event(sighting()), then_s=EARLY_S)
        (text,) = there.reported
    history = Texts(text)
    recent = Recent(history=history, clock=VirtualClock(NOON))

    def forget():
        history.kept = ()
        recent.forget()

    history.meanwhile = forget
    assert await recent.of("porch") == ()


@pytest.mark.parametrize(("mode", "author"), [(SummaryMode.TEMPLATE, Author.TEMPLATE), (SummaryMode.TEXT, Author.LLM)])
async def test_what_ended_before_the_start_without_a_text_gets_its_final_one(mode, author):
    owed = [ended(sighting(), at=30.0, key="porch-7")]
    async with room(answer("A person came."), mode=mode, owed=lambda: owed) as there:
        for _ in range(200):
            await there.hear(then_s=1.0)
            if there.reported:
                break
            await asyncio.sleep(0.005)
        await there.hear(owed[0], then_s=10.0)  # reported again: it has its text
        assert there.revisions == [("porch-7", 2, author)]


async def test_a_store_that_cannot_say_what_is_owed_does_not_end_the_writing(caplog):
    def owed():
        raise StoreError("the disk is gone")

    async with room(mode=SummaryMode.TEMPLATE, owed=owed) as there:
        for _ in range(200):
            await there.hear(ended(sighting(), at=2.0), then_s=1.0)
            if there.reported:
                break
            await asyncio.sleep(0.005)
        assert there.revisions == [("porch-1", 2, Author.TEMPLATE)]
    assert caplog.text.count("the disk is gone") == 1
