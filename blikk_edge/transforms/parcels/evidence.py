"""Whether a region in which the settled view changed is something that was left there; and whether it still lies."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.geometry import Box
from blikk_edge.core.parcels import EDGES
from blikk_edge.transforms.motion.grid import Grid, Mask
from blikk_edge.transforms.parcels.settled import Gradients

_CELLS: Final = 4
_CLEAR: Final = 2.5
"""Edges so many times as strong as noise are edges."""

_INNER: Final = (0.15, 0.3)
"""Edges within so many times as strong as those of the outline are light; so many more, and they are a thing's own."""

_RING_PX: Final = 2
_INSIDE_PX: Final = 12
_CORE: Final = 0.4
"""A region's inside begins at this share of its depth: soft edges of its outline, as a shadow has, end before."""

_LEAST, _LEAST_CUT_OFF, _MOST, _BORDER = 0.05, 0.1, 0.7, 0.996
"""The least and the largest side of a parcel, in heights of the person; `_LEAST_CUT_OFF` at the lower border."""

_GAIN: Final = (0.3, 3.0)
_PACE: Final = 0.1
_REST: Final = 0.6
"""Edges that the bare place does not have may be there with so much of the strength of the parcel's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for something new in a region. All 0..1.

    Attributes:
        outline: How much of the edges that run along the region's outline, before and now, is there now: near 1 where
            something was put there, near 0 where something was taken.
        edges: How clear of noise the new edges in and around it are.
        other: How little of the former texture is left in it: near 0 for a shadow or a light on a patterned ground.
        inner: How strong its new edges within are, beside those of its outline: near 0 for a shadow or a light on any
            ground.
        solid: How much of its box the region fills.
    """

    outline: float
    edges: float
    other: float
    inner: float
    solid: float

    @property
    def score(self) -> float:
        """How sure it is that something was put there, 0..1: the geometric mean of all, the outline from .3 on.

        What covers a cluttered ground, as the foot of a table, has an outline of .4; what was taken from a plain one
        of .2.
        """
        outline = min(1.0, max(0.0, (self.outline - 0.3) / 0.4))
        other = min(1.0, max(0.0, (self.other - 0.35) / 0.4))
        inner = min(1.0, max(0.0, (self.inner - _INNER[0]) / _INNER[1]))
        solid = min(1.0, self.solid / 0.6)
        return float((outline * self.edges * other * inner * solid) ** 0.2)


def weigh(before: Grid, now: Grid, region: Mask, noise: float) -> Evidence:
    """Compare a region and its surroundings before and now; all three are of one shape, the region inside of them."""
    was, is_ = Gradients.of(before), Gradients.of(now)
    filled = region.astype(np.uint8)
    kernel = np.ones((2 * _RING_PX + 1, 2 * _RING_PX + 1), np.uint8)
    ring = (cv2.dilate(filled, kernel) - cv2.erode(filled, kernel)) > 0
    inside = _inside(filled)
    floor = _CLEAR * 0.35 * noise  # Sobel's share of the noise of a picture averaged over 3x3
    normal = Gradients.of(cv2.GaussianBlur(filled.astype(np.float32), (0, 0), 1.0))  # type: ignore[arg-type]  # float32
    across = normal.strength
    old_ring, new_ring = (
        float(np.maximum(np.abs(edges.x * normal.x + edges.y * normal.y) - floor * across, 0).sum())
        for edges in (was, is_)
    )
    change = cv2.magnitude(is_.x - was.x, is_.y - was.y)
    strength = float(change[ring].mean())
    height, width = _extent(region)
    return Evidence(
        outline=new_ring / max(1e-6, new_ring + old_ring),
        edges=min(1.0, strength / max(0.3, floor) / 3.0),
        other=1.0 - max(0.0, _alike(was, is_, inside, floor)),
        inner=_new_within(was, is_, inside, floor) / max(1e-6, strength),
        solid=float(np.count_nonzero(region)) / max(1, height * width),
    )


def _inside(filled: NDArray[np.uint8]) -> Mask:
    """The pixels of a region that are away from its outline."""
    padded = cv2.copyMakeBorder(filled, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    inside: Mask = depth > max(_RING_PX, _CORE * float(depth.max()))
    return inside if np.count_nonzero(inside) >= _INSIDE_PX else filled > 0


def _new_within(was: Gradients, is_: Gradients, cells: Mask, floor: float) -> float:
    """How strong the edges are that the former ones, in another light, do not explain: their upper tenth."""
    x, y, p, q = was.x[cells], was.y[cells], is_.x[cells], is_.y[cells]
    energy = float((x * x + y * y).sum())
    gain = max(0.0, float((x * p + y * q).sum()) / energy) if energy > cells.sum() * floor * floor else 0.0
    return max(0.0, float(np.quantile(np.hypot(p - gain * x, q - gain * y), 0.9)) - floor)


def _extent(region: Mask) -> tuple[int, int]:
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return (0, 0) if not rows.size else (int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1))


