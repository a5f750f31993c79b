"""Edge clients bring the frames of cameras that this node cannot reach, over WebSockets."""

import logging
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.net.http.socket import ServedSocket, opened
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
    from aiohttp import web

LOG = logging.getLogger("blikk.ingest")

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


class Ingest:
    """Takes frames at `/ingest/<camera>` from clients that send `Authorization: Bearer <push_token of the camera>`.

    Refused with a close code that says why: a wrong token or camera, JSON that is none, what is no JPEG or too large,
    more than 15 frames a second. Cut off: an endless message, a flood of pings, who reads no answers
    (`net.http.connection`). A newer client of a camera takes the place of the older one. While frames come faster than
    the camera's reader takes them, the client is asked for fewer.
    """

    name = "ingest"

    def __init__(self, gates: Mapping[str, PushTarget], *, clock: Clock) -> None:
        self._gates = gates
        self._clock = clock
        self._most = 4 * len(gates) + 8
        self._serving: dict[str, ServedSocket] = {}
        self._open = 0
        self._strangers = 0
        self._limited = RateLimitedLog(clock)

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path=f"{PATH}{{camera:.*}}",
                handler=self._ingest,
                scope=Scope.OWN,
                summary="Brings the frames of a camera with `source: push`, from who knows its `push_token`.",
                answer="",
            ),
        )

    async def _ingest(self, request: "web.Request") -> "web.StreamResponse":
        recognised = self._recognised(request)
        if recognised is not None and self._open >= self._most:
            raise RefusedError(503, "too many clients; try again later")
        socket = await opened(request, message_bytes=MAX_MESSAGE_BYTES, close_s=CLOSE_S)
        if recognised is None:
            await self._turn_away(socket)
        else:
            socket.recognised()
            await self._serve(*recognised, socket)
        return socket.response

    async def _serve(self, camera: str, gate: PushTarget, socket: ServedSocket) -> None:
        self._open += 1
        try:
            await self._take_over(camera, socket)
            await self._receive(camera, gate, socket)
        except PushRefusedError as refused:
            self._log(logging.WARNING, (camera, "refused"), f"an edge client of {camera} was refused: {refused}")
            await socket.close(refused.code, str(refused))
        except OSError:
            pass  # it is gone
        finally:
            self._open -= 1
            if why := socket.cut_off:
                self._log(logging.WARNING, (camera, "cut off"), f"an edge client of {camera} was cut off: {why}")
            if self._serving.get(camera) is socket:
                del self._serving[camera]
                self._log(logging.INFO, (camera, "gone"), f"the edge client of {camera} is gone")

    def _recognised(self, request: "web.Request") -> tuple[str, PushTarget] | None:
        """The camera whose token the client knows."""
        camera = request.match_info["camera"]
        gate = self._gates.get(camera)
        known = knows(request.headers.get("Authorization", ""), gate.token if gate is not None else "")
        return (camera, gate) if gate is not None and known else None

    async def _turn_away(self, socket: ServedSocket) -> None:
        """A wrong camera gets the same answer as a wrong token."""
        reason = "unknown camera or wrong token; check `push_token` on both sides"
        self._log(logging.WARNING, None, f"an edge client was refused: {reason}")
        if self._strangers >= STRANGERS_MAX:
            socket.abort()
            return
        self._strangers += 1
        try:
            await socket.close(BAD_TOKEN, reason)
        finally:
            self._strangers -= 1

    def _log(self, level: int, key: Hashable, text: str) -> None:
        if (more := self._limited.turn(key)) is not None:
            LOG.log(level, "%s%s", text, more)

    async def _take_over(self, camera: str, socket: ServedSocket) -> None:
        older = self._serving.get(camera)
        self._serving[camera] = socket
        self._log(logging.INFO, (camera, "here"), f"an edge client brings frames of {camera}")
        if older is not None:
            await older.close(REPLACED, "a newer client brings this camera's frames")

    async def _receive(self, camera: str, gate: PushTarget, socket: ServedSocket) -> None:
        gap_s = 0.0
        times: deque[float] = deque(maxlen=MOST_PER_S)
        async for message in socket.messages():
            now = self._clock.monotonic()
            if len(times) == MOST_PER_S and now - times[0] < 1.0:
                raise PushRefusedError(TOO_FAST, f"more than {MOST_PER_S} frames a second; send one a second")
            times.append(now)
            pushed = read_frame(message)
            if self._serving.get(camera) is not socket:
                return
            gap_s = gap_s * 0.8 if gate.push_queue.put(pushed) else min(SLOWEST_S, max(1.0, gap_s * 2))
            await socket.answer(answer_message(pushed.seq, gap_s))
