"""Frames out of single encoded pictures (JPEG, PNG, WebP), stamped with the time of their arrival."""

import struct
from types import MappingProxyType
from typing import Final

import av
import numpy as np
from av.codec import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from blikk_edge.core.scene import Frame
from blikk_edge.sources.packets import Counts
from blikk_edge.sources.pixels import Scaler, pixel_aspect
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import Grid, LiveTime, StreamTime

# The most pixels of a JPEG that are decoded, at 1.5 bytes each: 8K has 33 million. Who promises more is hostile.
MOST_PIXELS: Final = 50_000_000
# Of other kinds, at 4 bytes each: 5K has 15 million. A few kilobytes of PNG can be as many as a header says.
MOST_PLAIN_PIXELS: Final = 16_000_000
NO_IMAGE: Final = "what came is no picture that can be decoded; have the camera send JPEG"
CUT_OFF: Final = "the picture is cut off; check camera and network"

# So much at the bottom may be missing, as where a camera counts its bytes wrong.
MISSING_MOST: Final = 0.125

_END: Final = b"\xff\xd9"
# Some cameras fill up behind the end.
_END_WITHIN: Final = 64
# libav's decoder for what begins so.
_DECODERS = MappingProxyType({b"\xff\xd8": "mjpeg", b"\x89PNG": "png", b"RIFF": "webp", b"BM": "bmp"})


def decoder_of(head: bytes) -> str | None:
    """The decoder of libav for a picture that begins with these bytes (12 are enough); None for what is none."""
    name = next((name for magic, name in _DECODERS.items() if head.startswith(magic)), None)
    return None if name == "webp" and head[8:12] != b"WEBP" else name


def size_of(encoded: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, as a JPEG, PNG or BMP promises them in its head; None where it does not, and of WebP.

    T.81, annex B.2.2; the PNG specification, 11.2.2.
    """
    match decoder_of(encoded[:12]):
        case "png" if len(encoded) >= 24:
            width, height = struct.unpack(">II", encoded[16:24])
            return width, height
        case "bmp" if len(encoded) >= 26:
            width, height = struct.unpack("<ii", encoded[18:26])
            return abs(width), abs(height)
        case "mjpeg":
            return _jpeg_size(encoded)
    return None


def _jpeg_size(encoded: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(encoded) and encoded[at] == 0xFF:
        marker = encoded[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", encoded[at + 5 : at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 + int.from_bytes(encoded[at + 2 : at + 4], "big")
    return None


class PictureFrames:
    """Makes frames of a camera's pictures as they come, thinned to its frame rate; numbers and times go on for ever.

    `why` says why the last one could not be decoded; empty where it could.
    """

    def __init__(self, terms: Terms, counts: Counts) -> None:
        self._terms = terms
        self._counts = counts
        self.why = ""
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
        self.why = _too_large(encoded)
        picture = _decoded(decoder, encoded) if decoder and not self.why else None
        if picture is None:
            self.why = self.why or NO_IMAGE
        elif name == "mjpeg" and _END not in encoded[-_END_WITHIN:] and _missing(picture) > MISSING_MOST:
            self.why = CUT_OFF
        if decoder is None or picture is None or self.why:
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
            decoder.options = {"max_pixels": str(_most_pixels(name))}
            self._decoders[name] = decoder
        return self._decoders[name]


def _most_pixels(decoder: str) -> int:
    return MOST_PIXELS if decoder == "mjpeg" else MOST_PLAIN_PIXELS


def _missing(picture: VideoFrame) -> float:
    """The share of a JPEG that never came: libav makes one colour of it, as if something had come into the picture."""
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    drawn = np.flatnonzero(rows.min(axis=1) != rows.max(axis=1))
    return 1.0 - (int(drawn[-1]) + 1 if drawn.size else 0) / plane.height


def _too_large(encoded: bytes) -> str:
    """What is said of a picture with more pixels than are decoded; empty for others."""
    size, name = size_of(encoded), decoder_of(encoded[:12])
    if size is None or name is None or size[0] * size[1] <= _most_pixels(name):
        return ""
    return f"the picture has {size[0]}x{size[1]} pixels; have the camera send a smaller one"


def _decoded(decoder: VideoCodecContext, encoded: bytes) -> VideoFrame | None:
    try:
        pictures = decoder.decode(Packet(encoded))
    except av.FFmpegError:
        return None
    return pictures[0] if pictures else None
