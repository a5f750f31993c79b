"""The newest pictures of a pushed camera go to the model in one request, now and then, when something happened."""

import asyncio

import pytest
from scripted_queue import ScriptedQueue, answer
from summary_props import NOON, event, sighting

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Phase
from blikk_edge.core.picture import FRAME, Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState, SummaryMode
from blikk_edge.enrichers.summaries.dispatch import NEWEST, Dispatcher
from blikk_edge.enrichers.summaries.text_writer import TextWriter
from blikk_edge.llm.port import AwayError

HERE = event(sighting())
SEEN = answer("A person", "A person stands there.")


class Stage:
    """A dispatcher that runs on a virtual clock."""

    def __init__(self, *script: object, mode: SummaryMode = SummaryMode.VISION, sees: bool = True) -> None:
        self.clock = VirtualClock(NOON)
        self.queue = ScriptedQueue(*script, sees=sees)
        self.reported: list = []
        self.inbox: asyncio.Queue = asyncio.Queue()
        self.dispatcher = Dispatcher(
            writer=TextWriter(queue=self.queue, check=lambda *_, **__: (), clock=self.clock),
            publish=self.reported.append,
            clock=self.clock,
            mode_of=lambda _: mode,
            names={"porch": "Porch"},
            shrink=lambda picture: picture,
            every_s=30.0,
        )

    async def __aenter__(self) -> "Stage":
        self._task = asyncio.ensure_future(self.dispatcher.run(self.inbox))
        await self.passes(0.0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert not self._task.done(), self._task.exception()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def passes(self, seconds: float, *items: object) -> None:
        for item in items:
            self.inbox.put_nowait(item)
        for _ in range(20):
            await asyncio.sleep(0)
        await self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)


def frames(*numbers: int, camera: str = "porch") -> list[Picture]:
    return [
        Picture(camera=camera, name=FRAME, time=NOON + n, jpeg=b"\xff%d" % n, width_px=64, height_px=48)
        for n in numbers
    ]


@pytest.mark.parametrize(("camera", "goes_on"), [("porch", False), ("yard", True)])
async def test_what_was_forgotten_is_neither_shown_nor_handed_on(camera: str, goes_on: bool) -> None:
    async with Stage(SEEN, SEEN, SEEN) as stage:
        await stage.passes(30.0, HERE, *frames(1))
        await stage.passes(10.0, *frames(32))
        stage.dispatcher.forget(Forget(camera=camera))
        await stage.passes(20.0, CameraState(camera="porch", online=True, motion=True), *frames(42))
    _, later = stage.queue.prompts
    assert (f'Text so far: "{stage.reported[0].text}"' in later.user) == goes_on
    assert [picture.time - NOON for picture in later.pictures] == ([32, 42] if goes_on else [42])


async def test_the_newest_five_go_in_one_request_and_its_text_is_reported() -> None:
    async with Stage(SEEN) as stage:
        await stage.passes(30.0, HERE, *frames(*range(8)))
    (prompt,) = stage.queue.prompts
    assert [picture.time - NOON for picture in prompt.pictures] == [3, 4, 5, 6, 7]
    assert len(prompt.pictures) == NEWEST
    (summary,) = stage.reported
    assert (summary.camera, summary.event, summary.text, summary.pictures) == (
        "porch",
        None,
        "A person stands there.",
        5,
    )


async def test_no_picture_is_sent_twice_and_the_last_text_goes_along() -> None:
    async with Stage(SEEN, SEEN) as stage:
        await stage.passes(30.0, HERE, *frames(1))
        await stage.passes(30.0, HERE)
        assert len(stage.queue.jobs) == 1
        await stage.passes(30.0, HERE, *frames(40))
    first, second = stage.queue.prompts
    assert [picture.time - NOON for picture in second.pictures] == [40]
    assert "A person stands there." not in first.user
    assert "A person stands there." in second.user


async def test_a_quiet_camera_costs_nothing() -> None:
    async with Stage() as stage:
        await stage.passes(30.0, CameraState(camera="porch", online=True), *frames(1, 2))
        await stage.passes(300.0, *frames(100))
    assert stage.queue.jobs == []


async def test_motion_is_enough() -> None:
    async with Stage() as stage:
        moving = CameraState(camera="porch", online=True, motion=True, counts=((Label.PERSON, 2),))
        await stage.passes(30.0, moving, *frames(1))
    assert len(stage.queue.jobs) == 1


@pytest.mark.parametrize(
    ("mode", "sees"), [(SummaryMode.TEXT, True), (SummaryMode.OFF, True), (SummaryMode.VISION, False)]
)
async def test_no_picture_goes_where_none_is_wanted(mode: SummaryMode, sees: bool) -> None:
    async with Stage(mode=mode, sees=sees) as stage:
        await stage.passes(60.0, HERE, *frames(1))
    assert stage.queue.jobs == []


async def test_other_cameras_and_other_pictures_are_passed_over() -> None:
    async with Stage() as stage:
        other = Picture(camera="porch", name="person", time=NOON, jpeg=b"x", width_px=8, height_px=8)
        await stage.passes(60.0, HERE, other, *frames(1, camera="gate"))
    assert stage.queue.jobs == []


async def test_without_the_model_nothing_is_reported_and_it_goes_on_by_itself() -> None:
    async with Stage(AwayError("away"), SEEN) as stage:
        await stage.passes(30.0, HERE, *frames(1))
        assert stage.reported == []
        await stage.passes(30.0, event(sighting(), phase=Phase.ENDED, ended=40.0), *frames(41))
    assert len(stage.reported) == 1
