"""Time of frames, pure: a stream's timestamps made steady, thinned to a grid, and turned into capture times."""

import math
from typing import Protocol

from blikk_edge.core.clock import Clock, steady
from blikk_edge.sources.pace import Pace

# Further apart than this, two timestamps say that the stream's clock was set, not that time passed.
MAX_GAP_S = 10.0
# Pictures a second of the slowest file: one in ten minutes, as where a day is told in a few.
SLOWEST = 1 / 600
# Frames out of order by less than this are out of order; by more, the stream's clock was set back or wrapped.
MAX_BACK_S = 1.0
# Timestamps no further apart are the same one.
SAME_S = 1e-6
# So many frames in a row without progress mean that the stream's clock stands still.
MAX_REPEATS = 3
# Fastest drift of a camera's clock that is followed, in seconds per second; quartz stays below 0.0002.
DRIFT = 0.001
# A live frame that seems older than this is taken to be new: the stream's clock was set.
MAX_LAG_S = 10.0
# A paced stream later than this is played on from now.
MAX_LATE_S = 1.0
# Capture times of two frames differ by at least this.
MIN_STEP_S = 0.001
# Ahead of where they should be by more than this, capture times lose their lead while they go on.
MAX_LEAD_S = 1.0
# How fast they go on then, in seconds per second of the stream: an hour is lost in ten.
SLEW = 0.9


class StreamTime:
    """Timestamps of a stream as seconds from 0 that never go back, whatever the camera sends.

    Missing and stuck timestamps, wraps, jumps and new connections are bridged by the time between arrivals where
    those are given, else by the nominal frame interval; so is what goes on at another pace than time itself. `last` is
    the latest time given.
    """

    __slots__ = ("_arrived", "_first", "_fresh", "_max_gap_s", "_nominal_s", "_pace", "_repeats", "_shift", "last")

    def __init__(self) -> None:
        self._nominal_s = 0.04
        self._max_gap_s = MAX_GAP_S
        self.last = 0.0
        self._shift = 0.0
        self._arrived: float | None = None
        self._pace = Pace()
        self._repeats = 0
        self._first = True
        self._fresh = True

    def restart(self, rate: float | None) -> None:
        """A new connection: its timestamps start anywhere. `rate` is its nominal frame rate, if it has one."""
        self._nominal_s = 1 / rate if rate is not None and 1 <= rate <= 120 else 0.04
        self._max_gap_s = max(MAX_GAP_S, 2 / rate) if rate is not None and rate >= SLOWEST else MAX_GAP_S
        self._fresh = True
        self._pace.restart()

    def expected(self, pts_s: float | None) -> float | None:
        """Stream time that a frame with this timestamp will have where nothing unusual happens, else None."""
        if pts_s is None or self._fresh or not self._pace.even:
            return None
        time = pts_s + self._shift
        return time if abs(time - self.last) <= MAX_BACK_S else None

    def at(self, pts_s: float | None, arrived: float | None = None) -> float:
        """Stream time of a frame; `arrived` is a monotonic time in seconds, given for live streams."""
        before, arrived_before, self._arrived = self.last, self._arrived, arrived
        if arrived is None or arrived_before is None:
            return self._at(pts_s, self._nominal_s, self._max_gap_s)
        passed_s = arrived - arrived_before
        self._at(pts_s, passed_s, MAX_GAP_S)
        if self._pace.even and pts_s is not None:
            self._pace.step(self.last - before, passed_s)
            if not self._pace.even:
                self.last += max(0.0, self._pace.behind_s)
        return self.last

    def _at(self, pts_s: float | None, step: float, max_gap_s: float) -> float:
        if self._first:
            self._first, self._fresh = False, pts_s is None
            self._shift = -pts_s if pts_s is not None else 0.0
            return 0.0
        if pts_s is None or not self._pace.even:
            self.last += step
            return self.last
        time = pts_s + self._shift
        ahead = time - self.last
        self._repeats = self._repeats + 1 if ahead <= SAME_S else 0
        if self._fresh or ahead > max_gap_s or ahead < -MAX_BACK_S or self._repeats > MAX_REPEATS:
            self._fresh = False
            time = self.last + step
            self._shift = time - pts_s
        self.last = max(self.last, time)
        return self.last


class Grid:
    """Thins a stream to about `fps` frames a second, evenly spaced in stream time.

    Slots lie a period apart; a frame may come a quarter of a period early, which absorbs jitter and rates that do not
    divide (12.5 fps gives 5). A slower stream passes whole.
    """

    __slots__ = ("_early_s", "_next", "_period_s")

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        # The billionth keeps sums of rounded timestamps from falling on either side by chance.
        self._early_s = self._period_s / 4 + 1e-9
        self._next = 0.0

    def wait_s(self, time: float) -> float:
        """How far after this stream time the next frame that can be due lies; 0 where it may be any."""
        return max(0.0, self._next - self._early_s - time)

    def due(self, time: float) -> bool:
        """Whether the frame at this stream time is the one for the next slot; it is then taken."""
        if time < self._next - self._early_s:
            return False
        slot = math.floor((time + self._early_s) / self._period_s)
        self._next = max(self._next, slot * self._period_s) + self._period_s
        return True


