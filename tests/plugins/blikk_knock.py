"""An input as somebody else would write it: whoever knocks at a port of this machine rings the doorbell."""

import asyncio
from dataclasses import dataclass

from blikk_edge.core.commands import Press
from blikk_edge.core.errors import BlikkError
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import SLUG, whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class KnockOptions:
    """Where to knock, and which camera's doorbell rings."""

    camera: str
    port: int


class Knock(asyncio.DatagramProtocol):
    """Rings for each datagram."""

    name = "knock"

    def __init__(self, options: KnockOptions, context: Context) -> None:
        if options.camera not in {camera.id for camera in context.node.cameras}:
            raise BlikkError(f"knock: there is no camera {options.camera}")
        self._options = options
        self._context = context

    async def run(self) -> None:
        """Listen until cancelled; raises BlikkError where the port is taken."""
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=("127.0.0.1", self._options.port)
            )
        except OSError as error:
            raise BlikkError(f"knock: port {self._options.port} cannot be had: {error.strerror}") from error
        try:
            await asyncio.Event().wait()
        finally:
            transport.close()

    def datagram_received(self, _data: bytes, _address: object) -> None:
        """Somebody knocks."""
        self._context.order(Press(camera=self._options.camera, via="mqtt"))


KIND = Kind(
    name="knock",
    meaning="Rings a doorbell for who knocks at a port of this machine.",
    options=Section(
        of=KnockOptions,
        keys=(
            Key(name="camera", value=SLUG, required=True, meaning="Whose doorbell rings."),
            Key(name="port", value=whole(1, 65535), required=True, meaning="Where to knock."),
        ),
    ),
    make=Knock,
)
