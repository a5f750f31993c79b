"""Pixels live here alone: a Frame, and the Scene that grows around it on its way through the transforms.

Sinks, enrichers, wire and web cannot import this module, even indirectly (import-linter, and a test).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.geometry import Box
from blikk_edge.core.parcels import Parcel
from blikk_edge.core.picture import Wanted
from blikk_edge.core.sightings import Detection, Lighting, Measure, Motion, Track

Pixels: TypeAlias = NDArray[np.uint8]


def _nothing(_box: Box) -> None:
    """No part can be cut out."""


class Frame:
    """Raw pixels of one camera at one moment. Never leaves the process, is never stored.

    Attributes:
        camera: The camera's id.
        seq: Counts the frames of one source.
        time: Capture time, seconds since 1970 UTC; comparable with that of frames of the same `timeline` only.
        timeline: Another number begins when the wall clock is set.
        luma: (H, W) uint8 at stream size, read only: where the format has one, a view of the decoder's plane, no copy;
            of a large stream at analysis size once it has been made `light`.
        aspect: Width by height of the picture as it is seen; that of `luma` differs where the stream's pixels are not
            square.
        found: What an edge client found in these pixels before it blurred them; None where nobody has looked yet.
    """

    __slots__ = (
        "_bgr",
        "_convert",
        "_cut",
        "_small_luma",
        "aspect",
        "camera",
        "found",
        "luma",
        "seq",
        "time",
        "timeline",
    )

    def __init__(
        self,
        *,
        camera: str,
        seq: int,
        time: float,
        luma: Pixels,
        convert: Callable[[], Pixels],
        cut: Callable[[Box], Pixels | None] = _nothing,
        aspect: float | None = None,
        found: tuple[Detection, ...] | None = None,
        timeline: int = 0,
        small_luma: Callable[[], Pixels] | None = None,
    ) -> None:
        self.camera = camera
        self.seq = seq
        self.time = time
        luma.flags.writeable = False
        self.luma = luma
        height, width = luma.shape[:2]
        self.aspect = aspect or (width / height if width and height else 1.0)
        self.found = found
        self.timeline = timeline
        self._convert: Callable[[], Pixels] | None = convert
        self._cut = cut
        self._small_luma = small_luma
        self._bgr: Pixels | None = None

    def bgr(self) -> Pixels:
        """Colour pixels at analysis size; the same array each time, not to be written to."""
        if self._bgr is None:
            assert self._convert is not None, "it was made light, and colour with it"
            self._bgr = self._convert()
            self._bgr.flags.writeable = False
        return self._bgr

    def part(self, box: Box) -> Pixels:
        """(h, w, 3) colour pixels of a part, as many as the stream has where it can be cut out of it; read only.

        Otherwise, and where the stream is no larger, they are those of analysis size.
        """
        found = self._cut(box)
        if found is None:
            bgr = self.bgr()
            height, width = bgr.shape[:2]
            x1, y1, x2, y2 = box.pixels(width, height)
            found = bgr[y1:y2, x1:x2]
        found.flags.writeable = False
        return found

    def light(self) -> None:
        """Keep nothing of stream size any more, where that is large: for a frame that is to wait for somebody.

        Colour is made now. To be called by the thread that the frame belongs to.
        """
        if self._small_luma is None:
            return
        self.bgr()
        luma = self._small_luma()
        luma.flags.writeable = False
        self.luma, self._convert, self._cut, self._small_luma = luma, None, _nothing, None

    def __repr__(self) -> str:
        return f"Frame({self.camera} #{self.seq} at {self.time:.3f})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Frame never leaves the process")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A Frame and everything the steps found in it.

    Attributes:
        frame: The pixels.
        motion: What the motion gate saw in them.
        look: Whether the detector shall look at this frame.
        wanted: The Pictures that were asked for of this frame.
        analysed: Whether the detector has looked at it.
        lighting: By which light, where it has.
        detections: What it found; empty where it has not looked.
        tracks: What is followed; where the detector has not looked, as of its last look.
        embedding: A vector that describes the whole picture, where a step makes one.
        measures: What steps measured in it.
        parcels: What lies there that was left behind, and what was found to be taken in this scene; those that lie
            there are among the `tracks`.
    """

    frame: Frame
    motion: Motion
    look: bool = False
    wanted: tuple[Wanted, ...] = ()
    analysed: bool = False
    lighting: Lighting = Lighting.DAY
    detections: tuple[Detection, ...] = ()
    tracks: tuple[Track, ...] = ()
    embedding: tuple[float, ...] | None = None
    measures: tuple[Measure, ...] = ()
    parcels: tuple[Parcel, ...] = ()
