"""What privacy does, step by step, to see what each is good for: from a rival and nothing at all to ours."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2

from blikk_edge.app.vision_models import BLURRED_SCORE
from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.folders import ModelFolders, default_cache, folders_from_environment, resolve
from blikk_edge.transforms.models.registry import OutputFormat
from blikk_edge.transforms.privacy.faces import FaceFinder, head_region
from blikk_edge.transforms.privacy.heads import Person, face_ellipse
from blikk_edge.transforms.privacy.paint import Region
from blikk_edge.transforms.privacy.redactor import Privacy

Step = Callable[[Pixels, Sequence[Person]], Sequence[Region]]
"""A picture and the persons in it; the regions to blur."""

OURS = "+ who shows no face (ours)"
EVERY_HEAD = "+ the upper part of every person (not used)"
CLOSED = "no face model: whole persons (ours)"
STAND_INS = "both stand-ins (ours)"
STAND_INS_CLOSED = "BlazePose, whole persons"
HAAR = "Haar cascades (rival)"
SLOW = {CLOSED, HAAR}
TILE_PX = 152
FACE_MARGIN = 0.25


def steps(yunet: Path) -> dict[str, Step]:
    """By name; each but the first two and the last is the one before it and something more."""
    finder = FaceFinder(yunet)

    def coarse(bgr: Pixels, persons: Sequence[Person]) -> Sequence[Region]:
        return [face_ellipse(face) for face in finder._coarse(bgr) if face.score >= finder.threshold]

    def fine(bgr: Pixels, persons: Sequence[Person]) -> Sequence[Region]:
        return [face_ellipse(face) for face in finder.find(bgr) if face.score >= finder.threshold]

    def doubtful(bgr: Pixels, persons: Sequence[Person]) -> Sequence[Region]:
        return [face_ellipse(face) for face in finder.find(bgr)]

    def magnified(bgr: Pixels, persons: Sequence[Person]) -> Sequence[Region]:
        return [*doubtful(bgr, persons), *_in_persons(finder, bgr, persons)]

    def every_head(bgr: Pixels, persons: Sequence[Person]) -> Sequence[Region]:
        heads = [head_region(person.box, bgr.shape[1], bgr.shape[0]) for person in persons]
        return [*doubtful(bgr, persons), *heads]

    return {
        **closed_steps(),
        "faces, coarse look": coarse,
        "+ fine look in four tiles": fine,
        "+ small faces of low score": doubtful,
        "+ persons magnified (not used)": magnified,
        EVERY_HEAD: every_head,
        OURS: lambda bgr, persons: Privacy(finder)._plan(bgr, persons, 0.0).regions,
    }


def stand_in_steps() -> dict[str, Step]:
    """What is done where the defaults cannot be had; persons are BlazePose's, whoever else found some."""
    where = ModelFolders(cache=default_cache(), folders=folders_from_environment(), offline=True)
    people = TfliteDetector(resolve("blazepose-person", model_folders=where), thresholds={Label.PERSON: BLURRED_SCORE})
    faces = FaceFinder(resolve("blazeface-full", model_folders=where).path, kind=OutputFormat.BLAZEFACE)
    closed = Privacy(None)

    def found(bgr: Pixels) -> list[Person]:
        return [Person(person.box, person.head, person.score) for person in people.detect(bgr)]

    return {
        "BlazeFace, persons of YOLOX": lambda bgr, persons: Privacy(faces)._plan(bgr, persons, 0.0).regions,
        STAND_INS: lambda bgr, persons: Privacy(faces)._plan(bgr, found(bgr), 0.0).regions,
        STAND_INS_CLOSED: lambda bgr, persons: closed._plan(bgr, found(bgr), 0.0).regions,
    }


def closed_steps() -> dict[str, Step]:
    """What can be done without a face model."""
    closed = Privacy(None)
    return {
        "nothing blurred": lambda bgr, persons: (),
        HAAR: Haar(),
        CLOSED: lambda bgr, persons: closed._plan(bgr, persons, 0.0).regions,
    }


class Haar:
    """The rival: OpenCV's frontal and profile cascades on the whole picture, the usual way to add face blur."""

    def __init__(self) -> None:
        names = ("haarcascade_frontalface_default.xml", "haarcascade_profileface.xml")
        self._cascades = [cv2.CascadeClassifier(cv2.data.haarcascades + name) for name in names]

    def __call__(self, bgr: Pixels, persons: Sequence[Person]) -> Sequence[Region]:
        height, width = bgr.shape[:2]
        grey = cv2.equalizeHist(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))
        found = [box for cascade in self._cascades for box in cascade.detectMultiScale(grey, 1.1, 5)]
        boxes = [Box.clipped(x / width, y / height, (x + w) / width, (y + h) / height) for x, y, w, h in found]
        return [box.grown(FACE_MARGIN) for box in boxes if box is not None]


def _in_persons(finder: FaceFinder, bgr: Pixels, persons: Sequence[Person]) -> list[Region]:
    """Faces in the head regions, each magnified to 152 px: what it finds, a blurred head region covers anyhow."""
    height, width = bgr.shape[:2]
    found = []
    for person in persons:
        x1, y1, x2, y2 = head_region(person.box, width, height).grown(0.1).pixels(width, height)
        if min(x2 - x1, y2 - y1) >= 2:
            scale = TILE_PX / max(x2 - x1, y2 - y1)
            head = cv2.resize(bgr[y1:y2, x1:x2], None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
            faces = finder._look(head) / (scale, scale, scale, scale, 1)
            found += finder._placed(faces, bgr, left=x1, top=y1)
    return [face_ellipse(face) for face in found if face.score >= finder.least_score(face.box)]
