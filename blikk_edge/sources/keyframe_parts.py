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
LOOK_BYTES: Final = 4096
"""So far into a packet the first slice is looked for: before it are only parameter sets and remarks."""


class KeyframeParts:
    """For one connection. Only H.264 and H.265 with start codes, as streams have them, can come in parts.

    Whether a keyframe is whole shows in the packet after it. So the first keyframe waits for that, and the later ones
    only where one has come in parts.
    """

    def __init__(self, context: VideoCodecContext) -> None:
        self._h265 = context.name.startswith("hevc")
        lengths = (context.extradata or b"")[:1] == b"\1"  # avcC or hvcC, as in files: lengths in place of start codes
        self._waits = context.name.startswith(("h264", "hevc")) and not lengths
        self._known = not self._waits
        self._parts: list[VideoPacket] = []

    def take(self, packet: "VideoPacket") -> "Sequence[VideoPacket]":
        """What is whole now that this packet has come, in order."""
        if self._known and not self._waits and not packet.is_keyframe:  # nearly all
            return (packet,)
        keyframe = packet.is_keyframe and packet.size > 0
        if keyframe and continues_picture(memoryview(packet)[:LOOK_BYTES].tobytes(), h265=self._h265):
            self._waits = self._known = True
            if self._parts:
                self._parts.append(packet)
                return ()
            return (packet,)  # its first part is gone already
        whole = self.rest()
        if whole and not self._known:
            self._known, self._waits = True, False
        if keyframe and self._waits:
            self._parts.append(packet)
            return whole
        return (*whole, packet)

    def rest(self) -> "Sequence[VideoPacket]":
        """What is held back, as the stream ends."""
        parts, self._parts = self._parts, []
        return (joined(parts),) if parts else ()


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
    last = parts[-1]
    made.stream, made.time_base, made.is_keyframe = last.stream, last.time_base, True
    made.pts, made.dts, made.duration = last.pts, last.dts, last.duration
    return cast("VideoPacket", made)
