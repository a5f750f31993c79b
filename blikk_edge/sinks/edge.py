"""The link of an edge client to its node: redacted Pictures over one WebSocket that comes back by itself."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError, WireError
from blikk_edge.core.loopback import is_loopback
from blikk_edge.core.pace import Pace
from blikk_edge.core.push_queue import Pushed
from blikk_edge.core.trouble import Trouble
from blikk_edge.net.certificates import Server, machine_time, untrusted
from blikk_edge.net.library_log import no_log
from blikk_edge.sinks.direct import direct
from blikk_edge.sinks.trust import context_trusting
from blikk_edge.wire.push import BAD_TOKEN, REPLACED, frame_message, read_answer

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

LOG = logging.getLogger("blikk.push")

OPEN_S: Final = 10.0
ANSWER_S: Final = 15.0
LOOK_S: Final = 0.2
STEADY_S: Final = 30.0


class EdgeLink:
    """Sends the newest redacted frame when it is due, one at a time, and waits for its acknowledgement.

    `to` is `wss://host[:port]/ingest/<camera>` (`ws://` on this machine only: the token would be readable). `newest`
    gives the newest frame under the number it is asked for, or None when there is none; `moving` says whether
    something moves. Nothing is kept for later: after an outage the newest frame counts. `sent` counts the frames.
    """

    def __init__(
        self,
        to: str,
        token: str,
        *,
        newest: Callable[[int], Awaitable[Pushed | None]],
        moving: Callable[[], bool],
        clock: Clock,
        ca: Path | None = None,
    ) -> None:
        self.sent = 0
        self.pace = Pace()
        self._to = _checked(to)
        self._token = token
        self._newest = newest
        self._moving = moving
        self._clock = clock
        self._ca = ca
        self._trouble = Trouble(LOG)

    def __repr__(self) -> str:
        return f"EdgeLink({self._to})"

    @property
    def problem(self) -> str | None:
        """Why nothing is sent now."""
        return self._trouble.now

    async def run(self) -> None:
        """Send until cancelled, through every outage: each is logged once, and tried again after 1 s to 30 s."""
        backoff = Backoff()
        while True:
            began = self._clock.monotonic()
            try:
                await self._connection()
            except SinkError as error:
                self._trouble.start(str(error))
            if self._clock.monotonic() - began > STEADY_S:
                backoff.reset()
            await self._clock.sleep(backoff.next_s())

    async def _connection(self) -> None:
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus  # noqa: PLC0415

        parts = urlsplit(self._to)
        try:
            async with direct(
                self._to,
                additional_headers={"Authorization": f"Bearer {self._token}"},
                ssl=context_trusting(self._ca) if parts.scheme == "wss" else None,
                proxy=None if is_loopback(parts.hostname or "") else True,
                open_timeout=OPEN_S,
                close_timeout=1.0,
                ping_interval=OPEN_S,
                ping_timeout=OPEN_S,
                max_size=4096,
                compression=None,
                logger=no_log("blikk.push.websockets"),
            ) as connection:
                await self._send(connection)
        except ConnectionClosed as error:
            raise SinkError(f"{self._to}: {_closed(error)}") from error
        except InvalidStatus as error:
            raise SinkError(f"{self._to}: {_refused(error.response.status_code)}") from error
        except (InvalidHandshake, InvalidMessage) as error:
            raise SinkError(f"{self._to}: it did not answer like a blikk node: {error}; check the address") from error
        except ssl.SSLError as error:
            server = Server(
                host=parts.hostname or "", port=parts.port or 443, trusting=lambda: context_trusting(self._ca)
            )
            mend = "check its name, or name its --ca"
            if (refused := await untrusted(error, server, mend=mend, now=machine_time)) is not None:
                raise SinkError(f"{self._to}: {refused}") from error
            raise SinkError(f"{self._to}: {error.reason or error}; check the certificate, or name its --ca") from error
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "no answer in time"
            raise SinkError(f"{self._to}: {reason}; check host and port, and that the node runs") from error
        except WireError as error:
            raise SinkError(f"{self._to}: {error}") from error

    async def _send(self, connection: "ClientConnection") -> None:
        last = float("-inf")
        while True:
            gap_s = self.pace.gap_s(moving=self._moving())
            if self._clock.monotonic() - last < gap_s:
                # a look at motion in between: a quiet camera that stirs must not wait for its turn
                await self._clock.sleep(min(LOOK_S, max(0.01, gap_s - (self._clock.monotonic() - last))))
                if connection.close_code is not None:
                    await connection.recv()  # raises what closed it
                continue
            pushed = await self._newest(self.sent + 1)
            if pushed is None:
                await self._clock.sleep(LOOK_S)
                continue
            last = began = self._clock.monotonic()
            self.sent += 1
            await connection.send(frame_message(pushed))
            async with asyncio.timeout(ANSWER_S):
                seq, asked_s = read_answer(await connection.recv())
            if seq != self.sent:
                raise WireError(f"frame {self.sent} was acknowledged as {seq}")
            self.pace.sent(self._clock.monotonic() - began)
            self.pace.asked(asked_s)
            if self.sent == 1 and self._trouble.now is None:
                LOG.info("connected to %s", self._to)
            self._trouble.end(f"connected to {self._to}")


def _checked(to: str) -> str:
    """The address itself; raises SinkError where it is none, or would show the token to the network."""
    try:
        parts = urlsplit(to)
        port = parts.port
    except ValueError as error:
        raise SinkError(f"the address to push to cannot be read: {error}") from error
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or port == 0 or parts.query or "@" in parts.netloc:
        raise SinkError("the address to push to must be like wss://node.local:8428/ingest/front_door")
    if parts.scheme == "ws" and not is_loopback(parts.hostname):
        raise SinkError("ws:// would show token and pictures to the network; use wss:// beyond this machine")
    return to


def _refused(status: int) -> str:
    hint = {
        404: "there is no camera with `source: push`, or this is another server; check the address",
        421: "the node is not called so; add the name to `http.names` there",
        503: "it has too many clients",
    }
    return f"HTTP {status}: {hint.get(status, 'it did not answer like a blikk node; check the address')}"


def _closed(error: "Exception") -> str:
    received = getattr(error, "rcvd", None)
    if received is None:
        return "the connection broke; it is opened again"
    hint = {BAD_TOKEN: "", REPLACED: "; is a second client running for this camera?"}.get(received.code, "")
    return f"the node closed the connection ({received.code}): {received.reason or 'no reason given'}{hint}"
