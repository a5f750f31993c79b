"""Frames of the encoded pictures that a peer sends, decoded where they are looked at: the newest of each batch."""

from collections.abc import Iterator, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import Final, cast

import av
from av.codec import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from blikk_edge.core.encoded_queue import EncodedPicture, EncodedQueue
from blikk_edge.core.scene import Frame
from blikk_edge.sources.packets import Counts
from blikk_edge.sources.pixels import Scaler
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import Grid, LiveTime, StreamTime

CODECS: Final = MappingProxyType({"h264": "h264", "vp8": "vp8"})
"""libav's decoder of each codec."""

SIDE_MOST_PX: Final = 4096


class PeerPictures:
    """Makes one camera's frames of what waits in its queue, over all connections.

    Every picture is decoded, as each is built upon the one before. Of those that are due in one batch only the newest
    becomes a frame: where the pipeline was slow it goes on with what is now.
    """

    def __init__(self, queue: EncodedQueue, terms: Terms) -> None:
        self.counts = Counts()
        self._queue = queue
        self._terms = terms
        self._scaler = Scaler(terms.height_px, rotate=terms.rotate)
        self._grid = Grid(terms.fps)
        self._stream_time = StreamTime()
        self._timekeeper = LiveTime(terms.clock)
        self._decoder: VideoCodecContext | None = None
        self._codec = ""
        self._seq = 0

    def restart(self) -> None:
        """Another connection begins."""
        self.counts.connections += 1
        self._decoder = None
        self._stream_time.restart(None)
        self._timekeeper.restart()

    def frame(self, waiting: Sequence[EncodedPicture]) -> Frame | None:
        """The newest frame that is due; None where none is."""
        newest: tuple[VideoFrame, float] | None = None
        began = perf_counter()
        for encoded in waiting:
            for picture in self._decoded(encoded):
                stream_s = self._stream_time.at(encoded.time_s, encoded.arrived_s)
                if not self._grid.due(stream_s):
                    self.counts.thinned += 1
                    continue
                self.counts.thinned += newest is not None
                newest = picture, stream_s
        if newest is None:
            return None
        picture, stream_s = newest
        time = self._timekeeper.at(stream_s)
        self._seq += 1
        if self._terms.decoded is not None:
            self._terms.decoded(perf_counter() - began)
        return self._scaler.frame(
            picture, camera=self._terms.camera, seq=self._seq, time=time, timeline=self._timekeeper.timeline
        )

    def _decoded(self, encoded: EncodedPicture) -> Iterator[VideoFrame]:
        if self._decoder is None or encoded.codec != self._codec:
            if encoded.codec not in CODECS:
                return
            self._codec, self._decoder = encoded.codec, _decoder(CODECS[encoded.codec])
        try:
            pictures = self._decoder.decode(Packet(encoded.content))
        except av.FFmpegError:
            self.counts.corrupt += 1
            self._queue.broken()
            return
        for picture in pictures:
            self.counts.decoded += 1
            if picture.is_corrupt:
                self.counts.corrupt += 1
                self._queue.broken()
            else:
                yield picture


def _decoder(name: str) -> VideoCodecContext:
    made = cast("VideoCodecContext", CodecContext.create(name, "r"))
    # more threads decode no picture cheaper, and hold each back
    made.thread_type, made.thread_count = "NONE", 1
    made.options = {"flags": "low_delay", "max_pixels": str(SIDE_MOST_PX**2)}
    return made
