"""One connection to a broker: TLS, log-in, protocol version, and what went wrong in words."""

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Sequence
from enum import IntEnum
from typing import Any, Final, TypeVar

import aiomqtt
import paho.mqtt.client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from blikk_edge.sinks.mqtt.address import Address, tls_context
from blikk_edge.sinks.mqtt.refusal import SilentError, refused, silence, value
from blikk_edge.wire.messages import Message

T = TypeVar("T")

LOG = logging.getLogger("blikk.mqtt")
LIBRARY_LOG: Final = logging.getLogger("blikk.mqtt.library")
# What the library says of a broken connection is told here in words, once.
LIBRARY_LOG.setLevel(logging.CRITICAL)

CONNECT_S: Final = 3.0
"""For the answer to our log-in; some brokers without version 5 never give one, and are then asked in 3.1.1."""

ANSWER_S: Final = 10.0
GOODBYE_S: Final = 0.5
PEEK_S: Final = 0.1
INCOMING_LIMIT: Final = 1000
"""Messages from outside that may wait; commands come one at a time, so more is a flood."""


class Protocol(IntEnum):
    """The versions of MQTT we speak; the values are those of the CONNECT packet."""

    V5 = aiomqtt.ProtocolVersion.V5
    V311 = aiomqtt.ProtocolVersion.V311

    def __str__(self) -> str:
        return "MQTT 5" if self is Protocol.V5 else "MQTT 3.1.1"


# The library has one word for each protocol, and refuses the other's.
_FRESH: Final[dict[Protocol, dict[str, Any]]] = {
    Protocol.V5: {"clean_start": True},
    Protocol.V311: {"clean_session": True},
}


class Connection:
    """An open connection. `publish` and `subscribe` return when the broker has acknowledged; they raise MqttError.

    What the broker acknowledges and yet refuses (version 5 tells) is warned of once per connection: trying it again
    would not help, and would hold up all that follows.

    At its end the connection is dropped without a word, so that the broker publishes the last will; unless
    `will_needed` was set to False, which makes it a goodbye.
    """

    def __init__(self, client: aiomqtt.Client, protocol: Protocol) -> None:
        self.client = client
        self.protocol = protocol
        self.will_needed = True
        self._warned: set[str] = set()
        self._watch_refusals()

    async def publish(self, message: Message) -> None:
        """Publish with the properties that the protocol has; what should expire is not retained on 3.1.1."""
        properties = None
        retain = message.retain
        if self.protocol is Protocol.V5:
            properties = _properties(message)
        elif message.expiry_s is not None:
            retain = False
        await _answered(self.client.publish(message.topic, message.payload, message.qos, retain, properties))

    async def subscribe(self, topic_filter: str) -> None:
        """Subscribe with QoS 1."""
        for code in await _answered(self.client.subscribe(topic_filter, qos=1)):
            number = value(code)
            if number is not None and number >= 0x80:
                self._warn(f"subscribe to {topic_filter}", code)

    async def unsubscribe(self, topic_filters: Sequence[str]) -> None:
        """Hear no more of these."""
        await _answered(self.client.unsubscribe(list(topic_filters)))

    def _watch_refusals(self) -> None:
        """The library passes over the reason in an acknowledgement; look at it on its way."""
        inner = _inner(self.client)
        library: Any = inner.on_publish  # its type covers an older form of callback, which aiomqtt does not use

        def on_publish(client: Any, userdata: Any, mid: int, code: ReasonCode, properties: Any) -> None:
            if code.is_failure:
                self._warn("publish", code)
            if library is not None:
                library(client, userdata, mid, code, properties)

        inner.on_publish = on_publish

    def _warn(self, what: str, code: ReasonCode | int) -> None:
        if what not in self._warned:
            self._warned.add(what)
            LOG.warning("the broker does not let us %s (%s); see its access list", what, code)


