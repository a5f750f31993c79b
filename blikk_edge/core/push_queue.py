"""What an edge client has sent and nobody has looked at yet: the newest few, the oldest go first."""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.sightings import Detection

KEPT: Final = 5
"""As many as one look at a camera takes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """One redacted JPEG from an edge client, and what the client found in it before it was redacted.

    Attributes:
        seq: Counts the client's frames.
        time: When it was captured, seconds since 1970 UTC by the client's own clock.
        jpeg: The file.
        found: What the detector found; None where the client does not say.
    """

    seq: int
    time: float
    jpeg: bytes = field(repr=False)
    found: tuple[Detection, ...] | None = ()


class PushQueue:
    """From the connection of one camera's edge client to the thread that reads it. Safe from any thread."""

    def __init__(self) -> None:
        self._waiting: deque[Pushed] = deque(maxlen=KEPT)
        self._arrived = threading.Event()

    def put(self, pushed: Pushed) -> bool:
        """Hand in a frame; False where an older one had to go for it, so that the sender is to be slower."""
        free = len(self._waiting) < KEPT
        self._waiting.append(pushed)
        self._arrived.set()
        return free

    def get(self, timeout_s: float) -> Pushed | None:
        """The oldest frame that waits, or None when none came in time."""
        self._arrived.wait(timeout_s)
        try:
            return self._waiting.popleft()
        except IndexError:
            return None
        finally:
            if not self._waiting:
                self._arrived.clear()
                if self._waiting:  # one came in between
                    self._arrived.set()
