"""Pixels of a decoded picture: the luma plane without a copy, and colour at analysis size when somebody asks."""

import threading
from functools import partial
from typing import Final, SupportsFloat

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Frame, Pixels
from blikk_edge.core.sightings import Detection

# Where 8-bit luma lies in plane 0: first byte and distance of two, from libavutil/pixdesc.c.
LUMA_BYTES = {
    **dict.fromkeys(("gray", "nv12", "nv21", "nv16", "nv24", "nv42"), (0, 1)),
    **{f"yuv{j}{s}p": (0, 1) for j in ("", "j") for s in ("411", "420", "422", "440", "444")},
    **dict.fromkeys(("yuv410p", "yuva420p", "yuva422p", "yuva444p"), (0, 1)),
    **dict.fromkeys(("yuyv422", "yvyu422"), (0, 2)),
    "uyvy422": (1, 2),
}

PLANAR = frozenset({"yuv420p", "yuvj420p"})
"""Formats of nearly every camera, of which a part can be cut out."""
# Of larger pictures a frame that waits keeps no buffer of the decoder: one of 4K takes 12 MB.
LARGE_PX: Final = 1920 * 1088

# Widest and narrowest pixels that cameras have: 352x576 for 4:3 is 2.2, 704x240 is 0.45. All else is a mistake.
WIDEST: Final = 4.0


def pixel_aspect(said: SupportsFloat | None) -> float:
    """Width of a pixel by its height, from what a stream says; 1 where it says nothing or what cannot be.

    Up to 18 PyAV says it as a Fraction or None, from 19 on as a rational number of its own.
    """
    aspect = float(said) if said else 1.0
    return aspect if 1 / WIDEST <= aspect <= WIDEST else 1.0


def shown_size(width: int, height: int, aspect: float) -> tuple[int, int]:
    """The size at which a picture with such pixels has its proportions, with as many pixels as it has."""
    return max(1, round(width * aspect**0.5)), max(1, round(height / aspect**0.5))


