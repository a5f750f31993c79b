"""Publishes records on a PUB socket of ZeroMQ; the only file that imports `zmq`."""

import logging
import os
from typing import TYPE_CHECKING, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.net.library_log import no_log
from blikk_edge.sinks.failing import missing
from blikk_edge.sinks.recent import stream_name
from blikk_edge.sinks.zeromq import Curve, ZeroMqOptions
from blikk_edge.wire.envelope import Place, enveloped, kind_of
from blikk_edge.wire.topics import Topics

if TYPE_CHECKING:
    from zmq.asyncio import Context, Socket
    from zmq.auth.asyncio import AsyncioAuthenticator

LOG = logging.getLogger("blikk.zeromq")

HANDSHAKE_MS: Final = 5000
INCOMING_BYTES: Final = 4096
"""Subscribers send nothing but what they subscribe to."""


class ZeroMqSocket:
    """Sends each record as two frames, its topic on MQTT and its envelope (contract/schemas/envelope.json).

    ZeroMQ keeps at most `options.keep` messages for each subscriber that is slow, and leaves out what comes then; who
    is not connected gets nothing. The numbers go on over a failure of the socket.
    """

    name = "zeromq"

    def __init__(self, options: ZeroMqOptions, *, topics: Topics, clock: Clock) -> None:
        self._options = options
        self._kinds = frozenset(options.kinds)
        self._topics = topics
        self._stream = stream_name(clock)
        self._seq = 0

    async def run(self, inbox: Inbox[Item]) -> None:
        """Publish until cancelled; raises SinkError where the port cannot be used."""
        try:
            import zmq  # noqa: PLC0415  # 16 MB that only a node with it needs
            from zmq.asyncio import Context  # noqa: PLC0415
        except ImportError as error:
            raise missing("zeromq", "pyzmq") from error
        options = self._options
        context = Context()
        socket = context.socket(zmq.PUB)
        guard: AsyncioAuthenticator | None = None
        try:
            socket.setsockopt(zmq.SNDHWM, options.keep)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.IPV6, ":" in options.host)
            socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
            socket.setsockopt(zmq.MAXMSGSIZE, INCOMING_BYTES)
            if options.curve is not None:
                try:
                    guard = _guarded(context, socket, options.curve)
                except zmq.ZMQError as error:
                    raise SinkError("zeromq: `sinks.zeromq.curve.secret_key` is no key; make one anew") from error
            host = f"[{options.host}]" if ":" in options.host else options.host
            try:
                socket.bind(f"tcp://{host}:{options.port}")
            except zmq.ZMQError as error:
                raise SinkError(
                    f"zeromq on {options.host}:{options.port}: {os.strerror(error.errno or 0).lower()}; choose another "
                    "`sinks.zeromq.port`, or see who uses it"
                ) from error
            LOG.info("records are published on %s:%d", options.host, options.port)
            while True:
                item = await inbox.get()
                if kind_of(item) in self._kinds:
                    self._seq += 1
                    sent = enveloped(item, self._topics, Place(stream=self._stream, seq=self._seq))
                    await socket.send_multipart([sent.topic.encode(), sent.text])
        finally:
            if guard is not None:
                guard.stop()
            socket.close(linger=0)
            context.destroy(linger=0)


def _guarded(context: "Context", socket: "Socket", curve: Curve) -> "AsyncioAuthenticator":
    """Speak CURVE on the socket, with those alone whose keys are listed."""
    import zmq  # noqa: PLC0415  # see run
    from zmq.auth.asyncio import AsyncioAuthenticator  # noqa: PLC0415

    known = frozenset(key.encode() for key in curve.clients)

    class Known:
        def callback(self, _domain: str, key: bytes) -> bool:
            return key in known

    guard = AsyncioAuthenticator(context, log=no_log("blikk.zeromq.auth"))
    guard.start()
    guard.configure_curve_callback(domain="*", credentials_provider=Known())
    secret = curve.secret_key.reveal().encode()
    socket.curve_server = True
    socket.curve_secretkey = secret
    socket.curve_publickey = zmq.curve_public(secret)
    return guard
