"""Everything that waits: scenes for the vision workers, readers for their turn to connect, items for each sink."""

import asyncio
import itertools
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

from blikk_edge.core.fields import Backpressure
from blikk_edge.core.picture import Wanted
from blikk_edge.core.probe import LaneNote, Outcome, Probe
from blikk_edge.core.scene import Scene

T = TypeVar("T")

BUFFERED_SCENES: Final = 15
"""Three seconds at 5 fps: long enough for a burst, short enough to stay an alert."""

THROTTLE_MAX_S: Final = 2.0

ATTEMPT_WAIT_S: Final = 10.0
"""How long a reader waits before it looks again whether it is its turn; whoever leaves wakes it at once."""

Room: TypeAlias = tuple[str | None, Scene | None]
"""Why a scene is dropped, and which: one that waits, the new one, or none."""

FREE: Final[Room] = (None, None)


@dataclass(slots=True)
class _Lane:
    strategy: Backpressure
    waiting: deque[Scene] = field(default_factory=deque)
    turn: int = 0  # when it was taken last, counted in scenes taken of all lanes; 0: never
    since: float = 0.0  # since when something has waited, be it replaced since; monotonic
    ticket: int | None = None  # of whoever has the lane now
    gap_s: float = 0.0
    accepted_at: float = -1e9
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Taken:
    """A scene, and the right to look at it.

    Attributes:
        scene: The oldest that waits in its lane.
        ticket: With which its lane is given back; never used twice.
    """

    scene: Scene
    ticket: int


class Intake:
    """Scenes of all cameras on their way to the vision workers, one lane per camera.

    A lane has one holder at a time, so a camera's scenes are looked at in order whatever the number of workers. Among
    cameras with a scene the one goes first whose last turn is longest ago: however long its scene has waited, which
    with DROP is replaced by each newer one, and however rarely THROTTLE lets one in, cameras with as much to look at
    get as many turns. `offer` never blocks; what does not fit is dropped and counted
    by reason, scenes that the detector need not look at first. `monotonic` is the clock of the throttle. `probe` is
    told which frames were dropped.
    """

    def __init__(
        self,
        strategies: Mapping[str, Backpressure],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        probe: Probe | None = None,
    ) -> None:
        self._lanes = {camera: _Lane(strategy) for camera, strategy in strategies.items()}
        lock = threading.RLock()
        self._ready, self._rested = threading.Condition(lock), threading.Condition(lock)
        self._monotonic = monotonic
        self._probe = probe
        self._tickets = itertools.count(1)
        self._closed = False

    def offer(self, scene: Scene) -> tuple[Wanted, ...]:
        """Hand in a scene of its frame's camera; returns the Pictures that were wanted of a scene that was dropped."""
        now = self._monotonic()
        with self._ready:
            lane = self._lanes[scene.frame.camera]
            waited = bool(lane.waiting)
            reason, dropped = _MAKE_ROOM[lane.strategy](lane, scene, now)
            if reason is not None:
                lane.dropped[reason] += 1
            if dropped is not scene:
                if not waited:
                    lane.since = now
                lane.waiting.append(scene)
                lane.accepted_at = now
                self._ready.notify()
        if self._probe is not None and dropped is not None and reason is not None:
            self._probe.camera(scene.frame.camera).dropped(dropped.frame.seq, Outcome(reason))
        return dropped.wanted if dropped is not None else ()

    def take(self, timeout_s: float) -> Taken | None:
        """The next scene, or None after `timeout_s`. The lane stays closed until `done`."""
        with self._ready:
            self._ready.wait_for(lambda: self._closed or self._next() is not None, timeout_s)
            lane = self._next()
            if lane is None or self._closed:
                return None
            scene = lane.waiting.popleft()
            lane.turn = lane.ticket = next(self._tickets)
            return Taken(scene, lane.ticket)

    def hold(self, camera: str) -> int | None:
        """Take the lane itself, so that nobody looks at the camera until `done`; None while somebody does."""
        with self._ready:
            lane = self._lanes[camera]
            if lane.ticket is not None:
                return None
            lane.ticket = next(self._tickets)
            return lane.ticket

    def done(self, camera: str, ticket: int) -> None:
        """Give the lane back; a ticket that was given back for its holder already counts no more."""
        with self._ready:
            lane = self._lanes[camera]
            if lane.ticket == ticket:
                lane.ticket = None
                self._ready.notify()
                self._rested.notify_all()

    def rests(self, camera: str, timeout_s: float) -> bool:
        """Whether nothing of a camera waits or is looked at; waits for that, at most `timeout_s`."""
        lane = self._lanes[camera]
        with self._rested:
            self._rested.wait_for(lambda: self._closed or not (lane.waiting or lane.ticket), timeout_s)
            return not (lane.waiting or lane.ticket)

    def close(self) -> None:
        """Wake every waiting worker; nothing more is handed out."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()
            self._rested.notify_all()

    def dropped(self, camera: str) -> dict[str, int]:
        """How many scenes were dropped, by reason, since start."""
        with self._ready:
            return dict(self._lanes[camera].dropped)

    def notes(self) -> tuple[LaneNote, ...]:
        """How each camera's lane stands now."""
        with self._ready:
            return tuple(
                LaneNote(
                    camera=camera,
                    waiting=len(lane.waiting),
                    busy=lane.ticket is not None,
                    dropped=tuple(sorted(lane.dropped.items())),
                )
                for camera, lane in self._lanes.items()
            )

    def _next(self) -> _Lane | None:
        ready = [lane for lane in self._lanes.values() if lane.waiting and lane.ticket is None]
        return min(ready, key=lambda lane: (lane.turn, lane.since), default=None)


