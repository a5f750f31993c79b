"""What a node that shares cameras lets out: what belongs to cameras that it holds, each record with its fence."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from blikk_edge.core.clock import Clock
from blikk_edge.core.observation import Event, Phase, Record, Ring, Withdrawn
from blikk_edge.core.permit import Permit
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.status import CameraAvailability, CameraState, Health
from blikk_edge.core.summary import Summary

KEPT_MAX: Final = 500
"""So much of a camera is kept back at most until it is known whether it is held: that takes a second or two."""

LOOK_S: Final = 0.5
EVENTS_MAX: Final = 2000
"""Events remembered with their fence: those that go on, and those whose summary is yet to come."""

_OF_A_CAMERA: Final = (CameraState, CameraAvailability, Picture)


class HeldItems:
    """Lets items pass to `put`. To be used in the event loop only.

    A record gets the fence of its camera. What comes of a camera that is not held yet, or of which it is not known just
    now, is kept back until it is. Of one that is not held nothing passes but: what belongs to an event that was let out
    before, with its fence of then (its end, its Summary); a ring, which nobody else has heard unless it came by MQTT;
    what takes something back.
    """

    def __init__(self, permit: Permit, put: Callable[[Item], None]) -> None:
        self._permit = permit
        self._put = put
        self._kept: dict[str, deque[Record | Picture]] = {}
        self._events: OrderedDict[str, int] = OrderedDict()

    def take(self, item: Item) -> None:
        """Let it pass, keep it back, or drop it."""
        if isinstance(item, CameraState | CameraAvailability | Health | Withdrawn):
            self._put(item)
            return
        camera = item.camera
        if camera is None:
            if self._permit.leads:
                self._put(item)
            return
        self._release(camera)
        fence = self._permit.fence(camera)
        if fence is not None:
            self._put(self._fenced(item, fence))
        elif (own := self._own_fence(item)) is not None:
            self._put(self._fenced(item, own))
        elif self._permit.watches(camera):
            self._kept.setdefault(camera, deque(maxlen=KEPT_MAX)).append(item)
        elif isinstance(item, Ring) and item.via != "mqtt":
            self._put(item)

    def release(self) -> None:
        """Let pass what was kept back and may go by now; drop what never may."""
        for camera in list(self._kept):
            self._release(camera)

    def _release(self, camera: str) -> None:
        if camera not in self._kept:
            return
        fence = self._permit.fence(camera)
        if fence is not None:
            for item in self._kept.pop(camera):
                self._put(self._fenced(item, fence))
        elif not self._permit.watches(camera):
            del self._kept[camera]

    def _own_fence(self, item: Record | Picture) -> int | None:
        """The fence that an item has already, or that of the event that it ends or sums up."""
        match item:
            case Picture():
                return None
            case Event(phase=Phase.ENDED, id=event) | Summary(event=str(event)):
                return item.fence or self._events.get(event)
            case _:
                return item.fence

    def _fenced(self, item: Record | Picture, fence: int) -> Item:
        match item:
            case Picture():
                return item
            case Event(id=event):
                # an event that began under an earlier lease ends under it
                fence = item.fence or self._events.get(event, fence)
                self._events[event] = fence
                self._events.move_to_end(event)
                if len(self._events) > EVENTS_MAX:
                    self._events.popitem(last=False)
            case Summary(event=str(event)):
                fence = item.fence or self._events.get(event, fence)
        return replace(item, fence=fence)


class HeldInbox:
    """Hands on what `inbox` has for a sink that leaves the machine, but what shows cameras that are not held now."""

    def __init__(self, inbox: Inbox[Item], permit: Permit) -> None:
        self._inbox = inbox
        self._permit = permit

    async def get(self) -> Item:
        """The next item; waits for one."""
        while True:
            item = await self._inbox.get()
            if not isinstance(item, _OF_A_CAMERA) or self._permit.fence(item.camera) is not None:
                return item


class _OfCamera(Protocol):
    """A part that listens to one camera."""

    name: str
    camera: str

    async def run(self) -> None: ...


class HeldPart:
    """Runs a part of one camera while this node watches it."""

    def __init__(self, part: _OfCamera, permit: Permit, clock: Clock) -> None:
        self.name = part.name
        self._part = part
        self._permit = permit
        self._clock = clock

    @property
    def problem(self) -> str | None:
        """What is wrong with it now."""
        return getattr(self._part, "problem", None) if self._permit.watches(self._part.camera) else None

    async def run(self) -> None:
        """Run it until cancelled, whenever it may. Raises what it raises."""
        while True:
            while not self._permit.watches(self._part.camera):
                await self._clock.sleep(LOOK_S)
            running = asyncio.ensure_future(self._part.run())
            try:
                while self._permit.watches(self._part.camera) and not running.done():
                    await self._clock.sleep(LOOK_S)
            finally:
                running.cancel()
                await asyncio.wait((running,))
            if not running.cancelled():
                running.result()


def held_parts(parts: Sequence[_OfCamera], permit: Permit | None, clock: Clock) -> Sequence["_OfCamera | HeldPart"]:
    """These parts, each for as long as its camera is watched here."""
    return parts if permit is None else [HeldPart(part, permit, clock) for part in parts]