@contextlib.asynccontextmanager
async def connected(
    address: Address, *, identifier: str, will: Message | None, protocol: Protocol
) -> AsyncIterator[Connection]:
    """A connection for the time of the context; raises SinkError, VersionRefusedError or SilentError without one."""
    context = await asyncio.to_thread(tls_context, address.tls) if address.tls is not None else None
    client = aiomqtt.Client(
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
        timeout=CONNECT_S,
        max_queued_incoming_messages=INCOMING_LIMIT,
        tls_context=context,
        # Without it a small message may wait 40 ms for the acknowledgement of the one before.
        socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        logger=LIBRARY_LOG,
    )
    try:
        await _enter(client)
    except aiomqtt.MqttError as error:
        raise refused(address, error) from (error.__context__ or error)
    except _HungUp:
        raise SilentError(silence(address)) from None
    client.timeout = math.inf  # see _answered
    # A window of records and a Picture may wait at once; the library finds more than 10 noteworthy.
    client.pending_calls_threshold = 100
    connection = Connection(client, protocol)
    connection.will_needed = will is not None
    try:
        yield connection
    finally:
        if connection.will_needed:
            _discard(client)
        else:
            await _leave(client)


async def _answered(call: Awaitable[T]) -> T:
    """Await the broker's answer, at most `ANSWER_S`; raises MqttError without one.

    The library would limit the time with `asyncio.wait_for`, which before Python 3.12 swallows a cancellation in the
    moment of the answer (https://github.com/python/cpython/issues/86296): the sink would go on for ever.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            return await call
    except TimeoutError:
        raise aiomqtt.MqttError("no answer in time") from None


class _HungUp(Exception):  # noqa: N818 - not an error that leaves this module
    """The socket was closed before the broker said anything, of which the library waits for the end of its time."""


async def _enter(client: aiomqtt.Client) -> None:
    entering = asyncio.ensure_future(client.__aenter__())
    closed = asyncio.ensure_future(_socket_closed(client).wait())
    try:
        await asyncio.wait((entering, closed), return_when=asyncio.FIRST_COMPLETED)
        if not entering.done():
            # A refusal in words closes the socket too; it needs a moment on its way through the library.
            await asyncio.wait((entering,), timeout=PEEK_S)
        if not entering.done():
            raise _HungUp
        entering.result()
    except BaseException:
        # The TCP connect runs in a thread of the library that cannot be interrupted; give it a moment to come back, or
        # its socket would be left open behind us.
        if not entering.done():
            await asyncio.wait((entering,), timeout=PEEK_S)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        _discard(client)
        raise
    finally:
        closed.cancel()


def _socket_closed(client: aiomqtt.Client) -> asyncio.Event:
    """Set when the socket is closed, by whichever side."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    inner = _inner(client)
    library = inner.on_socket_close

    def on_close(*arguments: Any) -> None:
        if library is not None:
            library(*arguments)
        loop.call_soon_threadsafe(event.set)

    inner.on_socket_close = on_close
    return event


async def _leave(client: aiomqtt.Client) -> None:
    client.timeout = GOODBYE_S
    try:
        await client.__aexit__(None, None, None)
    except aiomqtt.MqttError as error:
        LIBRARY_LOG.debug("no goodbye: %s", error)
    finally:
        _discard(client)


def _discard(client: aiomqtt.Client) -> None:
    """Close the socket, which the library leaves open after a failed TLS handshake or a log-in that was cut short."""
    _inner(client).reinitialise()  # paho's public way to drop a socket at once


def _inner(client: aiomqtt.Client) -> paho.mqtt.client.Client:
    return client._client  # noqa: SLF001 - aiomqtt 2.5 has no way to ask for the socket or to drop it


def _properties(message: Message) -> Properties | None:
    if message.expiry_s is None and message.content_type is None and message.correlation is None:
        return None
    # The library types its properties by their names at run time.
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = message.expiry_s
    if message.content_type is not None:
        properties.ContentType = message.content_type
    if message.correlation is not None:
        properties.CorrelationData = message.correlation
    return properties
