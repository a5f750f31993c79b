"""Segments read again, packet by packet: how long one is, and one MP4 file of several. Nothing is decoded."""

import errno
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.container import InputContainer
from av.stream import Stream

from blikk_edge.core.recordings import Segment
from blikk_edge.store.private_files import keep_private

LOCAL: Final = {"protocol_whitelist": "file,crypto,data"}

JOINED_S: Final = 0.5
"""Segments no further apart go on without a gap."""


def described(path: Path, *, whole: bool) -> tuple[str, float] | None:
    """Codec of the video in a segment, and its length in seconds, 0 unless `whole`; None where nothing is in it.

    Raises OSError where that cannot be known now: a share that does not answer leaves its files as they are.
    """
    try:
        with av.open(f"file:{path}", options=LOCAL) as container:
            video = container.streams.best("video")
            if video is None or video.codec_context is None or video.time_base is None:
                return None
            codec = {"libdav1d": "av1"}.get(video.codec_context.name, video.codec_context.name)
            if not whole:
                return codec, 0.0
            ends = [packet.dts + (packet.duration or 0) for packet in container.demux(video) if packet.dts is not None]
            return (codec, float(max(ends) * video.time_base)) if ends else None
    except (av.error.InvalidDataError, av.error.EOFError):
        return None
    except OSError:
        raise
    except (av.FFmpegError, ValueError) as error:
        raise OSError(errno.EIO, str(error), str(path)) from error


def joined(folder: Path, segments: Sequence[Segment], target: Path, *, since: float, until: float) -> bool:
    """Write one MP4 file of these segments, from the last keyframe at or before `since` to `until`.

    What cannot be read is left out; where codec or size of the picture change the file ends. Says whether there is
    anything in it; else no file is made. The file is whole or not there. Raises OSError.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        keep_private(part, create=True)
        with av.open(f"file:{part}", "w", format="mp4", options={"movflags": "faststart"}) as output:
            joining = _Joining(output)
            for segment in segments:
                if not joining.add(folder, segment, since, until):
                    break
        if joining.written:
            descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            part.replace(target)
        return joining.written
    finally:
        part.unlink(missing_ok=True)


@dataclass(slots=True)
class _Output:
    """A stream of the clip.

    Attributes:
        stream: The stream.
        last: The time stamp of its last packet.
    """

    stream: Stream
    last: int = -1


class _Joining:
    """The clip as far as it has been written."""

    def __init__(self, output: Any) -> None:
        self.written = False
        self._output = output
        self._outputs: dict[str, _Output] = {}
        self._head: tuple[object, ...] | None = None
        self._before: Segment | None = None
        self._end_s = 0.0  # where the last segment ended in the clip

    def add(self, folder: Path, segment: Segment, since: float, until: float) -> bool:
        """Add one segment; says whether the next one may be added."""
        with ExitStack() as held:
            try:
                container = held.enter_context(av.open(f"file:{folder / segment.path}", options=LOCAL))
                keyframe_s = self._begins(folder, segment, since) if self._head is None else 0.0
            except (av.FFmpegError, ValueError):
                return True  # a program was killed before anything was in it, or it was removed meanwhile
            video = container.streams.best("video")
            if video is None or not self._fits(video, container):
                return self._head is None
            offset_s = self._offset_s(segment) - keyframe_s
            self._before = segment
            try:
                return self._copy(container, video, segment, offset_s, keyframe_s, until)
            except av.error.InvalidDataError:
                return True  # the end of a file that was not ended

    def _begins(self, folder: Path, segment: Segment, since: float) -> float:
        """The time in the segment of the last keyframe at or before `since`, else of its first one."""
        found = 0.0
        with av.open(f"file:{folder / segment.path}", options=LOCAL) as container:
            video = container.streams.best("video")
            for packet in container.demux(video) if video is not None else ():
                if packet.is_keyframe and packet.pts is not None and packet.dts is not None and packet.size:
                    tick = packet.time_base
                    if segment.since + float(packet.dts * tick) > since:
                        break
                    found = float(packet.dts * tick)
        return found

    def _fits(self, video: Stream, container: InputContainer) -> bool:
        """Whether this video goes on as the clip began; the first one says how it begins."""
        context: Any = video.codec_context
        head = (context.name, context.width, context.height, bytes(context.extradata or b""))
        if self._head is None:
            self._head = head
            for kind in ("video", "audio"):
                template = container.streams.best(kind)
                if template is not None and template.codec_context is not None:
                    made = self._output.add_stream_from_template(template, opaque=True)
                    if template.codec_context.name == "hevc":
                        made.codec_context.codec_tag = "hvc1"
                    self._outputs[kind] = _Output(made)
            self._output.start_encoding()
        return head == self._head

    def _offset_s(self, segment: Segment) -> float:
        """Where this segment begins in the clip."""
        if self._before is None:
            return 0.0
        gap_s = segment.since - self._before.until
        return self._end_s + (gap_s if gap_s > JOINED_S else 0.0)

    def _copy(
        self, container: InputContainer, video: Stream, segment: Segment, offset_s: float, from_s: float, until: float
    ) -> bool:
        for packet in container.demux():
            output = self._outputs.get(packet.stream.type)
            if output is None or packet.dts is None or packet.pts is None or not packet.size:
                continue
            tick = Fraction(packet.time_base or video.time_base or 1)
            at_s = float(packet.dts * tick)
            if at_s < from_s - 1e-6:
                continue
            if segment.since + at_s > until:
                if packet.stream is video:
                    return False
                continue
            own = Fraction(output.stream.time_base or tick)
            shown = max(0, round((packet.pts - packet.dts) * tick / own))
            output.last = max(output.last + 1, round((offset_s + at_s) / float(own)))
            if packet.stream is video:
                self._end_s = max(self._end_s, offset_s + at_s + float((packet.duration or 0) * tick))
                self.written = True
            packet.stream = output.stream
            packet.time_base = own
            packet.dts, packet.pts = output.last, output.last + shown
            packet.duration = round((packet.duration or 0) * tick / own)
            self._output.mux(packet)
        return True
