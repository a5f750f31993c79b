"""Hands what a node reports to all subscribers, and keeps the newest of it."""

import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from blikk_edge.agents.subscription import Pace, Subscription
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.observation import Observation, Record
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.status import CameraAvailability, CameraState, Health

BACKLOG: Final = 2000
"""So many records of a file are kept for who subscribes later."""

LOOK_S: Final = 0.005


class Hub:
    """A sink (`core.ports.Sink`) whose items go to subscriptions. `put` and `end` are for the node's thread alone.

    With `clip` records are kept for who subscribes later, and the node waits for full mailboxes (`crowded`). `now` is
    the time by which intervals are counted, in seconds. `recent` are the newest Observations: all since `known_since`,
    in seconds since 1970 UTC, are among them.
    """

    name = "stream"

    def __init__(self, *, clip: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self.known_since = math.inf
        self.latest: Observation | None = None
        self.recent: deque[Observation] = deque(maxlen=BACKLOG)
        self.state: CameraState | None = None
        self.health: Health | None = None
        self.ended = threading.Event()
        self._clip = clip
        self._now = now
        self._changed = threading.Condition()
        self._subscriptions: list[weakref.ref[Subscription[Record]]] = []
        self._moving = 0
        self._backlog: deque[Record] = deque(maxlen=BACKLOG)
        self._missed = 0
        self._pictures: dict[tuple[str, str], Picture] = {}
        self._error: BlikkError | None = None

    async def run(self, inbox: Inbox[Item]) -> None:
        """Hand on until cancelled."""
        while True:
            self.put(await inbox.get())

    def put(self, item: Item) -> None:
        """Hand on one item; never waits."""
        with self._changed:
            match item:
                case Picture():
                    self._pictures[item.camera, item.name] = item
                    self._changed.notify_all()
                    return
                case CameraState():
                    self.state = item
                case Health():
                    self.health = item
                case CameraAvailability():
                    pass
                case _:
                    self._keep(item)
            for subscription in self._each():
                if isinstance(item, CameraState | Health | CameraAvailability):
                    subscription.tick()
                else:
                    subscription.put(item)

    def add(self, subscription: Subscription[Record], *, kept: bool = True) -> None:
        """A new subscriber, who first gets what was `kept`, if that is wanted."""
        with self._changed:
            if kept:
                subscription.dropped += self._missed
                for record in self._backlog:
                    subscription.put(record)
            if self.ended.is_set():
                subscription.end(self._error)
            self._subscriptions.append(weakref.ref(subscription))

    def remove(self, subscription: Subscription[Record]) -> None:
        """A subscriber that has gone."""
        with self._changed:
            self._subscriptions = [each for each in self._subscriptions if each() not in {None, subscription}]

    def end(self, error: BlikkError | None = None) -> None:
        """Nothing more comes; `error` says what went wrong. Only the first call counts."""
        with self._changed:
            if self.ended.is_set():
                return
            self._error = error
            self.ended.set()
            for subscription in self._each():
                subscription.end(error)
            self._changed.notify_all()

    def crowded(self) -> bool:
        """Whether the next frame of a file is to wait, as nobody waits for it; waits a moment then."""
        with self._changed:
            paces = {each.pace() for each in self._each()}
            waited_for = self._moving or Pace.STARVES in paces or (Pace.LISTENS in paces and Pace.WORKS not in paces)
            holds = not waited_for or bool(paces & {Pace.TAKES, Pace.FULL})
        if holds:
            time.sleep(LOOK_S)
        return holds

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Somebody waits for later frames of a file, whoever works on a record meanwhile."""
        with self._changed:
            self._moving += 1
        try:
            yield
        finally:
            with self._changed:
                self._moving -= 1

    def picture(self, camera: str, name: str) -> Picture | None:
        """The newest Picture of this name."""
        with self._changed:
            return self._pictures.get((camera, name))

    def newer_picture(self, camera: str, name: str, than: Picture | None, timeout_s: float) -> Picture | None:
        """A Picture of this name other than `than`; None where none comes in time. Blocking."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.ended.is_set() or self._pictures.get((camera, name)) is not than, timeout=timeout_s
            )
            found = self._pictures.get((camera, name))
            return None if found is than else found

    def _each(self) -> list[Subscription[Record]]:
        """Those that somebody still has; a loop that was left by `break` lets go of its own."""
        found = [each() for each in self._subscriptions]
        if None in found:
            self._subscriptions = [each for each in self._subscriptions if each() is not None]
        return [each for each in found if each is not None]

    def _keep(self, record: Record) -> None:
        if isinstance(record, Observation):
            self.latest = record
            if len(self.recent) == BACKLOG:
                self.known_since = self.recent[0].until
            self.recent.append(record)
        if self._clip:
            self._missed += len(self._backlog) == BACKLOG
            self._backlog.append(record)
