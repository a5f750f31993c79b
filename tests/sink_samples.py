"""Records, states and Pictures for the tests of sinks, made by number."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observation, Observed, Phase, Ring, Sighting
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import DurableSink, Item
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, CameraState, NodeInfo
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.store.store import Store

T0 = 1795262400.0
FRONT = CameraInfo(id="front_door", name="Front door", labels=(Label.PERSON,), ring=True)
YARD = CameraInfo(id="yard", name="Yard", labels=(Label.VEHICLE,))
NODE = NodeInfo(id="porch", name="Porch", version="0.1.0", cameras=(FRONT, YARD))
PERSON = Sighting(
    track=7,
    label=Label.PERSON,
    sub_label="person",
    score=0.9,
    box=Box(0.25, 0.1, 0.5, 0.9),
    since=T0,
    dwell_s=4.2,
)


def event(number: int, *, revision: int = 1, camera: str = "front_door") -> Event:
    return Event(
        id=f"event-{number}",
        camera=camera,
        phase=Phase.STARTED if revision == 1 else Phase.UPDATED,
        revision=revision,
        time=T0 + number,
        started=T0 + number,
        label=Label.PERSON,
        reason=Observed.APPEARED,
        objects=(PERSON,),
    )


def observation(number: int, *, camera: str = "front_door") -> Observation:
    return Observation(
        id=f"observation-{number}",
        camera=camera,
        kind=Observed.MOTION,
        time=T0 + number,
        until=T0 + number,
        score=0.5,
        objects=(PERSON,),
    )


def ring(number: int) -> Ring:
    return Ring(id=f"ring-{number}", camera="front_door", time=T0 + number, via="http")


def picture(number: int) -> Picture:
    return Picture(
        camera="front_door",
        name="person",
        time=T0 + number,
        jpeg=b"\xff\xd8" + str(number).encode() + b"\xff\xd9",
        width_px=640,
        height_px=480,
    )


def state(camera: str = "front_door", *, frames: int = 0) -> CameraState:
    return CameraState(camera=camera, online=True, frames=frames)


class Box1:
    """An inbox fed by the test."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Item] = asyncio.Queue()

    def put(self, *items: Item) -> None:
        for item in items:
            self._queue.put_nowait(item)

    async def get(self) -> Item:
        return await self._queue.get()

    def empty(self) -> bool:
        return self._queue.empty()


class Hasty(SystemClock):
    """A clock on which a pause of a second takes 2 ms; notes how long the pauses were meant to be."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(seconds * 0.002)


@asynccontextmanager
async def delivering(store: Store, *sinks: DurableSink) -> AsyncIterator[tuple[Box1, Delivery]]:
    """What a node does with durable sinks."""
    store.follow({sink.name: sink.takes for sink in sinks})
    inbox, delivery = Box1(), Delivery(store, sinks, clock=Hasty())
    task = asyncio.ensure_future(delivery.run(inbox))
    try:
        yield inbox, delivery
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(fact: Callable[[], object], what: str = "it", deadline_s: float = 60.0) -> None:
    """Poll until `fact()` is true; fails after the deadline."""
    end = time.monotonic() + deadline_s
    while not fact():
        assert time.monotonic() < end, f"{what} did not happen within {deadline_s} s"
        await asyncio.sleep(0.005)
