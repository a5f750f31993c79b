"""Sends records to subscribers over WebSockets. Each reads what is kept at its own pace, and waits for nobody."""

import asyncio
import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError, WireError
from blikk_edge.core.ports import History, Inbox, Item
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.core.status import NodeInfo
from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.net.http.socket import PROTOCOL_NAME, ServedSocket, opened
from blikk_edge.sinks.past import past
from blikk_edge.sinks.recent import Recent
from blikk_edge.wire.envelope import enveloped
from blikk_edge.wire.subscription import Cursor, Subscription, hello, read_subscription
from blikk_edge.wire.topics import Topics

if TYPE_CHECKING:
    from aiohttp import web

LOG = logging.getLogger("blikk.websocket")

PATH: Final = "/v1/records"
TOO_SLOW: Final = 4408
NOT_TAKEN: Final = 4405
"""WebSocket close codes of ours, after HTTP's."""

LATE_S: Final = 10.0
"""Between a frame and the record about it that is sent."""

HEARTBEAT_S: Final = 40.0
INCOMING_BYTES: Final = 1024


@dataclass(slots=True, eq=False)
class _Subscriber:
    """One connection.

    Attributes:
        socket: Its WebSocket.
        wish: What it wants.
        position: The number of the last record that it was sent, or did not want.
        behind: How many records went before it could be sent them.
        catches_up: It gets what was before the records that are kept, and they may go meanwhile.
    """

    socket: ServedSocket
    wish: Subscription
    position: int
    behind: int = 0
    catches_up: bool = False


