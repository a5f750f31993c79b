"""`AgentSink`: what was seen, condensed, for a callable that may be slow, dear and broken."""

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any, Final, Self, TypeAlias

from blikk_edge.agents.digest import digest
from blikk_edge.agents.durations import Duration, seconds
from blikk_edge.agents.subscription import Subscription
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.fold import gathered, likeness
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.core.observation import Observation, Record, Withdrawn
from blikk_edge.core.summary import Summary
from blikk_edge.core.trouble import Trouble, place_of

LOG = logging.getLogger("blikk.agent")

TRIES: Final = 3
"""So often one digest is handed over before it is given up: what comes next is of more use."""

CALL_S: Final = 120.0
"""So long an async call may take; one that blocks cannot be ended from outside."""

LEFT_S: Final = 5.0
"""So long the end of a stream waits for the last call."""


class Digest(str):
    """What was seen in one window, in words.

    Attributes:
        camera: The camera's id.
        since: Time of the first Observation in it, seconds since 1970 UTC.
        until: Time of the last one.
        observations: Those that the words are about, similar ones folded into one.
        summaries: Texts about events that were written meanwhile.
    """

    camera: str
    since: float
    until: float
    observations: tuple[Observation, ...]
    summaries: tuple[Summary, ...]

    def __new__(cls, records: list[Record], *, dropped: int = 0) -> Self:
        """The digest of these records, at least one, in their order."""
        made = super().__new__(cls, f"{records[0].camera}:\n{digest(records, dropped=dropped)}")
        made.observations = tuple(each for each in records if isinstance(each, Observation))
        made.summaries = tuple(each for each in records if isinstance(each, Summary))
        made.camera = str(records[0].camera)
        times = [each.time for each in records if not isinstance(each, Withdrawn)]
        made.since, made.until = min(times), max(times)
        return made


Call: TypeAlias = Callable[[Digest], Any] | Callable[[Digest], Awaitable[Any]]


class AgentSink:
    """Calls `call` with a `Digest` of each `window` in which something was seen; never with pixels.

    `call` may be a coroutine function, which runs in an event loop of the sink's own. It is called by one thread, one
    call at a time. What comes meanwhile is in the next digest; of more than 1000 records the oldest are lost, and the
    digest says how many. One that raises is tried again twice, after some seconds. After `max_calls_per_day` calls,
    tries included, it is not called again before midnight.
    """

    def __init__(
        self, call: Call, *, window: Duration = "10s", max_calls_per_day: int = 300, backoff: Backoff | None = None
    ) -> None:
        if not callable(call):
            raise ConfigError("AgentSink: its first argument is called with what was seen; this cannot be called")
        if isinstance(max_calls_per_day, bool) or not isinstance(max_calls_per_day, int) or max_calls_per_day < 1:
            raise ConfigError("AgentSink: max_calls_per_day is no whole number above 0")
        self.calls_today = 0
        self.failed = 0
        self._call = call
        self._window_s = seconds(window, "AgentSink: window")
        self._max_calls = max_calls_per_day
        self._backoff = backoff or Backoff()
        self._day: date | None = None
        self._trouble = Trouble(LOG)
        self._subscription: Subscription[Record] | None = None
        self._thread: LooseThread | None = None
        self._closing = False
        self._lost = 0

    @property
    def problem(self) -> str | None:
        """What is wrong now, in a sentence; None while all is well."""
        return self._trouble.now

    def start(self, subscription: Subscription[Record], *, live: bool) -> None:
        """Call from now on with what the subscription brings; a file that is not `live` is windowed by its own time.

        Raises ConfigError where it serves another stream already.
        """
        if self._thread is not None:
            raise ConfigError("this AgentSink serves a stream already: make one for each")
        self._subscription = subscription
        thread = LooseThread("blikk agent", lambda: self._run(subscription, live=live))
        thread.start()
        self._thread = thread  # who closes from another thread joins only what has started

    def close(self) -> None:
        """Hand over what is left, and end; blocking, for at most some seconds, but not for the call that calls it."""
        self._closing = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(LEFT_S)
            if self._thread.is_alive():
                LOG.warning("the callable of an AgentSink did not return and is left behind")
        if self._subscription is not None:
            self._subscription.close()

    # -- its thread ----------------------------------------------------------------------------------------------

    def _run(self, subscription: Subscription[Record], *, live: bool) -> None:
        with asyncio.Runner() as runner:
            ahead: Record | None = None
            while (first := ahead or subscription.get()) is not None:
                ahead = None
                records = [first]
                ends = time.monotonic() + self._window_s
                while True:
                    following = subscription.get(ends - time.monotonic()) if live else subscription.get()
                    if following is None:
                        break
                    if not live and _time(following) >= _time(first) + self._window_s:
                        ahead = following
                        break
                    _add(records, following)
                self._hand_over(records, subscription, runner)

    def _hand_over(self, records: list[Record], subscription: Subscription[Record], runner: asyncio.Runner) -> None:
        lost, self._lost = subscription.dropped - self._lost, subscription.dropped
        given = Digest(records, dropped=lost)
        for number in range(TRIES):
            if not self._may():
                self._trouble.start(f"{self._max_calls} calls a day are used up; the next is after midnight")
                return
            try:
                self._called(given, runner)
            except BaseException as error:  # noqa: BLE001 - it is somebody else's; nobody above us would log it
                self.failed += 1
                self._trouble.start(f"what an AgentSink calls failed: {place_of(error)}")
                if number + 1 < TRIES and not self._closing:
                    time.sleep(self._backoff.next_s())
            else:
                self._backoff.reset()
                self._trouble.end("what an AgentSink calls works again")
                return

    def _called(self, given: Digest, runner: asyncio.Runner) -> None:
        async def awaited(result: Awaitable[Any]) -> None:
            async with asyncio.timeout(CALL_S):
                await result

        result = self._call(given)
        if inspect.isawaitable(result):
            runner.run(awaited(result))

    def _may(self) -> bool:
        today = datetime.now().astimezone().date()
        if today != self._day:
            self._day, self.calls_today = today, 0
        if self.calls_today >= self._max_calls:
            return False
        self.calls_today += 1
        return True


def _add(records: list[Record], record: Record) -> None:
    """Add a record, folded into the last one where it is similar to it."""
    last = records[-1]
    if isinstance(record, Observation) and isinstance(last, Observation) and likeness(last) == likeness(record):
        records[-1] = gathered(last, record)
    else:
        records.append(record)


def _time(record: Record) -> float:
    return record.until if isinstance(record, Observation) else getattr(record, "time", 0.0)
