"""Draws our brand pictures from signed distances: a doorbell with an eye whose iris is too coarse to know a face by.

Lengths are parts of the icon's side, y goes down. A shape is a function of points that says how far inside (negative)
or outside they are, so that edges are smooth at every size and the pictures come out the same everywhere.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Shape = Callable[[Values, Values], Values]

ROOT = Path(__file__).parents[1]
COMPONENT, APP = ROOT / "custom_components" / "blikk" / "brand", ROOT / "docker" / "app"
CASE, CASE_SHADE, WHITE = (15, 118, 110), (11, 94, 88), (250, 250, 247)
WORD = (15, 148, 136)  # read on white and on black
IRIS = ((180, 83, 9), (217, 119, 6), (245, 158, 11), (251, 191, 36), (120, 53, 15))
MOSAIC = ("22011", "23300", "13341", "03432", "11022")


def disc(x0: float, y0: float, radius: float) -> Shape:
    """A filled circle."""
    return lambda x, y: np.hypot(x - x0, y - y0) - radius


def box(x0: float, y0: float, x1: float, y1: float, radius: float) -> Shape:
    """A rectangle with round corners."""

    def distance(x: Values, y: Values) -> Values:
        dx = np.abs(x - (x0 + x1) / 2) - (x1 - x0) / 2 + radius
        dy = np.abs(y - (y0 + y1) / 2) - (y1 - y0) / 2 + radius
        return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - radius

    return distance


def stroke(x0: float, y0: float, x1: float, y1: float, width: float) -> Shape:
    """A line with round ends."""

    def distance(x: Values, y: Values) -> Values:
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        return np.hypot(x - x0 - along * dx, y - y0 - along * dy) - width / 2

    return distance


def both(one: Shape, other: Shape) -> Shape:
    """What is in both shapes."""
    return lambda x, y: np.maximum(one(x, y), other(x, y))


def ring(x0: float, y0: float, radius: float, width: float) -> Shape:
    """A circle's line."""
    return lambda x, y: np.abs(np.hypot(x - x0, y - y0) - radius) - width / 2


class Drawing:
    """A transparent sheet of `width` icon sides by one."""

    def __init__(self, height_px: int, width: float = 1.0) -> None:
        self._height_px = height_px
        self._rgb = np.zeros((height_px, round(height_px * width), 3))
        self._alpha = np.zeros(self._rgb.shape[:2])
        y, x = np.mgrid[0:height_px, 0 : self._rgb.shape[1]].astype(np.float64)
        self._x, self._y = (x + 0.5) / height_px, (y + 0.5) / height_px

    def fill(self, shape: Shape, colour: tuple[int, int, int]) -> None:
        """Paint a shape over what is there."""
        cover = np.clip(0.5 - shape(self._x, self._y) * self._height_px, 0, 1)
        alpha = cover + self._alpha * (1 - cover)
        mix = np.asarray(colour) * cover[..., None] + self._rgb * (self._alpha * (1 - cover))[..., None]
        self._rgb = mix / np.maximum(alpha, 1e-9)[..., None]
        self._alpha = alpha

    def bgra(self) -> NDArray[np.uint8]:
        """As OpenCV writes it, without the empty edges."""
        sheet = np.dstack([self._rgb[..., ::-1], self._alpha * 255]).round().astype(np.uint8)
        rows, columns = np.nonzero(sheet[..., 3].any(axis=1))[0], np.nonzero(sheet[..., 3].any(axis=0))[0]
        return sheet[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def draw_icon(drawing: Drawing) -> None:
    """A doorbell's case that is an eye: its iris is a mosaic."""
    drawing.fill(box(0, 0, 1, 1, 0.24), CASE)
    eye = both(disc(0.5, 0.705, 0.475), disc(0.5, 0.295, 0.475))
    drawing.fill(lambda x, y: eye(x, y - 0.015) - 0.03, CASE_SHADE)
    drawing.fill(eye, WHITE)
    iris, cell = disc(0.5, 0.5, 0.22), 0.44 / len(MOSAIC)
    for row, line in enumerate(MOSAIC):
        for column, tone in enumerate(line):
            x0, y0 = 0.28 + column * cell, 0.28 + row * cell
            drawing.fill(both(iris, box(x0 - 0.01, y0 - 0.01, x0 + cell, y0 + cell, 0)), IRIS[int(tone)])
    drawing.fill(disc(0.42, 0.42, 0.045), WHITE)


def draw_word(drawing: Drawing, left: float) -> None:
    """The word blikk in strokes, from `left` on."""
    w, top, base, x_height = 0.12, 0.16, 0.78, 0.40
    radius = (base - x_height) / 2
    x = left + w / 2
    drawing.fill(stroke(x, top, x, base, w), WORD)
    drawing.fill(ring(x + radius, x_height + radius, radius, w), WORD)
    x += 2 * radius + 0.23
    drawing.fill(stroke(x, top, x, base, w), WORD)
    x += 0.23
    drawing.fill(stroke(x, x_height, x, base, w), WORD)
    drawing.fill(disc(x, top + 0.02, w * 0.62), IRIS[2])
    for stem in (x + 0.23, x + 0.75):
        drawing.fill(stroke(stem, top, stem, base, w), WORD)
        drawing.fill(stroke(stem + 0.03, 0.61, stem + 0.27, x_height, w), WORD)
        drawing.fill(stroke(stem + 0.09, 0.56, stem + 0.29, base, w), WORD)


def pictures() -> dict[Path, NDArray[np.uint8]]:
    """All pictures by file."""
    found: dict[Path, NDArray[np.uint8]] = {}
    for tail, scale in (("", 1), ("@2x", 2)):
        found[COMPONENT / f"icon{tail}.png"] = icon(256 * scale)
        found[COMPONENT / f"logo{tail}.png"] = logo(192 * scale)
    # the app store shows them in half of that
    found[APP / "icon.png"] = icon(128)
    found[APP / "logo.png"] = logo(96)
    return found


def icon(height_px: int) -> NDArray[np.uint8]:
    """The icon, as high as wide."""
    drawing = Drawing(height_px)
    draw_icon(drawing)
    return drawing.bgra()


def logo(height_px: int) -> NDArray[np.uint8]:
    """The icon and the word."""
    drawing = Drawing(height_px, 3.2)
    draw_icon(drawing)
    draw_word(drawing, 1.2)
    return drawing.bgra()


def main() -> int:
    """Write the pictures, or with `--check` tell which are not as they would be drawn."""
    stale = []
    for path, picture in pictures().items():
        there = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.exists() else None
        if there is not None and there.shape == picture.shape and cv2.norm(there, picture, cv2.NORM_INF) <= 1:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if stale:
        print(("stale, run scripts/brand: " if "--check" in sys.argv else "drawn: ") + ", ".join(stale))
    return bool(stale and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
