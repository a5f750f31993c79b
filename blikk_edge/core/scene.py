"""Pixels live here alone: a Frame, and the Scene that grows around it on its way through the transforms.

Sinks, enrichers, wire and web cannot import this module, even indirectly (import-linter, and a test).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.picture import Wanted
from blikk_edge.core.sightings import Detection, Measure, Motion, Track

Pixels: TypeAlias = NDArray[np.uint8]


class Frame:
    """Raw pixels of one camera at one moment. Never leaves the process, is never stored.

    `luma` is (H, W) uint8 at stream size: a view of the decoder's plane where the format has one, not a copy; read
    only. `bgr()` is (h, w, 3) uint8 at analysis size (short side at most 480 px by default), made when first asked
    for and kept, so that frames nobody looks at are never converted. `aspect` is width by height of the picture as it
    is seen; that of `luma` is another one where a stream's pixels are not square. `time` can be compared with that of
    frames of the same `timeline` only: another one begins when the wall clock is set. `found` is what an edge client
    has found in these pixels before it blurred them, None where nobody has looked yet.
    """

    __slots__ = ("_bgr", "_convert", "aspect", "camera", "found", "luma", "seq", "time", "timeline")

    def __init__(
        self,
        *,
        camera: str,
        seq: int,
        time: float,
        luma: Pixels,
        convert: Callable[[], Pixels],
        aspect: float | None = None,
        found: tuple[Detection, ...] | None = None,
        timeline: int = 0,
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
        self._convert = convert
        self._bgr: Pixels | None = None

    def bgr(self) -> Pixels:
        """Colour pixels at analysis size; the same array each time, not to be written to."""
        if self._bgr is None:
            self._bgr = self._convert()
            self._bgr.flags.writeable = False
        return self._bgr

    def __repr__(self) -> str:
        return f"Frame({self.camera} #{self.seq} at {self.time:.3f})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Frame never leaves the process")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A Frame and everything the steps found in it.

    `look` says that the detector shall look at this frame, `analysed` that it has; where it has not, `detections` is
    empty and `tracks` are those of the last look. `wanted` are the Pictures that were asked for of this frame.
    `measures` are what steps measured in it.
    """

    frame: Frame
    motion: Motion
    look: bool = False
    wanted: tuple[Wanted, ...] = ()
    analysed: bool = False
    detections: tuple[Detection, ...] = ()
    tracks: tuple[Track, ...] = ()
    embedding: tuple[float, ...] | None = None
    measures: tuple[Measure, ...] = ()
