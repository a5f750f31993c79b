"""Why a connection could not be had, or was lost: in words, with what mends it."""

import socket
import ssl
from typing import Final

import aiomqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from blikk_edge.core.errors import SinkError, Trouble
from blikk_edge.sinks.mqtt.address import Address

SECOND_NODE: Final = "is a second node of this name running?"

TAKEN_OVER: Final = 0x8E
CLOSED: Final = 0x80
TEXT_MAX: Final = 120


class VersionRefusedError(SinkError):
    """The broker says that it does not speak this version of MQTT."""


class SilentError(SinkError):
    """Something accepted the connection and gave no answer of MQTT: another service, TLS, an old broker, a slow start.

    `hung_up`: it closed the connection; otherwise the time for an answer passed.
    """

    def __init__(self, text: str, *, hung_up: bool = False) -> None:
        super().__init__(text)
        self.hung_up = hung_up
        self.trouble = Trouble.NO_MQTT


class WillRefusedError(SinkError):
    """The broker takes no last will that is retained (`retain` is False then) or has a QoS above `qos`."""

    def __init__(self, text: str, *, retain: bool = True, qos: int = 2) -> None:
        super().__init__(text)
        self.retain = retain
        self.qos = qos


class LostError(SinkError):
    """A connection that stood was lost."""


class TakenOverError(LostError):
    """Another client with our id took the connection."""


_ENDS: Final = {
    0x82: "one side does not understand the other, against the protocol",
    0x87: "it does not allow something that we published; see its access list",
    0x89: "it is busy",
    0x8B: "it is shutting down",
    0x8D: "it received nothing from us in time",
    0x90: "it does not allow a topic that we published on",
    0x93: "more messages waited for it than it allows",
    0x95: "a message was larger than it allows",
    0x96: "messages came faster than it allows",
    0x97: "its quota is used up",
    0x98: "somebody ended it there",
    0x99: "it does not take the content of a message",
    0x9C: "it names another server",
    0x9D: "it has moved",
    0x9F: "connections come faster than it allows",
}
"""By the reason code of a DISCONNECT."""


BLAMELESS: Final = frozenset({0x89, 0x8B, 0x8D, TAKEN_OVER, 0x96, 0x97, 0x98, 0x9C, 0x9D, 0x9F, 0xA0})
"""Those that say nothing against the message that was under way."""


def lost(address: Address, error: aiomqtt.MqttError, *, identifier: str, said: Properties | None = None) -> LostError:
    """What to say of a connection that ended by itself; `said` are the properties of the broker's DISCONNECT."""
    cause = error.__cause__ or error
    number = value(getattr(cause, "rc", None))
    if number == TAKEN_OVER:
        return TakenOverError(
            f"broker {address}: another client logged in with our client id {identifier}, which ended the connection; "
            f"{SECOND_NODE} Each needs a node.id of its own"
        )
    if number == CLOSED:  # what the library makes of a closed socket
        why = "the broker is gone or closed it"
    elif number is not None and number in _ENDS:
        why = _ENDS[number]
    else:
        why = clean(str(cause))
    return LostError(f"broker {address}: the connection was lost ({why}{_more(said)})")


_CODES: Final = {
    0x85: "it does not take our client id {identifier}; give the node another node.id",
    0x86: "wrong user name or password; see mqtt.username and mqtt.password",
    0x87: "not authorised; see mqtt.username, mqtt.password and the broker's access list",
    0x88: "it is not available now",
    0x89: "it is busy",
    0x8A: "this client is banned there",
    0x8C: "it wants another way to log in",
    0x90: "it does not take the topic of our last will; see its access list and mqtt.prefix",
    0x95: "our log-in is larger than it allows",
    0x97: "its quota is used up",
    0x9C: "it names another server; see mqtt.host",
    0x9D: "it has moved; see mqtt.host",
    0x9F: "connections come faster than it allows",
}
"""By the reason code of a CONNACK."""


_TROUBLES: Final = {0x04: Trouble.LOGIN, 0x05: Trouble.LOGIN, 0x86: Trouble.LOGIN, 0x87: Trouble.LOGIN}
"""0x04 and 0x05 are those of version 3.1.1. Some brokers call a wrong password 0x87."""


def refused(
    address: Address, error: aiomqtt.MqttError, said: Properties | None = None, *, identifier: str = ""
) -> SinkError:
    """What to say when the connection was never made; `said` are the properties of the broker's CONNACK."""
    code = value(getattr(error, "rc", None))
    if code in (0x01, 0x84):
        return VersionRefusedError(f"broker {address}: it does not speak this version of MQTT")
    if code == 0x9A:
        return WillRefusedError(f"broker {address}: it keeps no retained messages", retain=False)
    if code == 0x9B:
        qos = getattr(said, "MaximumQoS", 0)
        return WillRefusedError(f"broker {address}: it takes messages of QoS {qos} at most", qos=qos)
    if code is not None:
        why = _CODES.get(code, clean(str(error))).format(identifier=identifier)
        return SinkError(f"broker {address}: {why}{_more(said)}").of(_TROUBLES.get(code))
    return _unreached(address, error)


def _unreached(address: Address, error: aiomqtt.MqttError) -> SinkError:
    trouble: Trouble | None
    match error.__context__:
        case ssl.SSLError() as cause:
            why, trouble = f"TLS failed ({cause.reason or cause}); is {address.port} its TLS port?", Trouble.TLS
        case socket.gaierror():
            why, trouble = "there is no host of this name; see mqtt.host", Trouble.UNKNOWN_HOST
        case ConnectionRefusedError():
            why, trouble = "nobody listens there; is the broker running, and the port right?", Trouble.REFUSED
        case TimeoutError() if error.args and error.args[0] == "Operation timed out":
            return SilentError(silence(address))
        case ConnectionResetError() if address.tls is not None:
            why, trouble = f"it broke off TLS; is {address.port} its TLS port?", Trouble.TLS
        case TimeoutError():
            why, trouble = "it cannot be reached (timed out)", Trouble.TIMEOUT
        case OSError() as cause:
            why, trouble = f"it cannot be reached ({cause.strerror or cause})", Trouble.UNREACHABLE
        case _:
            why, trouble = clean(str(error)), None
    return SinkError(f"broker {address}: {why}").of(trouble)


def silence(address: Address) -> str:
    """What to say of somebody who took the connection and gave no answer of MQTT."""
    tls = "whether it wants our certificate (its log says so)" if address.tls else "whether that port wants TLS"
    return f"broker {address}: no answer of an MQTT broker; see the port, and {tls}"


def value(code: ReasonCode | int | None) -> int | None:
    """The number of a reason code."""
    return int(code.value) if isinstance(code, ReasonCode) else code


def clean(text: str) -> str:
    """A text of the broker's as it may stand in a log line: one line, and not long."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return printable if len(printable) <= TEXT_MAX else f"{printable[:TEXT_MAX]}..."


def _more(said: Properties | None) -> str:
    """What the broker adds to a reason code."""
    reason, server = getattr(said, "ReasonString", None), getattr(said, "ServerReference", None)
    return (f"; it says: {clean(reason)}" if reason else "") + (f"; it names {clean(server)}" if server else "")
