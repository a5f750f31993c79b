"""Cheaper decoders, in hardware or of smaller pictures: tried on a camera's first packets, used if they cost less."""

import logging
import time
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from types import MappingProxyType
from typing import cast

import av
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blikk_edge.sources.decoder import VideoDecoder
from blikk_edge.sources.packets import Counts, VideoPacket
from blikk_edge.sources.pixels import Scaler, analysis_size

LOG = logging.getLogger("blikk.decoder")

# libav's decoders that hand the work to a device; those of the Raspberry Pi.
HARDWARE = MappingProxyType({"h264": ("h264_v4l2m2m",), "hevc": ("hevc_v4l2m2m",)})
# libav's decoders that can leave out detail: a half, a quarter or an eighth of each side is decoded.
REDUCIBLE = frozenset({"mjpeg"})
MOST_HALVINGS = 3
# So many packets are decoded both ways: two seconds at 15 fps.
TRIED_PACKETS = 30
# Mean difference in grey levels at which two pictures are still the same.
SAME_LEVELS = 1.0
# The same of a picture that is decoded smaller, where scaling blurs differently.
ALIKE_LEVELS = 2.0
# Copying pictures out of a device costs too: it must save at least a fifth.
CHEAPER = 0.8


def halvings(width: int, height: int, height_px: int) -> int:
    """How often a picture's sides may be halved until its short one would be below `height_px`."""
    times = 0
    while times < MOST_HALVINGS and min(width, height) >> (times + 1) >= height_px:
        times += 1
    return times


class DecoderChoice:
    """Which decoder one camera's connections get. The choice is made once, and logged once.

    Pictures of which no more than `height_px` of the short side is wanted may be decoded smaller; None: never, so that
    the same packets give the same pixels on a machine that is busy.
    """

    def __init__(self, camera: str, *, height_px: int | None = None) -> None:
        self._camera = camera
        self._height_px = height_px
        self._chosen: dict[str, str | None] = {}
        self._halvings: dict[tuple[str, int, int], int] = {}

    def decoder(
        self, stream: VideoStream, packets: Iterable[VideoPacket], counts: Counts
    ) -> tuple[VideoDecoder, Iterable[VideoPacket]]:
        """The decoder, and the packets to give to it: those that a trial has taken come first."""
        codec = stream.codec_context.name
        if codec not in self._chosen:
            able = [name for name in HARDWARE.get(codec, ()) if _context(stream, name) is not None]
            if able:
                taken = list(islice(packets, TRIED_PACKETS))
                packets = chain(taken, packets)
                self._chosen[codec] = _cheapest(stream, able, taken)
            else:
                self._chosen[codec] = None
            if codec in HARDWARE:
                used = self._chosen[codec] or "software: no device here decodes it for less"
                LOG.info("%s: %s is decoded by %s", self._camera, codec, used)
        name = self._chosen[codec]
        context = _context(stream, name) if name is not None else None
        if codec in REDUCIBLE and self._height_px is not None:
            known = stream.codec_context
            size = codec, known.width, known.height
            if size not in self._halvings:
                taken = list(islice(packets, TRIED_PACKETS))
                packets = chain(taken, packets)
                self._halvings[size] = self._reduced(stream, self._height_px, taken)
            context = _context(stream, codec, self._halvings[size]) if self._halvings[size] else context
        return VideoDecoder(stream, context or stream.codec_context, counts), packets

    def _reduced(self, stream: VideoStream, height_px: int, packets: Sequence[VideoPacket]) -> int:
        """How often the sides are halved while decoding: 0 where that saves nothing, or where it shows."""
        known = stream.codec_context
        times = halvings(known.width, known.height, height_px)
        if not times:
            return 0
        wanted, whole_s = _trial(stream, known.name, packets)
        made, cost_s = _trial(stream, known.name, packets, times)
        part = f"1/{2**times} of {known.width}x{known.height}"
        if not _alike(made, wanted, height_px):
            LOG.info("%s: %s is decoded whole: at %s it looks different", self._camera, known.name, part)
            return 0
        saved = 1.0 - cost_s / whole_s if whole_s else 0.0
        used = cost_s < CHEAPER * whole_s
        how = f"at {part}" if used else "whole"
        LOG.info("%s: %s is decoded %s: %s takes %.0f %% less", self._camera, known.name, how, part, 100 * saved)
        return times if used else 0


def _cheapest(stream: VideoStream, able: Sequence[str], packets: Sequence[VideoPacket]) -> str | None:
    """The cheapest decoder that makes the same pictures as software does, or None where that is software."""
    wanted, software_s = _trial(stream, stream.codec_context.name, packets)
    costs = {}
    for name in able:
        made, cost_s = _trial(stream, name, packets)
        if cost_s < CHEAPER * software_s and _same(made, wanted):
            costs[name] = cost_s
    return min(costs, key=costs.__getitem__, default=None)


def _trial(
    stream: VideoStream, name: str, packets: Sequence[VideoPacket], halved: int = 0
) -> tuple[list[VideoFrame], float]:
    """What a decoder makes of the packets in every way in which it will be used, and the seconds of CPU it took."""
    context = _context(stream, name, halved)
    if context is None:
        return [], 0.0
    decoder = VideoDecoder(stream, context, Counts())
    began_s = time.thread_time()
    pictures = [picture for packet in packets for picture in decoder.decode(packet)]
    pictures += decoder.decode(None)
    cost_s = time.thread_time() - began_s
    decoder.reset()
    keyframe = next((packet for packet in packets if packet.is_keyframe), None)
    alone = decoder.alone(keyframe) if keyframe is not None else None
    return ([*pictures, alone] if alone is not None else pictures), cost_s


def _same(made: Sequence[VideoFrame], wanted: Sequence[VideoFrame]) -> bool:
    if len(made) != len(wanted) or not wanted:
        return False
    scaler = Scaler(480)
    for one, other in zip(made, wanted, strict=True):
        a, b = scaler.luma(one), scaler.luma(other)
        if one.pts != other.pts or a.shape != b.shape:
            return False
        if float(np.mean(np.abs(a.astype(np.int16) - b))) > SAME_LEVELS:
            return False
    return True


def _alike(made: Sequence[VideoFrame], wanted: Sequence[VideoFrame], height_px: int) -> bool:
    """Whether pictures of different sizes are the same to whoever looks at them at analysis size."""
    if len(made) != len(wanted) or not wanted:
        return False
    scaler = Scaler(height_px)
    for one, other in zip(made, wanted, strict=True):
        size = analysis_size(other.width, other.height, height_px)
        a, b = (scaler.grey(each, *size) for each in (one, other))
        if one.pts != other.pts or float(np.mean(np.abs(a.astype(np.int16) - b))) > ALIKE_LEVELS:
            return False
    return True


def _context(stream: VideoStream, name: str, halved: int = 0) -> VideoCodecContext | None:
    """A decoder of this name, ready for the stream; None where there is none or its device is not there."""
    known = stream.codec_context
    try:
        context = cast("VideoCodecContext", CodecContext.create(name, "r"))
        context.extradata = known.extradata
        context.width, context.height = known.width, known.height
        context.thread_type, context.thread_count = "NONE", 1
        if halved:
            context.options = {"lowres": str(halved)}
        context.open()
    except (av.FFmpegError, ValueError):
        return None
    return context