def _alike(was: Gradients, is_: Gradients, cells: Mask, floor: float) -> float:
    """How far the edges of before are still there, -1..1, in whatever light; 0 where there were none."""
    x, y = was.x[cells], was.y[cells]
    energy = float((x * x + y * y).sum())
    if energy < cells.sum() * floor * floor:
        return 0.0
    p, q = is_.x[cells], is_.y[cells]
    return float((x * p + y * q).sum()) / max(1e-6, math.sqrt(energy * float((p * p + q * q).sum())))


class Presence:
    """What the place of a parcel looks like with it, and without it: told apart by edges alone, in whatever light.

    A matched filter: the edges that the parcel adds are looked for in the edges of now. `without` is None where the
    place was never seen empty.
    """

    def __init__(self, with_it: Grid, without: Grid | None, noise: float) -> None:
        self._with = Gradients.of(with_it)
        self._without = None if without is None else Gradients.of(without)
        self._noise = noise

    def share(self, now: Grid, noise: float) -> tuple[float, float]:
        """How much of what it adds is there, about 0..1, and how far what is there looks like it, -1..1."""
        seen, bare = Gradients.of(now), self._without
        add_x, add_y = (self._with.x, self._with.y) if bare is None else (self._with.x - bare.x, self._with.y - bare.y)
        got_x, got_y = (seen.x, seen.y) if bare is None else (seen.x - bare.x, seen.y - bare.y)
        product = float((got_x * add_x + got_y * add_y).sum())
        added = float((add_x * add_x + add_y * add_y).sum())
        floor = 2 * add_x.size * (0.35 * max(noise, self._noise)) ** 2
        got = max(0.0, float((got_x * got_x + got_y * got_y).sum()) - floor)
        return product / max(1e-6, added), product / max(1e-6, math.sqrt(added * max(got, 0.01 * added)))

    def bare(self, now: Grid) -> bool:
        """Whether the place looks as it did without it; True where that was never seen."""
        if self._without is None:
            return True
        seen, bare = Gradients.of(now), self._without
        energy = float((bare.x * bare.x + bare.y * bare.y).sum())
        product = float((seen.x * bare.x + seen.y * bare.y).sum())
        gain = min(_GAIN[1], max(_GAIN[0], product / energy)) if energy > 0 else 1.0
        rest = float(((seen.x - gain * bare.x) ** 2 + (seen.y - gain * bare.y) ** 2).sum())
        added = float(((self._with.x - bare.x) ** 2 + (self._with.y - bare.y) ** 2).sum())
        return rest < _REST * max(added, energy)

    def learn(self, now: Grid) -> None:
        """It still lies there: the light on it may have changed a little."""
        seen, known = Gradients.of(now), self._with
        share = np.float32(_PACE)
        energy = float((known.x * known.x + known.y * known.y).sum())
        gain = float((seen.x * known.x + seen.y * known.y).sum()) / max(1e-6, energy)
        self._with = Gradients(known.x + share * (seen.x - known.x), known.y + share * (seen.y - known.y))
        if self._without is not None:  # it would be in the same light
            change = np.float32(1 + _PACE * (gain - 1))
            self._without = Gradients(self._without.x * change, self._without.y * change)


def edges_of(grey: Grid) -> bytes:
    """How strong the edges are, in 4 x 4 cells and 4 directions (`Lying.edges`)."""
    seen = Gradients.of(grey)
    turn = (np.arctan2(seen.y, seen.x) % np.pi) / np.pi * 4
    direction = np.minimum(turn.astype(np.int32), 3)
    strength = seen.strength
    sums: NDArray[np.float32] = np.zeros((4, _CELLS, _CELLS), np.float32)
    for way in range(4):
        own = np.where(direction == way, strength, np.float32(0.0)).astype(np.float32)
        sums[way] = cv2.resize(own, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    top = float(sums.max())
    return bytes(np.rint(sums.ravel() * (255 / top if top > 0 else 0.0)).astype(np.uint8)[:EDGES])


def likeness(one: bytes, other: bytes) -> float:
    """Cosine of two descriptions by `edges_of`, 0..1."""
    a, b = (np.frombuffer(each, np.uint8).astype(np.float32) for each in (one, other))
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else 0.0


def found_again(patch: Grid, around: Grid) -> tuple[float, int, int]:
    """Where in its surroundings a part looks most like it: correlation -1..1, and its left and upper edge there."""
    if patch.shape[0] > around.shape[0] or patch.shape[1] > around.shape[1] or float(patch.std()) < 1.0:
        return 0.0, 0, 0
    scores = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(scores)
    return (float(best), x, y) if math.isfinite(best) else (0.0, 0, 0)


def plausible(region: Box, person_height: float, aspect: float) -> bool:
    """Whether a region may be what a person of this height left: neither a wall nor a glove.

    Heights are shares of the picture's height, `aspect` is the picture's width by its height.
    """
    if person_height <= 0:
        return False
    height, width = region.height / person_height, region.width * aspect / person_height
    cut_off = region.y2 >= _BORDER  # of what goes on below the picture a sliver says too little
    if min(height, width) < (_LEAST_CUT_OFF if cut_off else _LEAST) or max(height, width) > _MOST:
        return False
    return 0.25 <= width / height <= 4.5 and region.x1 > 0.004 and region.x2 < 0.996 and region.y1 > 0.004
