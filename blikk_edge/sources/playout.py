"""Playing what arrives live but in lumps, as fragments of MP4 or clusters of Matroska do."""

from collections import deque
from typing import Final

from blikk_edge.core.clock import Clock, steady
from blikk_edge.sources.timeline import Rising

# Longer than several fragments, so that the one that came latest is known.
WINDOW_S: Final = 15.0
# What lies waiting for longer than this, always, is delay for nothing.
SPARE_S: Final = 0.05
# Played so much faster while there is such delay, as a share of the stream's time.
FASTER: Final = 0.25


class LumpTime:
    """Times of a live stream whose frames arrive many at once: they are played at their own distances.

    The latest lump sets how far behind its arrival the stream is played; what it is behind for nothing (a start from
    stored video, a clock that runs fast) is lost again little by little. A frame's time is that of its playing: how
    long it was on its way is not known. Implements `Timekeeper`.
    """

    def __init__(self, clock: Clock) -> None:
        self.hold_s = 0.0
        self.timeline = 0
        self._clock = steady(clock)
        self._offset: float | None = None
        self._stream_s = 0.0
        self._since = 0.0
        self._waits: deque[tuple[float, float]] = deque()
        self._rising = Rising()

    def restart(self) -> None:
        """A new connection begins."""
        self._offset = None

    def arrival(self) -> None:
        """When a frame of a lump was read says nothing."""

    def at(self, stream_s: float) -> float:
        """When this frame is to be seen, `hold_s` from now."""
        now = self._clock.monotonic()
        step, self._stream_s = stream_s - self._stream_s, stream_s
        if self._offset is None:
            self._since = stream_s
            self._waits.clear()
            self._offset = now - stream_s
        self._offset = max(self._offset, now - stream_s)
        self._waits.append((stream_s, self._offset + stream_s - now))
        while self._waits[0][0] < stream_s - WINDOW_S:
            self._waits.popleft()
        spare_s = min(wait_s for _, wait_s in self._waits)
        if stream_s - self._since > WINDOW_S and spare_s > SPARE_S:
            self._offset -= min(FASTER * step, spare_s)
        self.hold_s = max(0.0, self._offset + stream_s - now)
        time, self.timeline = self._clock.dated(self._offset + stream_s)
        return self._rising.at(time, stream_s, self.timeline)
