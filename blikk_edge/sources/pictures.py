"""Frames out of single encoded pictures (JPEG, PNG, WebP), stamped with the time of their arrival."""

from types import MappingProxyType
from typing import Final

import av
from av.codec import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from blikk_edge.core.scene import Frame
from blikk_edge.sources.packets import Counts
from blikk_edge.sources.pixels import Scaler, pixel_aspect
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import Grid, LiveTime, StreamTime

# The most pixels that are decoded: 8K has 33 million. A header that promises more is hostile.
MOST_PIXELS: Final = 50_000_000
# libav's decoder for what begins so.
_DECODERS = MappingProxyType({b"\xff\xd8": "mjpeg", b"\x89PNG": "png", b"RIFF": "webp", b"BM": "bmp"})


def decoder_of(head: bytes) -> str | None:
    """The decoder of libav for a picture that begins with these bytes (12 are enough); None for what is none."""
    name = next((name for magic, name in _DECODERS.items() if head.startswith(magic)), None)
    return None if name == "webp" and head[8:12] != b"WEBP" else name


class PictureFrames:
    """Makes frames of a camera's pictures as they come, thinned to its frame rate; numbers and times go on for ever."""

    def __init__(self, terms: Terms, counts: Counts) -> None:
        self._terms = terms
        self._counts = counts
        self._seq = 0
        self._stream_time = StreamTime()
        self._timekeeper = LiveTime(terms.clock)
        self._grid = Grid(terms.fps)
        self._scaler = Scaler(terms.height_px, rotate=terms.rotate)
        self._decoders: dict[str, VideoCodecContext] = {}

    @property
    def wait_s(self) -> float:
        """How long no picture can be due."""
        return self._grid.wait_s(self._stream_time.last)

    def restart(self) -> None:
        """A new connection begins."""
        self._stream_time.restart(None)
        self._timekeeper.restart()

    def due(self) -> bool:
        """Whether the picture that has just arrived is one for the frame rate; it is then to be given to `frame`."""
        stream_s = self._stream_time.at(None, self._timekeeper.arrival())
        due = self._grid.due(stream_s)
        self._counts.thinned += not due
        return due

    def frame(self, encoded: bytes) -> Frame | None:
        """The frame of a picture that has just arrived; None where it cannot be decoded, which is counted."""
        name = decoder_of(encoded[:12])
        decoder = self._decoder(name) if name else None
        picture = _decoded(decoder, encoded) if decoder else None
        if decoder is None or picture is None:
            self._counts.corrupt += 1
            return None
        self._counts.decoded += 1
        self._counts.corrupt += picture.is_corrupt
        self._seq += 1
        time = self._timekeeper.at(self._stream_time.last)
        return self._scaler.frame(
            picture,
            camera=self._terms.camera,
            seq=self._seq,
            time=time,
            timeline=self._timekeeper.timeline,
            aspect=pixel_aspect(decoder.sample_aspect_ratio),
        )

    def _decoder(self, name: str) -> VideoCodecContext:
        if name not in self._decoders:
            decoder = CodecContext.create(name, "r")
            assert isinstance(decoder, VideoCodecContext)
            decoder.thread_type = "NONE"
            decoder.options = {"max_pixels": str(MOST_PIXELS)}
            self._decoders[name] = decoder
        return self._decoders[name]


def _decoded(decoder: VideoCodecContext, encoded: bytes) -> VideoFrame | None:
    try:
        pictures = decoder.decode(Packet(encoded))
    except av.FFmpegError:
        return None
    return pictures[0] if pictures else None
