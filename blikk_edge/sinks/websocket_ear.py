"""Listens to a node that runs somewhere else, at its WebSocket (contract/websocket.md), for as long as it is wanted."""

import asyncio
import json
import logging
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.errors import SinkError, WireError
from blikk_edge.core.loopback import is_loopback
from blikk_edge.core.ports import Item
from blikk_edge.core.status import CameraAvailability, CameraInfo, CameraState
from blikk_edge.core.trouble import Trouble
from blikk_edge.net.library_log import no_log
from blikk_edge.sinks import node_requests
from blikk_edge.sinks.direct import direct
from blikk_edge.sinks.trust import context_trusting
from blikk_edge.wire.envelope import RECORDS
from blikk_edge.wire.reader import read_item
from blikk_edge.wire.topics import Topics

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

LOG = logging.getLogger("blikk.remote")

OPEN_S: Final = 6.0
"""Less than whoever opens a stream waits for it."""
PING_S: Final = 20.0
MOST_BYTES: Final = 4 * 1024 * 1024
KINDS: Final = (*RECORDS, "state", "status")

HINTS: Final = {
    **node_requests.HINTS,
    404: "nothing is sent here; is it a node, and has it `sinks: {websocket: true}`?",
    503: "it has too many subscribers",
}


class WebSocketEar:
    """Hands what a node sends to `hear`, in one event loop; after a break it goes on where it was.

    `address` is `ws(s)://host:port`; `token` is None where the node has none. `cameras` are those of which it has sent
    a state; `online` is whether it is connected, None before. `missed` is when records were lost last, in seconds
    since 1970 UTC.
    """

    def __init__(self, address: str, token: str | None, ca: Path | None, hear: Callable[[Item], None]) -> None:
        self.node = ""
        self.online: bool | None = None
        self.missed: float | None = None
        self.known = asyncio.Event()
        self._cameras: dict[str, CameraInfo] = {}
        self._address = address
        self._token = token
        self._ca = ca
        self._hear = hear
        self._cursor: str | None = None
        self._trouble = Trouble(LOG)

    @property
    def cameras(self) -> tuple[CameraInfo, ...]:
        """Their ids; what they are called and report is not sent by WebSocket."""
        return tuple(self._cameras.values())

    async def run(self) -> None:
        """Listen until cancelled. Raises SinkError where that fails at first."""
        backoff = Backoff()
        while True:
            try:
                await self._connection(backoff)
            except SinkError as error:
                if not self.known.is_set():
                    raise
                self._trouble.start(str(error))
            finally:
                self.online = False
            await asyncio.sleep(backoff.next_s())

    async def _connection(self, backoff: Backoff) -> None:
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus  # noqa: PLC0415

        since = {} if self._cursor is None else {"since": self._cursor}
        query = urlencode({"kinds": ",".join(KINDS), **since})
        parts = urlsplit(self._address)
        try:
            async with direct(
                f"{self._address}/v1/records?{query}",
                additional_headers=None if self._token is None else {"Authorization": f"Bearer {self._token}"},
                ssl=context_trusting(self._ca) if parts.scheme == "wss" else None,
                proxy=None if is_loopback(parts.hostname or "") else True,
                open_timeout=OPEN_S,
                close_timeout=1.0,
                ping_interval=PING_S,
                ping_timeout=PING_S,
                max_size=MOST_BYTES,
                logger=no_log("blikk.remote.websockets"),
            ) as connection:
                await self._listen(connection, backoff)
        except ConnectionClosed as error:
            received = error.rcvd
            why = "the connection broke" if received is None else f"it closed the connection: {received.reason}"
            raise SinkError(f"{self._address}: {why}") from error
        except InvalidStatus as error:
            status = error.response.status_code
            raise SinkError(f"{self._address}: {HINTS.get(status, 'it refuses')} ({status})") from error
        except (InvalidHandshake, InvalidMessage) as error:
            raise SinkError(f"{self._address}: it does not answer like a node; check the address") from error
        except ssl.SSLError as error:
            if (refused := await node_requests.distrust(error, self._address, self._ca)) is not None:
                raise SinkError(f"{self._address}: {refused}") from error
            text = error.reason or type(error).__name__
            raise SinkError(f"{self._address}: {text}; check its certificate, or name its `?ca=`") from error
        except (OSError, TimeoutError) as error:
            raise SinkError(
                f"{self._address}: {_reason(error)}; check host and port, and that the node runs"
            ) from error

    async def _listen(self, connection: "ClientConnection", backoff: Backoff) -> None:
        async for text in connection:
            try:
                message = json.loads(text)
                self._take(message) if message["kind"] != "hello" else self._begin(message)
            except (WireError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                LOG.debug("%s: a message that is none of the contract (%s)", self._address, type(error).__name__)
            else:
                backoff.reset()
        raise SinkError(f"{self._address}: it ended the connection")

    def _begin(self, hello: dict[str, Any]) -> None:
        self.node = str(hello["node"])
        self.online = True
        self._cursor = hello.get("cursor") or self._cursor
        if hello.get("complete") is False:
            self.missed = time.time()
            LOG.warning("%s: what it reported meanwhile is not all there any more", self._address)
        self._trouble.end(f"{self._address}: heard again")

    def _take(self, message: dict[str, Any]) -> None:
        self._cursor = message.get("cursor") or self._cursor
        topic, content = str(message["topic"]), message["content"]
        prefix, _, _ = topic.partition(f"/{self.node}/")
        payload = b"" if content is None else content.encode() if isinstance(content, str) else _json(content)
        item = read_item(topic, payload, Topics(prefix, self.node), now=time.time())
        if isinstance(item, CameraState | CameraAvailability):
            self._cameras.setdefault(item.camera, CameraInfo(id=item.camera, name=item.camera, labels=()))
            self.known.set()
        if item is not None:
            self._hear(item)


def _reason(error: OSError) -> str:
    """Why there is no connection; asyncio's own words name the address once more."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case OSError(errno=int(code)) if code > 0:
            return os.strerror(code).lower()
        case _:
            return "this host is not known"


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()