class Timekeeper(Protocol):
    """Turns stream time into capture time, seconds since 1970-01-01 UTC, always rising within a timeline."""

    hold_s: float
    """How long the frame last asked about is to be held back."""

    timeline: int
    """The timeline of the frame last asked about: another one means that the wall clock was set."""

    def restart(self) -> None:
        """A new connection begins."""
        ...

    def arrival(self) -> float | None:
        """The time to bridge gaps with: now, or None where the file's own time is all there is."""
        ...

    def at(self, stream_s: float) -> float:
        """Capture time of the frame at this stream time, which has just been decoded."""
        ...


class Rising:
    """Capture times that never go back within a timeline, and hardly ever stand still.

    A small lead, as after a first frame that was late, is waited out; a larger one is lost slowly, since whoever
    counts in these times (motion, visits) would otherwise be stuck until the others have caught up.
    """

    __slots__ = ("_last", "_slewing", "_stream_s", "_timeline")

    def __init__(self) -> None:
        self._last = -math.inf
        self._stream_s = 0.0
        self._slewing = False
        self._timeline = 0

    def at(self, time: float, stream_s: float, timeline: int) -> float:
        """The capture time of a frame at `stream_s`: `time`, or the earliest one possible on its timeline."""
        if timeline != self._timeline:
            self._timeline, self._last = timeline, -math.inf
        passed, self._stream_s = stream_s - self._stream_s, stream_s
        self._slewing = self._last - time > (0.0 if self._slewing else MAX_LEAD_S)
        step = max(MIN_STEP_S, SLEW * passed) if self._slewing else MIN_STEP_S
        self._last = max(time, self._last + step)
        return self._last


class LiveTime:
    """The steady clock anchored to stream time, for cameras: neither jitter of the network nor a clock being set shows.

    A frame can be late but never early, so the anchor follows the fastest frames at once and leaks towards later
    ones by `DRIFT`; it is set anew when it is off by more than `MAX_LAG_S`, as when the stream's clock was set.
    """

    hold_s = 0.0

    def __init__(self, clock: Clock) -> None:
        self.timeline = 0
        self._clock = steady(clock)
        self._offset: float | None = None  # of monotonic time from stream time
        self._looked = 0.0
        self._rising = Rising()

    def restart(self) -> None:
        """Anchor anew at the next frame."""
        self._offset = None

    def arrival(self) -> float:
        """Now, monotonic."""
        return self._clock.monotonic()

    def at(self, stream_s: float) -> float:
        """Capture time of the frame that has just arrived."""
        looked = self._clock.monotonic()
        newest = looked - stream_s
        if self._offset is None:
            self._offset = newest
        else:
            self._offset = min(self._offset + DRIFT * (looked - self._looked), newest)
        self._looked = looked
        if newest - self._offset > MAX_LAG_S:
            self._offset = newest
        time, self.timeline = self._clock.dated(self._offset + stream_s)
        return self._rising.at(time, stream_s, self.timeline)


class PacedTime:
    """Plays what can be read faster than it happened (a file, HLS) as if it happened now."""

    def __init__(self, clock: Clock) -> None:
        self.hold_s = 0.0
        self.timeline = 0
        self._clock = steady(clock)
        self._offset: float | None = None
        self._rising = Rising()

    def restart(self) -> None:
        """Nothing to do: what was late is played on from now."""

    def arrival(self) -> None:
        """Frames are read ahead of their time: when they were read says nothing."""

    def at(self, stream_s: float) -> float:
        """When this frame is to be seen, `hold_s` from now."""
        moment = self._clock.monotonic()
        if self._offset is None or moment - (self._offset + stream_s) > MAX_LATE_S:
            self._offset = moment - stream_s
        self.hold_s = max(0.0, self._offset + stream_s - moment)
        time, self.timeline = self._clock.dated(self._offset + stream_s)
        return self._rising.at(time, stream_s, self.timeline)


class ReplayTime:
    """The file's own time from a given start: the same file gives the same times, always."""

    hold_s = 0.0
    timeline = 0

    def __init__(self, start_time: float) -> None:
        self._start_time = start_time
        self._last = -math.inf

    def restart(self) -> None:
        """Times go on."""

    def arrival(self) -> None:
        """There is no now in a replay."""

    def at(self, stream_s: float) -> float:
        """Start plus stream time."""
        self._last = max(self._start_time + stream_s, self._last + MIN_STEP_S)
        return self._last
