"""How a connection to a broker is made and ended: TLS, log-in, protocol version."""

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from blikk_edge.core.clock import SystemClock
from blikk_edge.sinks.mqtt.address import Address, tls_context
from blikk_edge.sinks.mqtt.connection import UNDER_WAY, Connection, Protocol
from blikk_edge.sinks.mqtt.library import LOG as LIBRARY_LOG
from blikk_edge.sinks.mqtt.library import Heard, HungUpError, discard, enter, leave
from blikk_edge.sinks.mqtt.refusal import SilentError, VersionRefusedError, refused, silence
from blikk_edge.sinks.mqtt.suspects import Suspects
from blikk_edge.sinks.mqtt.troubles import Troubles
from blikk_edge.wire.messages import Message

CONNECT_S: Final = 3.0
"""For the answer to our log-in."""

T = TypeVar("T")

INCOMING_LIMIT: Final = 1000
"""Messages from outside that may wait; commands come one at a time, so more is a flood."""

INCOMING_BYTES: Final = 2 * 1024 * 1024
"""The largest packet that the broker may send us (version 5): our own retained Pictures are the largest we want."""

# The library has one word for each protocol, and refuses the other's.
_FRESH: Final[dict[Protocol, dict[str, Any]]] = {
    Protocol.V5: {"clean_start": True},
    Protocol.V311: {"clean_session": True},
}


@contextlib.asynccontextmanager
async def connected(
    address: Address,
    *,
    identifier: str,
    will: Message | None,
    protocol: Protocol,
    troubles: Troubles | None = None,
    suspects: Suspects | None = None,
    careful: bool = False,
    patience: int = 1,
) -> AsyncIterator[Connection]:
    """A connection for the time of the context; raises a SinkError of `refusal` without one.

    The answer to our log-in is waited for `patience` times as long as usual.
    """
    clock = SystemClock()
    client = await _client(address, identifier=identifier, will=will, protocol=protocol, patience=patience)
    heard = Heard(client)
    try:
        await enter(client, heard)
    except aiomqtt.MqttError as error:
        raise refused(address, error, heard.connack, identifier=identifier) from (error.__context__ or error)
    except HungUpError:
        raise SilentError(silence(address), hung_up=True) from None
    client.timeout = math.inf  # see _answered
    # A window of records and a Picture may wait at once; the library finds more than 10 noteworthy.
    client.pending_calls_threshold = 100
    connection = Connection(
        client,
        protocol,
        heard,
        address=address,
        troubles=troubles or Troubles(clock),
        suspects=suspects or Suspects(clock),
        careful=careful,
    )
    connection.will_needed = will is not None
    try:
        yield connection
    finally:
        if connection.will_needed:
            discard(client)
        else:
            await leave(client)


async def visit(address: Address, *, identifier: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do something in a connection of its own, by version 5 where the broker speaks it; raises SinkError."""

    async def once(protocol: Protocol) -> T:
        async with connected(address, identifier=identifier, will=None, protocol=protocol) as connection:
            try:
                return await work(connection)
            except aiomqtt.MqttError as error:
                raise connection.lost(error) from error

    try:
        return await once(Protocol.V5)
    except (VersionRefusedError, SilentError):
        return await once(Protocol.V311)


async def answers_v5(address: Address, *, identifier: str, patience: int = 1) -> bool | None:
    """Whether a broker says that it speaks version 5, to a second log-in under another id; None without an answer.

    It has neither a will nor properties: some brokers of 3.1.1 can refuse no other in words.
    """
    client = await _client(address, identifier=identifier, will=None, protocol=Protocol.V5, patience=patience)
    heard = Heard(client)
    try:
        await enter(client, heard)
    except aiomqtt.MqttError as error:
        why = refused(address, error, heard.connack)
        return False if isinstance(why, VersionRefusedError) else (True if heard.connack is not None else None)
    except HungUpError:
        return None
    await leave(client)
    return True


async def _client(
    address: Address, *, identifier: str, will: Message | None, protocol: Protocol, patience: int
) -> aiomqtt.Client:
    context = await asyncio.to_thread(tls_context, address.tls) if address.tls is not None else None
    connect = None
    if protocol is Protocol.V5 and will is not None:  # a node: it listens to topics on which anybody may publish
        # The library types its properties by their names at run time.
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.MaximumPacketSize = INCOMING_BYTES
    return aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion(protocol),
        # Commands sent while we were away are stale: a doorbell must not ring an hour later.
        **_FRESH[protocol],
        will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain) if will is not None else None,
        keepalive=address.keepalive_s,
        timeout=CONNECT_S * patience,
        max_queued_incoming_messages=INCOMING_LIMIT,
        max_inflight_messages=UNDER_WAY,
        properties=connect,
        tls_context=context,
        # Without it a small message may wait 40 ms for the acknowledgement of the one before.
        socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        logger=LIBRARY_LOG,
    )
