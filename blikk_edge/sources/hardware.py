"""Decoding in hardware: tried against software on a camera's own first packets, and used where it costs less."""

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
from blikk_edge.sources.pixels import Scaler

LOG = logging.getLogger("blikk.decoder")

# libav's decoders that hand the work to a device; those of the Raspberry Pi.
HARDWARE = MappingProxyType({"h264": ("h264_v4l2m2m",), "hevc": ("hevc_v4l2m2m",)})
# So many packets are decoded both ways: two seconds at 15 fps.
TRIED_PACKETS = 30
# Mean difference in grey levels at which two pictures are still the same.
SAME_LEVELS = 1.0
# Copying pictures out of a device costs too: it must save at least a fifth.
CHEAPER = 0.8


class DecoderChoice:
    """Which decoder one camera's connections get. The choice is made once, and logged once."""

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._chosen: dict[str, str | None] = {}

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
        return VideoDecoder(stream, context or stream.codec_context, counts), packets


def _cheapest(stream: VideoStream, able: Sequence[str], packets: Sequence[VideoPacket]) -> str | None:
    """The cheapest decoder that makes the same pictures as software does, or None where that is software."""
    wanted, software_s = _trial(stream, stream.codec_context.name, packets)
    costs = {}
    for name in able:
        made, cost_s = _trial(stream, name, packets)
        if cost_s < CHEAPER * software_s and _same(made, wanted):
            costs[name] = cost_s
    return min(costs, key=costs.__getitem__, default=None)


def _trial(stream: VideoStream, name: str, packets: Sequence[VideoPacket]) -> tuple[list[VideoFrame], float]:
    """What a decoder makes of the packets in every way in which it will be used, and the seconds of CPU it took."""
    context = _context(stream, name)
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


def _context(stream: VideoStream, name: str) -> VideoCodecContext | None:
    """A decoder of this name, ready for the stream; None where there is none or its device is not there."""
    known = stream.codec_context
    try:
        context = cast("VideoCodecContext", CodecContext.create(name, "r"))
        context.extradata = known.extradata
        context.width, context.height = known.width, known.height
        context.thread_type, context.thread_count = "NONE", 1
        context.open()
    except (av.FFmpegError, ValueError):
        return None
    return context
