"""From the thread that reads a stream to the one that writes: a bounded queue of packets with their times."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from blikk_edge.core.clock import Clock
from blikk_edge.sources.tap import MediaPacket, MediaTrack
from blikk_edge.sources.timeline import LiveTime, StreamTime

QUEUE_BYTES: Final = 32_000_000
"""Packets that may wait to be written, of each camera: 16 s of 16 Mbit/s."""

APART_S: Final = 1.5
"""Sound further from the picture than this had its clock set, and is laid beside the picture again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A connection was opened.

    Attributes:
        tracks: What it has that can be recorded.
    """

    tracks: tuple[MediaTrack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedPacket:
    """A packet on a clock that goes on, whatever the camera's own does.

    Attributes:
        packet: As it came.
        video: Whether it belongs to the video.
        stream_s: When it is decoded, seconds since the first connection; never goes back within a track.
        shown_s: How much later it is shown, seconds.
        time: When it happened, seconds since 1970 UTC.
    """

    packet: MediaPacket = field(repr=False)
    video: bool
    stream_s: float
    shown_s: float
    time: float

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.packet.data)


Entry: TypeAlias = Begun | TimedPacket


class Feed:
    """One camera's packets on their way to the writer; implements `sources.tap.Tap`.

    One thread puts and another one takes. Where more than `max_bytes` wait, packets are dropped until a keyframe comes
    after half of them were taken, and are counted in `dropped`: whoever reads the stream never waits.
    """

    def __init__(self, clock: Clock, *, max_bytes: int = QUEUE_BYTES) -> None:
        self.dropped = 0
        self._max_bytes = max_bytes
        self._queue: deque[Entry] = deque()
        self._put_bytes = 0
        self._taken_bytes = 0
        self._dropping = False
        self._tracks: dict[int, MediaTrack] = {}
        self._stream_time = StreamTime()
        self._live_time = LiveTime(clock)
        self._time = 0.0
        self._shift_s = 0.0  # of the stream's own clock, at the last picture
        self._audio_shift_s: float | None = None
        self._audio_s = -math.inf

    @property
    def has_video(self) -> bool:
        """Whether the newest connection has video that can be recorded."""
        return any(track.video for track in self._tracks.values())

    @property
    def waiting_bytes(self) -> int:
        """How much waits to be written."""
        return self._put_bytes - self._taken_bytes

    def begin(self, tracks: Sequence[MediaTrack]) -> None:
        """A connection was opened."""
        self._tracks = {track.index: track for track in tracks}
        rate = next((track.rate for track in tracks if track.video), None)
        self._stream_time.restart(rate)
        self._live_time.restart()
        self._audio_shift_s = None
        self._dropping = False
        self._queue.append(Begun(tracks=tuple(tracks)))

    def packet(self, packet: MediaPacket) -> None:
        """A packet came."""
        track = self._tracks.get(packet.track)
        if track is None:
            return
        timed = self._video(packet, track) if track.video else self._audio(packet, track)
        if self._dropping:
            self._dropping = not (timed.video and packet.keyframe and self.waiting_bytes < self._max_bytes // 2)
        elif self.waiting_bytes + timed.size > self._max_bytes:
            self._dropping = True
        if self._dropping:
            self.dropped += 1
            return
        self._put_bytes += timed.size
        self._queue.append(timed)

    def take(self) -> Entry | None:
        """The oldest that waits; None where nothing does."""
        if not self._queue:
            return None
        entry = self._queue.popleft()
        if isinstance(entry, TimedPacket):
            self._taken_bytes += entry.size
        return entry

    def _video(self, packet: MediaPacket, track: MediaTrack) -> TimedPacket:
        tick = float(track.tick)
        ticks = packet.pts if packet.dts is None else packet.dts
        own_s = None if ticks is None else ticks * tick
        # Without the time of arrival: a network that stutters shall not be seen in a recording.
        stream_s = self._stream_time.at(own_s)
        self._time = self._live_time.at(stream_s)
        if own_s is not None:
            self._shift_s = stream_s - own_s
        shown_s = 0.0
        if packet.pts is not None and packet.dts is not None:
            shown_s = min(max(0.0, (packet.pts - packet.dts) * tick), 2.0)
        return TimedPacket(packet=packet, video=True, stream_s=stream_s, shown_s=shown_s, time=self._time)

    def _audio(self, packet: MediaPacket, track: MediaTrack) -> TimedPacket:
        now_s, ticks = self._stream_time.last, packet.pts if packet.pts is not None else packet.dts
        if ticks is None:
            stream_s = now_s
        else:
            own_s = ticks * float(track.tick)
            if self._audio_shift_s is None:
                self._audio_shift_s = self._shift_s
            if abs(own_s + self._audio_shift_s - now_s) > APART_S:
                self._audio_shift_s = now_s - own_s
            stream_s = own_s + self._audio_shift_s
        self._audio_s = stream_s = max(stream_s, self._audio_s)
        return TimedPacket(packet=packet, video=False, stream_s=stream_s, shown_s=0.0, time=self._time)
