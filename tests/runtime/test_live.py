"""The live view: made only while somebody looks, shared by all, and never without redaction."""

import asyncio
from collections.abc import AsyncIterator

from patience import PATIENCE
from stage_props import StampRedactor, frame, pipeline, tools

from blikk_edge.core.live import LIVE, LiveFrame
from blikk_edge.core.picture import Picture, Wanted
from blikk_edge.core.sightings import Motion, View
from blikk_edge.runtime.live import Live
from blikk_edge.runtime.pipeline import Pipeline, VisionTools


def live_frame(at: float, camera: str = "door") -> LiveFrame:
    return LiveFrame(camera=camera, time=at, motion=Motion(view=View.QUIET))


async def take(coming: AsyncIterator[LiveFrame]) -> LiveFrame:
    async with asyncio.timeout(5 * PATIENCE):
        return await anext(coming)


class Watched:
    """An audience that always looks, and keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[LiveFrame] = []

    def looks_at(self, camera: str) -> bool:
        return True

    def due(self, camera: str, time: float) -> bool:
        return True

    def show(self, frame: LiveFrame) -> None:
        self.shown.append(frame)


def run(line: Pipeline, look_with: VisionTools, frames: range) -> list[object]:
    scenes = (line.glance(frame(n / 5)) for n in frames)
    return [item for scene in scenes if scene is not None for item in line.step(scene, look_with)]


async def test_a_camera_at_which_nobody_looks_owes_no_frame() -> None:
    live = Live()
    assert not live.due("door", 0.0)
    async with live.watch("door"):
        assert live.due("door", 0.2)
        assert not live.due("gate", 0.2)
    assert not live.due("door", 0.4)
    assert live.viewers("door") == 0


async def test_at_most_five_frames_a_second_are_owed() -> None:
    live = Live()
    async with live.watch("door"):
        owed = [at for at in range(0, 2000, 40) if live.due("door", at / 1000)]
    assert len(owed) == 10


async def test_a_clock_that_was_set_back_does_not_stop_the_view() -> None:
    live = Live()
    async with live.watch("door"):
        assert live.due("door", 1000.0)
        assert live.due("door", 10.0)


async def test_two_viewers_are_shown_the_same_frame() -> None:
    live = Live()
    async with live.watch("door") as one, live.watch("door") as other:
        live.show(sent := live_frame(1.0))
        assert await take(one) is sent
        assert await take(other) is sent


async def test_a_viewer_that_was_slow_gets_the_newest_frame_only() -> None:
    live = Live()
    async with live.watch("door") as coming:
        for at in range(5):
            live.show(live_frame(at))
        await asyncio.sleep(0)  # what another thread handed over arrives with the next turn of the loop
        assert (await take(coming)).time == 4.0


async def test_who_comes_later_is_not_shown_a_frame_of_before() -> None:
    live = Live()
    async with live.watch("door") as coming:
        live.show(live_frame(1.0))
        await take(coming)
    async with live.watch("door") as coming:
        live.show(live_frame(2.0))
        assert (await take(coming)).time == 2.0


def test_every_frame_is_shown_while_somebody_looks_and_goes_to_no_sink() -> None:
    audience = Watched()
    line = pipeline(moving=lambda at: False, audience=audience)
    items = run(line, tools(lambda look: ()), range(20))
    assert [shown.time for shown in audience.shown] == [n / 5 for n in range(20)]
    assert all(shown.picture is not None and shown.picture.name == LIVE for shown in audience.shown)
    assert not any(isinstance(item, Picture) and item.name == LIVE for item in items)


def test_a_live_frame_that_was_dropped_is_not_asked_for_again_and_other_pictures_are() -> None:
    line = pipeline(moving=lambda at: False)
    run(line, tools(lambda look: ()), range(2))
    line.want_again((Wanted(LIVE), Wanted("ring", "door-ring-1")))
    scene = line.glance(frame(0.4))
    assert scene is not None
    assert scene.wanted == (Wanted("ring", "door-ring-1"),)


def test_a_live_view_asks_for_no_more_pictures_than_there_would_be_without() -> None:
    quiet, look_with = pipeline(moving=lambda at: False), tools(lambda look: ())
    alone = [item for item in run(quiet, look_with, range(50)) if isinstance(item, Picture)]
    watched = pipeline(moving=lambda at: False, audience=Watched())
    beside = [item for item in run(watched, tools(lambda look: ()), range(50)) if isinstance(item, Picture)]
    assert [picture.name for picture in beside] == [picture.name for picture in alone]


def test_no_frame_is_shown_when_faces_cannot_be_looked_for_and_it_says_why() -> None:
    audience, look_with = Watched(), tools()
    assert isinstance(look_with.redactor, StampRedactor)
    look_with.redactor.broken = True
    run(pipeline(audience=audience), look_with, range(5))
    assert len(audience.shown) == 5
    assert all(shown.picture is None for shown in audience.shown)
    assert {shown.problem for shown in audience.shown} == {"the face model is damaged"}


def test_what_is_followed_is_shown_with_its_frame() -> None:
    audience = Watched()
    run(pipeline(audience=audience), tools(), range(10))
    assert [track.label for track in audience.shown[-1].tracks] == ["person"]
    assert audience.shown[-1].motion.score == 0.8
