"""One connection to a broker that stands: what it takes, and what becomes of what is published on it."""

import asyncio
from collections.abc import Awaitable, Sequence
from enum import Enum, IntEnum, auto
from typing import Final, TypeVar

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.library import BrokerReplies, ended, inner
from blikk_edge.sinks.mqtt.limits import BrokerLimits, limits_of, packet_size, publish_properties
from blikk_edge.sinks.mqtt.refusal import BLAMELESS, LostError, lost, value
from blikk_edge.sinks.mqtt.slots import Slots
from blikk_edge.sinks.mqtt.suspects import Suspect, Suspects, subscription, suspect
from blikk_edge.sinks.mqtt.troubles import BrokerTrouble, BrokerTroubles
from blikk_edge.wire.messages import Message

T = TypeVar("T")

ANSWER_S: Final = 10.0
UNDER_WAY: Final = 20
"""Messages of ours that wait for an acknowledgement at once, where the broker allows as many; Mosquitto's default."""

NO_WILDCARDS: Final = 0xA2
QUOTA_EXCEEDED: Final = 0x97


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


_OUTCOMES: Final = {0x80: Outcome.UNCLEAR, 0x83: Outcome.UNCLEAR, 0x91: Outcome.UNCLEAR, QUOTA_EXCEEDED: Outcome.BUSY}
"""By the reason code of an acknowledgement; failures that are not named here stay failures."""

_REMEDIES: Final = {
    0x87: "see its access list",
    0x90: "see which topics it allows",
    0x95: "raise its limit for the size of a message",
    0x97: "it is published again later",
}

TOO_LARGE: Final = "larger than the broker takes (its Maximum Packet Size), and left out"
SIZE_S: Final = 600.0
"""So long it stays a problem that a message was too large, though smaller ones are taken."""

