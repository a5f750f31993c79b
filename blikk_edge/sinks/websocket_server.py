"""Serves subscribers over WebSockets. Each reads the records that are kept at its own pace, and waits for nobody."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError, SinkError, StoreError, WireError
from blikk_edge.core.ports import History, Inbox, Item
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.core.status import NodeInfo
from blikk_edge.net.hosts import may_be_called, names_of_this_machine
from blikk_edge.net.library_log import library_log
from blikk_edge.net.listening import BACKLOG, Connections, listen
from blikk_edge.net.tls import HANDSHAKE_S, server_tls
from blikk_edge.sinks.past import past
from blikk_edge.sinks.recent import Recent
from blikk_edge.wire.bearer import knows, knows_protocol
from blikk_edge.wire.envelope import enveloped
from blikk_edge.wire.subscription import Cursor, Subscription, hello, read_subscription
from blikk_edge.wire.topics import Topics

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response
    from websockets.typing import Subprotocol

LOG = logging.getLogger("blikk.websocket")

PATH: Final = "/v1/records"
PROTOCOL_NAME: Final = "blikk.v1"
TOO_SLOW: Final = 4408
NOT_TAKEN: Final = 4405
"""WebSocket close codes of ours, after HTTP's."""

LATE_S: Final = 10.0
"""Between a frame and the record about it that is sent."""

OPEN_S: Final = 5.0
PING_S: Final = 20.0
CLOSE_S: Final = 2.0
INCOMING_BYTES: Final = 1024


@dataclass(slots=True, eq=False)
class _Subscriber:
    """One connection.

    Attributes:
        connection: Its WebSocket.
        wish: What it wants.
        position: The number of the last record that it was sent, or did not want.
        behind: How many records went before it could be sent them.
        catches_up: It is told what was before the records that are kept, and they may go meanwhile.
    """

    connection: "ServerConnection"
    wish: Subscription
    position: int
    behind: int = 0
    catches_up: bool = False