def _drop(lane: _Lane, scene: Scene, _now: float) -> Room:
    if not lane.waiting:
        return FREE
    return ("quiet", scene) if lane.waiting[0].look and not scene.look else ("newer", lane.waiting.popleft())


def _buffer(lane: _Lane, _scene: Scene, _now: float) -> Room:
    if len(lane.waiting) < BUFFERED_SCENES:
        return FREE
    oldest = next((n for n, each in enumerate(lane.waiting) if not each.look), 0)
    dropped = lane.waiting[oldest]
    del lane.waiting[oldest]
    return "full", dropped


def _throttle(lane: _Lane, scene: Scene, now: float) -> Room:
    if lane.waiting:
        # nobody came for the last one: ask for fewer
        lane.gap_s = min(THROTTLE_MAX_S, max(0.2, lane.gap_s * 2))
        return ("quiet", lane.waiting.popleft()) if scene.look and not lane.waiting[0].look else ("throttled", scene)
    if now - lane.accepted_at < lane.gap_s:
        return "throttled", scene
    lane.gap_s *= 0.9
    return FREE


_MAKE_ROOM: Final = {Backpressure.DROP: _drop, Backpressure.BUFFER: _buffer, Backpressure.THROTTLE: _throttle}


class Attempts:
    """Who may try to reach a camera that could not be reached the last time: `most` at once, who waited longest first.

    A first attempt, and one after a stream that had worked, needs no place here: nothing says yet that it is in vain.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._changed = threading.Condition()
        self._tickets = itertools.count(1)
        self._waiting: deque[int] = deque()
        self._entered: set[int] = set()
        self._closed = False

    def enter(self) -> int | None:
        """Wait for a place; the ticket with which it is left again, or None where nobody shall try any more."""
        with self._changed:
            ticket = next(self._tickets)
            self._waiting.append(ticket)
            # each of those before it holds its place for a limited time; the limit here is for what nobody foresaw
            while not self._turn(ticket):
                self._changed.wait(ATTEMPT_WAIT_S)
            self._waiting.remove(ticket)
            if self._closed:
                return None
            self._entered.add(ticket)
            self._changed.notify_all()
            return ticket

    def leave(self, ticket: int | None) -> None:
        """The attempt is over, or its reader was given up; a ticket that has left already counts no more."""
        with self._changed:
            if ticket in self._entered:
                self._entered.discard(ticket)
                self._changed.notify_all()

    def close(self) -> None:
        """Let everybody who waits go, without a place."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def entered(self) -> int:
        """How many attempts go on now."""
        return len(self._entered)

    def _turn(self, ticket: int) -> bool:
        return self._closed or (self._waiting[0] == ticket and len(self._entered) < self.most)


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