ENDS_CONNECTION: Final = "left out: the broker ends the connection when it gets this; see its access list and limits"
ENDS_AT_FILTER: Final = "left out: the broker ends the connection when we subscribe to this; see its access list"


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
        replies: BrokerReplies,
        *,
        address: Address,
        troubles: BrokerTroubles,
        suspects: Suspects,
        careful: bool = False,
    ) -> None:
        self.client = client
        self.protocol = protocol
        self.limits: BrokerLimits = limits_of(replies.connack)
        self.address = address
        self._replies = replies
        self.will_needed = True
        self._troubles = troubles
        self._suspects = suspects
        self._careful = careful
        self._slots = Slots(min(1 if careful else UNDER_WAY, self.limits.receive_maximum), patience_s=ANSWER_S)
        self._under_way: dict[int, tuple[Message, asyncio.Future[ReasonCode]]] = {}
        self._asking: Suspect | None = None
        self._ended_at: Suspect | None = None
        self._idle = True
        self._instead: dict[str, tuple[str, ...]] = {}
        replies.acknowledged = self._acknowledged
        ended(client).add_done_callback(self._ended)

    @property
    def ended_at(self) -> Suspect | None:
        """Of a connection that has ended: at what, where that may be why."""
        return self._ended_at

    @property
    def idle(self) -> bool:
        """Of a connection that has ended: whether nothing was under way."""
        return self._idle

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
            self._troubles.start(BrokerTrouble(kind=TOO_LARGE, where=where, detail=detail, lasts_s=SIZE_S))
            return Outcome.REFUSED
        if self._suspects.left_out(suspect(message, size)):
            self._troubles.start(
                BrokerTrouble(kind=ENDS_CONNECTION, where=where, detail=f"{size} bytes", lasts_s=SIZE_S)
            )
            return Outcome.REFUSED
        code = await self._send(self.limits.apply(message))
        if code is None or not code.is_failure:
            self._troubles.end(where)
            if code is not None:
                self._suspects.taken(suspect(message, size))
            return Outcome.TAKEN
        number = int(code.value)
        remedy = _REMEDIES.get(number, "see its log")
        kind = f"the broker does not let us publish ({code}); {remedy}"
        self._troubles.start(BrokerTrouble(kind=kind, where=where, detail=f"{size} bytes" if number == 0x95 else ""))
        return _OUTCOMES.get(number, Outcome.REFUSED)

    async def subscribe(self, topic_filter: str, *, instead: Sequence[str] | None = None) -> Outcome:
        """Subscribe with QoS 1; where the broker takes no wildcards, to each topic of `instead`."""
        if instead is not None and not self.limits.wildcards:
            return await self._subscribe_each(topic_filter, instead)
        asking = subscription(topic_filter)
        if self._suspects.left_out(asking):
            self._troubles.start(BrokerTrouble(kind=ENDS_AT_FILTER, where=topic_filter, lasts_s=SIZE_S))
            return Outcome.REFUSED
        self._asking = asking
        codes = await self._answered(self.client.subscribe(topic_filter, qos=1))
        self._asking = None
        if not codes:
            raise aiomqtt.MqttError("its answer to a subscription says nothing")
        code = codes[0]
        self._suspects.taken(asking)
        number = value(code) or 0
        if instead is not None and number == NO_WILDCARDS:
            return await self._subscribe_each(topic_filter, instead)
        if number < 0x80:
            self._troubles.end(topic_filter)
            return Outcome.TAKEN
        remedy = "it is asked again later" if number == QUOTA_EXCEEDED else "see its access list"
        self._troubles.start(
            BrokerTrouble(kind=f"the broker does not let us subscribe ({code}); {remedy}", where=topic_filter)
        )
        return _OUTCOMES.get(number, Outcome.REFUSED)

    def lost(self, error: aiomqtt.MqttError) -> LostError:
        """What to say of the end of this connection."""
        return lost(self.address, error, identifier=self.client.identifier, said=self._replies.disconnect)

    async def unsubscribe(self, topic_filter: str) -> None:
        """Hear no more of this."""
        for each in self._instead.pop(topic_filter, (topic_filter,)):
            await self._answered(self.client.unsubscribe(each))

    async def _subscribe_each(self, topic_filter: str, topics: Sequence[str]) -> Outcome:
        self._instead[topic_filter] = tuple(topics)
        outcomes = [await self.subscribe(topic) for topic in topics]
        return Outcome.BUSY if Outcome.BUSY in outcomes else Outcome.TAKEN

    async def _send(self, message: Message) -> ReasonCode | None:
        """Hand a message over; the reason code of its acknowledgement, None without one (QoS 0)."""
        properties = publish_properties(message) if self.protocol is Protocol.V5 else None
        # Without version 5 it would never expire.
        retain = message.retain and (self.protocol is Protocol.V5 or message.expiry_s is None)
        qos = max(message.qos, min(1, self.limits.qos)) if self._careful else message.qos
        if qos == 0:
            await self._answered(self.client.publish(message.topic, message.payload, 0, retain, properties))
            return None
        await self._slots.take()
        # Not by aiomqtt, which passes over the reason code of the acknowledgement.
        sent = inner(self.client).publish(message.topic, message.payload, qos, retain, properties)
        if sent.rc != 0:
            self._slots.release()
            raise aiomqtt.MqttCodeError(sent.rc, "could not publish") from self._why()
        answer: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._under_way[sent.mid] = message, answer
        return await self._answered(answer)

    async def _answered(self, call: Awaitable[T]) -> T:
        """Await the broker's answer, at most `ANSWER_S` and no longer than the connection; raises MqttError without.

        The library would limit the time with `asyncio.wait_for`, which before Python 3.12 swallows a cancellation in
        the moment of the answer (https://github.com/python/cpython/issues/86296): the sink would go on for ever.
        """
        asking = asyncio.ensure_future(call)
        gone = ended(self.client)
        try:
            await asyncio.wait((asking, gone), timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
        finally:
            asking.cancel()
        raise aiomqtt.MqttError("the connection ended before the answer" if gone.done() else "no answer in time") from (
            self._why()
        )

    def _acknowledged(self, mid: int, code: ReasonCode) -> None:
        if (found := self._under_way.pop(mid, None)) is not None:
            self._slots.release()
            if not found[1].done():
                found[1].set_result(code)

    def _ended(self, _future: asyncio.Future[None]) -> None:
        """Whoever waits for an acknowledgement gets none any more."""
        why = self._why()
        self._idle = not (self._under_way or self._asking)
        if value(getattr(why, "rc", None)) not in BLAMELESS:
            first = next((message for message, _ in self._under_way.values()), None)
            self._ended_at = self._asking if first is None else suspect(first, self.size(first))
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
