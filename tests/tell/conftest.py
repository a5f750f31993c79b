"""Scenes with ready tracks: what the teller gets to see, and a player that runs detections through all three."""

from collections.abc import Callable

import numpy as np
import pytest

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Detection, Label, Motion, Track, View

MIDDLE = Box(0.4, 0.3, 0.5, 0.7)


def no_colour() -> np.ndarray:
    raise AssertionError("asked for pixels")


@pytest.fixture(scope="session")
def scene() -> Callable[..., Scene]:
    """Makes a Scene at a time with tracks."""

    def make(
        time: float,
        *tracks: Track,
        analysed: bool = True,
        view: View = View.QUIET,
        score: float = 0.0,
        detections: tuple[Detection, ...] = (),
        embedding: tuple[float, ...] | None = None,
    ) -> Scene:
        frame = Frame(camera="porch", seq=0, time=time, luma=np.zeros((480, 640), np.uint8), convert=no_colour)
        motion = Motion(view=view, score=score)
        return Scene(
            frame=frame, motion=motion, analysed=analysed, detections=detections, tracks=tracks, embedding=embedding
        )

    return make


@pytest.fixture(scope="session")
def track() -> Callable[..., Track]:
    """Makes a confirmed Track, last seen at `time`."""

    def make(
        key: int,
        time: float,
        *,
        first: float | None = None,
        label: Label = Label.PERSON,
        box: Box = MIDDLE,
        still_since: float | None = None,
        zones: tuple[str, ...] = (),
        missed: int = 0,
        confirmed: bool = True,
    ) -> Track:
        return Track(
            id=key,
            label=label,
            sub_label="car" if label is Label.VEHICLE else str(label),
            score=0.8,
            best_score=0.9,
            box=box,
            first_seen=time if first is None else first,
            last_seen=time,
            hits=2,
            missed=missed,
            confirmed=confirmed,
            still_since=still_since,
            zones=zones,
        )

    return make
