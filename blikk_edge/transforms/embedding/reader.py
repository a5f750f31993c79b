"""Redacted Pictures in, Looks out, within a budget of time."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.appearance import Appearance, Embedding, Look
from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box, iou
from blikk_edge.core.observation import Sighting
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Detection
from blikk_edge.transforms.embedding.colours import dominant_colours
from blikk_edge.transforms.embedding.fitting import fit
from blikk_edge.transforms.embedding.towers import TwoTowers, Vector

SHARE: Final = 0.1
"""So much of a worker's time may go into embeddings, on average."""

SAVED_S: Final = 3.0
"""So much may be spent at once."""

AROUND: Final = 0.1
"""So much of an object's box is shown around it, too, on each side."""

MORE_AROUND: Final = 0.25
"""As AROUND, for a detector: it was trained with objects in their surroundings."""

SAME: Final = 0.5
"""What overlaps an object by so much (IoU) is that object."""

LEAST_PX: Final = 16
"""A smaller object has no looks."""

SecondLook: TypeAlias = Callable[[NDArray[np.uint8]], Sequence[Detection]]
"""A detector that is given a crop of a Picture; raises ModelError."""

_PAD: Final = (114, 114, 114)


class Budget:
    """Time that may be spent: `share` of what goes by, at most `saved_s` of it saved up."""

    def __init__(self, *, share: float = SHARE, saved_s: float = SAVED_S) -> None:
        self._share = share
        self._most_s = self._left_s = saved_s
        self._at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether something may begin at this moment, in seconds of a steady clock."""
        if self._at is not None:
            self._left_s = min(self._most_s, self._left_s + (now - self._at) * self._share)
        self._at = now
        return self._left_s > 0.0

    def spend(self, took_s: float) -> None:
        """So much was spent."""
        self._left_s -= took_s


class LookReader:
    """Reads how objects look in redacted Pictures; implements `core.stages.AppearanceReader`.

    `towers` gives the model where it is there by now; without one, or without time for it, a Look has colours only.
    `failed` is called with a model that fails. `second` is a larger detector, where there is one now, whose word for an
    object counts; that of the node's own where it finds nothing of that label there. One for each vision worker: not
    shared between threads. Without `budgeted` it takes all the time that it needs.
    """

    def __init__(
        self,
        towers: Callable[[], TwoTowers | None] = lambda: None,
        *,
        failed: Callable[[ModelError], None] = lambda _error: None,
        second: Callable[[], SecondLook | None] = lambda: None,
        budget: Budget | None = None,
        budgeted: bool = True,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._towers = towers
        self._failed = failed
        self._second = second
        self._budget = budget or Budget()
        self._budgeted = budgeted
        self._stopwatch = stopwatch
        self._last: tuple[bytes, NDArray[np.uint8] | None] = b"", None

    def look(self, picture: Picture, objects: Sequence[Sighting], concepts: Mapping[str, str]) -> Sequence[Look]:
        """How each of these objects looks in a Picture; one that is too small has no Look."""
        pixels = self._decoded(picture)
        if pixels is None:
            return ()
        looks = [self._object(pixels, each, concepts) for each in objects]
        return [look for look in looks if look is not None]

    def whole(self, picture: Picture) -> Look | None:
        """How all of a Picture looks."""
        pixels = self._decoded(picture)
        if pixels is None:
            return None
        return self._read(Appearance(colours=dominant_colours(pixels)), pixels, Box(0.0, 0.0, 1.0, 1.0), {})

    def _decoded(self, picture: Picture) -> NDArray[np.uint8] | None:
        """(h, w, 3) BGR; None where it is no JPEG. Of one scene several objects are looked at in a row."""
        if self._last[0] is not picture.jpeg:
            pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
            self._last = picture.jpeg, None if pixels is None else np.asarray(pixels, np.uint8)
        return self._last[1]

    def _object(self, pixels: NDArray[np.uint8], seen: Sighting, concepts: Mapping[str, str]) -> Look | None:
        height, width = pixels.shape[:2]
        x1, y1, x2, y2 = seen.box.pixels(width, height)
        if min(x2 - x1, y2 - y1) < LEAST_PX:
            return None
        colours = dominant_colours(pixels[y1:y2, x1:x2])
        bare = Appearance(track=seen.track, label=seen.label, kind=self._kind(pixels, seen), colours=colours)
        return self._read(bare, pixels, seen.box.grown(AROUND), concepts)

    def _kind(self, pixels: NDArray[np.uint8], seen: Sighting) -> str:
        """What the larger detector calls an object."""
        second, began = self._second(), self._stopwatch() if self._budgeted else 0.0
        if second is None or (self._budgeted and not self._budget.allows(began)):
            return seen.sub_label
        part = seen.box.grown(MORE_AROUND)
        x1, y1, x2, y2 = part.pixels(pixels.shape[1], pixels.shape[0])
        try:
            found = second(pixels[y1:y2, x1:x2])
        except ModelError:
            found = ()
        if self._budgeted:
            self._budget.spend(self._stopwatch() - began)
        there = (each for each in found if each.label is seen.label and iou(each.box.placed(part), seen.box) >= SAME)
        return next((each.sub_label for each in there), seen.sub_label)

    def _read(self, bare: Appearance, pixels: NDArray[np.uint8], box: Box, concepts: Mapping[str, str]) -> Look:
        towers = self._towers()
        began = self._stopwatch() if self._budgeted else 0.0
        if towers is None:
            return Look(appearance=bare)
        if self._budgeted and not self._budget.allows(began):
            return Look(appearance=bare, skipped=True)
        try:
            vector = towers.picture(_square(pixels, box))
            scores = {name: fit(towers, vector, words, bare.label) for name, words in concepts.items()}
        except ModelError as error:
            self._failed(error)
            return Look(appearance=bare)
        finally:
            if self._budgeted:
                self._budget.spend(self._stopwatch() - began)
        return Look(appearance=_embedded(bare, towers.name, vector), scores=scores)


def _embedded(bare: Appearance, model: str, vector: Vector) -> Appearance:
    return Appearance(
        track=bare.track,
        label=bare.label,
        kind=bare.kind,
        colours=bare.colours,
        embedding=Embedding.packed(model, vector.astype("<f2").tobytes()),
    )


def _square(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The square around a box, as far as there is a picture; grey beyond it. The model would cut off what is no square.

    Of a whole picture that is all of it, with bars.
    """
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = box.pixels(width, height)
    side = max(x2 - x1, y2 - y1)
    left, top = _start(x1, x2, side, width), _start(y1, y2, side, height)
    part = pixels[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    above, before = max(0, -top), max(0, -left)
    below, after = side - above - part.shape[0], side - before - part.shape[1]
    if not (above or before or below or after):
        return part
    return np.asarray(cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_CONSTANT, value=_PAD), np.uint8)


def _start(first: int, last: int, side: int, most: int) -> int:
    """Where a square of this side begins so that what it is about is in its middle, and it stays in the picture."""
    start = (first + last - side) // 2
    return start if side > most else min(max(0, start), most - side)
