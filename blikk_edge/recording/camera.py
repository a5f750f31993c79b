"""One camera's packets become segments: all of them, or those around events; in the thread that writes."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

from blikk_edge.core.recordings import Segment
from blikk_edge.recording.feed import Begun, Entry, TimedPacket
from blikk_edge.recording.names import segment_path
from blikk_edge.recording.options import RecordMode, RecordOptions
from blikk_edge.recording.parameter_sets import parameter_sets
from blikk_edge.recording.segment import SegmentWriter
from blikk_edge.sources.tap import MediaTrack, init_of_keyframe

LOG = logging.getLogger("blikk.record")

SEGMENT_S: Final = 2.0
"""A segment ends with the first keyframe after so long."""

NEARLY_S: Final = 0.1
"""A keyframe that comes early by so much ends it too."""

REPORT_LAG_S: Final = 12.0
"""So long after it began an event may be reported: a keyframe interval with `eco`, and the time to look at it."""

RING_BYTES: Final = 48_000_000
"""What waits in memory for an event, of each camera at most: 24 s of 16 Mbit/s."""

SAME_S: Final = 0.001
NAMES_TRIED: Final = 100

Kept: TypeAlias = Callable[[Segment], None]
Tracks: TypeAlias = dict[bool, MediaTrack]
"""By whether it is the video."""


@dataclass(slots=True)
class _Group:
    """Packets from a keyframe to the next; those that were written are not held."""

    tracks: Tracks
    since: float
    stream_s: float
    packets: list[TimedPacket] = field(default_factory=list)
    size_bytes: int = 0
    written: bool = False


@dataclass(frozen=True, slots=True)
class _Span:
    """What is kept because of one event."""

    since: float
    until: float | None


class CameraRecorder:
    """Takes one camera's entries in their order. `kept` is given each segment that has been written.

    What comes before the first keyframe of a connection is passed over. With `events` the newest groups of pictures
    wait in memory, as many as an event may need, at most `ring_bytes`; whole groups are written. Raises one
    of `FAULTS` where it cannot be written. While `paused` nothing is written, and what is not kept for that is counted
    in `lost`. `made` are the files of this process, as long as somebody wants to know them.
    """

    def __init__(
        self, camera: str, options: RecordOptions, folder: Path, kept: Kept, *, ring_bytes: int = RING_BYTES
    ) -> None:
        self.camera = camera
        self.paused = False
        self.lost = 0
        self.made: set[str] | None = set()
        self._options = options
        self._folder = folder
        self._kept = kept
        self._ring_bytes = ring_bytes
        self._tracks: Tracks = {}
        self._sets = b""
        self._group: _Group | None = None
        self._waiting: deque[_Group] = deque()
        self._waiting_bytes = 0
        self._short = False
        self._spans: dict[str, _Span] = {}
        self._always = options.mode is RecordMode.CONTINUOUS
        self._writer: SegmentWriter | None = None

    @property
    def writing(self) -> bool:
        """Whether a segment is open."""
        return self._writer is not None

    def event(self, name: str, started: float, ended: float | None) -> None:
        """An event began, goes on, or has ended; raises one of `FAULTS`."""
        if self._always:
            return
        until = None if ended is None else ended + self._options.post_s
        self._spans[name] = _Span(started - self._options.pre_s, until)
        waiting = tuple(self._waiting)
        for at, group in enumerate(waiting):
            if not group.written and self._wanted(group, waiting[at + 1].since if at + 1 < len(waiting) else None):
                self._write_waiting(group)

    def take(self, entry: Entry) -> None:
        """The next entry; raises one of `FAULTS`."""
        if isinstance(entry, Begun):
            self._begin(entry)
        elif entry.video and entry.packet.keyframe and not self._goes_on(entry):
            self._keyframe(entry)
        elif self._group is not None:
            self._add(self._group, entry)

    def close(self, end_s: float | None = None) -> None:
        """End the segment that is open; `end_s` is when the stream goes on. Raises one of `FAULTS`."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close(end_s)
        except BaseException:
            writer.abandon()
            raise
        finally:
            self._keep(writer)

    def give_up(self) -> None:
        """Let go of the segment that is open, as far as it has been written; the next keyframe begins another one."""
        writer, self._writer = self._writer, None
        self._group = None
        if writer is not None:
            writer.abandon()
            self._keep(writer)

    # -- groups of pictures --------------------------------------------------------------------------------------

    def _begin(self, begun: Begun) -> None:
        self._group = None
        self._tracks = {track.video: track for track in begun.tracks}
        video = self._tracks.get(True)
        self._sets = parameter_sets(video.codec, video.parameters) if video else b""
        self.close()

    def _keyframe(self, timed: TimedPacket) -> None:
        changed = self._look_at_sets(timed)
        if not self._tracks[True].init:
            return  # the camera sends its parameter sets with a later keyframe
        before = self._group
        group = self._group = _Group(self._tracks, timed.time, timed.stream_s)
        self._spans = {
            name: span for name, span in self._spans.items() if span.until is None or span.until >= timed.time
        }
        if not self._always:
            self._waiting.append(group)
            self._trim(timed.time)
        group.written = self._wanted(group, None)
        writer = self._writer
        if writer is not None and (
            changed or not group.written or timed.stream_s - writer.start_s >= SEGMENT_S - NEARLY_S
        ):
            self.close(timed.stream_s if before is not None else None)
        self._add(group, timed)

    def _goes_on(self, timed: TimedPacket) -> bool:
        """Whether this is a further part of the keyframe before: some cameras send slices as packets."""
        return self._group is not None and timed.stream_s - self._group.stream_s < SAME_S

    def _look_at_sets(self, timed: TimedPacket) -> bool:
        """Whether the video is another one from this keyframe on: a camera may change it within a connection."""
        video = self._tracks[True]
        if video.init and not video.parameters:
            return False
        sets = parameter_sets(video.codec, timed.packet.data)
        if not sets or (sets == self._sets and video.init):
            return False
        init = init_of_keyframe(video.codec, timed.packet.data)
        if not init:
            return False
        self._sets = sets
        self._tracks = {**self._tracks, True: replace(video, init=init, parameters=sets)}
        return True

    def _add(self, group: _Group, timed: TimedPacket) -> None:
        if group.written:
            self._write(group, timed)
            return
        group.packets.append(timed)
        group.size_bytes += timed.size
        self._waiting_bytes += timed.size
        if self._waiting_bytes > self._ring_bytes:
            self._shorten()

    def _wanted(self, group: _Group, ends: float | None) -> bool:
        """Whether an event is in these pictures, which go on until `ends`."""
        return self._always or any(
            (ends is None or ends > span.since) and (span.until is None or group.since <= span.until)
            for span in self._spans.values()
        )

    def _trim(self, now: float) -> None:
        """Let go of what no event can need any more."""
        needed = now - self._options.pre_s - REPORT_LAG_S
        while len(self._waiting) > 1 and self._waiting[1].since <= needed:
            self._waiting_bytes -= self._waiting.popleft().size_bytes

    def _shorten(self) -> None:
        if not self._short:
            self._short = True
            LOG.warning(
                "%s: %d MB do not hold %.0f s of its stream: recordings begin later than `pre_s` says; "
                "set its keyframe interval to 2 s, or record a smaller stream",
                self.camera,
                self._ring_bytes // 1_000_000,
                self._options.pre_s + REPORT_LAG_S,
            )
        while self._waiting_bytes > self._ring_bytes and self._waiting:
            gone = self._waiting.popleft()
            self._waiting_bytes -= gone.size_bytes
            if gone is self._group:
                self._group = None  # the rest of it cannot be decoded any more

    # -- segments ------------------------------------------------------------------------------------------------

    def _write_waiting(self, group: _Group) -> None:
        """Write a group that waited: the newest one goes on in the open segment, an older one has its own."""
        if self.paused:
            return
        packets, group.packets, group.written = group.packets, [], True
        self._waiting_bytes -= group.size_bytes
        group.size_bytes = 0
        if group is self._group:
            for timed in packets:
                self._write(group, timed)
            return
        newer, self._writer = self._writer, None
        try:
            for timed in packets:
                self._write(group, timed)
            self.close()
        finally:
            self._writer = newer

    def _write(self, group: _Group, timed: TimedPacket) -> None:
        if self.paused:
            self.lost += 1
            return
        if self._writer is None:
            if not (timed.video and timed.packet.keyframe):
                self.lost += 1
                return
            self._writer = self._opened(group, timed)
        self._writer.write(timed)

    def _opened(self, group: _Group, timed: TimedPacket) -> SegmentWriter:
        """A segment that begins with this keyframe. The clock may have been set back: then its name may be taken."""
        for late in range(NAMES_TRIED):
            path = self._folder / segment_path(self.camera, timed.time + late / 1000)
            if self.made is not None:
                self.made.add(str(path.relative_to(self._folder)))
            try:
                return SegmentWriter(path, group.tracks[True], group.tracks.get(False), timed)
            except FileExistsError:
                continue
        raise FileExistsError(17, "a file of this name is there", str(path))

    def _keep(self, writer: SegmentWriter) -> None:
        self._kept(
            Segment(
                camera=self.camera,
                since=writer.since,
                until=writer.since + writer.length_s,
                path=str(writer.path.relative_to(self._folder)),
                size_bytes=writer.size_bytes,
                codec=writer.codec,
            )
        )
