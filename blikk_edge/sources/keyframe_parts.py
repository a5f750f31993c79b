"""Keyframes that come in several packets, a few slices each, put together before anything takes them.

libav takes each packet for a picture. Its parser ends one where parameter sets come, and servers that send these before
every slice (GStreamer's rtph264pay with an encoder that works in slices) so cut keyframes in pieces.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

if TYPE_CHECKING:
    from blikk_edge.sources.packets import VideoPacket

START: Final = b"\0\0\1"
MOST_BYTES: Final = 8_000_000
"""Of the parts of one keyframe; the largest of 4K are half of it."""

LOOK_BYTES: Final = 4096
"""So far into a packet the first slice is looked for: before it are only parameter sets and remarks."""


class KeyframeParts:
    """For one connection. Only H.264 and H.265 with start codes, as streams have them, can come in parts.

    Whether a keyframe is whole shows in the packet after it. So the first keyframe waits for that, and a later one
    where the last came in parts.
    """

    def __init__(self, context: VideoCodecContext) -> None:
        lengths = (context.extradata or b"")[:1] == b"\1"  # avcC or hvcC, as in files: lengths in place of start codes
        self._possible = context.name.startswith(("h264", "hevc")) and not lengths
        self._h265 = context.name.startswith("hevc")
        self._waits = True
        self._parts: list[VideoPacket] = []

    def take(self, packet: "VideoPacket") -> "Sequence[VideoPacket]":
        """What is whole now that this packet has come, in order."""
        if not self._possible:
            return (packet,)
        if not packet.is_keyframe or not packet.size:
            return (*self.rest(), packet) if self._parts else (packet,)
        if continues_picture(memoryview(packet)[:LOOK_BYTES].tobytes(), h265=self._h265):
            if self._parts and self._joins(packet):
                self._parts.append(packet)
                return ()
            whole = self.rest()
            self._waits = True
            return (*whole, packet)  # its first part is gone, or was lost
        whole = self.rest()
        if not self._waits:
            return (*whole, packet)
        self._parts.append(packet)
        return whole

    def rest(self) -> "Sequence[VideoPacket]":
        """What is held back, as the stream ends."""
        parts, self._parts = self._parts, []
        if not parts:
            return ()
        self._waits = len(parts) > 1
        return (joined(parts),)

    def _joins(self, packet: "VideoPacket") -> bool:
        """Whether it can be of the picture that is held back: it is shown at the same time, where both say when."""
        same = None in {packet.pts, self._parts[-1].pts} or packet.pts == self._parts[-1].pts
        return same and packet.size + sum(part.size for part in self._parts) <= MOST_BYTES


def continues_picture(data: bytes, *, h265: bool) -> bool:
    """Whether the first slice in a packet with start codes is not the first one of its picture.

    H.264: `first_mb_in_slice` is 0 there, which is written as a single 1 (ITU-T H.264, 7.3.3); H.265 has
    `first_slice_segment_in_pic_flag` (ITU-T H.265, 7.3.6.1). Either is the first bit after the head of the unit.
    """
    head = 2 if h265 else 1
    at = data.find(START)
    while at >= 0 and at + 3 + head < len(data):
        unit = data[at + 3]
        if (unit >> 1 & 63) < 32 if h265 else unit & 31 in {1, 5}:
            return not data[at + 3 + head] & 0x80
        at = data.find(START, at + 3)
    return False


def joined(parts: "Sequence[VideoPacket]") -> "VideoPacket":
    """One packet of several that are one picture."""
    if len(parts) == 1:
        return parts[0]
    made = Packet(b"".join(bytes(part) for part in parts))
    timed = next((part for part in parts if part.pts is not None), parts[0])
    made.stream, made.time_base, made.is_keyframe = timed.stream, timed.time_base, True
    made.pts, made.dts, made.duration = timed.pts, timed.dts, timed.duration
    return cast("VideoPacket", made)
