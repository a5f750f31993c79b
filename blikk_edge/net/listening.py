"""Listening sockets that bound who is connected, whichever library serves them."""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.rate_limited_log import RateLimitedLog

STRANGERS: Final = 64
STRANGERS_MAX: Final = 256
"""Beyond STRANGERS those go that are older than GRACE_S, beyond this number any: an honest client is known by then."""

GRACE_S: Final = 1.0
STRANGER_S: Final = 10.0
KNOWN: Final = 32
BACKLOG: Final = 128
LOOK_S: Final = 1.0
END_S: Final = 0.5

Address = tuple[Any, ...]
"""Host and port as `getpeername` gives them; IPv6 adds two numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class _Connection:
    socket: socket.socket
    host: str
    since: float


class Connections:
    """The open connections of one service.

    Who has not shown a token is a stranger. There is always room for one more: for it the oldest stranger goes, of the
    address that has the most of them. A stranger who is not `recognised` within STRANGER_S is hung up too. Of those who
    are recognised at most `known` stay, the newest.
    """

    def __init__(self, log: logging.Logger, clock: Clock, *, known: int = KNOWN) -> None:
        self._log = log
        self._clock = clock
        self._most_known = known
        self._strangers: dict[Address, _Connection] = {}
        self._known: dict[Address, _Connection] = {}
        self._leaving: list[_Connection] = []
        self._ended = False
        self._complaints = RateLimitedLog(clock)

    def __len__(self) -> int:
        self._forget_closed()
        return len(self._strangers) + len(self._known) + len(self._leaving)

    def accepted(self, connection: socket.socket, address: Address) -> None:
        """Somebody has connected; raises ConnectionAbortedError where nobody is taken any more."""
        if self._ended:
            connection.close()
            raise ConnectionAbortedError
        self._forget_closed()
        while len(self._strangers) >= STRANGERS and (worst := self._worst()) is not None:
            self._turn_out(worst)
        host = str(address[0]) if address else ""
        self._strangers[address[:2]] = _Connection(connection, host, self._clock.monotonic())

    def recognised(self, address: Address) -> None:
        """Who connects from there has shown the token."""
        if (connection := self._strangers.pop(address[:2], None)) is None:
            return
        self._forget_closed()
        while len(self._known) >= self._most_known:
            self._hang_up(self._known.pop(next(iter(self._known))))
        self._known[address[:2]] = connection

    async def watch(self) -> None:
        """Hang up strangers whose time is over, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            self._forget_closed()
            since = self._clock.monotonic() - STRANGER_S
            for address in [each for each, connection in self._strangers.items() if connection.since < since]:
                self._hang_up(self._strangers.pop(address))
                self._log.debug("a connection that asked for nothing, or showed no token, was ended")

    async def refuse(self) -> None:
        """Take nobody any more.

        To be awaited before asyncio's server is closed, which loses connections that it has accepted a moment ago.
        """
        self._ended = True
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def end(self) -> None:
        """Refuse newcomers and hang up everybody; returns when all are closed, after END_S at the latest."""
        await self.refuse()
        for connection in (*self._strangers.values(), *self._known.values()):
            self._hang_up(connection)
        self._strangers, self._known = {}, {}
        end = self._clock.monotonic() + END_S
        while len(self) and self._clock.monotonic() < end:
            await self._clock.sleep(0.01)

    def _worst(self) -> Address | None:
        """Who has to go for a newcomer; None where all are too young and there is room still."""
        counts = Counter(connection.host for connection in self._strangers.values())
        address, oldest = max(
            self._strangers.items(), key=lambda item: (counts[item[1].host], -item[1].since), default=(None, None)
        )
        if oldest is None or address is None:
            return None
        old = self._clock.monotonic() - oldest.since >= GRACE_S
        return address if old or len(self._strangers) >= STRANGERS_MAX else None

    def _hang_up(self, connection: _Connection) -> None:
        """Its owner sees the peer go, in whatever state it is."""
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        self._leaving.append(connection)

    def _turn_out(self, address: Address) -> None:
        self._hang_up(self._strangers.pop(address))
        if (more := self._complaints.turn()) is not None:
            self._log.warning("more connections than there is room for: one that showed no token was ended%s", more)

    def _forget_closed(self) -> None:
        for connections in (self._strangers, self._known):
            for address in [each for each, connection in connections.items() if connection.socket.fileno() < 0]:
                del connections[address]
        self._leaving = [connection for connection in self._leaving if connection.socket.fileno() >= 0]


class _Listener(socket.socket):
    """A listening socket that knows whom it has accepted; asyncio asks no more of one than this."""

    connections: Connections

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        self.connections.accepted(connection, address)
        return connection, address


async def listen(host: str, port: int, connections: Connections) -> list[socket.socket]:
    """Bound sockets for every address of `host`, all of one port (0: a free one); raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    listeners: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = _Listener(family, kind, protocol)
            listeners.append(listener)
            listener.connections = connections
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            port = port or (listeners[0].getsockname()[1] if len(listeners) > 1 else 0)
            listener.bind((address[0], port, *address[2:]))
            listener.setblocking(False)
    except OSError:
        for each in listeners:
            each.close()
        raise
    return listeners
