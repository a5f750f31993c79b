"""Hands what a node reports to all subscribers, and keeps the newest of it."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from blikk_edge.agents.subscription import Subscription
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.observation import Observation, Record
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.status import CameraAvailability, CameraState, Health

BACKLOG: Final = 2000
"""So many records of a file are kept for who subscribes later."""

PATIENCE_S: Final = 60.0
"""So long a file waits for a subscriber with a full mailbox that takes nothing."""

LOOK_S: Final = 0.05


class Hub:
    """A sink (`core.ports.Sink`) whose items go to subscriptions. `put` and `end` are for the node's thread alone.

    With `clip` records are kept for who subscribes later, and the node waits for full mailboxes (`crowded`). `now` is
    the time by which intervals are counted, in seconds.
    """

    name = "stream"

    def __init__(self, *, clip: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self.latest: Observation | None = None
        self.state: CameraState | None = None
        self.health: Health | None = None
        self.ended = threading.Event()
        self._clip = clip
        self._now = now
        self._changed = threading.Condition()
        self._subscriptions: list[Subscription] = []
        self._backlog: deque[Record] = deque(maxlen=BACKLOG)
        self._missed = 0
        self._pictures: dict[str, Picture] = {}
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
                    self._pictures[item.name] = item
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
            for subscription in self._subscriptions:
                if isinstance(item, CameraState | Health | CameraAvailability):
                    subscription.tick()
                else:
                    subscription.put(item)

    def add(self, subscription: Subscription) -> None:
        """A new subscriber, who first gets what was kept."""
        with self._changed:
            subscription.dropped += self._missed
            for record in self._backlog:
                subscription.put(record)
            if self.ended.is_set():
                subscription.end(self._error)
            self._subscriptions.append(subscription)

    def remove(self, subscription: Subscription) -> None:
        """A subscriber that has gone."""
        with self._changed:
            self._subscriptions = [each for each in self._subscriptions if each is not subscription]

    def end(self, error: BlikkError | None = None) -> None:
        """Nothing more comes; `error` says what went wrong. Only the first call counts."""
        with self._changed:
            if self.ended.is_set():
                return
            self._error = error
            self.ended.set()
            for subscription in self._subscriptions:
                subscription.end(error)
            self._changed.notify_all()

    def crowded(self) -> bool:
        """Whether a subscriber cannot take more now; waits a moment for it."""
        with self._changed:
            full = [full_s for each in self._subscriptions if (full_s := each.full_for_s()) is not None]
            if not any(full_s < PATIENCE_S for full_s in full):
                return False
        time.sleep(LOOK_S)
        return True

    def picture(self, name: str) -> Picture | None:
        """The newest Picture of this name."""
        with self._changed:
            return self._pictures.get(name)

    def newer_picture(self, name: str, than: Picture | None, timeout_s: float) -> Picture | None:
        """A Picture of this name other than `than`; None where none comes in time. Blocking."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.ended.is_set() or self._pictures.get(name) is not than, timeout=timeout_s
            )
            found = self._pictures.get(name)
            return None if found is than else found

    def _keep(self, record: Record) -> None:
        if isinstance(record, Observation):
            self.latest = record
        if self._clip:
            self._missed += len(self._backlog) == BACKLOG
            self._backlog.append(record)
