"""A clip with a visitor who stays long enough for a slow machine; whether her face is blurred in a picture of it."""

from pathlib import Path

import cv2
import numpy as np
from staging import FACE, portrait, write_clip

FPS = 5


def clip(path: Path, photographs: Path, *, seconds: int = 180) -> None:
    """A wall for 4 s, then the astronaut, 480 x 480, in front of whom something small moves."""
    wall = np.full((480, 480, 3), 120, np.uint8)
    visitor = portrait(photographs)
    pictures = []
    for number in range(seconds * FPS):
        picture = (wall if number < 4 * FPS else visitor).copy()
        left = 20 + number * 8 % 400
        picture[420:460, left : left + 40] = (40, 60, 220)
        pictures.append(picture)
    write_clip(path, pictures, fps=FPS, crf=20)


def detail(picture: np.ndarray) -> float:
    """How much fine structure there is: the variance of its second derivative."""
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())


def face_is_blurred(jpeg: bytes, photographs: Path) -> None:
    """Fails unless the picture shows the visitor, her face without a detail and what is around it as it was."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    original = portrait(photographs)
    assert picture.shape == original.shape
    x1, y1, x2, y2 = FACE
    face, was = picture[y1:y2, x1:x2], original[y1:y2, x1:x2]
    assert detail(face) < 0.05 * detail(was), "the face can be seen"
    suit = (slice(300, 400), slice(120, 360))
    difference = np.abs(picture[suit].astype(int) - original[suit]).mean()
    assert difference < 12, "it is another picture"
