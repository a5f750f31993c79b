"""Frames that an edge client sends: see `inputs.ingest` for the server they come through."""

import threading
from collections.abc import Iterator
from typing import Final

import av
from av.codec import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from blikk_edge.core.clock import steady
from blikk_edge.core.push_queue import Pushed, PushQueue
from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.faults import source_error
from blikk_edge.sources.options import ADDRESS, AddressOptions
from blikk_edge.sources.pixels import Scaler
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import Rising
from blikk_edge.wire.push import MAX_SIDE_PX

LOOK_S: Final = 0.5
TRUSTED_S: Final = 30.0
"""A client's clock that is further off than this is not believed: the time of arrival counts.

Nor is one that is ahead: a frame may come late, but not before it was captured.
"""


class PushSource:
    """The frames of one camera's edge client; implements `core.stages.Source`.

    `corrupt` counts pictures that could not be decoded. They are passed over: a broken one must not end the stream.
    """

    def __init__(self, push_queue: PushQueue, terms: Terms) -> None:
        self.corrupt = 0
        self._queue = push_queue
        self._terms = terms
        self._scaler = Scaler(terms.height_px)
        self._seq = 0
        self._clock = steady(terms.clock)
        self._rising = Rising()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Yield what comes until `stop` is set; raises SourceError when nothing has come for the read limit."""
        decoder = CodecContext.create("mjpeg", "r")
        assert isinstance(decoder, VideoCodecContext)
        decoder.thread_type = "NONE"
        # the size that was checked is that of the first frame header, and a hostile picture has a second, larger one
        decoder.options = {"max_pixels": str(MAX_SIDE_PX**2)}
        heard = self._terms.clock.monotonic()
        while not stop.is_set():
            pushed = self._queue.get(LOOK_S)
            now = self._terms.clock.monotonic()
            if pushed is None:
                if now - heard > self._terms.read_timeout_s:
                    raise source_error(self._terms.shown, "no edge client sends frames; start `blikk push` there")
                continue
            heard = now
            if (picture := self._decoded(decoder, pushed)) is not None:
                yield self._frame(picture, pushed)

    def _decoded(self, decoder: VideoCodecContext, pushed: Pushed) -> VideoFrame | None:
        try:
            pictures = decoder.decode(Packet(pushed.jpeg))
        except av.FFmpegError:
            pictures = []
        self.corrupt += not pictures
        return pictures[0] if pictures else None

    def _frame(self, picture: VideoFrame, pushed: Pushed) -> Frame:
        arrived = self._clock.monotonic()
        now, timeline = self._clock.dated(arrived)
        captured = min(pushed.time, now) if abs(pushed.time - now) <= TRUSTED_S else now
        time = self._rising.at(captured, arrived, timeline)
        self._seq += 1
        return self._scaler.frame(
            picture, camera=self._terms.camera, seq=self._seq, time=time, timeline=timeline, found=pushed.found
        )


def _make(_options: AddressOptions, terms: Terms) -> PushSource:
    if terms.push_queue is None:
        raise source_error(terms.shown, "nothing takes in the frames of edge clients here")
    return PushSource(terms.push_queue, terms)


KIND: Kind[Terms, Source] = Kind(name="push", meaning="Frames that an edge client brings.", options=ADDRESS, make=_make)
