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
from blikk_edge.core.errors import SinkError, Trouble
from blikk_edge.net.certificates import Server, machine_time, untrusted
from blikk_edge.sinks.mqtt.address import Address, tls_context
from blikk_edge.sinks.mqtt.connection import UNDER_WAY, Connection, Protocol
from blikk_edge.sinks.mqtt.library import LOG as LIBRARY_LOG
from blikk_edge.sinks.mqtt.library import BrokerReplies, HungUpError, discard, enter, leave
from blikk_edge.sinks.mqtt.refusal import SilentError, VersionRefusedError, refused, silence, value
from blikk_edge.sinks.mqtt.suspects import Suspects
from blikk_edge.sinks.mqtt.troubles import BrokerTroubles
from blikk_edge.wire.messages import Message

CONNECT_S: Final = 3.0
"""For the answer to our log-in."""

T = TypeVar("T")

INCOMING_LIMIT: Final = 1000
"""Messages from outside that may wait; commands come one at a time, so more is a flood."""

INCOMING_BYTES: Final = 2 * 1024 * 1024
"""The largest packet that the broker may send us (version 5): our own retained Pictures are the largest we want."""

WILL_DELAY_S: Final = 10
"""How long the broker waits with our last will (version 5): who is back by then was never away."""

SESSION_S: Final = 15
"""How long it keeps our session, with which the wait would end; commands of that time still reach us, no later ones."""

_CANNOT_WAIT: Final = frozenset({0x80, 0x81, 0x82, 0x83})
"""Reason codes of a CONNACK that say nothing of log-in or will: a broker that stumbles over the delay gives one."""


@contextlib.asynccontextmanager
async def connected(
    address: Address,
    *,
    identifier: str,
    will: Message | None,
    protocol: Protocol,
    troubles: BrokerTroubles | None = None,
    suspects: Suspects | None = None,
    careful: bool = False,
    patience: int = 1,
) -> AsyncIterator[Connection]:
    """A connection for the time of the context; raises a SinkError of `refusal` without one.

    The answer to our log-in is waited for `patience` times as long as usual. By version 5 the broker publishes the will
    only `WILL_DELAY_S` after the connection was lost, and not at all where it stands again by then.
    """
    clock = SystemClock()
    client, replies = await _logged_in(address, identifier=identifier, will=will, protocol=protocol, patience=patience)
    client.timeout = math.inf  # see _answered
    # A window of records and a Picture may wait at once; the library finds more than 10 noteworthy.
    client.pending_calls_threshold = 100
    connection = Connection(
        client,
        protocol,
        replies,
        address=address,
        troubles=troubles or BrokerTroubles(clock),
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
    replies = BrokerReplies(client)
    try:
        await enter(client, replies)
    except aiomqtt.MqttError as error:
        why = refused(address, error, replies.connack)
        return False if isinstance(why, VersionRefusedError) else (True if replies.connack is not None else None)
    except HungUpError:
        return None
    await leave(client)
    return True


async def _logged_in(
    address: Address, *, identifier: str, will: Message | None, protocol: Protocol, patience: int
) -> tuple[aiomqtt.Client, BrokerReplies]:
    """Log in; anew with a will that does not wait, where the broker stumbles over one that does."""
    waits = protocol is Protocol.V5 and will is not None
    while True:
        client = await _client(
            address, identifier=identifier, will=will, protocol=protocol, patience=patience, waits=waits
        )
        replies = BrokerReplies(client)
        try:
            await enter(client, replies)
        except aiomqtt.MqttError as error:
            if not (waits and value(getattr(error, "rc", None)) in _CANNOT_WAIT):
                if (why := await _certificate_problem(address, error)) is not None:
                    raise SinkError(f"broker {address}: {why}").of(Trouble.TLS) from (error.__context__ or error)
                raise refused(address, error, replies.connack, identifier=identifier) from (error.__context__ or error)
        except HungUpError:
            if not waits:
                raise SilentError(silence(address), hung_up=True) from None
        else:
            return client, replies
        waits = False


async def _certificate_problem(address: Address, error: aiomqtt.MqttError) -> str | None:
    if (tls := address.tls) is None:
        return None
    server = Server(host=address.host, port=address.port, trusting=lambda: tls_context(tls))
    return await untrusted(error, server, mend="see mqtt.tls.ca and mqtt.host", now=machine_time)


async def _client(
    address: Address,
    *,
    identifier: str,
    will: Message | None,
    protocol: Protocol,
    patience: int,
    waits: bool = False,
) -> aiomqtt.Client:
    """`waits`: with a will, and a session, that outlast a short break."""
    context = await asyncio.to_thread(tls_context, address.tls) if address.tls is not None else None
    # The library types its properties by their names at run time.
    connect = delay = None
    if protocol is Protocol.V5 and will is not None:  # a node: it listens to topics on which anybody may publish
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.MaximumPacketSize = INCOMING_BYTES
        if waits:
            connect.SessionExpiryInterval = SESSION_S
            delay = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            delay.WillDelayInterval = WILL_DELAY_S
    # Commands sent while we were long away are stale: a doorbell must not ring an hour later. The library has one word
    # for each protocol, and refuses the other's.
    fresh: dict[str, Any] = {"clean_start": not waits} if protocol is Protocol.V5 else {"clean_session": True}
    return aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion(protocol),
        **fresh,
        will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain, delay) if will is not None else None,
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
