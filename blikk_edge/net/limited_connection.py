"""A WebSocket of ours as its server sees it, with the limits that the library leaves open."""

from collections import deque
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State

SLICE_BYTES: Final = 4096
"""Frames of two to six bytes are made into objects of two hundred: no more at once than of so much."""

HEAD_BYTES: Final = 16_384
UNREAD_BYTES: Final = 65_536
"""Of what we have sent: who reads no answers to its pings would have them pile up here."""

FRAGMENTS: Final = 256
"""Of one message. Without a limit an endless message of empty ones takes all memory."""

CONTROLS: Final = 100
"""Pings, pongs and closes within a second."""


class LimitedConnection(ServerConnection):
    """Cuts off who sends more than the limits of this module; `cut_off` says why."""

    cut_off: str | None = None
    _head_bytes = 0
    _fragments = 0
    _controls: deque[float] | None = None

    def data_received(self, data: bytes) -> None:
        """What has come, in small parts."""
        if self.protocol.state is State.CONNECTING:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._cut(f"a request of more than {HEAD_BYTES} bytes")
        for start in range(0, len(data), SLICE_BYTES):
            if self.cut_off is not None:
                return
            super().data_received(data[start : start + SLICE_BYTES])
            if self.transport.get_write_buffer_size() > UNREAD_BYTES:
                self._cut("it does not read what it is sent")

    def process_event(self, event: Request | Response | Frame) -> None:
        """One frame, or the handshake."""
        if self.cut_off is not None:
            return
        if isinstance(event, Frame):
            if event.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                self._fragments = 0 if event.fin else self._fragments + 1
                if self._fragments > FRAGMENTS:
                    self._cut(f"a message of more than {FRAGMENTS} fragments")
                    return
            elif self._too_many_controls():
                self._cut(f"more than {CONTROLS} pings a second")
                return
        super().process_event(event)

    def _too_many_controls(self) -> bool:
        now = self.loop.time()
        if self._controls is None:
            self._controls = deque(maxlen=CONTROLS)
        full = len(self._controls) == CONTROLS and now - self._controls[0] < 1.0
        self._controls.append(now)
        return full

    def _cut(self, why: str) -> None:
        self.cut_off = why
        self.transport.abort()