class Subscribers:
    """A sink that is read at `/v1/records` of the HTTP server (contract/websocket.md).

    The newest `keep` records are there for everybody: who has not taken a record when it goes is disconnected, with how
    many it missed. Who is slow holds up nobody and takes no memory. At most `connections` subscribers.
    """

    name = "websocket"

    def __init__(
        self,
        *,
        node: NodeInfo,
        topics: Topics,
        clock: Clock,
        history: History,
        connections: int = 16,
        keep: int = 1000,
    ) -> None:
        self.missed = 0
        """How many records those who were too slow were behind when they were cut off, in all."""

        self._node = node
        self._topics = topics
        self._clock = clock
        self._history = history
        self._most = connections
        self._cameras = frozenset(camera.id for camera in node.cameras)
        self._keep = keep
        self._recent = Recent(topics, clock, records=keep)
        self._subscribers: set[_Subscriber] = set()
        self._open = 0
        self._limited = RateLimitedLog(clock)
        # One look at the store at a time: many would take every thread of the process, and hold up its stop.
        self._turn = asyncio.Lock()

    def routes(self) -> Sequence[Route]:
        """What is served."""
        return (
            Route(
                method="GET",
                path=PATH,
                handler=self._subscribe,
                scope=Scope.VIEW,
                summary="Records as they come, over a WebSocket: see contract/websocket.md.",
                query={
                    "kinds": "Only of these kinds, separated by commas.",
                    "cameras": "Only of these cameras, separated by commas.",
                    "since": "What was since then first: a cursor, or a time.",
                },
                answer="",
            ),
        )

    async def run(self, inbox: Inbox[Item]) -> None:
        """Take what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._take_all(inbox, group)

    async def _take_all(self, inbox: Inbox[Item], group: asyncio.TaskGroup) -> None:
        while True:
            self._recent.add(await inbox.get())
            for subscriber in list(self._subscribers):
                patience = self._keep if subscriber.catches_up else 0
                if subscriber.position + 1 + patience < self._recent.oldest:
                    self._subscribers.discard(subscriber)
                    group.create_task(self._cut_off(subscriber), name="websocket.cut")

    async def _cut_off(self, subscriber: _Subscriber) -> None:
        """End one that is too slow, and say how many records it is behind."""
        subscriber.behind = self._recent.newest - subscriber.position
        self.missed += subscriber.behind
        self._log(
            logging.WARNING, "slow", f"a subscriber was too slow and was cut off, {subscriber.behind} records behind"
        )
        await subscriber.socket.close(TOO_SLOW, f"too slow, {subscriber.behind} records behind; come back with since")

    async def _subscribe(self, request: "web.Request") -> "web.StreamResponse":
        try:
            wish = self._wish(request)
        except WireError as error:
            raise RefusedError(400, str(error)) from None
        if self._open >= self._most:
            self._log(logging.WARNING, "most", f"a subscriber was refused: there are {self._most} already")
            raise RefusedError(503, "too many subscribers; raise `sinks.websocket.connections`")
        self._open += 1
        try:
            socket = await opened(
                request, message_bytes=INCOMING_BYTES, protocols=(PROTOCOL_NAME,), heartbeat_s=HEARTBEAT_S
            )
            self._log(logging.INFO, "here", f"a subscriber is here, {self._open} in all")
            await self._serve(_Subscriber(socket, wish, self._position(wish)))
            return socket.response
        finally:
            self._open -= 1

    async def _serve(self, subscriber: _Subscriber) -> None:
        self._subscribers.add(subscriber)
        working = [asyncio.ensure_future(work) for work in (self._send(subscriber), _take_nothing(subscriber.socket))]
        try:
            await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._subscribers.discard(subscriber)
            for task in working:
                task.cancel()
            for ended in await asyncio.gather(*working, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, OSError):
                    raise ended

    def _wish(self, request: "web.Request") -> Subscription:
        try:
            query = parse_qs(request.rel_url.raw_query_string, keep_blank_values=True, max_num_fields=8)
        except ValueError:
            raise WireError("too many parameters") from None
        return read_subscription(query, self._cameras)

    def _position(self, wish: Subscription) -> int:
        """The number of the record after which it is sent what is kept."""
        since, recent = wish.since, self._recent
        if since is None:
            return recent.newest
        if since.stream == recent.stream:
            return min(max(since.seq, recent.oldest - 1), recent.newest)
        return recent.before(since.time)

    async def _send(self, subscriber: _Subscriber) -> None:
        """All that was, and all that comes, until the connection ends."""
        socket, wish, recent = subscriber.socket, subscriber.wish, self._recent
        since = wish.since
        complete = None if since is None else self._is_complete(since)
        here = Cursor(stream=recent.stream, seq=subscriber.position, time=self._clock.now())
        greeting = hello(
            wish,
            node=self._node.id,
            stream=recent.stream,
            seq=recent.newest,
            complete=complete,
            cursor=here if since is None else None,
        )
        subscriber.catches_up = complete is False
        await socket.send(greeting)
        told_until = 0.0
        if since is not None and not complete:
            # what it was sent last had been on its way for a moment, as had others
            told_until = await self._send_past(subscriber, since.time - (LATE_S if since.stream else 0.0))
        statuses = 0
        while True:
            while subscriber.position < recent.newest:
                if subscriber.position + 1 < recent.oldest:
                    if not subscriber.catches_up or subscriber not in self._subscribers:
                        return  # it is being cut off
                    told_until = await self._send_past(subscriber, told_until - LATE_S)
                    continue
                sent = recent.record(subscriber.position + 1)
                if wish.wants(sent):
                    await socket.send(sent.text)
                subscriber.position = sent.seq
            subscriber.catches_up = False
            statuses, changed = recent.statuses(statuses)
            for sent in changed:
                if wish.wants(sent):
                    await socket.send(sent.text)
            if subscriber.position == recent.newest:
                await recent.more()

    def _is_complete(self, since: Cursor) -> bool:
        """Whether all that was reported since then is kept."""
        recent = self._recent
        return since.seq >= recent.oldest - 1 if since.stream == recent.stream else since.time >= recent.since

    async def _send_past(self, subscriber: _Subscriber, since: float) -> float:
        """What the history knows of the time before the records that are kept; since when they are."""
        subscriber.position = max(subscriber.position, self._recent.oldest - 1)
        known = frozenset(getattr(item, "id", "") for item in self._recent.items())
        until = self._recent.since
        try:
            async with self._turn:
                found = await asyncio.to_thread(past, self._history, since=since, until=until)
        except StoreError as error:
            self._log(logging.WARNING, "store", f"a subscriber does not get what was before: {error}")
            return until
        for record in found:
            if record.id not in known:
                sent = enveloped(record, self._topics, replayed=True)
                if subscriber.wish.wants(sent):
                    await subscriber.socket.send(sent.text)
        return until

    def _log(self, level: int, key: Hashable, text: str) -> None:
        if (more := self._limited.turn(key)) is not None:
            LOG.log(level, "%s%s", text, more)


async def _take_nothing(socket: ServedSocket) -> None:
    """Hang up on who says something: nothing is taken here."""
    async for _ in socket.messages():
        await socket.close(NOT_TAKEN, "nothing is taken here; what you want is said in the query")
        return
