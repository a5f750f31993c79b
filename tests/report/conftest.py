"""Scenes with ready tracks: what the reporter gets to see, and a player that runs detections through all three."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Detection, Label, Motion, Track, View
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.registry import REGISTRY, ResolvedModel

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


@pytest.fixture(scope="session")
def thresholds() -> dict[Label, float]:
    """The defaults of the settings."""
    return {Label.PERSON: 0.45, Label.VEHICLE: 0.5, Label.ANIMAL: 0.5, Label.PACKAGE: 0.5}


@pytest.fixture(scope="session")
def look_at(data: Path, thresholds: dict[Label, float]) -> Callable[..., list[Scene]]:
    """Makes Scenes of every `step`-th frame of a clip, with what YOLOX-nano finds at half the thresholds and above."""

    def look(clip: str, *, fps: float, step: int) -> list[Scene]:
        path = data / "models/detect/yolox_nano/yolox_nano_float16_quantize.tflite"
        low = {label: threshold / 2 for label, threshold in thresholds.items()}
        detector = TfliteDetector(ResolvedModel(path=path, entry=REGISTRY["yolox-nano"]), thresholds=low, threads=2)
        made = []
        with av.open(str(data / clip)) as container:
            for index, picture in enumerate(container.decode(video=0)):
                if index % step:
                    continue
                bgr = picture.to_ndarray(format="bgr24")
                # The pixels of a whole clip need not be kept: tracker and reporter ask for the shape alone.
                luma = np.zeros((bgr.shape[0] // 8, bgr.shape[1] // 8), np.uint8)
                frame = Frame(camera="clip", seq=index, time=index / fps, luma=luma, convert=no_colour)
                motion = Motion(view=View.MOVING, score=0.5)
                made.append(Scene(frame=frame, motion=motion, analysed=True, detections=detector.detect(bgr)))
        return made

    return look
