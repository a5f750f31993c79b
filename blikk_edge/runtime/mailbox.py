"""Everything that waits for a consumer: scenes for the vision workers, items for each sink. The only locks are here."""

import asyncio
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from blikk_edge.core.fields import Backpressure
from blikk_edge.core.scene import Scene

T = TypeVar("T")

BUFFERED_SCENES: Final = 15
"""Three seconds at 5 fps: long enough for a burst, short enough to stay an alert."""

THROTTLE_MAX_S: Final = 2.0


@dataclass(slots=True)
class _Lane:
    strategy: Backpressure
    waiting: deque[Scene] = field(default_factory=deque)
    since: float = 0.0  # when the oldest waiting scene came, monotonic
    busy: bool = False
    gap_s: float = 0.0
    accepted_at: float = -1e9
    dropped: Counter[str] = field(default_factory=Counter)


class Intake:
    """Scenes of all cameras on their way to the vision workers, one lane per camera.

    A lane hands out one scene at a time, so a camera's scenes are looked at in order whatever the number of workers;
    among cameras the one that has waited longest goes first. `offer` never blocks; what does not fit is dropped and
    counted by reason: where the detector shall look at one of two scenes, the other goes. `monotonic` is the clock of
    the throttle.
    """

    def __init__(
        self, strategies: Mapping[str, Backpressure], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._lanes = {camera: _Lane(strategy) for camera, strategy in strategies.items()}
        self._ready = threading.Condition()
        self._monotonic = monotonic
        self._closed = False

    def offer(self, scene: Scene) -> None:
        """Hand in a scene of its frame's camera."""
        now = self._monotonic()
        with self._ready:
            lane = self._lanes[scene.frame.camera]
            if _admit(lane, scene, now):
                if not lane.waiting:
                    lane.since = now
                lane.waiting.append(scene)
                self._ready.notify()

    def take(self, timeout_s: float) -> Scene | None:
        """The next scene, or None after `timeout_s`. The lane stays closed until `done`."""
        with self._ready:
            self._ready.wait_for(lambda: self._closed or self._next() is not None, timeout_s)
            lane = self._next()
            if lane is None:
                return None
            lane.busy = True
            scene = lane.waiting.popleft()
            lane.since = self._monotonic()
            return scene

    def done(self, camera: str) -> None:
        """The scene taken from this camera is done with."""
        with self._ready:
            self._lanes[camera].busy = False
            self._ready.notify()

    def close(self) -> None:
        """Wake every waiting worker; nothing more is handed out."""
        with self._ready:
            self._closed = True
            for lane in self._lanes.values():
                lane.waiting.clear()
            self._ready.notify_all()

    def dropped(self, camera: str) -> dict[str, int]:
        """How many scenes were dropped, by reason, since start."""
        with self._ready:
            return dict(self._lanes[camera].dropped)

    def _next(self) -> _Lane | None:
        ready = [lane for lane in self._lanes.values() if lane.waiting and not lane.busy]
        return min(ready, key=lambda lane: lane.since, default=None)


def _admit(lane: _Lane, scene: Scene, now: float) -> bool:
    """Whether a new scene may enter, by the lane's strategy; makes room for it."""
    match lane.strategy:
        case Backpressure.DROP:
            if lane.waiting and lane.waiting[0].look and not scene.look:
                lane.dropped["quiet"] += 1
                return False
            if lane.waiting:
                lane.waiting.clear()
                lane.dropped["newer"] += 1
        case Backpressure.BUFFER:
            if len(lane.waiting) >= BUFFERED_SCENES:
                lane.waiting.popleft()
                lane.dropped["full"] += 1
        case Backpressure.THROTTLE:
            if lane.waiting:
                # nobody came for the last one: ask for fewer
                lane.gap_s = min(THROTTLE_MAX_S, max(0.2, lane.gap_s * 2))
            if lane.waiting or now - lane.accepted_at < lane.gap_s:
                lane.dropped["throttled"] += 1
                return False
            lane.gap_s *= 0.9
    lane.accepted_at = now
    return True


class Mailbox(Generic[T]):
    """What waits for one asyncio consumer, in order.

    `key` names what an item replaces: of items with the same key only the newest waits (states, pictures), None means
    that every one counts (records). At most `limit` items wait; beyond it the oldest keyed item goes first, then the
    oldest of all, counted in `lost`. Used from the event loop only.
    """

    def __init__(self, *, limit: int, key: Callable[[T], Hashable | None]) -> None:
        self._limit = limit
        self._key = key
        self._waiting: OrderedDict[Hashable, T] = OrderedDict()
        self._arrived = asyncio.Event()
        self._count = 0
        self.lost = 0

    def put(self, item: T) -> None:
        """Add an item; never waits."""
        key = self._key(item)
        self._count += 1
        slot: Hashable = ("record", self._count) if key is None else ("newest", key)
        self._waiting.pop(slot, None)
        if len(self._waiting) >= self._limit:
            self._make_room()
        self._waiting[slot] = item
        self._arrived.set()

    async def get(self) -> T:
        """The next item; waits for one."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popitem(last=False)[1]

    def __len__(self) -> int:
        return len(self._waiting)

    def _make_room(self) -> None:
        for slot in self._waiting:
            if isinstance(slot, tuple) and slot[0] == "newest":
                del self._waiting[slot]
                return
        self._waiting.popitem(last=False)
        self.lost += 1
