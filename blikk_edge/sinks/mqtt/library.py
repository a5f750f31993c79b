"""What aiomqtt has no way to say or do, by the paho client inside it: ends, reasons, acknowledgements, sockets."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final

import aiomqtt
import paho.mqtt.client
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

LOG: Final = logging.getLogger("blikk.mqtt.library")
# What the library says of a broken connection is logged by us in words, once.
LOG.setLevel(logging.CRITICAL)

GOODBYE_S: Final = 0.5
PEEK_S: Final = 0.1


class HungUpError(Exception):
    """The socket was closed before the broker said anything, of which the library waits for the end of its time."""


class BrokerReplies:
    """What one client receives from its broker besides messages. To be made before the client connects.

    Attributes:
        connack: the properties of the broker's answer to our log-in, a refusal's too; None before it came.
        disconnect: the properties of a DISCONNECT that the broker sent.
        closed: set when the socket is closed, by whichever side.
        acknowledged: called with the message's number and the reason code of its acknowledgement.
    """

    def __init__(self, client: aiomqtt.Client) -> None:
        self.connack: Properties | None = None
        self.disconnect: Properties | None = None
        self.closed = asyncio.Event()
        self.acknowledged: Callable[[int, ReasonCode], None] = _nobody
        self._loop = asyncio.get_running_loop()
        client._loop = _Loop(self._loop)  # type: ignore[assignment]  # noqa: SLF001 - see there
        library = inner(client)
        self._follow(library, "on_connect", self._on_connect)
        self._follow(library, "on_disconnect", self._on_disconnect)
        self._follow(library, "on_socket_close", self._on_close)
        self._follow(library, "on_publish", self._on_publish)
        _pass_over_what_is_no_topic(library)

    def _follow(self, library: paho.mqtt.client.Client, name: str, ours: Callable[..., None]) -> None:
        """Have `ours` called before what aiomqtt has set there."""
        theirs = getattr(library, name)

        def both(*arguments: Any) -> None:
            ours(*arguments)
            if theirs is not None:
                theirs(*arguments)

        setattr(library, name, both)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, _code: Any, properties: Properties | None) -> None:
        if self.connack is None:
            self.connack = properties

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, _code: Any, properties: Properties | None) -> None:
        if self.disconnect is None:
            self.disconnect = properties

    def _on_close(self, *_arguments: Any) -> None:
        self._loop.call_soon_threadsafe(self.closed.set)

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        self.acknowledged(mid, code)


def _pass_over_what_is_no_topic(library: paho.mqtt.client.Client) -> None:
    """Have messages passed over whose topic nobody could have subscribed to.

    Some brokers hand on what anybody publishes, also topics that are no UTF-8; aiomqtt would end the connection, and
    where the broker keeps the message, each one that follows.
    """
    theirs: Callable[..., None] | None = library.on_message

    def heard(client: Any, data: Any, message: paho.mqtt.client.MQTTMessage) -> None:
        try:
            aiomqtt.Topic(message.topic)
        except ValueError:  # a UnicodeDecodeError is one too
            return
        if theirs is not None:
            theirs(client, data, message)

    library.on_message = heard


class _Loop:
    """The event loop as aiomqtt has it: one that watches no socket which is closed by the time of its turn.

    aiomqtt puts off `add_writer`. Where the broker goes away between a publish and that turn, the loop would log a
    traceback of a bad file descriptor.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_writer(self, descriptor: int, callback: Callable[[], None]) -> None:
        """As the loop's own."""
        with contextlib.suppress(OSError, ValueError):
            self._loop.add_writer(descriptor, callback)


def _nobody(_mid: int, _code: ReasonCode) -> None:
    """Before anything was published."""


async def enter(client: aiomqtt.Client, replies: BrokerReplies) -> None:
    """Connect; raises MqttError or HungUpError, and leaves no socket behind then."""
    entering = asyncio.ensure_future(client.__aenter__())
    closed = asyncio.ensure_future(replies.closed.wait())
    try:
        await asyncio.wait((entering, closed), return_when=asyncio.FIRST_COMPLETED)
        if not entering.done():
            # A refusal in words closes the socket too; it needs a moment on its way through the library.
            await asyncio.wait((entering,), timeout=PEEK_S)
        if not entering.done():
            raise HungUpError
        entering.result()
    except BaseException:
        # The TCP connect runs in a thread of the library that cannot be interrupted; give it a moment to come back, or
        # its socket would be left open behind us.
        if not entering.done():
            await asyncio.wait((entering,), timeout=PEEK_S)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        discard(client)
        raise
    finally:
        closed.cancel()


async def leave(client: aiomqtt.Client) -> None:
    """Say goodbye, so that the broker does not publish the last will."""
    client.timeout = GOODBYE_S
    try:
        await client.__aexit__(None, None, None)
    except aiomqtt.MqttError as error:
        LOG.debug("no goodbye: %s", error)
    finally:
        discard(client)


def discard(client: aiomqtt.Client) -> None:
    """Close the socket, which the library leaves open after a failed TLS handshake or a log-in that was cut short."""
    inner(client).reinitialise()  # paho's public way to drop a socket at once


def inner(client: aiomqtt.Client) -> paho.mqtt.client.Client:
    """The paho client of an aiomqtt client."""
    return client._client  # noqa: SLF001 - aiomqtt 2.5 has no way to ask for the socket or to drop it


def ended(client: aiomqtt.Client) -> asyncio.Future[None]:
    """Done when the connection of this client is gone; its exception says why. To be asked for after `enter`."""
    return client._disconnected  # noqa: SLF001 - aiomqtt 2.5 notifies only those who wait for messages
