"""The annotated faces as they are seldom photographed: mirrored, turned, masked, below a hat, against the light."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from annotated_faces import AnnotatedFace, AnnotatedPicture

from blikk_edge.core.scene import Pixels

Kind = Callable[[AnnotatedPicture], AnnotatedPicture]

COVERED_BEFORE = {
    "as it is": 87,
    "profile": 12,
    "mirrored": 88,
    "tilted 20°": 86,
    "tilted 45°": 80,
    "lying (90°)": 68,
    "upside down": 66,
    "mask over mouth and nose": 86,
    "hat down to the brows": 87,
    "against the light": 86,
}
"""Faces of a kind that kept at most 8 x 8 samples while the upper part of everybody was blurred; not with --quick."""

_CLOTH = (150, 120, 90)
_FELT = (45, 40, 40)


def kinds() -> dict[str, Kind]:
    """What is done to a picture, by name. Masks and hats are drawn; profiles are the key points with one eye."""
    return {
        "as it is": lambda picture: picture,
        "profile": lambda picture: _only(picture, lambda face: len(face.points) == 2),
        "mirrored": _mirrored,
        "tilted 20°": lambda picture: _turned(picture, 20),
        "tilted 45°": lambda picture: _turned(picture, 45),
        "lying (90°)": lambda picture: _turned(picture, 90),
        "upside down": lambda picture: _turned(picture, 180),
        "mask over mouth and nose": lambda picture: _drawn(picture, _mask),
        "hat down to the brows": lambda picture: _drawn(picture, _hat),
        "against the light": _against_the_light,
    }


def of_kind(kind: Kind, every: Iterator[AnnotatedPicture]) -> Iterator[AnnotatedPicture]:
    """The pictures that have a face of this kind, as they are then."""
    return (made for made in map(kind, every) if made.faces)


def _only(picture: AnnotatedPicture, wanted: Callable[[AnnotatedFace], bool]) -> AnnotatedPicture:
    return replace(picture, faces=tuple(face for face in picture.faces if wanted(face)))


def _mirrored(picture: AnnotatedPicture) -> AnnotatedPicture:
    width = picture.bgr.shape[1]

    def mirrored(face: AnnotatedFace) -> AnnotatedFace:
        box = face.box and (width - face.box[2], face.box[1], width - face.box[0], face.box[3])
        return replace(face, box=box, points=tuple((width - x, y) for x, y in face.points))

    return replace(picture, bgr=picture.bgr[:, ::-1].copy(), faces=tuple(map(mirrored, picture.faces)))


def _turned(picture: AnnotatedPicture, degrees: float) -> AnnotatedPicture:
    """All of the picture turned anticlockwise, on grey; a face's box stays upright around the turned middle."""
    height, width = picture.bgr.shape[:2]
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    new_width, new_height = round(width * cosine + height * sine), round(width * sine + height * cosine)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    turn[:, 2] += (new_width - width) / 2, (new_height - height) / 2
    bgr = cv2.warpAffine(picture.bgr, turn, (new_width, new_height), borderValue=(110, 110, 110))

    def turned(face: AnnotatedFace) -> AnnotatedFace:
        points = tuple((float(x), float(y)) for x, y in (turn @ (*point, 1.0) for point in face.points))
        if face.box is None:
            return replace(face, points=points)
        x, y = turn @ (*face.centre, 1.0)
        half = face.width_px / 2
        return replace(face, box=(x - half, y - half, x + half, y + half))

    return replace(picture, bgr=np.asarray(bgr, np.uint8), faces=tuple(map(turned, picture.faces)))


def _drawn(picture: AnnotatedPicture, draw: Callable[[Pixels, float, float, float], None]) -> AnnotatedPicture:
    bgr = picture.bgr.copy()
    for face in picture.faces:
        draw(bgr, *face.centre, face.width_px)
    return replace(picture, bgr=bgr)


def _mask(bgr: Pixels, x: float, y: float, width: float) -> None:
    middle = (round(x), round(y + 0.32 * width))
    cv2.ellipse(bgr, middle, (round(0.42 * width), round(0.34 * width)), 0, 0, 360, _CLOTH, -1, cv2.LINE_AA)


def _hat(bgr: Pixels, x: float, y: float, width: float) -> None:
    middle = (round(x), round(y - 0.28 * width))
    cv2.ellipse(bgr, middle, (round(0.62 * width), round(0.55 * width)), 0, 180, 360, _FELT, -1, cv2.LINE_AA)
    cv2.ellipse(bgr, middle, (round(0.8 * width), round(0.12 * width)), 0, 0, 360, _FELT, -1, cv2.LINE_AA)


def _against_the_light(picture: AnnotatedPicture) -> AnnotatedPicture:
    """People darkened to a fifth, the rest brightened; they go over into each other."""
    height, width = picture.bgr.shape[:2]
    people = np.zeros((height, width), np.float32)
    for face in picture.faces:
        x, y = face.centre
        cv2.ellipse(people, ((x, y + face.width_px), (3 * face.width_px, 6 * face.width_px), 0.0), 1.0, -1)
    people = cv2.GaussianBlur(people, (0, 0), max(2.0, width / 100))[:, :, None]
    bright = 255 * (picture.bgr / 255.0) ** 0.4
    return replace(picture, bgr=np.asarray(people * 0.2 * picture.bgr + (1 - people) * bright, np.uint8))
