"""Real models and face sets for the privacy tests; the sets are read by the bench's own reader."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from annotated_faces import YUNET, AnnotatedPicture, detector, pictures
from looks_once import LooksOnce

from blikk_edge.core.sightings import Detection
from blikk_edge.transforms.privacy.faces import FaceFinder


@dataclass(frozen=True)
class Seen:
    """An annotated picture and the persons that the default detector finds in it."""

    picture: AnnotatedPicture
    detections: tuple[Detection, ...]


@pytest.fixture(scope="session")
def yunet(data: Path) -> Path:
    """The face model's file."""
    return data / YUNET


@pytest.fixture(scope="session")
def finder(yunet: Path) -> LooksOnce:
    """One face finder for all tests of this thread."""
    return LooksOnce(FaceFinder(yunet))


@pytest.fixture(scope="session")
def seen(data: Path) -> list[Seen]:
    """Every annotated picture in full view (none shrunk), with persons by the real detector."""
    persons = detector(data, 0.25)
    near = [picture for picture in pictures(data, gif_step=6) if picture.set != "far" and picture.faces]
    return [Seen(picture, persons.detect(picture.bgr)) for picture in near]