class WebSocketServer:
    """A sink on `ws(s)://host:port/v1/records` for who sends `Authorization: Bearer <token>` (contract/websocket.md).

    The newest `keep` records are there for everybody: who has not taken a record when it goes is disconnected, with how
    many it missed. Who is slow holds up nobody and takes no memory. At most `connections` subscribers. `names` and
    `origins`: see `net.hosts`. Beyond loopback it needs a certificate. Port 0 takes a free one, found in `port`.
    """

    name = "websocket"

    def __init__(
        self,
        *,
        node: NodeInfo,
        topics: Topics,
        clock: Clock,
        history: History,
        token: str,
        host: str = "127.0.0.1",
        port: int = 8430,
        certificate: Path | None = None,
        key: Path | None = None,
        names: Collection[str] = (),
        origins: Collection[str] = (),
        connections: int = 16,
        keep: int = 1000,
    ) -> None:
        self.port = port
        self.missed = 0
        """How many records those who were too slow were behind when they were cut off, in all."""

        self._node = node
        self._topics = topics
        self._clock = clock
        self._history = history
        self._token = token
        self._host = host
        self._certificate = certificate
        self._key = key
        self._names = frozenset({host.lower(), *(name.lower() for name in names), *names_of_this_machine()})
        self._origins = tuple(origins)
        self._most = connections
        self._cameras = frozenset(camera.id for camera in node.cameras)
        self._keep = keep
        self._recent = Recent(topics, clock, records=keep)
        self._subscribers: set[_Subscriber] = set()
        self._limited = RateLimitedLog(clock)
        self._connections = Connections(LOG, clock, known=connections + 8)
        # One look at the store at a time: many would take every thread of the process, and hold up its stop.
        self._turn = asyncio.Lock()

    async def run(self, inbox: Inbox[Item]) -> None:
        """Serve until cancelled; raises SinkError where the port or the certificate cannot be used."""
        # 10 MB that only a node with subscribers or edge clients needs
        from websockets.asyncio.server import serve  # noqa: PLC0415
        from websockets.exceptions import WebSocketException  # noqa: PLC0415
        from websockets.typing import Origin, Subprotocol  # noqa: PLC0415

        from blikk_edge.net.limited_connection import LimitedConnection  # noqa: PLC0415

        try:
            tls = server_tls("sinks.websocket", self._host, self._certificate, self._key)
        except BlikkError as error:
            raise SinkError(str(error)) from error
        bad_requests = (WebSocketException, EOFError, OSError)
        async with contextlib.AsyncExitStack() as serving:
            try:
                for listener in await listen(self._host, self.port, self._connections):
                    server = await serving.enter_async_context(
                        serve(
                            self._serve,
                            sock=listener,
                            ssl=tls,
                            ssl_handshake_timeout=HANDSHAKE_S if tls else None,
                            backlog=BACKLOG,
                            origins=[None, *map(Origin, self._origins)],
                            subprotocols=[Subprotocol(PROTOCOL_NAME)],
                            select_subprotocol=_chosen,
                            process_request=self._admit,
                            create_connection=LimitedConnection,
                            open_timeout=OPEN_S,
                            close_timeout=CLOSE_S,
                            ping_interval=PING_S,
                            ping_timeout=PING_S,
                            max_size=INCOMING_BYTES,
                            max_queue=2,
                            compression=None,
                            logger=library_log("blikk.websocket.library", LOG, self._clock, bad_requests=bad_requests),
                        )
                    )
                    self.port = next(iter(server.sockets)).getsockname()[1]
            except OSError as error:
                reason = error.strerror or str(error)
                raise SinkError(
                    f"websocket on {self._host}:{self.port}: {reason}; choose another `sinks.websocket.port`, "
                    "or see who uses it"
                ) from error
            LOG.info("subscribers are taken on %s:%d%s", self._host, self.port, PATH)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._connections.watch(), name="websocket.watch")
                    await self._take_all(inbox, group)
            finally:
                await self._connections.refuse()
        await self._connections.end()

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
        await subscriber.connection.close(
            TOO_SLOW, f"too slow, {subscriber.behind} records behind; come back with since"
        )
        subscriber.connection.transport.abort()

    def _admit(self, connection: "ServerConnection", request: "Request") -> "Response | None":
        """Why this one is refused; None where it is not."""
        if not self._is_known(request):
            what = "send `Authorization: Bearer` with the node's `sinks.websocket.token`"
            self._log(logging.WARNING, "token", "a subscriber was refused: it does not know the token")
            return connection.respond(HTTPStatus.UNAUTHORIZED, f"{what}\n")
        hosts = request.headers.get_all("Host")
        if len(hosts) != 1 or not may_be_called(hosts[0], self._names):
            self._log(logging.WARNING, "host", "a subscriber was refused: it calls this machine by another name")
            what = "this node has another name; add yours to `sinks.websocket.names`"
            return connection.respond(HTTPStatus.MISDIRECTED_REQUEST, f"{what}\n")
        try:
            self._wish(request)
        except WireError as error:
            return connection.respond(HTTPStatus.BAD_REQUEST, f"{error}\n")
        if request.path.partition("?")[0] != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"subscribe at {PATH}\n")
        if len(self._subscribers) >= self._most:
            self._log(logging.WARNING, "most", f"a subscriber was refused: there are {self._most} already")
            what = "too many subscribers; raise `sinks.websocket.connections`"
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"{what}\n")
        return None

    def _is_known(self, request: "Request") -> bool:
        given = request.headers.get_all("Authorization")
        if len(given) == 1:
            return knows(given[0], self._token)
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        return not given and knows_protocol(offered, self._token)

    def _wish(self, request: "Request") -> Subscription:
        try:
            query = parse_qs(request.path.partition("?")[2], keep_blank_values=True, max_num_fields=8)
        except ValueError:
            raise WireError("too many parameters") from None
        return read_subscription(query, self._cameras)

    async def _serve(self, connection: "ServerConnection") -> None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415  # see run

        assert connection.request is not None  # the handshake is over
        self._connections.recognised(connection.remote_address)
        wish = self._wish(connection.request)
        subscriber = _Subscriber(connection, wish, self._position(wish))
        if len(self._subscribers) >= self._most:  # several came at once
            await connection.close(1013, "too many subscribers")
            return
        self._subscribers.add(subscriber)
        self._log(logging.INFO, "here", f"a subscriber is here, {len(self._subscribers)} in all")
        working = [asyncio.ensure_future(work) for work in (self._send(subscriber), _take_nothing(connection))]
        try:
            await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._subscribers.discard(subscriber)
            for task in working:
                task.cancel()
            for ended in await asyncio.gather(*working, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, ConnectionClosed):
                    raise ended

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
        connection, wish, recent = subscriber.connection, subscriber.wish, self._recent
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
        await connection.send(greeting, text=True)
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
                    await connection.send(sent.text, text=True)
                subscriber.position = sent.seq
            subscriber.catches_up = False
            statuses, changed = recent.statuses(statuses)
            for sent in changed:
                if wish.wants(sent):
                    await connection.send(sent.text, text=True)
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
            self._log(logging.WARNING, "store", f"a subscriber is not told what was before: {error}")
            return until
        for record in found:
            if record.id not in known:
                sent = enveloped(record, self._topics, replayed=True)
                if subscriber.wish.wants(sent):
                    await subscriber.connection.send(sent.text, text=True)
        return until

    def _log(self, level: int, key: Hashable, text: str) -> None:
        if (more := self._limited.turn(key)) is not None:
            LOG.log(level, "%s%s", text, more)


async def _take_nothing(connection: "ServerConnection") -> None:
    """Hang up on who says something: nothing is taken here."""
    async for _ in connection:
        await connection.close(NOT_TAKEN, "nothing is taken here; what you want is said in the query")
        return


def _chosen(_connection: "ServerConnection", offered: "Sequence[Subprotocol]") -> "Subprotocol | None":
    """The one protocol that we speak, where it is offered; a token among the offers is no protocol."""
    return next((each for each in offered if each == PROTOCOL_NAME), None)
