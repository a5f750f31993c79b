"""The PyAV loop all sources share: open, demux, decode, thin to a few frames a second, stamp with honest times."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import av
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blikk_edge.core.clock import Clock
from blikk_edge.core.scene import Frame
from blikk_edge.sources.faults import STANDS_STILL, TOO_LATE, is_final, meaning, source_error
from blikk_edge.sources.limits import MAX_BARREN, Barren, Limit
from blikk_edge.sources.pixels import Scaler
from blikk_edge.sources.timeline import Grid, StreamTime, Timekeeper

# libav writes addresses with their passwords into its log.
av.logging.set_level(None)

# An attempt that failed with less than this share of its time left ran out of time.
LATE_SHARE = 0.05
# Each packet of these codecs is a whole picture, so thinned ones need not even be decoded.
INTRA_CODECS = frozenset({"mjpeg", "rawvideo"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to open a source: the raw address, libav's name of the format (None: found out) and its options."""

    url: str = field(repr=False)
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every source is told: whose frames, how many, how large, how long to wait.

    `shown` is the address without secrets, for messages; `height_px` bounds the short side of the colour picture.
    """

    camera: str
    shown: str
    clock: Clock
    fps: float = 5.0
    height_px: int = 480
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 10.0


class Capture:
    """One camera's frames through PyAV; see core.stages.Source for the contract.

    `ways` are tried in order until one opens; after one that opened but brought nothing the next one comes first.
    `ends` says that an end is no error (a file), `loop` that it starts again then. `trusted` says that the stream's
    timestamps mean something; where they do not, the time of arrival counts.

    Counters since start: `decoded` pictures, `thinned` pictures or packets passed over, `corrupt` packets that could
    not be decoded and pictures that libav marks as damaged, `connections`.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        terms: Terms,
        *,
        timekeeper: Timekeeper,
        ends: bool = False,
        loop: bool = False,
        trusted: bool = True,
    ) -> None:
        self.decoded = 0
        self.thinned = 0
        self.corrupt = 0
        self.connections = 0
        self._ways = tuple(ways)
        self._first_way = 0
        self._terms = terms
        self._timekeeper = timekeeper
        self._ends = ends
        self._loop = loop
        self._trusted = trusted
        self._seq = 0
        self._stream_time = StreamTime()
        self._grid = Grid(terms.fps)
        self._scaler = Scaler(terms.height_px)

    def __repr__(self) -> str:
        return f"Capture({self._terms.camera}: {self._terms.shown})"

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Connect and yield frames until the stream ends or `stop` is set (noticed within a second).

        Raises SourceError when the stream cannot be opened, stands still, breaks, or a live one ends. A Frame holds a
        picture buffer of the decoder: let go of it soon.
        """
        while not stop.is_set():
            before = self.decoded
            yield from self._connection(Limit(stop))
            if self.decoded == before and not stop.is_set():
                raise source_error(
                    self._terms.shown, "it ended before a picture could be decoded; the file may be damaged"
                )
            if not self._loop:
                return

    def _connection(self, limit: Limit) -> Iterator[Frame]:
        number, container = self._open(limit)
        if container is None:
            return
        self.connections += 1
        before = self.decoded
        try:
            stream = self._video(container)
            self._stream_time.restart(float(stream.average_rate) if stream.average_rate else None)
            self._timekeeper.restart()
            yield from self._frames(container, stream, limit)
        finally:
            container.close()
            if self.decoded == before and not limit.stop.is_set():
                # It opened, but nothing came, as where interleaved media is promised and never sent.
                self._first_way = (number + 1) % len(self._ways)

    def _open(self, limit: Limit) -> tuple[int, InputContainer | None]:
        """The first way that opens, and its number; no container when told to stop."""
        said = ""
        for turn in range(len(self._ways)):
            number = (self._first_way + turn) % len(self._ways)
            limit.extend(self._terms.connect_timeout_s)
            try:
                with limit:
                    return number, self._container(self._ways[number])
            except (av.FFmpegError, ValueError) as error:
                # libav calls an RTSP answer that never came invalid data.
                late = limit.left_s < self._terms.connect_timeout_s * LATE_SHARE
                said = TOO_LATE if late else meaning(error)
                if limit.stop.is_set() or is_final(error):
                    break
        if limit.stop.is_set():
            return 0, None
        raise source_error(self._terms.shown, said)

    def _container(self, way: Way) -> InputContainer:
        return av.open(
            way.url,
            format=way.format,
            options=dict(way.options),
            timeout=(self._terms.connect_timeout_s, self._terms.read_timeout_s),
            metadata_errors="replace",
        )

    def _video(self, container: InputContainer) -> VideoStream:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise source_error(self._terms.shown, "there is no video in it; choose a stream with video")
        if stream.codec_context is None:
            raise source_error(self._terms.shown, "no decoder for its video; set the camera to H.264")
        # More threads decode no frame cheaper, and each adds picture buffers of its own.
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        return stream

    def _frames(self, container: InputContainer, stream: VideoStream, limit: Limit) -> Iterator[Frame]:
        intra = stream.codec_context.name in INTRA_CODECS
        tick_s = float(stream.time_base or 0)
        barren = Barren(self._terms.read_timeout_s)
        for packet in self._packets(container, stream.index, limit):
            stream_s = 0.0
            if intra and packet.size:
                stream_s = self._stream_s(None if packet.pts is None else packet.pts * tick_s)
                if not self._grid.due(stream_s):
                    self.thinned += 1
                    continue
            pictures = self._decoded(packet)
            if barren.over(pictures=len(pictures)):
                raise source_error(
                    self._terms.shown, "no picture can be decoded; set the camera to H.264, keyframe every 2 s"
                )
            for picture in pictures:
                if not intra:
                    stream_s = self._stream_s(picture.time)
                    if not self._grid.due(stream_s):
                        self.thinned += 1
                        continue
                time = self._timekeeper.at(stream_s)
                if limit.stop.wait(self._timekeeper.hold_s) if self._timekeeper.hold_s else limit.stop.is_set():
                    return
                yield self._frame(picture, time)

    def _packets(self, container: InputContainer, index: int, limit: Limit) -> Iterator["Packet[VideoStream]"]:
        """Packets of the video stream up to the end; what is damaged is passed over."""
        damaged = 0
        packets = container.demux()
        limit.extend(self._terms.read_timeout_s)
        while True:
            packet, error = _next(packets, limit)
            if limit.stop.is_set():
                return
            if isinstance(error, av.error.InvalidDataError) and damaged < MAX_BARREN:
                damaged += 1
                self.corrupt += 1
                packets = container.demux()
            elif error is not None:
                late = limit.left_s < self._terms.read_timeout_s * LATE_SHARE
                raise source_error(self._terms.shown, STANDS_STILL if late else meaning(error, opened=True))
            elif packet is None:
                break
            elif packet.stream_index == index:
                damaged = 0
                yield cast("Packet[VideoStream]", packet)
                limit.extend(self._terms.read_timeout_s)
            elif limit.over:
                raise source_error(self._terms.shown, STANDS_STILL)
        if not self._ends:
            raise source_error(self._terms.shown, "the stream ended; it is opened again")

    def _decoded(self, packet: "Packet[VideoStream]") -> Sequence[VideoFrame]:
        try:
            pictures = packet.decode()
        except av.FFmpegError:
            self.corrupt += 1
            return ()
        for picture in pictures:
            self.decoded += 1
            self.corrupt += picture.is_corrupt
        return pictures

    def _stream_s(self, pts_s: float | None) -> float:
        return self._stream_time.at(pts_s if self._trusted else None, self._timekeeper.arrival())

    def _frame(self, picture: VideoFrame, time: float) -> Frame:
        self._seq += 1
        return Frame(
            camera=self._terms.camera,
            seq=self._seq,
            time=time,
            luma=self._scaler.luma(picture),
            convert=partial(self._scaler.bgr, picture),
        )


def _next(packets: Iterator["Packet[Stream]"], limit: Limit) -> tuple["Packet[Stream] | None", Exception | None]:
    """The next packet or what kept it from coming; neither at the end."""
    try:
        with limit:
            return next(packets, None), None
    except av.FFmpegError as error:
        return None, error
