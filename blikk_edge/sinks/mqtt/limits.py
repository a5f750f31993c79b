"""What a broker can take, as its CONNACK says, and how large a packet of ours is."""

from dataclasses import dataclass, replace
from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from blikk_edge.wire.messages import Message

UNLIMITED: Final = 65535
"""The Receive Maximum of a broker that names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLimits:
    """The limits of one connection; the defaults are what a silent CONNACK means (MQTT 5, 3.2.2.3), and those of 3.1.1.

    Not here, because we never use them: topic aliases, shared subscriptions and subscription identifiers. The library
    keeps a Server Keep Alive; no client id is assigned, as we name ours; where a session is kept for a shorter time
    than we ask for, the last will comes earlier, which is as good as it gets.
    """

    receive_maximum: int = UNLIMITED
    """Messages with QoS 1 or 2 that may wait for their acknowledgement at once; at least 1."""

    packet_bytes: int | None = None
    """The largest packet that it takes; None: whatever the protocol allows."""

    qos: int = 2
    """The highest QoS that it takes."""

    retain: bool = True
    """Whether it keeps retained messages."""

    wildcards: bool = True
    """Whether a subscription may hold `+` and `#`."""

    def fits(self, size: int) -> bool:
        """Whether a packet of `size` bytes may be sent."""
        return self.packet_bytes is None or size <= self.packet_bytes

    def apply(self, message: Message) -> Message:
        """The message as this broker takes it: without retain, or with a lower QoS, where it must be."""
        if message.qos <= self.qos and (self.retain or not message.retain):
            return message
        return replace(message, qos=min(message.qos, self.qos), retain=message.retain and self.retain)


def limits_of(connack: Properties | None) -> BrokerLimits:
    """The one place that reads the limits in a CONNACK."""

    def said(name: str, silent: Any) -> Any:
        # The library makes an attribute of each property that came, and of no other.
        return getattr(connack, name, silent)

    return BrokerLimits(
        receive_maximum=max(1, said("ReceiveMaximum", UNLIMITED)),
        packet_bytes=said("MaximumPacketSize", None) or None,
        qos=said("MaximumQoS", 2),
        retain=bool(said("RetainAvailable", 1)),
        wildcards=bool(said("WildcardSubscriptionAvailable", 1)),
    )


def publish_properties(message: Message) -> Properties | None:
    """The properties of MQTT 5 that a message goes with."""
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


def packet_size(message: Message, *, v5: bool) -> int:
    """Bytes of the whole PUBLISH packet on the wire, from its first header byte to the end of the payload."""
    rest = 2 + len(message.topic.encode()) + (2 if message.qos else 0) + len(message.payload)
    if v5:
        properties = publish_properties(message)
        rest += 1 if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
    length_bytes, most = 1, 128
    while rest >= most:
        length_bytes, most = length_bytes + 1, most * 128
    return 1 + length_bytes + rest
