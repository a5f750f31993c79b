"""One connection to a broker: TLS, log-in, protocol version, and what went wrong in words."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import aiomqtt
import paho.mqtt.client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from blikk_edge.core.errors import SinkError
from blikk_edge.wire.messages import Message

LOG = logging.getLogger("blikk.mqtt")
LIBRARY_LOG: Final = logging.getLogger("blikk.mqtt.library")
# What the library says of a broken connection is told here in words, once.
LIBRARY_LOG.setLevel(logging.CRITICAL)

CONNECT_S: Final = 3.0
"""For the answer to our log-in; some brokers without version 5 never give one, and are then asked in 3.1.1."""

ANSWER_S: Final = 10.0
GOODBYE_S: Final = 0.5
PEEK_S: Final = 0.1
SECOND_NODE: Final = "is a second node of this name running?"
INCOMING_LIMIT: Final = 1000
"""Messages from outside that may wait; commands come one at a time, so more is a flood."""


class Protocol(IntEnum):
    """The versions of MQTT we speak; the values are those of the CONNECT packet."""

    V5 = aiomqtt.ProtocolVersion.V5
    V311 = aiomqtt.ProtocolVersion.V311

    def __str__(self) -> str:
        return "MQTT 5" if self is Protocol.V5 else "MQTT 3.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS to the broker; without `ca` the system's certificates are trusted."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the broker is and how to log in. Shows itself as host:port."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    keepalive_s: int = 30

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class VersionRefusedError(SinkError):
    """The broker does not speak this version of MQTT."""


class SilentError(SinkError):
    """Something accepted the connection and gave no answer of MQTT: another service, TLS, or an old broker."""


class LostError(SinkError):
    """A connection that stood was lost."""


# The library has one word for each protocol, and refuses the other's.
_FRESH: Final[dict[Protocol, dict[str, Any]]] = {
    Protocol.V5: {"clean_start": True},
    Protocol.V311: {"clean_session": True},
}


class Connection:
    """An open connection. `publish` and `subscribe` return when the broker has acknowledged; they raise MqttError.

    What the broker acknowledges and yet refuses (version 5 tells) is warned of once per connection: trying it again
    would not help, and would hold up all that follows.
    """

    def __init__(self, client: aiomqtt.Client, protocol: Protocol) -> None:
        self.client = client
        self.protocol = protocol
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
        await self.client.publish(message.topic, message.payload, message.qos, retain, properties)

    async def subscribe(self, topic_filter: str) -> None:
        """Subscribe with QoS 1."""
        for code in await self.client.subscribe(topic_filter, qos=1):
            value = _value(code)
            if value is not None and value >= 0x80:
                self._warn(f"subscribe to {topic_filter}", code)

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
    address: Address, *, identifier: str, will: Message, protocol: Protocol
) -> AsyncIterator[Connection]:
    """A connection for the time of the context; raises SinkError, VersionRefusedError or SilentError without one."""
    context = await asyncio.to_thread(_tls_context, address.tls) if address.tls is not None else None
    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion(protocol),
        # Commands sent while we were away are stale: a doorbell must not ring an hour later.
        **_FRESH[protocol],
        will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain),
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
        raise _refused(address, error) from (error.__context__ or error)
    except _HungUp:
        raise SilentError(_silence(address)) from None
    client.timeout = ANSWER_S
    # A window of records and a Picture may wait at once; the library finds more than 10 noteworthy.
    client.pending_calls_threshold = 100
    try:
        yield Connection(client, protocol)
    finally:
        await _leave(client)


def lost(address: Address, error: aiomqtt.MqttError) -> LostError:
    """What to say of a connection that ended by itself."""
    cause = error.__cause__ or error
    match _value(getattr(cause, "rc", None)):
        case 0x80:  # what the library makes of a closed socket
            why = "the broker is gone or closed it"
        case 0x8E:
            why = f"another client took our id; {SECOND_NODE}"
        case _:
            why = str(cause)
    return LostError(f"broker {address}: the connection was lost ({why})")


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
        await asyncio.wait((entering,))
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
    if message.expiry_s is None and message.content_type is None:
        return None
    # The library types its properties by their names at run time.
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = message.expiry_s
    if message.content_type is not None:
        properties.ContentType = message.content_type
    return properties


class _Socket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho 2 leaves it to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _tls_context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except (OSError, ValueError) as error:
        raise SinkError(f"mqtt.tls.ca: {tls.ca} cannot be used: {error}; name a PEM file of the CA") from error
    context.sslsocket_class = _Socket
    if tls.certificate is not None:
        try:
            # An empty password lets an encrypted key fail instead of asking on the terminal.
            context.load_cert_chain(tls.certificate, tls.key, tls.key_password or "")
        except (OSError, ValueError) as error:
            raise SinkError(
                f"mqtt.tls.certificate: {tls.certificate} with key {tls.key or 'inside'} cannot be used: {error}; "
                "name matching PEM files, and key_password if the key is encrypted"
            ) from error
    return context


_CODES: Final = {
    0x85: "it does not take our client id; give the node another name",
    0x86: "wrong user name or password; see mqtt.username and mqtt.password",
    0x87: "not authorised; see mqtt.username, mqtt.password and the broker's access list",
    0x88: "it is not available now",
    0x89: "it is busy",
    0x8A: "this client is banned there",
}


def _refused(address: Address, error: aiomqtt.MqttError) -> SinkError:
    code = _value(getattr(error, "rc", None))
    if code == 0x84:
        return VersionRefusedError(f"broker {address}: it does not speak this version of MQTT")
    if code is not None:
        return SinkError(f"broker {address}: {_CODES.get(code, str(error))}")
    match error.__context__:
        case ssl.SSLCertVerificationError() as cause:
            why = f"its certificate is not trusted ({cause.verify_message}); see mqtt.tls.ca and mqtt.host"
        case ssl.SSLError() as cause:
            why = f"TLS failed ({cause.reason or cause}); is {address.port} its TLS port?"
        case socket.gaierror():
            why = "there is no host of this name; see mqtt.host"
        case ConnectionRefusedError():
            why = "nobody listens there; is the broker running, and the port right?"
        case TimeoutError() if error.args and error.args[0] == "Operation timed out":
            return SilentError(_silence(address))
        case ConnectionResetError() if address.tls is not None:
            why = f"it broke off TLS; is {address.port} its TLS port?"
        case TimeoutError():
            why = "it cannot be reached (timed out)"
        case OSError() as cause:
            why = f"it cannot be reached ({cause.strerror or cause})"
        case _:
            why = str(error)
    return SinkError(f"broker {address}: {why}")


def _silence(address: Address) -> str:
    tls = "whether it wants our certificate (its log tells)" if address.tls else "whether that port wants TLS"
    return f"broker {address}: no answer of an MQTT broker; see the port, and {tls}"


def _value(code: ReasonCode | int | None) -> int | None:
    return int(code.value) if isinstance(code, ReasonCode) else code
