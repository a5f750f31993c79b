"""What a node that shares cameras lets out."""

import asyncio
from collections.abc import Collection
from dataclasses import replace

import pytest
from sink_samples import event, observation, picture, ring, until

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.observation import Event, Phase
from blikk_edge.core.ports import Item
from blikk_edge.core.status import CameraState
from blikk_edge.runtime.held import HeldInbox, HeldItems, held_parts

CAMERA = "front_door"


class Held:
    """A permit that a test sets."""

    leads = alone = False

    def __init__(self) -> None:
        self.fences: dict[str, int] = {}
        self.ahead: set[str] = set()

    def watches(self, camera: str) -> bool:
        return camera in self.fences or camera in self.ahead

    def fence(self, camera: str) -> int | None:
        return self.fences.get(camera)

    def seen(self, camera: str) -> None: ...

    def elsewhere(self, camera: str) -> str | None:
        return None if self.watches(camera) else "two watches it"

    def unwatched(self) -> Collection[str]:
        return ()

    async def hand_over(self) -> None: ...


@pytest.fixture
def permit() -> Held:
    return Held()


def fences(out: list[Item]) -> list[int | None]:
    return [getattr(item, "fence", None) for item in out]


def ended(number: int) -> Event:
    return replace(event(number, revision=3), phase=Phase.ENDED)


def test_nothing_passes_of_a_camera_that_is_not_held_but_a_ring_that_was_heard_here(permit: Held) -> None:
    out: list[Item] = []
    items = HeldItems(permit, out.append)
    for item in (observation(1), event(1), picture(1), replace(ring(1), via="mqtt"), ring(2)):
        items.take(item)
    assert out == [ring(2)]


def test_what_is_reported_before_the_claim_waits_for_it_and_has_its_fence(permit: Held) -> None:
    out: list[Item] = []
    items = HeldItems(permit, out.append)
    permit.ahead.add(CAMERA)
    items.take(event(1))
    items.take(observation(1))
    items.release()
    assert out == []
    permit.fences[CAMERA] = 7
    items.take(observation(2))
    assert [item.id for item in out] == ["event-1", "observation-1", "observation-2"]  # type: ignore[union-attr]
    assert fences(out) == [7, 7, 7]


def test_what_waits_for_a_claim_that_another_made_is_dropped(permit: Held) -> None:
    out: list[Item] = []
    items = HeldItems(permit, out.append)
    permit.ahead.add(CAMERA)
    items.take(event(1))
    permit.ahead.clear()
    items.release()
    permit.fences[CAMERA] = 7
    items.release()
    assert out == []


def test_an_event_ends_under_the_lease_under_which_it_began(permit: Held) -> None:
    out: list[Item] = []
    items = HeldItems(permit, out.append)
    permit.fences[CAMERA] = 7
    items.take(event(1))
    items.take(event(2))
    permit.fences.clear()
    items.take(event(1, revision=2))
    items.take(ended(1))
    items.take(ended(3))  # of which nobody has heard
    permit.fences[CAMERA] = 9
    items.take(ended(2))
    assert [(item.id, item.fence) for item in out] == [  # type: ignore[union-attr]
        ("event-1", 7),
        ("event-2", 7),
        ("event-1", 7),
        ("event-2", 7),
    ]


async def test_states_of_cameras_that_are_not_held_do_not_leave_the_machine(permit: Held) -> None:
    waiting: list[Item] = [CameraState(camera=CAMERA, online=True), CameraState(camera="yard", online=True)]

    class Inbox:
        async def get(self) -> Item:
            return waiting.pop(0)

    permit.fences["yard"] = 3
    assert await HeldInbox(Inbox(), permit).get() == CameraState(camera="yard", online=True)


async def test_a_part_of_a_camera_runs_while_it_is_watched_here(permit: Held) -> None:
    runs: list[str] = []

    class Listens:
        name, camera = "onvif.front_door", CAMERA

        async def run(self) -> None:
            runs.append("begins")
            try:
                await asyncio.Event().wait()
            finally:
                runs.append("ends")

    (part,) = held_parts((Listens(),), permit, SystemClock())
    running = asyncio.create_task(part.run())
    try:
        permit.fences[CAMERA] = 7
        await until(lambda: runs == ["begins"])
        permit.fences.clear()
        await until(lambda: runs == ["begins", "ends"])
        permit.fences[CAMERA] = 9
        await until(lambda: runs == ["begins", "ends", "begins"])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert runs[-1] == "ends"
