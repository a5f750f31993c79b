"""Tracks that rest: what is looked at nevertheless, and what leaves of a frame that nobody would have looked at."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from stage_props import PERSON, ScriptedDetector, StampRedactor, frame, pipeline, tools

from blikk_edge.core.geometry import Box
from blikk_edge.core.live import LiveFrame
from blikk_edge.core.picture import Picture
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection
from blikk_edge.runtime.pipeline import Pipeline, VisionTools
from blikk_edge.transforms.privacy.redactor import Privacy

SETTLED = 20
"""So many frames, and a person who is steady is looked at twice a second."""


class Seen(StampRedactor):
    """Keeps the scenes that Pictures are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.scenes: list[Scene] = []

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        self.scenes.append(scene)
        return super().picture(scene, name=name, event=event)


class Watched:
    """An audience that looks once there is something to see."""

    def looks_at(self, camera: str) -> bool:
        return True

    def due(self, camera: str, time: float) -> bool:
        return time >= SETTLED / 5

    def show(self, frame: LiveFrame) -> None:
        assert frame.picture is not None


def test_a_person_who_is_steady_is_looked_at_twice_a_second_and_a_young_one_in_every_frame() -> None:
    look_with = tools()
    line = pipeline()
    times = []
    for n in range(40):
        scene = line.glance(frame(n / 5))
        assert scene is not None
        if scene.look:
            times.append(n)
        list(line.step(scene, look_with))
    assert times[:6] == [0, 1, 2, 3, 4, 5], "of the first second of motion"
    assert [later - earlier for earlier, later in pairwise(times[6:])] == [3] * (len(times) - 7)


def of_snapshots(line: Pipeline) -> None:
    line.want("snapshot")


def of_rings(line: Pipeline) -> None:
    line.want("ring", "door-ring-1")


def of_the_live_view(line: Pipeline) -> None:
    """Its audience asks."""


@pytest.mark.parametrize("ask", [of_snapshots, of_rings, of_the_live_view])
def test_pictures_of_frames_in_which_tracks_may_rest_are_redacted_by_a_look_at_the_same_frame(
    ask: Callable[[Pipeline], None],
) -> None:
    def drifts(look: int) -> tuple[Detection, ...]:
        return (replace(PERSON, box=Box(0.4 + 0.001 * look, 0.2, 0.6, 0.9)),)

    redactor, detector = Seen(), ScriptedDetector(drifts)
    line = pipeline(audience=Watched() if ask is of_the_live_view else None)
    for n in range(3 * SETTLED):
        if n >= SETTLED:
            ask(line)
        scene = line.glance(frame(n / 5))
        assert scene is not None
        list(line.step(scene, VisionTools(detector, redactor)))
        if n >= SETTLED:
            shown = redactor.scenes[-1]
            assert shown.frame is scene.frame
            assert [d.box.x1 for d in shown.detections] == [0.4 + 0.001 * detector.looks]


HEIGHT_PX, WIDTH_PX = 240, 320
CHECKER = np.tile(np.kron([[60, 190], [190, 60]], np.ones((2, 2))), (60, 80)).astype(np.uint8)


def walker(n: int) -> Box:
    """Where somebody is who comes and turns round every four seconds."""
    there = 0.2 + 0.012 * min(n % 40, 40 - n % 40)
    return Box(there, 0.2, there + 0.15, 0.8)


def walks(n: int) -> Frame:
    x1, y1, x2, y2 = walker(n).pixels(WIDTH_PX, HEIGHT_PX)
    luma = np.full((HEIGHT_PX, WIDTH_PX), 128, np.uint8)
    luma[y1:y2, x1:x2] = CHECKER[y1:y2, x1:x2]
    return Frame(camera="door", seq=n, time=n / 5, luma=luma, convert=lambda: luma[:, :, None].repeat(3, axis=2))


class SeesPixels:
    """Finds what is not grey."""

    name = "pixels"

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        rows, columns = (np.flatnonzero((bgr[:, :, 0] != 128).any(axis=axis)) for axis in (1, 0))
        box = Box(columns[0] / WIDTH_PX, rows[0] / HEIGHT_PX, (columns[-1] + 1) / WIDTH_PX, (rows[-1] + 1) / HEIGHT_PX)
        return (replace(PERSON, box=box),)


def roughness(bgr: Pixels, box: Box) -> float:
    """How much of the checker is left: the mean step between neighbours, 65 untouched."""
    x1, y1, x2, y2 = box.pixels(WIDTH_PX, HEIGHT_PX)
    return float(np.abs(np.diff(bgr[y1:y2, x1:x2].astype(float), axis=1)).mean())


def test_who_walks_is_blurred_where_he_is_in_each_picture_though_his_track_rested() -> None:
    line, look_with = pipeline(), VisionTools(SeesPixels(), Privacy(None))
    rested = 0
    for n in range(120):
        shown = walks(n)
        line.want("ring", "door-ring-1")
        scene = line.glance(shown)
        assert scene is not None
        rested += line._select.reason is None
        pictures = [item for item in line.step(scene, look_with) if isinstance(item, Picture)]
        assert {picture.name for picture in pictures} >= {"ring", "snapshot"}
        for picture in pictures:
            bgr = np.asarray(cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
            assert roughness(shown.bgr(), walker(n)) > 50
            assert roughness(bgr, walker(n)) < 8
    assert rested > 30, "nobody would have looked at these frames but for the pictures"
