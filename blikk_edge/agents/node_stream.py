"""What a node reports, for a Python program: what every stream has, wherever its node runs."""

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, overload

from blikk_edge.agents.agent_sink import AgentSink
from blikk_edge.agents.digest import present
from blikk_edge.agents.durations import Duration, moment, seconds, whole
from blikk_edge.agents.found import PICTURE_S, Finder
from blikk_edge.agents.frameworks import framework_of
from blikk_edge.agents.hub import Hub
from blikk_edge.agents.link import Link
from blikk_edge.agents.subscription import LIMIT, Subscription
from blikk_edge.agents.tools import StreamTools
from blikk_edge.agents.wants import Words, wants
from blikk_edge.core.errors import BlikkError, ConfigError
from blikk_edge.core.inquiry import AskQuestion, ListEvents, Reply, Request
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState

ANSWER_S: Final = 120.0
"""So long an answer may take; the node has limits of its own, which are shorter."""

_OPEN: "weakref.WeakSet[NodeStream]" = weakref.WeakSet()


class NodeStream:
    """What a node reports of one `camera`, or of all: a context manager, sync and async.

    `finder` asks it, for tools and servers.
    """

    def __init__(self, link: Link, *, camera: str | None, sinks: Sequence[AgentSink]) -> None:
        self._link = link
        if camera is not None and not isinstance(camera, str):
            raise ConfigError("camera is the id of a camera, a text")
        if not isinstance(sinks, Iterable):
            raise ConfigError("sinks is no list of AgentSinks: sinks=[AgentSink(call)]")
        self._camera = camera
        self._hub = Hub(clip=link.is_clip, **({"now": link.now} if link.is_clip else {}))
        self.finder = Finder(link, self._hub)
        self._agents: list[AgentSink] = [_agent(sink) for sink in sinks]
        self._process: int | None = None
        self._closed = False
        self._ending = threading.RLock()

    # -- life ----------------------------------------------------------------------------------------------------

    def open(self) -> Self:
        """Start, and wait until the camera is watched; `with` does it. Raises BlikkError where it cannot be."""
        if self._process is not None:
            raise BlikkError("this stream was opened already; make another one")
        self._process = os.getpid()
        try:
            self._link.start(self._hub)
            self._hub.known_since = self._link.whole_since
            if self._camera is not None and self._camera not in (known := [each.id for each in self._link.cameras]):
                raise ConfigError(f"there is no camera {self._camera[:80]!r} on this node; there is {', '.join(known)}")
            for sink in self._agents:
                self._start(sink)
            if self._closed:  # from another thread, which may have found nothing to end yet
                raise BlikkError("this stream was closed while it was opened")
        except BaseException:
            self._closed = True
            self._end()
            raise
        _OPEN.add(self)
        return self

    def close(self) -> None:
        """End it. Harmless when called again; subscriptions end."""
        if self._closed or self._process is None:
            self._closed = True
            return
        self._closed = True
        self._end()

    def _end(self) -> None:
        with self._ending:  # who opens it and who closes it meanwhile are two threads
            if self._process == os.getpid():
                self._link.close()
                self._hub.end()
                for sink in self._agents:
                    sink.close()
            _OPEN.discard(self)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        try:
            return await asyncio.to_thread(self.open)
        except asyncio.CancelledError:
            await asyncio.to_thread(self.close)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def wait(self, timeout: Duration | None = None) -> bool:
        """Wait until a file has been read to its end, or the stream is closed; whether that came in time. Blocking."""
        self._check()
        with self._hub.moving():
            return self._hub.ended.wait(None if timeout is None else seconds(timeout, "timeout"))

    # -- what it reports -----------------------------------------------------------------------------------------

    @overload
    def subscribe(
        self,
        kinds: None = None,
        labels: Words = None,
        *,
        timeout: Duration | None = None,
        every: Duration | None = None,
        limit: int = LIMIT,
    ) -> Subscription[Observation]: ...

    @overload
    def subscribe(
        self,
        kinds: Words,
        labels: Words = None,
        *,
        timeout: Duration | None = None,
        every: Duration | None = None,
        limit: int = LIMIT,
    ) -> Subscription[Any]: ...

    def subscribe(
        self,
        kinds: Words = None,
        labels: Words = None,
        *,
        timeout: Duration | None = None,
        every: Duration | None = None,
        limit: int = LIMIT,
    ) -> Subscription[Any]:
        """Records as they come: Observations, or those of `kinds` (`event`, `summary`, `ring`, `answer`, `appeared`).

        With `labels` only those about persons, vehicles, animals or packages. It ends when nothing has come for
        `timeout`. With `every`, Observations come at most so often, similar ones folded. At most `limit` wait for a
        slow reader. Raises ConfigError.
        """
        return self._subscribed(kinds, labels, timeout=timeout, every=every, limit=limit)

    def _subscribed(
        self,
        kinds: Words,
        labels: Words = None,
        *,
        timeout: Duration | None = None,
        every: Duration | None = None,
        limit: int = LIMIT,
        paced: bool = True,
        kept: bool = True,
    ) -> Subscription[Any]:
        self._check()
        if not self._link.reports:
            raise BlikkError(
                "what this node reports cannot be heard, as it has no broker; `ask` and `events` know of it"
            )
        whole(limit, "limit")
        subscription: Subscription[Any] = Subscription(
            replace(wants(kinds, labels), camera=self._camera),
            timeout_s=None if timeout is None else seconds(timeout, "timeout"),
            every_s=0.0 if every is None else seconds(every, "every"),
            limit=limit,
            left=self._hub.remove,
            keep=self._link.is_clip,
            paced=paced and self._link.is_clip,
            **({"now": self._link.now} if self._link.is_clip else {}),
        )
        self._hub.add(subscription, kept=kept)
        return subscription

    def add(self, sink: AgentSink) -> None:
        """Hand what is seen from now on to a callable, until the stream is closed. Raises ConfigError."""
        self._check()
        self._start(_agent(sink))
        self._agents.append(sink)

    @property
    def reports(self) -> bool:
        """Whether what the node reports can be heard: a node of this machine without a broker can only be asked."""
        return self._link.reports

    @property
    def latest(self) -> Observation | None:
        """The newest Observation; None before the first."""
        return self._hub.latest

    @property
    def state(self) -> CameraState:
        """How the camera is doing now, and how many are there."""
        self._check()
        one = self._one()
        return next(state for state in self._link.states() if state.camera == one)

    def now(self) -> str:
        """Who and what is there now, in a line: `camera: 2 person; path: 1; motion`."""
        self._check()
        return "\n".join(present(state) for state in self._link.states() if self._camera in {None, state.camera})

    @property
    def time(self) -> float:
        """The time by which it goes, seconds since 1970 UTC: in a file that of its newest frame."""
        return self._link.now()

    def picture(self, timeout: Duration = PICTURE_S) -> bytes:
        """What the camera sees now: a JPEG with every face blurred. Blocking.

        Raises BlikkError where none can be made, or none came within `timeout`.
        """
        self._check()
        return self.finder.picture(self._one(), seconds(timeout, "timeout"))

    async def apicture(self, timeout: Duration = PICTURE_S) -> bytes:  # noqa: ASYNC109 - as that of `picture`
        """The same for a coroutine."""
        return await asyncio.to_thread(self.picture, timeout)

    # -- what was reported ---------------------------------------------------------------------------------------

    def ask(self, question: str, *, since: float | None = None, until: float | None = None) -> Reply:
        """The answer to a question about the past or the present, in words and as a number. Blocking.

        Raises BlikkError where it cannot be answered, ConfigError for arguments that are none. Times are seconds since
        1970 UTC.
        """
        return _answered(self._asked(_question(question, self._camera, since, until)).result(ANSWER_S))

    async def aask(self, question: str, *, since: float | None = None, until: float | None = None) -> Reply:
        """The same for a coroutine."""
        return _answered(await asyncio.wrap_future(self._asked(_question(question, self._camera, since, until))))

    def events(
        self,
        *,
        label: Label | str | None = None,
        zone: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> tuple[Event, ...]:
        """Events that match everything given, newest first, each in its newest revision. Blocking; raises BlikkError.

        Times are seconds since 1970 UTC; an event counts by its start.
        """
        return _events(self._asked(_listing(self._camera, label, zone, since, until, limit)).result(ANSWER_S))

    async def aevents(
        self,
        *,
        label: Label | str | None = None,
        zone: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
    ) -> tuple[Event, ...]:
        """The same for a coroutine."""
        return _events(await asyncio.wrap_future(self._asked(_listing(self._camera, label, zone, since, until, limit))))

    def tools(self, framework: str) -> "list[Any]":
        """Tools for an agent of `langchain` or `llamaindex`: watch, now, search, count, ask.

        Raises ConfigError where the framework is another one, or is not installed.
        """
        self._check()
        make = framework_of(framework)
        return make(StreamTools(self._link, self.finder, self._camera, self._later).all())

    # -- helpers -------------------------------------------------------------------------------------------------

    def _later(self, label: str | None) -> Subscription[Any]:
        return self._subscribed(None, label, kept=False)

    def _one(self) -> str:
        """The camera, where there is one."""
        names = [each.id for each in self._link.cameras]
        if self._camera is None and len(names) != 1:
            raise BlikkError(f"this node has several cameras ({', '.join(names)}): connect with camera='...'")
        return self._camera or names[0]

    def _start(self, sink: AgentSink) -> None:
        sink.start(self._subscribed(("observation", "summary"), paced=False), live=not self._link.is_clip)

    def _asked(self, request: Request) -> "Future[Reply]":
        self._check()
        return self._link.ask(request)

    def _check(self) -> None:
        if self._process is None:
            raise BlikkError("this stream is not open yet: use it in a `with` block, or call open()")
        if self._process != os.getpid():
            raise BlikkError("this stream belongs to another process: open one after the fork")
        if self._closed:
            raise BlikkError("this stream is closed")


def _agent(sink: object) -> AgentSink:
    if not isinstance(sink, AgentSink):
        raise ConfigError("sinks: an AgentSink belongs here: sinks=[AgentSink(call)]; those of plug-ins are a dict")
    return sink


def _listing(
    camera: str | None,
    label: Label | str | None,
    zone: str | None,
    since: float | None,
    until: float | None,
    limit: int,
) -> ListEvents:
    if label is not None and label not in tuple(Label):
        raise ConfigError(f"there is no label {str(label)[:40]!r}: use {', '.join(Label)}")
    if zone is not None and not isinstance(zone, str):
        raise ConfigError("zone is no text")
    return ListEvents(
        camera=camera,
        label=None if label is None else Label(label),
        zone=zone,
        since=moment(since, "since"),
        until=moment(until, "until"),
        limit=whole(limit, "limit"),
    )


def _question(question: str, camera: str | None, since: float | None, until: float | None) -> AskQuestion:
    if not isinstance(question, str):
        raise ConfigError("a question is a text")
    return AskQuestion(question=question, camera=camera, since=moment(since, "since"), until=moment(until, "until"))


def _answered(reply: Reply) -> Reply:
    if not reply.ok:
        raise BlikkError(reply.error or "the question could not be answered")
    return reply


def _events(reply: Reply) -> tuple[Event, ...]:
    return tuple(each.event for each in _answered(reply).events)


@atexit.register
def _close_all() -> None:
    """A node that is still open when the program ends is ended as it should be."""
    for stream in tuple(_OPEN):
        stream.close()
