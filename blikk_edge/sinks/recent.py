"""The newest records and statuses in one place, from which every subscriber reads at its own pace."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.ports import Item
from blikk_edge.wire.envelope import STATUSES, Enveloped, Place, enveloped, kind_of
from blikk_edge.wire.subscription import Cursor
from blikk_edge.wire.topics import Topics

DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
BYTES_MAX: Final = 4_000_000
"""Of the records that are kept, however many they may be."""


def stream_name(clock: Clock) -> str:
    """A name for one run of a sink: when it began, in milliseconds to base 36."""
    left, name = max(1, round(clock.now() * 1000)), ""
    while left:
        left, digit = divmod(left, 36)
        name = DIGITS[digit] + name
    return name


@dataclass(frozen=True, slots=True)
class _Kept:
    item: Item
    sent: Enveloped
    time: float


class Recent:
    """At most `records` of them, numbered from 1; the oldest go first. Nothing here waits for a reader.

    `cursors`: whether a reader can come back with one (`wire.subscription`).
    """

    def __init__(self, topics: Topics, clock: Clock, *, records: int, cursors: bool = True) -> None:
        self.stream = stream_name(clock)
        self.newest = 0
        self.since = clock.now()
        """Since when all that was reported is kept, seconds since 1970 UTC."""

        self._topics = topics
        self._clock = clock
        self._records = records
        self._cursors = cursors
        self._kept: deque[_Kept] = deque()
        self._bytes = 0
        self._statuses: OrderedDict[str, tuple[int, Enveloped]] = OrderedDict()
        self._changes = 0
        self._changed = asyncio.Event()

    @property
    def oldest(self) -> int:
        """The number of the oldest record that is kept; without any that of the next one."""
        return self.newest + 1 - len(self._kept)

    def add(self, item: Item) -> None:
        """Take one more; Pictures are passed over."""
        kind = kind_of(item)
        if kind is None:
            return
        if kind in STATUSES:
            sent = enveloped(item, self._topics)
            self._changes += 1
            self._statuses[sent.topic] = (self._changes, sent)
            self._statuses.move_to_end(sent.topic)
        else:
            self._add_record(item)
        self._changed.set()
        self._changed = asyncio.Event()

    def _add_record(self, item: Item) -> None:
        self.newest += 1
        now = self._clock.now()
        cursor = str(Cursor(stream=self.stream, seq=self.newest, time=now)) if self._cursors else None
        sent = enveloped(item, self._topics, Place(stream=self.stream, seq=self.newest, cursor=cursor))
        self._kept.append(_Kept(item, sent, now))
        self._bytes += len(sent.text)
        while len(self._kept) > self._records or (self._bytes > BYTES_MAX and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().sent.text)
            self.since = self._kept[0].time if self._kept else now

    def record(self, seq: int) -> Enveloped:
        """The record of that number, from `oldest` to `newest`."""
        return self._kept[seq - self.oldest].sent

    def statuses(self, after: int) -> tuple[int, list[Enveloped]]:
        """Where to go on next time, and the newest statuses that changed since `after` (0: all)."""
        found: list[Enveloped] = []
        for change, sent in reversed(self._statuses.values()):
            if change <= after:
                break
            found.append(sent)
        return self._changes, found[::-1]

    def before(self, time: float) -> int:
        """The number of the newest record that was reported before `time`, as far as they are kept."""
        return self.oldest - 1 + sum(kept.time < time for kept in self._kept)

    def items(self) -> Iterator[Item]:
        """What is kept, the oldest first."""
        return (kept.item for kept in self._kept)

    async def more(self) -> None:
        """Wait until something is added."""
        await self._changed.wait()
