"""The packets of one connection's video stream: each read under a limit, what is damaged passed over."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from blikk_edge.sources.faults import STANDS_STILL, meaning, source_error
from blikk_edge.sources.keyframe_parts import KeyframeParts
from blikk_edge.sources.limits import LATE_SHARE, MAX_BARREN, Limit
from blikk_edge.sources.tap import Tapped

VideoPacket: TypeAlias = "Packet[VideoStream]"

# A packet that took longer was not there yet when it was asked for.
WAITED_S = 0.002


@dataclass(slots=True)
class Counts:
    """What became of a source's stream since start.

    Attributes:
        decoded: Pictures that came out of a decoder.
        thinned: Pictures or packets passed over, to keep to the frame rate.
        slept: Packets that were never decoded.
        corrupt: Packets that could not be decoded, and pictures that libav marks as damaged.
        connections: How often it was opened.
    """

    decoded: int = 0
    thinned: int = 0
    slept: int = 0
    corrupt: int = 0
    connections: int = 0


class Packets:
    """Iterates the video packets of an open container until it ends or the limit's `stop` is set.

    `waited` says whether the last one had to be waited for: whatever had come before it has been read. Those that
    libav cannot make out are counted as corrupt. Raises SourceError when the stream stands still for `read_timeout_s`,
    breaks, or ends though it is live (`ends` false). `remote` says that a web server sends it. `tapped` is given every
    packet first.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        *,
        shown: str,
        read_timeout_s: float,
        limit: Limit,
        ends: bool,
        counts: Counts,
        remote: bool = False,
        tapped: Tapped | None = None,
    ) -> None:
        self.waited = False
        self._parts = KeyframeParts(stream.codec_context)
        self._counts = counts
        self._container = container
        self._index = stream.index
        self._shown = shown
        self._read_timeout_s = read_timeout_s
        self._limit = limit
        self._ends = ends
        self._whole = ends and remote
        self._tapped = tapped

    def __iter__(self) -> Iterator[VideoPacket]:
        limit, stopped, allowed_s, index = self._limit, self._limit.stop.is_set, self._read_timeout_s, self._index
        demuxed, error, in_a_row, tapped = self._demuxed(), None, 0, self._tapped
        limit.extend(allowed_s)
        while not stopped():
            asked = time.monotonic()
            try:
                packet = next(demuxed, None)
            except av.FFmpegError as raised:
                error = raised
            if error is not None:
                if stopped():
                    return
                if in_a_row >= MAX_BARREN or not isinstance(error, av.error.InvalidDataError):
                    break
                in_a_row += 1
                self._counts.corrupt += 1
                demuxed, error = self._demuxed(), None
            elif packet is None:
                break
            elif packet.stream_index == index:
                in_a_row, self._whole = 0, False
                self.waited = time.monotonic() - asked > WAITED_S
                yield from self._handed(self._parts.take(packet))
                limit.extend(allowed_s)
            elif limit.left_s < 0:
                raise source_error(self._shown, STANDS_STILL)
            elif tapped is not None:
                tapped.take(packet)
        else:
            return
        yield from self._handed(self._parts.rest())
        self._end(error)

    def _handed(self, packets: Sequence[VideoPacket]) -> Iterator[VideoPacket]:
        for packet in packets:
            if self._tapped is not None:
                self._tapped.take(packet)
            yield packet

    def _demuxed(self) -> "Iterator[VideoPacket]":
        # Those of other streams come too, so that a limit holds where only these do.
        return cast("Iterator[VideoPacket]", self._container.demux())

    def _end(self, error: Exception | None) -> None:
        """Raise what it means that no more packets come."""
        if error is not None:
            late = self._limit.left_s < self._read_timeout_s * LATE_SHARE
            raise source_error(self._shown, STANDS_STILL if late else meaning(error, opened=True, whole=self._whole))
        if not self._ends:
            raise source_error(self._shown, "the stream ended; it is opened again")
