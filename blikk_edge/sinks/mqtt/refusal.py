"""Why a connection could not be had, or was lost: in words, with what mends it."""

import socket
import ssl
from typing import Final

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from blikk_edge.core.errors import SinkError
from blikk_edge.sinks.mqtt.address import Address

SECOND_NODE: Final = "is a second node of this name running?"


class VersionRefusedError(SinkError):
    """The broker does not speak this version of MQTT."""


class SilentError(SinkError):
    """Something accepted the connection and gave no answer of MQTT: another service, TLS, or an old broker."""


class LostError(SinkError):
    """A connection that stood was lost."""


def lost(address: Address, error: aiomqtt.MqttError) -> LostError:
    """What to say of a connection that ended by itself."""
    cause = error.__cause__ or error
    match value(getattr(cause, "rc", None)):
        case 0x80:  # what the library makes of a closed socket
            why = "the broker is gone or closed it"
        case 0x8E:
            why = f"another client took our id; {SECOND_NODE}"
        case _:
            why = str(cause)
    return LostError(f"broker {address}: the connection was lost ({why})")


_CODES: Final = {
    0x85: "it does not take our client id; give the node another name",
    0x86: "wrong user name or password; see mqtt.username and mqtt.password",
    0x87: "not authorised; see mqtt.username, mqtt.password and the broker's access list",
    0x88: "it is not available now",
    0x89: "it is busy",
    0x8A: "this client is banned there",
}


def refused(address: Address, error: aiomqtt.MqttError) -> SinkError:
    """What to say when the connection was never made."""
    code = value(getattr(error, "rc", None))
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
            return SilentError(silence(address))
        case ConnectionResetError() if address.tls is not None:
            why = f"it broke off TLS; is {address.port} its TLS port?"
        case TimeoutError():
            why = "it cannot be reached (timed out)"
        case OSError() as cause:
            why = f"it cannot be reached ({cause.strerror or cause})"
        case _:
            why = str(error)
    return SinkError(f"broker {address}: {why}")


def silence(address: Address) -> str:
    """What to say of somebody who took the connection and gave no answer of MQTT."""
    tls = "whether it wants our certificate (its log tells)" if address.tls else "whether that port wants TLS"
    return f"broker {address}: no answer of an MQTT broker; see the port, and {tls}"


def value(code: ReasonCode | int | None) -> int | None:
    """The number of a reason code."""
    return int(code.value) if isinstance(code, ReasonCode) else code
