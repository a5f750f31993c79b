"""Scenes without a camera: what the tracker and the zones get to see."""

from collections.abc import Callable

import numpy as np
import pytest

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Detection, Label, Motion, View


def no_colour() -> np.ndarray:
    raise AssertionError("asked for pixels")


@pytest.fixture(scope="session")
def scene() -> Callable[..., Scene]:
    """Makes a Scene at a time with detections; `size` is width and height in pixels."""

    def make(
        time: float,
        *detections: Detection,
        analysed: bool = True,
        motion: tuple[Box, ...] = (),
        size: tuple[int, int] = (640, 480),
    ) -> Scene:
        luma = np.zeros((size[1], size[0]), np.uint8)
        frame = Frame(camera="porch", seq=0, time=time, luma=luma, convert=no_colour)
        view = View.MOVING if motion else View.QUIET
        return Scene(frame=frame, motion=Motion(view=view, boxes=motion), analysed=analysed, detections=detections)

    return make


@pytest.fixture(scope="session")
def person() -> Callable[..., Detection]:
    """Makes the Detection of a person by centre; `height` 0.4 and a third as wide."""

    def make(x: float, y: float = 0.5, *, score: float = 0.8, height: float = 0.4) -> Detection:
        half = height / 6
        box = Box.clipped(x - half, y - height / 2, x + half, y + height / 2)
        assert box is not None
        return Detection(label=Label.PERSON, sub_label="person", score=score, box=box)

    return make