def analysis_size(width: int, height: int, height_px: int) -> tuple[int, int]:
    """Width and height, both even, whose short side is at most `height_px`; never larger than given."""
    scale = min(1.0, height_px / min(width, height))
    return tuple(max(2, min(round(side * scale / 2) * 2, side // 2 * 2)) for side in (width, height))  # type: ignore[return-value]  # a pair in, a pair out


class Scaler:
    """Makes frames of one camera's pictures. Usable from any thread: each has its own libswscale context.

    `rotate` are the degrees, a multiple of 90, by which pictures are turned clockwise, on top of what a stream itself
    asks for.
    """

    __slots__ = ("_height_px", "_mine", "_turns")

    def __init__(self, height_px: int, *, rotate: int = 0) -> None:
        self._height_px = height_px
        self._turns = -rotate // 90  # np.rot90 turns the other way
        self._mine = threading.local()

    def frame(
        self,
        picture: VideoFrame,
        *,
        camera: str,
        seq: int,
        time: float,
        aspect: float = 1.0,
        found: tuple[Detection, ...] | None = None,
        timeline: int = 0,
    ) -> Frame:
        """The frame of a picture whose pixels have this `aspect`; colour is made when somebody asks for it."""
        large = picture.width * picture.height > LARGE_PX
        proportion = picture.width * aspect / picture.height
        lies = self._turns_of(picture) % 2
        return Frame(
            camera=camera,
            seq=seq,
            time=time,
            luma=self.luma(picture),
            convert=partial(self.bgr, picture, aspect),
            cut=partial(self.part, picture, aspect),
            aspect=1 / proportion if lies else proportion,
            found=found,
            timeline=timeline,
            small_luma=partial(self._small_luma, picture, aspect) if large else None,
        )

    def bgr(self, picture: VideoFrame, aspect: float = 1.0) -> Pixels:
        """(h, w, 3) uint8 at analysis size, upright, with square pixels, contiguous."""
        plane = self._convert(picture, "bgr24", *self._analysis_size(picture, aspect)).planes[0]
        return np.ascontiguousarray(self._upright(_rows(plane, 3), picture))

    def part(self, picture: VideoFrame, aspect: float, box: Box) -> Pixels | None:
        """(h, w, 3) uint8 of a part of the upright picture, at stream size, with square pixels.

        None where the picture is no larger than at analysis size, or its pixels do not lie in 4:2:0 planes.
        """
        shown = shown_size(picture.width, picture.height, aspect)
        if picture.format.name not in PLANAR or analysis_size(*shown, self._height_px) >= shown:
            return None
        turns = self._turns_of(picture)
        for _ in range(turns):
            box = Box(1 - box.y2, box.x1, 1 - box.y1, box.x2)
        x1, y1, x2, y2 = (side // 2 * 2 for side in box.pixels(picture.width, picture.height))
        if x2 - x1 < 2 or y2 - y1 < 2:
            return None
        planes = (
            _rows(plane, 1)[y1 // scale : y2 // scale, x1 // scale : x2 // scale, 0].ravel()
            for plane, scale in zip(picture.planes, (1, 2, 2), strict=True)
        )
        cut = VideoFrame.from_ndarray(np.concatenate([*planes]).reshape(-1, x2 - x1), format=picture.format.name)
        cut.color_range, cut.colorspace = picture.color_range, picture.colorspace
        width, height = shown_size(x2 - x1, y2 - y1, aspect)
        pixels = _rows(VideoReformatter().reformat(cut, width=width, height=height, format="bgr24").planes[0], 3)
        return np.ascontiguousarray(np.rot90(pixels, turns))

    def luma(self, picture: VideoFrame) -> Pixels:
        """(H, W) uint8 at stream size, upright, read only: a view of the decoder's plane where that has 8-bit luma."""
        place = LUMA_BYTES.get(picture.format.name)
        plane = picture.planes[0]
        if place is None or plane.line_size <= 0:
            plane = self._convert(picture, "gray", picture.width, picture.height).planes[0]
            place = (0, 1)
        first, step = place
        luma = self._upright(_rows(plane, step)[:, :, first], picture)
        luma.flags.writeable = False
        return luma

    def grey(self, picture: VideoFrame, width: int, height: int) -> Pixels:
        """(height, width) uint8 luma, scaled, as the stream has it turned."""
        name = picture.format.name  # another one would have another range of levels
        first, step = LUMA_BYTES.get(name, (0, 1))
        small = self._convert(picture, name if name in LUMA_BYTES else "gray", width, height, use="small")
        return _rows(small.planes[0], step)[:, :, first]

    def _small_luma(self, picture: VideoFrame, aspect: float) -> Pixels:
        grey = self.grey(picture, *self._analysis_size(picture, aspect))
        return np.ascontiguousarray(self._upright(grey, picture))

    def _analysis_size(self, picture: VideoFrame, aspect: float) -> tuple[int, int]:
        return analysis_size(*shown_size(picture.width, picture.height, aspect), self._height_px)

    def _convert(
        self, picture: VideoFrame, pixel_format: str, width: int, height: int, *, use: str = "whole"
    ) -> VideoFrame:
        # A context is set up again whenever its parameters change, which costs more than scaling: one per format.
        name = f"{pixel_format}_{use}"
        converter: VideoReformatter | None = getattr(self._mine, name, None)
        if converter is None:
            converter = VideoReformatter()
            setattr(self._mine, name, converter)
        return converter.reformat(picture, width=width, height=height, format=pixel_format, threads=1)

    def _turns_of(self, picture: VideoFrame) -> int:
        """Quarter turns to the left: those that the stream asks for (clips of a phone lie on their side), and ours."""
        return (round(picture.rotation / 90) + self._turns) % 4

    def _upright(self, pixels: Pixels, picture: VideoFrame) -> Pixels:
        """Turned, without a copy."""
        turns = self._turns_of(picture)
        return np.rot90(pixels, turns) if turns else pixels


def _rows(plane: VideoPlane, depth: int) -> Pixels:
    """A plane as (H, W, depth) bytes, sharing memory; the array keeps its picture alive."""
    lines: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width * depth].reshape(plane.height, plane.width, depth)
