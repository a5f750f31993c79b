"""From single cells that differ to few moving regions."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.geometry import Box, hull, intersection
from blikk_edge.transforms._motion_grid import Mask
from blikk_edge.transforms._motion_light import Structure

SPECKLE = 0.0006
"""Smaller regions are speckle: share of the picture, 12 cells of 160x120, 184 pixels of 640x480."""
_AGREES = 0.5
_GHOST = 1.3
"""Measured along outlines: 1.4 to 1.9 for ghosts, .2 to .95 for people, standing or walking."""
_NEAR = 0.02
_RIM = np.ones((7, 7), np.uint8)
_CLOSE = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class Regions:
    """`cells` marks the moving cells; `boxes` are the regions' bounds in the picture, unmerged."""

    cells: Mask
    boxes: tuple[Box, ...]

    @property
    def fraction(self) -> float:
        """Share of the picture that moves."""
        return float(np.count_nonzero(self.cells)) / self.cells.size


def find(different: Mask, strong: Mask) -> Regions:
    """Connected regions of cells that differ, without speckle; each holds a `strong` cell."""
    joined = cv2.morphologyEx(different.view(np.uint8), cv2.MORPH_CLOSE, _CLOSE)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= max(2.0, SPECKLE * different.size)
    keep &= np.bincount(labels[strong], minlength=count) > 0
    keep[0] = False
    return Regions(keep[labels], _boxes(stats[keep], different.shape))


def judge(regions: Regions, structure: Structure) -> tuple[Regions, Mask]:
    """The regions in which something is there, and the cells of those that should be learnt soon.

    A region whose edges are those of the background only got brighter or darker: it is taken out, and learnt. One where
    the outline is in the background and not in the frame is a ghost, the hole that something left: it stays for now,
    and is learnt.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(regions.cells.view(np.uint8), connectivity=8)
    flat = labels.ravel()
    weight = np.bincount(flat, structure.weight.ravel(), count)
    agreement = np.bincount(flat, (structure.weight * structure.agreement).ravel(), count)
    outline = labels * (cv2.erode(regions.cells.view(np.uint8), _RIM) == 0)
    before = np.bincount(outline.ravel(), structure.before.ravel(), count)
    now = np.bincount(outline.ravel(), structure.now.ravel(), count)
    # A region needs some edges to be judged by: on a bare wall, light and matter look the same.
    edged = weight > 2.0 * stats[:, cv2.CC_STAT_AREA]
    lit = edged & (agreement > _AGREES * weight)
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
