"""Makes libav give up: when asked to stop, and when no picture has come for too long.

libav asks a callback whether to go on while it waits for a network or a device. PyAV's callback knows one limit per
call and no way to be stopped from outside; it reads the time through the name `time` of its module. When a `Stop` is
set, that name is given a clock that leaps ahead for a thread whose `Limit` is over, which PyAV takes for its own limit;
with an event that cannot call back, it is given that clock from the start, which costs 3 % of decoding. PyAV 17, 18 and
19 have that name; where one had not, its own limits would still hold, and a stop would be noticed after the read limit
only.
"""

import threading
import time
from types import SimpleNamespace
from typing import Self

import av.container.core

from blikk_edge.core.stop import Stop

# Longer than any limit, so that one leap ends every wait.
LEAP_S = 1e6
# Packets in a row without a picture: 20 s at 30 fps, twice the longest usual keyframe interval.
MAX_BARREN = 600
# So long, beyond the read limit, may packets come without a picture: with it, longer than usual keyframe intervals. A
# reader that says nothing for two connect limits, the read limit and 10 s is taken to hang; this is to come before.
BARREN_S = 8.0

# An attempt that failed with less than this share of its time left ran out of time.
LATE_SHARE = 0.05

# PyAV asks for the time hundreds of times a second; so often it is looked whether reading must end.
LOOK_S = 0.1


class _Reading(threading.local):
    limit: "Limit | None" = None
    leapt_s = 0.0  # kept: where a thread's time goes back, PyAV raises in whatever it is asked for next


_reading = _Reading()


class Limit:
    """What ends the reading of one connection: `stop`, or a deadline on the machine's monotonic clock.

    Used as a context around calls into libav, in the thread that makes them.
    """

    __slots__ = ("deadline", "look_at", "stop")

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.deadline = 0.0
        self.look_at = 0.0
        self.extend(0.0)
        if isinstance(stop, Stop):
            stop.listen(_leap)
        else:
            _leap()

    def extend(self, seconds: float) -> None:
        """Allow `seconds` from now on."""
        # Real waiting on a real device: a virtual clock cannot measure it.
        self.deadline = time.monotonic() + seconds
        self.look_at = min(self.look_at, self.deadline)

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, below 0 after it."""
        return self.deadline - time.monotonic()

    @property
    def over(self) -> bool:
        """Whether reading must end now."""
        return self.stop.is_set() or self.left_s < 0

    def __enter__(self) -> Self:
        _reading.limit = self
        return self

    def __exit__(self, *_: object) -> None:
        if _reading.limit is self:  # not where the next connection has begun
            _reading.limit = None

    def leap_s(self, now: float) -> float:
        """How far the time that PyAV sees is to leap ahead: further at every look after the end."""
        if now > self.deadline or self.stop.is_set():
            return LEAP_S
        self.look_at = min(self.deadline, now + LOOK_S)
        return 0.0


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


def _monotonic() -> float:
    now, limit = time.monotonic(), _reading.limit
    if limit is not None and now >= limit.look_at:
        _reading.leapt_s += limit.leap_s(now)
    return now + _reading.leapt_s


def _leap() -> None:
    """Give PyAV the clock that leaps; it keeps it."""
    name = "time"
    if getattr(av.container.core, name, None) is time:
        setattr(av.container.core, name, SimpleNamespace(monotonic=_monotonic))
