"""When to give up: how long a connection may take, how long a read, and how long packets may bring no picture.

libav asks PyAV whether to go on while it waits for a network or a device, and PyAV answers by the limits that it was
given when the container was opened: one for each step of opening, one for each packet. Nothing else ends such a wait.
So a stop is noticed at once between two calls of libav, and within these limits where it waits; whoever asks for a stop
need not wait for it (`Scheduler.thread`).
"""

import threading
import time

# Packets in a row without a picture: 20 s at 30 fps, twice the longest usual keyframe interval.
MAX_BARREN = 600
# So long, beyond the read limit, may packets come without a picture: with it, longer than usual keyframe intervals. A
# reader that says nothing for two connect limits, the read limit and 10 s is taken to hang; this is to come before.
BARREN_S = 8.0

# An attempt that failed with less than this share of its time left ran out of time.
LATE_SHARE = 0.05


class Limit:
    """What ends the reading of one connection: `stop`, or a deadline on the machine's monotonic clock."""

    __slots__ = ("deadline", "stop")

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.deadline = 0.0
        self.extend(0.0)

    def extend(self, seconds: float) -> None:
        """Allow `seconds` from now on."""
        # Real waiting on a real device: a virtual clock cannot measure it.
        self.deadline = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, below 0 after it."""
        return self.deadline - time.monotonic()

    @property
    def over(self) -> bool:
        """Whether reading must end now."""
        return self.stop.is_set() or self.left_s < 0


class Barren:
    """Packets that bring no picture: too many in a row, or for more than `read_timeout_s` and `BARREN_S`.

    Time counts from the first of them, so that a reader that takes its time between pictures costs the stream nothing.
    """

    __slots__ = ("_allowed_s", "_count", "_since")

    def __init__(self, read_timeout_s: float) -> None:
        self._allowed_s = read_timeout_s + BARREN_S
        self._count = 0
        self._since = 0.0

    def over(self, *, pictures: int) -> bool:
        """Whether to give up after one more packet that became so many pictures."""
        if pictures:
            self._count = 0
            return False
        now = time.monotonic()
        if not self._count:
            self._since = now
        self._count += 1
        return self._count > MAX_BARREN or now - self._since > self._allowed_s
