"""One subscriber's end: a bounded mailbox that can be read from any thread and from any event loop."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from blikk_edge.agents.digest import digest
from blikk_edge.agents.wants import Wants
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.fold import gathered, likeness
from blikk_edge.core.observation import Observation, Record

R_co = TypeVar("R_co", bound=Record, covariant=True)

LIMIT: Final = 1000
"""So many records may wait for one subscriber."""

SEEN: Final = 200
"""So many of the records that were taken last are in the digest of `str`."""

PATIENCE_S: Final = 60.0
"""So long a file waits, while others wait for it, for one who works on a record, or does not empty a full mailbox."""


class Pace(Enum):
    """How a reader keeps up with a file, whose time goes on only while somebody waits for it."""

    TAKES = "takes"  # a record lies there for it: it takes it in a moment
    FULL = "full"  # one more would find no room
    STARVES = "starves"  # it waits for the next record
    LISTENS = "listens"  # the same, but is there for others, who may work meanwhile
    WORKS = "works"  # on the record that it took last
    APART = "apart"  # none of this


class Subscription(Generic[R_co]):
    """Records as they come, for one reader: an iterator and an async iterator. `R_co` is what the records are.

    It ends when the stream has ended (then it raises what went wrong, if anything did), when it was closed, and when
    nothing came for `timeout_s`. At most `limit` records wait; beyond it the oldest goes, counted in `dropped`. With
    `every_s` Observations come at most so often, similar ones of that time folded into one.

    `str` is a digest of what was taken so far, in few words: for a language model.
    """

    def __init__(
        self,
        wants: Wants,
        *,
        timeout_s: float | None = None,
        every_s: float = 0.0,
        limit: int = LIMIT,
        now: Callable[[], float] = time.monotonic,
        left: Callable[["Subscription[Any]"], None] = lambda _subscription: None,
        keep: bool = False,
        paced: bool = False,
    ) -> None:
        self.dropped = 0
        self.timeout_s = timeout_s
        self._wants = wants
        self._every_s = every_s
        self._limit = limit
        self._now = now
        self._left = left
        self._keep = keep
        self._ready: deque[Record] = deque()
        self._held: list[Record] = []
        self._released = float("-inf")
        self._seen: deque[Record] = deque(maxlen=SEEN)
        self._changed = threading.Condition()
        self._waiters: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._taken_at = time.monotonic()
        self._paced = paced
        self._readers = 0
        self._works = False
        self._over = False
        self._closed = False
        self._error: BlikkError | None = None

    # -- the subscriber ------------------------------------------------------------------------------------------

    def get(self, timeout: float | None = None) -> R_co | None:
        """The next record; None where none came within `timeout` seconds, or none will come. Blocking."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            self._begin()
            try:
                while (record := self._take()) is None and not self._done():
                    wait_s = self._wait_s(end)
                    if wait_s is not None and wait_s <= 0:
                        return None
                    self._changed.wait(wait_s)
                return record
            finally:
                self._readers -= 1

    async def aget(self, timeout: float | None = None) -> R_co | None:  # noqa: ASYNC109 - as that of `get`
        """The same for a coroutine."""
        end = None if timeout is None else time.monotonic() + timeout
        waiter = asyncio.get_running_loop(), asyncio.Event()
        with self._changed:
            self._begin()
            self._waiters.add(waiter)
        try:
            while True:
                with self._changed:
                    record, done = self._take(), self._done()
                    wait_s = self._wait_s(end)
                    waiter[1].clear()
                if record is not None or done:
                    return record
                if wait_s is not None and wait_s <= 0:
                    return None
                try:
                    async with asyncio.timeout(wait_s):
                        await waiter[1].wait()
                except TimeoutError:
                    continue
        finally:
            with self._changed:
                self._readers -= 1
                self._waiters.discard(waiter)

    def close(self) -> None:
        """No more records; whoever waits for one gets none. Harmless when called again, and from any thread."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._held.clear()
            self._wake()
        self._left(self)

    @property
    def ended(self) -> bool:
        """Whether no record will come any more."""
        with self._changed:
            return self._closed or (self._over and not self._ready and not self._held)

    @property
    def seen(self) -> tuple[R_co, ...]:
        """The records that were taken last, the oldest first; at most 200."""
        with self._changed:
            return cast("tuple[R_co, ...]", tuple(self._seen))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R_co:
        record = self.get(self.timeout_s)
        if record is None:
            self._raise()
            raise StopIteration
        return record

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R_co:
        record = await self.aget(self.timeout_s)
        if record is None:
            self._raise()
            raise StopAsyncIteration
        return record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return digest(self.seen, dropped=self.dropped)

    # -- the hub, from the node's thread -------------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Add a record, where it is wanted; never waits."""
        if not self._wants.take(record):
            self.tick()
            return
        with self._changed:
            if self._closed or self._over:
                return
            if self._every_s:
                self._hold(record)
                self._release(full=len(self._held) >= self._limit)
            else:
                self._ready.append(record)
            room = self._limit * 2 if self._keep else self._limit  # what comes with one frame finds room in any case
            while len(self._ready) > room:
                self._ready.popleft()
                self.dropped += 1
            self._wake()

    def tick(self) -> None:
        """Time has passed."""
        if self._every_s:
            with self._changed:
                if self._release():
                    self._wake()

    def end(self, error: BlikkError | None = None) -> None:
        """Nothing more comes."""
        with self._changed:
            self._over, self._error = True, error
            self._release(full=True)
            self._wake()

    def pace(self) -> Pace:
        """How its reader keeps up with a file."""
        with self._changed:
            if self._closed or self._over:
                return Pace.APART
            idle_s = time.monotonic() - self._taken_at
            if self._readers and self._ready:
                return Pace.TAKES
            if len(self._ready) >= self._limit and idle_s < PATIENCE_S:
                return Pace.FULL
            if self._readers:
                return Pace.STARVES if self._paced else Pace.LISTENS
            return Pace.WORKS if self._paced and self._works and idle_s < PATIENCE_S else Pace.APART

    # -- with the lock held --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """A reader comes for the next record."""
        self._readers += 1
        self._works = False

    def _take(self) -> R_co | None:
        self._release()
        if self._closed or not self._ready:
            return None
        record = self._ready.popleft()
        self._seen.append(record)
        self._taken_at = time.monotonic()
        self._works = True
        return cast("R_co", record)  # `wants` lets nothing else in

    def _done(self) -> bool:
        return self._closed or (self._over and not self._ready)

    def _wait_s(self, end: float | None) -> float | None:
        """How long to wait for a change: until `end`, or until what is held is due."""
        left = [] if end is None else [end - time.monotonic()]
        if self._held:
            left.append(max(0.001, self._released + self._every_s - self._now()))
        return min(left, default=None)

    def _hold(self, record: Record) -> None:
        """Keep it for later, folded into the last similar one."""
        if isinstance(record, Observation):
            for place, held in enumerate(self._held):
                if isinstance(held, Observation) and likeness(held) == likeness(record):
                    self._held[place] = gathered(held, record)
                    return
        self._held.append(record)

    def _release(self, *, full: bool = False) -> bool:
        """Hand out what is held, where it is due or there is no more room."""
        now = self._now()
        if not self._held or (now - self._released < self._every_s and not full):
            return False
        self._released = now
        self._ready.extend(self._held)
        self._held.clear()
        return True

    def _wake(self) -> None:
        self._changed.notify_all()
        for loop, event in tuple(self._waiters):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def _raise(self) -> None:
        with self._changed:
            error, self._error = (None, self._error) if self._closed or not self._over else (self._error, None)
        if error is not None:
            raise error
