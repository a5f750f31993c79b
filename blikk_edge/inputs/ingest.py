"""The ingestion server: edge clients bring the frames of cameras that this node cannot reach, over WebSockets."""

import contextlib
import logging
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.net.library_log import library_log
from blikk_edge.net.listening import BACKLOG, Connections, listen
from blikk_edge.net.tls import server_tls
from blikk_edge.wire.bearer import knows
from blikk_edge.wire.push import (
    BAD_TOKEN,
    MAX_MESSAGE_BYTES,
    PATH,
    REPLACED,
    TOO_FAST,
    PushRefusedError,
    answer_message,
    read_frame,
)

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

LOG = logging.getLogger("blikk.ingest")

OPEN_S: Final = 5.0
"""A connection that has not said what it wants by then is closed."""

PING_S: Final = 10.0
CLOSE_S: Final = 2.0
MOST_PER_S: Final = 15
SLOWEST_S: Final = 5.0
STRANGERS_MAX: Final = 8
"""Who knows no token is answered so, and may take its time to hear it; beyond so many at once it is cut off unheard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTarget:
    """Where one camera's frames go.

    Attributes:
        push_queue: Where the camera's reader takes them.
        token: What its client must know.
    """

    push_queue: PushQueue
    token: str = field(repr=False)


class IngestServer:
    """Takes frames on `ws(s)://host:port/ingest/<camera>` from clients that send `Authorization: Bearer <token>`.

    Refused with a close code that says why: a wrong token or camera, JSON that is none, what is no JPEG or too large,
    more than 15 frames a second. Cut off: an endless message, a flood of pings, who reads no answers
    (`LimitedConnection`), and who shows no token in time (`net.listening.Connections`). A newer client of a camera
    takes the place of the older one. While frames come faster than the camera's reader takes them, the client is asked
    for fewer. Beyond loopback it needs a certificate. Port 0 takes a free one, found in `port` while it runs.
    """

    name = "ingest"

    def __init__(
        self,
        gates: Mapping[str, PushTarget],
        *,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 8429,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self.port = port
        self._gates = gates
        self._clock = clock
        self._host = host
        self._certificate = certificate
        self._key = key
        self._most = 4 * len(gates) + 8
        self._serving: dict[str, ServerConnection] = {}
        self._open = 0
        self._strangers = 0
        self._limited = RateLimitedLog(clock)
        self._connections = Connections(LOG, clock, known=self._most)

    async def run(self) -> None:
        """Serve until cancelled; raises BlikkError where the port or the certificate cannot be used."""
        # 10 MB that only a node with edge clients needs
        from websockets.asyncio.server import serve  # noqa: PLC0415
        from websockets.exceptions import WebSocketException  # noqa: PLC0415

        from blikk_edge.net.limited_connection import LimitedConnection  # noqa: PLC0415

        tls = server_tls("ingest", self._host, self._certificate, self._key)
        bad_requests = (WebSocketException, EOFError, OSError)
        async with contextlib.AsyncExitStack() as serving:
            try:
                for listener in await listen(self._host, self.port, self._connections):
                    server = await serving.enter_async_context(
                        serve(
                            self._serve,
                            sock=listener,
                            ssl=tls,
                            ssl_handshake_timeout=OPEN_S if tls else None,
                            backlog=BACKLOG,
                            process_request=self._admit,
                            create_connection=LimitedConnection,
                            open_timeout=OPEN_S,
                            close_timeout=CLOSE_S,
                            ping_interval=PING_S,
                            ping_timeout=PING_S,
                            max_size=MAX_MESSAGE_BYTES,
                            max_queue=2,
                            compression=None,
                            logger=library_log("blikk.ingest.websockets", LOG, self._clock, bad_requests=bad_requests),
                        )
                    )
                    self.port = next(iter(server.sockets)).getsockname()[1]
            except OSError as error:
                reason = error.strerror or str(error)
                raise BlikkError(
                    f"ingest on {self._host}:{self.port}: {reason}; choose another `ingest.port`, or see who uses it"
                ) from error
            LOG.info("edge clients are taken on %s:%d", self._host, self.port)
            try:
                await self._connections.watch()
            finally:
                await self._connections.refuse()
        await self._connections.end()

    def _admit(self, connection: "ServerConnection", request: "Request") -> "Response | None":
        if self._open >= self._most and self._recognised(request) is not None:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients; try again later\n")
        return None

    async def _serve(self, connection: "ServerConnection") -> None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415  # see run

        from blikk_edge.net.limited_connection import LimitedConnection  # noqa: PLC0415

        assert isinstance(connection, LimitedConnection)  # see run
        assert connection.request is not None  # the handshake is over
        recognised = self._recognised(connection.request)
        if recognised is None:
            await self._turn_away(connection)
            return
        camera, gate = recognised
        self._connections.recognised(connection.remote_address)
        self._open += 1
        try:
            await self._take_over(camera, connection)
            await self._receive(camera, gate, connection)
        except PushRefusedError as refused:
            self._log(logging.WARNING, (camera, "refused"), f"an edge client of {camera} was refused: {refused}")
            await connection.close(refused.code, str(refused)[:120])
        except ConnectionClosed:
            if (why := connection.cut_off) is not None:
                self._log(logging.WARNING, (camera, "cut off"), f"an edge client of {camera} was cut off: {why}")
        finally:
            self._open -= 1
            if self._serving.get(camera) is connection:
                del self._serving[camera]
                self._log(logging.INFO, (camera, "gone"), f"the edge client of {camera} is gone")

    def _recognised(self, request: "Request") -> tuple[str, PushTarget] | None:
        """The camera whose token the client knows."""
        camera = request.path.partition("?")[0].removeprefix(PATH)
        gate = self._gates.get(camera)
        known = knows(request.headers.get("Authorization", ""), gate.token if gate is not None else "")
        return (camera, gate) if gate is not None and known else None

    async def _turn_away(self, connection: "ServerConnection") -> None:
        """A wrong camera gets the same answer as a wrong token."""
        reason = "unknown camera or wrong token; check `push_token` on both sides"
        self._log(logging.WARNING, None, f"an edge client was refused: {reason}")
        if self._strangers >= STRANGERS_MAX:
            connection.transport.abort()
            return
        self._strangers += 1
        try:
            await connection.close(BAD_TOKEN, reason)
        finally:
            self._strangers -= 1

    def _log(self, level: int, key: Hashable, text: str) -> None:
        if (more := self._limited.turn(key)) is not None:
            LOG.log(level, "%s%s", text, more)

    async def _take_over(self, camera: str, connection: "ServerConnection") -> None:
        older = self._serving.get(camera)
        self._serving[camera] = connection
        self._log(logging.INFO, (camera, "here"), f"an edge client brings frames of {camera}")
        if older is not None:
            await older.close(REPLACED, "a newer client brings this camera's frames")

    async def _receive(self, camera: str, gate: PushTarget, connection: "ServerConnection") -> None:
        gap_s = 0.0
        times: deque[float] = deque(maxlen=MOST_PER_S)
        async for message in connection:
            now = self._clock.monotonic()
            if len(times) == MOST_PER_S and now - times[0] < 1.0:
                raise PushRefusedError(TOO_FAST, f"more than {MOST_PER_S} frames a second; send one a second")
            times.append(now)
            pushed = read_frame(message)
            if self._serving.get(camera) is not connection:
                return
            gap_s = gap_s * 0.8 if gate.push_queue.put(pushed) else min(SLOWEST_S, max(1.0, gap_s * 2))
            await connection.send(answer_message(pushed.seq, gap_s))
