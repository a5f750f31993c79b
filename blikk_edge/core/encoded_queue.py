"""Pictures as a WebRTC peer sends them, encoded, until the thread that decodes them takes them: bounded."""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

KEPT: Final = 60
"""Two seconds of 30 fps."""

KEPT_BYTES: Final = 4_000_000
"""The two seconds at 16 Mbit/s, more than any phone sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPicture:
    """One picture as it came.

    Attributes:
        codec: `h264` (with start codes) or `vp8`.
        content: The picture, encoded.
        time_s: When it is shown, in seconds of the sender's clock, from any zero.
        arrived_s: When all of it was there, by the machine's monotonic clock.
        key: Whether it can be decoded without those before it.
    """

    codec: str
    content: bytes = field(repr=False)
    time_s: float
    arrived_s: float
    key: bool


class EncodedQueue:
    """From one connection to the thread that decodes. Safe for one that puts and one that takes.

    Each picture is built upon the one before, so none can be left out alone: where more wait than may, all of them go,
    and nothing is taken in until a picture comes that stands by itself.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self.number = 0
        """Which connection it is."""

        self._waiting: deque[EncodedPicture] = deque()
        self._arrived = threading.Event()
        self._broken = True

    def put(self, picture: EncodedPicture) -> bool:
        """Hand in a picture; False where the sender is to be asked for one that stands by itself."""
        if len(self._waiting) >= KEPT or sum(len(each.content) for each in tuple(self._waiting)) > KEPT_BYTES:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._broken = True
        if self._broken and not picture.key:
            self.dropped += 1
            return False
        self._broken = False
        self._waiting.append(picture)
        self._arrived.set()
        return True

    def take(self, timeout_s: float = 0.0) -> tuple[EncodedPicture, ...]:
        """All that wait, the oldest first; none where none came in time."""
        if timeout_s:
            self._arrived.wait(timeout_s)
        self._arrived.clear()
        taken = []
        while True:
            try:
                taken.append(self._waiting.popleft())
            except IndexError:
                return tuple(taken)

    def broken(self) -> None:
        """What was taken cannot be decoded: only a picture that stands by itself helps."""
        self._broken = True

    def restart(self) -> None:
        """Another connection begins."""
        self.number += 1
        self._waiting.clear()
        self._broken = True
