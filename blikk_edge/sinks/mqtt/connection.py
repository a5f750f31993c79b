"""One connection to a broker: TLS, log-in, protocol version, and what the broker takes."""

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Sequence
from enum import Enum, IntEnum, auto
from typing import Any, Final, TypeVar

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from blikk_edge.core.clock import SystemClock
from blikk_edge.sinks.mqtt.address import Address, tls_context
from blikk_edge.sinks.mqtt.library import LOG as LIBRARY_LOG
from blikk_edge.sinks.mqtt.library import Heard, HungUpError, discard, ended, enter, inner, leave
from blikk_edge.sinks.mqtt.limits import BrokerLimits, limits_of, packet_size, publish_properties
from blikk_edge.sinks.mqtt.refusal import LostError, SilentError, VersionRefusedError, lost, refused, silence, value
from blikk_edge.sinks.mqtt.slots import Slots
from blikk_edge.sinks.mqtt.suspects import Suspect, Suspects
from blikk_edge.sinks.mqtt.troubles import Trouble, Troubles
from blikk_edge.wire.messages import Message

T = TypeVar("T")

LOG = logging.getLogger("blikk.mqtt")

CONNECT_S: Final = 3.0
"""For the answer to our log-in."""

ANSWER_S: Final = 10.0
INCOMING_LIMIT: Final = 1000
"""Messages from outside that may wait; commands come one at a time, so more is a flood."""

INCOMING_BYTES: Final = 2 * 1024 * 1024
"""The largest packet that the broker may send us (version 5): our own retained Pictures are the largest we want."""

UNDER_WAY: Final = 20
"""Messages of ours that wait for an acknowledgement at once, where the broker allows as many; Mosquitto's default."""

NO_WILDCARDS: Final = 0xA2


class Protocol(IntEnum):
    """The versions of MQTT we speak; the values are those of the CONNECT packet."""

    V5 = aiomqtt.ProtocolVersion.V5
    V311 = aiomqtt.ProtocolVersion.V311

    def __str__(self) -> str:
        return "MQTT 5" if self is Protocol.V5 else "MQTT 3.1.1"


class Outcome(Enum):
    """What became of a message."""

    TAKEN = auto()
    """The broker has it; or, where it takes QoS 0 only, it was handed over."""

    REFUSED = auto()
    """The broker does not take it, and would not take it the next time."""

    BUSY = auto()
    """The broker's quota is used up: it will take it later."""

    UNCLEAR = auto()
    """The broker does not take it and does not say why: it may take it later."""


# The library has one word for each protocol, and refuses the other's.
_FRESH: Final[dict[Protocol, dict[str, Any]]] = {
    Protocol.V5: {"clean_start": True},
    Protocol.V311: {"clean_session": True},
}

_OUTCOMES: Final = {0x80: Outcome.UNCLEAR, 0x83: Outcome.UNCLEAR, 0x91: Outcome.UNCLEAR, 0x97: Outcome.BUSY}
"""By the reason code of an acknowledgement; failures that are not named here stay failures."""

_REMEDIES: Final = {
    0x87: "see its access list",
    0x90: "see which topics it allows",
    0x95: "raise its limit for the size of a message",
    0x97: "it is published again later",
}

TOO_LARGE: Final = "left out: larger than the Maximum Packet Size of the broker allows; raise that, or send less"
SIZE_S: Final = 600.0
"""So long it stays a problem that a message was too large, though smaller ones are taken."""

ENDS_CONNECTION: Final = "left out: the broker ends the connection when it gets this; see its access list and limits"


