"""One segment: a fragmented MP4 file that begins with a keyframe, written without decoding anything."""

import io
import os
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
from av.container import OutputContainer
from av.stream import Stream

from blikk_edge.recording.feed import TimedPacket
from blikk_edge.sources.tap import MediaTrack
from blikk_edge.store.private_files import FILE, make_folder

TICK: Final = Fraction(1, 90_000)

FRAGMENTS: Final = {
    "movflags": "empty_moov+default_base_moof+delay_moov+skip_trailer",
    "frag_duration": "500000",
    "flush_packets": "1",
    # a microphone that falls silent must not hold the picture back
    "max_interleave_delta": "500000",
}
"""What is half a second old is with the system, and a program that is killed leaves it readable."""


FAULTS: Final = (OSError, ValueError, av.FFmpegError)
"""What may go wrong with a segment: its disk, and what a camera sends."""


class SegmentWriter:
    """Writes the file at `path`, which must not be there. Every method raises one of `FAULTS`."""

    def __init__(self, path: Path, video: MediaTrack, audio: MediaTrack | None, first: TimedPacket) -> None:
        self.path = path
        self.since = first.time
        self.codec = video.codec
        self.start_s = first.stream_s
        self._end_s = first.stream_s
        self._open = ExitStack()
        make_folder(path.parent)
        self._file = _File(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE))
        self._open.callback(self._file.close)
        try:
            self._container: OutputContainer = self._open.enter_context(
                av.open(self._file, "w", format="mp4", options=FRAGMENTS)
            )
            self._outputs = {
                track.video: _Output(add_track(self._container, track, self._open))
                for track in (video, audio)
                if track is not None and track.init
            }
        except BaseException:
            self._open.close()
            raise

    @property
    def size_bytes(self) -> int:
        """What has been written."""
        return self._file.size_bytes

    @property
    def length_s(self) -> float:
        """How much of the video has been written, seconds."""
        return self._end_s - self.start_s

    def write(self, timed: TimedPacket) -> None:
        """Add the next packet; sound from before the picture is passed over."""
        output = self._outputs.get(timed.video)
        if output is None or timed.stream_s < self.start_s:
            return
        if timed.video:
            self._end_s = max(self._end_s, timed.stream_s)
        self._container.mux(output.packet(timed, self.start_s))

    def close(self, end_s: float | None = None) -> None:
        """Write the rest, and have it on the disk. `end_s` is when the next segment goes on, on the stream's clock."""
        if end_s is not None:
            self._end_s = max(self._end_s, end_s)
        with self._open:
            self._container.close()
            self._file.sync()

    def abandon(self) -> None:
        """Let go of the file as it is: what was written so far stays readable."""
        self._file.broken = True
        with suppress(*FAULTS):
            self._open.close()


def add_track(container: OutputContainer, track: MediaTrack, held: ExitStack) -> Stream:
    """A stream of the container for this track; `held` is closed after it."""
    template = held.enter_context(av.open(io.BytesIO(track.init)))
    made: Any = container.add_stream_from_template(template.streams[0], opaque=True)
    if track.video:
        made.time_base = TICK
        if track.parameters:  # libav then turns start codes into lengths
            made.codec_context.extradata = track.parameters
        if track.codec == "hevc":
            made.codec_context.codec_tag = "hvc1"  # players of Apple take no other
    return cast("Stream", made)


class _Output:
    """A stream of the file, and how far it is."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._tick = Fraction(stream.time_base or TICK)
        self._last = -1

    def packet(self, timed: TimedPacket, start_s: float) -> "av.Packet[Any]":
        raw = timed.packet
        made: av.Packet[Any] = av.Packet(raw.data)
        self._last = max(self._last + 1, round((timed.stream_s - start_s) / self._tick))
        made.stream = self._stream
        made.time_base = self._tick
        made.dts = self._last
        made.pts = self._last + round(timed.shown_s / self._tick)
        made.is_keyframe = raw.keyframe
        return made


class _File:
    """A file that libav writes from its beginning to its end."""

    def __init__(self, descriptor: int) -> None:
        self.size_bytes = 0
        self.broken = False
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left and not self.broken:
            done = os.write(self._descriptor, left)
            self.size_bytes += done
            left = left[done:]
        return len(data)

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
