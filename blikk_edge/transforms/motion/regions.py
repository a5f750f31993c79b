"""From single cells that differ to few moving regions."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.geometry import Box, hull, intersection
from blikk_edge.transforms.motion.grid import Grid, Mask
from blikk_edge.transforms.motion.light import Structure

_SPECKLE = 0.0006
_AGREES = 0.5
_GHOST = 1.3
"""Measured along outlines: 1.4 to 1.9 for ghosts, .2 to .95 for people, standing or walking."""
_NEAR = 0.02
_FAINT = 1.5
_SOFT = 0.31
"""Edge of an outline as a share of the step that it makes: .3 and less for soft shadows and glare, .33 to 1 for cars
and people on the test clips.
"""
_VERY_SOFT = 0.2
_LESS_FAINT = 2.5
_RIM = np.ones((7, 7), np.uint8)
_CLOSE = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class Regions:
    """What moves in one grid.

    Attributes:
        cells: (rows, columns), true where a cell moves.
        boxes: The regions' bounds in the picture, unmerged.
    """

    cells: Mask
    boxes: tuple[Box, ...]

    @property
    def fraction(self) -> float:
        """Share of the picture that moves."""
        return float(np.count_nonzero(self.cells)) / self.cells.size


def speckle(shape: tuple[int, ...]) -> float:
    """Cells that a region needs: .06 % of the picture (12 cells of 160x120, 184 pixels of 640x480), at least 2."""
    return max(2.0, _SPECKLE * shape[0] * shape[1])


def find(different: Mask, strong: Mask) -> Regions:
    """Connected regions of cells that differ, without speckle; each holds a `strong` cell."""
    joined = cv2.morphologyEx(different.view(np.uint8), cv2.MORPH_CLOSE, _CLOSE)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= speckle(different.shape)
    keep &= np.bincount(labels[strong].astype(np.intp), minlength=count) > 0
    keep[0] = False
    return Regions(keep[labels], _boxes(stats[keep], different.shape))


def judge(regions: Regions, structure: Structure, *, distance: Grid, threshold: Grid) -> tuple[Regions, Mask]:
    """The regions in which something is there, and the cells of those that should be learnt soon.

    A region whose edges are those of the background, or a faint one that fades out without an outline (the softer, the
    less faint it need be), only got brighter or darker: it is taken out, and learnt. One whose outline is in the
    background and not in the frame is a ghost, the hole that something left: it stays for now, and is learnt.
    `distance` is how far each cell is from the background and `threshold` how far it needs to be to count, both in grey
    levels.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(regions.cells.view(np.uint8), connectivity=8)
    flat = labels.ravel()
    outline = (labels * (cv2.erode(regions.cells.view(np.uint8), _RIM) == 0)).ravel()

    def total(values: Grid, cells: NDArray[Any] = flat) -> NDArray[Any]:
        return np.bincount(cells, values.ravel(), count)

    area, rim = stats[:, cv2.CC_STAT_AREA], np.maximum(np.bincount(outline, minlength=count), 1)
    weight = total(structure.weight)
    before, now = total(structure.before, outline), total(structure.now, outline)
    # A region needs some edges to be judged by: on a bare wall, light and matter look the same.
    edged = weight > 2.0 * area
    lit = edged & (total(structure.weight * structure.agreement) > _AGREES * weight)
    step, needed = total(distance), total(threshold)
    edge = np.maximum(before, now) * area / rim
    lit |= (step < _FAINT * needed) & (edge < _SOFT * step)
    lit |= (step < _LESS_FAINT * needed) & (edge < _VERY_SOFT * step)
    ghost = edged & (before > _GHOST * now)
    keep = ~lit
    lit[0] = ghost[0] = keep[0] = False
    return Regions(keep[labels], _boxes(stats[keep], regions.cells.shape)), (lit | ghost)[labels]


def merge(boxes: tuple[Box, ...], *, most: int) -> tuple[Box, ...]:
    """At most `most` boxes around all, biggest first: what touches or nearly touches (2 %) becomes one."""
    merged = sorted(boxes, key=_size, reverse=True)
    if len(merged) > 8 * most:
        merged = [*merged[: 8 * most - 1], _around(merged[8 * most - 1 :])]
    again = True
    while again:
        again = False
        for i, box in enumerate(merged):
            near = _near(box)
            touching = [j for j in range(i + 1, len(merged)) if intersection(near, merged[j]) > 0]
            if touching:
                together = _around([box, *(merged[j] for j in touching)])
                merged = [b for j, b in enumerate(merged) if j != i and j not in touching]
                merged.append(together)
                again = True
                break
    merged.sort(key=_size, reverse=True)
    if len(merged) > most:
        merged = [*merged[: most - 1], _around(merged[most - 1 :])]
    return tuple(merged)


def _boxes(stats: NDArray[Any], shape: tuple[int, ...]) -> tuple[Box, ...]:
    rows, columns = shape
    return tuple(
        Box(x / columns, y / rows, (x + width) / columns, (y + height) / rows)
        for x, y, width, height in stats[:, :4].tolist()
    )


def _size(box: Box) -> float:
    return box.area


def _near(box: Box) -> Box:
    return Box(max(0.0, box.x1 - _NEAR), max(0.0, box.y1 - _NEAR), min(1.0, box.x2 + _NEAR), min(1.0, box.y2 + _NEAR))


def _around(boxes: list[Box]) -> Box:
    around = hull(boxes)
    assert around is not None  # hull is None for no boxes only
    return around
