"""Where a stream's packets go besides the decoder, as they came: for recordings. Nothing here is decoded."""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Protocol

import av
from av.container import InputContainer
from av.packet import Packet

LOG = logging.getLogger("blikk.record")

VIDEO_CODECS: Final = frozenset({"h264", "hevc", "av1"})
"""What MP4 can hold and players play."""

AUDIO_CODECS: Final = frozenset({"aac"})

INIT: Final = {"movflags": "empty_moov+default_base_moof+skip_trailer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTrack:
    """One stream of a connection that can be recorded.

    Attributes:
        index: Its number in the connection, which its packets name.
        video: Whether it is the video; else it is audio.
        codec: libav's name of the codec.
        tick: Seconds of one unit of its time stamps.
        rate: Pictures a second, where the stream says so.
        init: The head of an MP4 file with this track alone, which says all that a decoder has to know; empty where the
            connection did not say it: then a keyframe does.
        parameters: H.264 and H.265 with start codes: the parameter sets that were announced.
    """

    index: int
    video: bool
    codec: str
    tick: Fraction
    rate: float | None = None
    init: bytes = field(default=b"", repr=False)
    parameters: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPacket:
    """A packet as it came.

    Attributes:
        track: The index of its track.
        data: The coded bytes.
        pts: When it is shown, in ticks; None where it does not say.
        dts: When it is decoded, in ticks; None where it does not say.
        duration: In ticks; 0 where it does not say.
        keyframe: Whether decoding can begin here.
    """

    track: int
    data: bytes = field(repr=False)
    pts: int | None
    dts: int | None
    duration: int = 0
    keyframe: bool = False


class Tap(Protocol):
    """Takes packets from the thread that reads a stream; never blocks, never raises."""

    def begin(self, tracks: Sequence[MediaTrack]) -> None:
        """A connection was opened; what cannot be recorded is not among its tracks."""
        ...

    def packet(self, packet: MediaPacket) -> None:
        """The next packet of one of the tracks."""
        ...


class Tapped:
    """The packets of one connection, as a Tap takes them."""

    def __init__(self, container: InputContainer, tap: Tap, *, camera: str) -> None:
        self._tap = tap
        tracks = tracks_of(container, camera=camera)
        self._tracks = frozenset(track.index for track in tracks)
        tap.begin(tracks)

    def take(self, packet: "Packet[Any]") -> None:
        """Hand on a packet that came."""
        if packet.stream_index in self._tracks and packet.size:
            self._tap.packet(
                MediaPacket(
                    track=packet.stream_index,
                    data=bytes(packet),
                    pts=packet.pts,
                    dts=packet.dts,
                    duration=packet.duration or 0,
                    keyframe=packet.is_keyframe,
                )
            )


def tracks_of(container: InputContainer, *, camera: str) -> tuple[MediaTrack, ...]:
    """The video and the audio of a connection, as far as they can be recorded; what cannot is logged."""
    tracks = []
    for kind, codecs, cure in (
        ("video", VIDEO_CODECS, "set the camera to H.264"),
        ("audio", AUDIO_CODECS, "it is left out; set the camera's audio to AAC"),
    ):
        stream = container.streams.best(kind)  # type: ignore[arg-type]
        if stream is None or stream.codec_context is None:
            continue
        codec = stream.codec_context.name.removesuffix("_v4l2m2m")
        codec = {"libdav1d": "av1", "aac_fixed": "aac"}.get(codec, codec)
        if codec not in codecs:
            LOG.warning("%s: %s %s cannot be kept in MP4: %s", camera, kind, codec, cure)
            continue
        extradata = stream.codec_context.extradata or b""
        if kind == "audio" and not extradata:  # as in MPEG-TS, where each packet describes itself
            LOG.warning("%s: its audio is AAC with ADTS, which is left out; RTSP has it without", camera)
            continue
        tracks.append(
            MediaTrack(
                index=stream.index,
                video=kind == "video",
                codec=codec,
                tick=stream.time_base or Fraction(1, 90_000),
                rate=float(stream.average_rate) if kind == "video" and stream.average_rate else None,
                init=init_of(stream),
                parameters=extradata if kind == "video" and extradata[:3] in (b"\0\0\0", b"\0\0\1") else b"",
            )
        )
    return tuple(tracks)


def init_of(stream: Any) -> bytes:
    """The head of an MP4 file with this stream alone; empty where the stream does not say enough yet."""
    head = io.BytesIO()
    head.seekable = lambda: False  # type: ignore[method-assign]
    try:
        with av.open(head, "w", format="mp4", options=INIT) as container:
            container.add_stream_from_template(stream, opaque=True)
            container.start_encoding()
    except (av.FFmpegError, ValueError):
        return b""
    return head.getvalue()


def init_of_keyframe(codec: str, data: bytes) -> bytes:
    """The same out of a keyframe with its parameter sets, with start codes; empty where that is not enough."""
    try:
        with av.open(io.BytesIO(data), format=codec) as container:
            return init_of(container.streams.video[0])
    except (av.FFmpegError, ValueError, IndexError):
        return b""
