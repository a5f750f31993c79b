"""The PyAV loop all sources share: open, demux, decode, thin to a few frames a second, stamp with honest times."""

import threading
from collections.abc import Iterator, Sequence
from functools import partial

import av.logging
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blikk_edge.core.scene import Frame
from blikk_edge.sources.decoder import Decoder
from blikk_edge.sources.faults import source_error
from blikk_edge.sources.limits import Barren, Limit
from blikk_edge.sources.naps import Naps
from blikk_edge.sources.opening import Door, Terms, Way
from blikk_edge.sources.packets import Counts, Packets
from blikk_edge.sources.pixels import Scaler
from blikk_edge.sources.timeline import Grid, StreamTime, Timekeeper

__all__ = ["Capture", "Terms", "Way"]

# libav writes addresses with their passwords into its log.
av.logging.set_level(None)


class Capture:
    """One camera's frames through PyAV; see core.stages.Source for the contract.

    `ways` are tried in order until one opens; after one that opened but brought nothing the next one comes first.
    `ends` says that an end is no error (a file), `loop` that it starts again then. `trusted` says that the stream's
    timestamps mean something; where they do not, the time of arrival counts. `counts` are kept over all connections.
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
        self.counts = Counts()
        self._door = Door(ways, terms)
        self._terms = terms
        self._timekeeper = timekeeper
        self._ends = ends
        self._loop = loop
        self._trusted = trusted
        self._seq = 0
        self._stream_time = StreamTime()
        self._grid = Grid(terms.fps)
        self._naps = Naps()
        self._scaler = Scaler(terms.height_px)

    def __repr__(self) -> str:
        return f"Capture({self._terms.camera}: {self._terms.shown})"

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Connect and yield frames until the stream ends or `stop` is set (noticed within a second).

        Raises SourceError when the stream cannot be opened, stands still, breaks, or a live one ends. A Frame holds a
        picture buffer of the decoder: let go of it soon.
        """
        while not stop.is_set():
            before = self.counts.decoded
            yield from self._connection(Limit(stop))
            if self.counts.decoded == before and not stop.is_set():
                raise source_error(
                    self._terms.shown, "it ended before a picture could be decoded; the file may be damaged"
                )
            if not self._loop:
                return

    def _connection(self, limit: Limit) -> Iterator[Frame]:
        opened = self._door.open(limit)
        if opened is None:
            return
        way, container = opened
        self.counts.connections += 1
        before = self.counts.decoded
        try:
            stream = self._video(container)
            packets = Packets(
                container,
                stream.index,
                shown=self._terms.shown,
                read_timeout_s=self._terms.read_timeout_s,
                limit=limit,
                ends=self._ends,
                counts=self.counts,
            )
            self._stream_time.restart(float(stream.average_rate) if stream.average_rate else None)
            self._timekeeper.restart()
            self._naps.restart()
            for frame, stream_s in self._frames(packets, Decoder(stream, self.counts), limit):
                yield frame
                if way.waits and packets.waited:
                    self._naps.take(self._grid.wait_s(stream_s))
        finally:
            container.close()
            if self.counts.decoded == before and not limit.stop.is_set():
                self._door.barren(way)

    def _video(self, container: InputContainer) -> VideoStream:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise source_error(self._terms.shown, "there is no video in it; choose a stream with video")
        if stream.codec_context is None:
            raise source_error(self._terms.shown, "no decoder for its video; set the camera to H.264")
        return stream

    def _frames(self, packets: Packets, decoder: Decoder, limit: Limit) -> Iterator[tuple[Frame, float]]:
        """Frames that are due, each with its stream time."""
        barren = Barren(self._terms.read_timeout_s)
        stream_s = 0.0
        for packet in packets:
            size = packet.size
            self._naps.read(size)
            if decoder.intra and size:
                stream_s = self._stream_s(decoder.time_s(packet))
                if not self._grid.due(stream_s):
                    self.counts.thinned += 1
                    continue
            pictures = decoder.decode(packet, shown=decoder.intra or self._may_be_due(decoder.time_s(packet)))
            if barren.over(pictures=len(pictures)):
                raise source_error(
                    self._terms.shown, "no picture can be decoded; set the camera to H.264, keyframe every 2 s"
                )
            for picture in pictures:
                if not decoder.intra:
                    stream_s = self._stream_s(decoder.time_s(picture))
                    if not self._grid.due(stream_s):
                        self.counts.thinned += 1
                        continue
                time = self._timekeeper.at(stream_s)
                if limit.stop.wait(self._timekeeper.hold_s) if self._timekeeper.hold_s else limit.stop.is_set():
                    return
                yield self._frame(picture, time), stream_s

    def _may_be_due(self, pts_s: float | None) -> bool:
        """Whether the grid could take the picture that is shown at this time of the stream's own clock."""
        expected = self._stream_time.expected(pts_s) if self._trusted else None
        return expected is None or self._grid.wait_s(expected) <= 0.0

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
