"""The decoder of one connection, which skips pictures that nobody needs."""

from collections.abc import Sequence
from time import perf_counter, thread_time

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blikk_edge.sources.packets import Counts, VideoPacket
from blikk_edge.sources.pixels import pixel_aspect

# Each packet of these codecs is a whole picture.
INTRA_CODECS = frozenset({"mjpeg", "rawvideo"})
# After so many packets that nobody needed, of which each became a picture all the same, no more are looked for.
TRIES = 100


class VideoDecoder:
    """Packets in, pictures out, in the order in which they are shown.

    Attributes:
        intra: Whether each packet is a whole picture.
        decoded: How many packets it was given.
        cpu_s: Seconds of CPU that it took.
        wall_s: Seconds that it took; more, where others want the same core.
    """

    def __init__(self, stream: VideoStream, context: VideoCodecContext, counts: Counts) -> None:
        if not context.is_open:
            # More threads decode no frame cheaper, and each adds picture buffers of its own.
            context.thread_type, context.thread_count = "NONE", 1
        self.intra = context.name in INTRA_CODECS
        self.spares = not self.intra
        self.decoded = 0
        self.cpu_s = self.wall_s = 0.0
        self.tick_s = float(stream.time_base or 0)
        self._context = context
        self._stream_aspect, self._first_aspect = stream.sample_aspect_ratio, context.sample_aspect_ratio
        self._counts = counts
        self._all = True
        self._tries = TRIES

    @property
    def aspect(self) -> float:
        """Width of a pixel by its height; what a container says counts until the video itself says something else."""
        now = self._context.sample_aspect_ratio
        return pixel_aspect(now if now and now != self._first_aspect else self._stream_aspect)

    def decode(self, packet: "VideoPacket | None", *, shown: bool = True) -> Sequence[VideoFrame]:
        """The pictures that this packet completes; with None those that are still held back, the last of all.

        With `shown` false its picture is not even made where no other one is built upon it (most B-frames). `spares`
        says whether that may save anything in this stream.
        """
        if shown is not self._all:
            self._all = shown
            self._context.skip_frame = "DEFAULT" if shown else "NONREF"
        self.decoded += packet is not None
        began, began_cpu = perf_counter(), thread_time()
        try:
            pictures = self._context.decode(packet)
        except av.FFmpegError:
            self._counts.corrupt += 1
            return ()
        finally:
            self.cpu_s += thread_time() - began_cpu
            self.wall_s += perf_counter() - began
        if not shown:
            self._tries = self._tries - 1 if pictures else TRIES
            self.spares = self._tries > 0
        for picture in pictures:
            self._counts.decoded += 1
            self._counts.corrupt += picture.is_corrupt
        return pictures

    def alone(self, packet: VideoPacket) -> VideoFrame | None:
        """The picture of a keyframe by itself, at once; None where it takes more than this packet.

        The decoder is as good as new before and after it.
        """
        pictures = [*self.decode(packet), *self.decode(None)]
        self.reset()
        return pictures[0] if pictures else None

    def reset(self) -> None:
        """Forget all pictures; the next packet must be a keyframe."""
        self._context.flush_buffers()

    def time_s(self, of: "VideoPacket | VideoFrame") -> float | None:
        """When this is shown, in seconds of the stream's own clock, or None where it does not say."""
        pts = of.pts
        return None if pts is None else pts * self.tick_s