class Connection:
    """An open connection. `publish` and `subscribe` return when the broker has acknowledged; they raise MqttError.

    What the broker does not take is said and listed by `troubles`, and holds up nothing that follows.

    At its end the connection is dropped without a word, so that the broker publishes the last will; unless
    `will_needed` was set to False, which makes it a goodbye.

    With `careful`, one message at a time is under way, each with an acknowledgement: so that it is known at which one a
    broker ends the connection.
    """

    def __init__(
        self,
        client: aiomqtt.Client,
        protocol: Protocol,
        heard: Heard,
        *,
        address: Address,
        troubles: Troubles,
        suspects: Suspects,
        careful: bool = False,
    ) -> None:
        self.client = client
        self.protocol = protocol
        self.limits: BrokerLimits = limits_of(heard.connack)
        self.address = address
        self._heard = heard
        self.will_needed = True
        self._troubles = troubles
        self._suspects = suspects
        self._careful = careful
        self._slots = Slots(min(1 if careful else UNDER_WAY, self.limits.receive_maximum), patience_s=ANSWER_S)
        self._under_way: dict[int, tuple[Message, asyncio.Future[ReasonCode]]] = {}
        self._ended_at: Suspect | None = None
        heard.acknowledged = self._acknowledged
        ended(client).add_done_callback(self._ended)

    @property
    def ended_at(self) -> Suspect | None:
        """Of a connection that has ended: the first message that was under way, if there was one."""
        return self._ended_at

    def size(self, message: Message) -> int:
        """Bytes of the packet that this message is."""
        return packet_size(self.limits.apply(message), v5=self.protocol is Protocol.V5)

    def fits(self, message: Message) -> bool:
        """Whether the broker takes packets as large as this message."""
        return self.limits.fits(self.size(message))

    async def publish(self, message: Message) -> Outcome:
        """Publish with the properties that the protocol has; what should expire is not retained on 3.1.1."""
        where, size = message.topic, self.size(message)
        self._troubles.say()
        if not self.limits.fits(size):
            detail = f"{size} bytes, {self.limits.packet_bytes} allowed"
            self._troubles.start(Trouble(kind=TOO_LARGE, where=where, detail=detail, lasts_s=SIZE_S))
            return Outcome.REFUSED
        if self._suspects.left_out(message, size):
            self._troubles.start(Trouble(kind=ENDS_CONNECTION, where=where, detail=f"{size} bytes", lasts_s=SIZE_S))
            return Outcome.REFUSED
        code = await self._send(self.limits.apply(message))
        if code is None or not code.is_failure:
            self._troubles.end(where)
            return Outcome.TAKEN
        number = int(code.value)
        remedy = _REMEDIES.get(number, "see its log")
        kind = f"the broker does not let us publish ({code}); {remedy}"
        self._troubles.start(Trouble(kind=kind, where=where, detail=f"{size} bytes" if number == 0x95 else ""))
        return _OUTCOMES.get(number, Outcome.REFUSED)

    async def subscribe(self, topic_filter: str, *, instead: Sequence[str] | None = None) -> None:
        """Subscribe with QoS 1; where the broker takes no wildcards, to each topic of `instead`."""
        if instead is not None and not self.limits.wildcards:
            await self._subscribe_each(instead)
            return
        for code in await _answered(self.client.subscribe(topic_filter, qos=1)):
            number = value(code)
            if instead is not None and number == NO_WILDCARDS:
                await self._subscribe_each(instead)
            elif number is not None and number >= 0x80:
                kind = f"the broker does not let us subscribe ({code}); see its access list"
                self._troubles.start(Trouble(kind=kind, where=topic_filter))
            else:
                self._troubles.end(topic_filter)

    def lost(self, error: aiomqtt.MqttError) -> LostError:
        """What to say of the end of this connection."""
        return lost(self.address, error, identifier=self.client.identifier, said=self._heard.disconnect)

    async def unsubscribe(self, topic_filter: str) -> None:
        """Hear no more of this."""
        await _answered(self.client.unsubscribe(topic_filter))

    async def _subscribe_each(self, topics: Sequence[str]) -> None:
        for topic in topics:
            await self.subscribe(topic)

    async def _send(self, message: Message) -> ReasonCode | None:
        """Hand a message over; the reason code of its acknowledgement, None without one (QoS 0)."""
        properties = publish_properties(message) if self.protocol is Protocol.V5 else None
        # Without version 5 it would never expire.
        retain = message.retain and (self.protocol is Protocol.V5 or message.expiry_s is None)
        qos = max(message.qos, min(1, self.limits.qos)) if self._careful else message.qos
        if qos == 0:
            await _answered(self.client.publish(message.topic, message.payload, 0, retain, properties))
            return None
        await self._slots.take()
        # Not by aiomqtt, which passes over the reason code of the acknowledgement.
        sent = inner(self.client).publish(message.topic, message.payload, qos, retain, properties)
        if sent.rc != 0:
            self._slots.release()
            raise aiomqtt.MqttCodeError(sent.rc, "could not publish") from self._why()
        answer: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._under_way[sent.mid] = message, answer
        return await _answered(answer)

    def _acknowledged(self, mid: int, code: ReasonCode) -> None:
        if (found := self._under_way.pop(mid, None)) is not None:
            self._slots.release()
            if not found[1].done():
                found[1].set_result(code)

    def _ended(self, _future: asyncio.Future[None]) -> None:
        """Whoever waits for an acknowledgement gets none any more."""
        why = self._why()
        if self._under_way:
            message = next(iter(self._under_way.values()))[0]
            self._ended_at = Suspect(topic=message.topic, size=self.size(message))
        for _message, answer in self._under_way.values():
            if not answer.done():
                error = aiomqtt.MqttError("the connection ended before the answer")
                error.__cause__ = why
                answer.set_exception(error)
            self._slots.release()
        self._under_way.clear()

    def _why(self) -> BaseException | None:
        future = ended(self.client)
        return future.exception() if future.done() and not future.cancelled() else None


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
) -> AsyncIterator[Connection]:
    """A connection for the time of the context; raises a SinkError of `refusal` without one."""
    clock = SystemClock()
    client = await _client(address, identifier=identifier, will=will, protocol=protocol)
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


async def answers_v5(address: Address, *, identifier: str) -> bool | None:
    """Whether a broker says that it speaks version 5, to a second log-in under another id; None without an answer.

    It has neither a will nor properties: some brokers of 3.1.1 can refuse no other in words.
    """
    client = await _client(address, identifier=identifier, will=None, protocol=Protocol.V5)
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


async def _client(address: Address, *, identifier: str, will: Message | None, protocol: Protocol) -> aiomqtt.Client:
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
        timeout=CONNECT_S,
        max_queued_incoming_messages=INCOMING_LIMIT,
        max_inflight_messages=UNDER_WAY,
        properties=connect,
        tls_context=context,
        # Without it a small message may wait 40 ms for the acknowledgement of the one before.
        socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        logger=LIBRARY_LOG,
    )


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
