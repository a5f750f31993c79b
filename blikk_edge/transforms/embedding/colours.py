"""The dominant colours of a part of a picture, as people name them."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.appearance import Colour

SIDE_PX: Final = 48
LEAST_SHARE: Final = 0.2
MOST: Final = 3

GREYS: Final = frozenset({Colour.BLACK, Colour.GREY, Colour.WHITE})
GREY_WEIGHT: Final = 0.5
"""Tyres, glass, shadows and roads are grey everywhere: a colour counts twice as much."""

# Hue as OpenCV has it, 0..179: where each colour ends. Red is at both ends.
_HUES: Final = (
    (7, Colour.RED),
    (20, Colour.ORANGE),
    (34, Colour.YELLOW),
    (85, Colour.GREEN),
    (130, Colour.BLUE),
    (150, Colour.PURPLE),
    (168, Colour.PINK),
    (180, Colour.RED),
)
_ORDER: Final = tuple(Colour)
_AT: Final = {colour: at for at, colour in enumerate(Colour)}


def dominant_colours(bgr: NDArray[np.uint8]) -> tuple[Colour, ...]:
    """The colours that fill most of a (h, w, 3) BGR picture, at most three, the largest first.

    What is near the corners does not count: of a box around an object that is background.
    """
    small = cv2.resize(bgr, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    named = _named(np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2HSV), np.uint8))
    inside = _inside(SIDE_PX)
    weights = np.bincount(named[inside], minlength=len(_ORDER)).astype(np.float64)
    for grey in GREYS:
        weights[_AT[grey]] *= GREY_WEIGHT
    shares = weights / max(weights.sum(), 1.0)
    largest = sorted(range(len(_ORDER)), key=lambda at: -shares[at])[:MOST]
    return tuple(_ORDER[at] for at in largest if shares[at] >= LEAST_SHARE)


def _named(hsv: NDArray[np.uint8]) -> NDArray[np.intp]:
    """(h, w) the place of each pixel's colour in the order of `Colour`."""
    hue, saturation, value = (hsv[..., channel].astype(np.int32) for channel in range(3))
    ends = [end for end, _ in _HUES]
    hues = np.array([_AT[colour] for _, colour in _HUES])
    named = hues[np.minimum(np.searchsorted(ends, hue, side="right"), len(ends) - 1)]
    dull_orange = (named == _AT[Colour.ORANGE]) & (value < 170)
    dark_yellow = (named == _AT[Colour.YELLOW]) & (hue < 30) & (value < 110)
    named[dull_orange | dark_yellow] = _AT[Colour.BROWN]
    named[(named == _AT[Colour.RED]) & (saturation < 130) & (value > 180)] = _AT[Colour.PINK]
    grey = np.where(value > 190, _AT[Colour.WHITE], np.where(value < 70, _AT[Colour.BLACK], _AT[Colour.GREY]))
    # a camera's noise gives dark pixels a hue
    pale = saturation < np.where(value < 90, 90, 50)
    named = np.where(pale, grey, named)
    return np.where(value < 45, _AT[Colour.BLACK], named).astype(np.intp)


def _inside(side: int) -> NDArray[np.bool_]:
    """(side, side) the ellipse that touches the middle four fifths of each side."""
    at = (np.arange(side) + 0.5) / side * 2 - 1
    inside: NDArray[np.bool_] = at[np.newaxis] ** 2 + at[:, np.newaxis] ** 2 < 0.8**2
    return inside
