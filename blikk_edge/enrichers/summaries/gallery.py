"""A few redacted Pictures of each event that goes on: chosen for change and clarity, never shown to a model twice."""

import asyncio
import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

from blikk_edge.core.errors import BlikkError
from blikk_edge.core.picture import Picture

MOST: Final = 5
"""Pictures of one event that a model is shown in all."""

SIDE_PX: Final = 512
MAX_BYTES: Final = 80_000

KEPT: Final = 6
MAX_EVENTS: Final = 32

Shrink: TypeAlias = Callable[[Picture], Picture]
"""Makes a smaller Picture of one that is too large, without metadata. Blocking; raises PrivacyError."""


@dataclass(slots=True)
class _Kept:
    waiting: list[Picture] = field(default_factory=list)
    shown: int = 0


class Gallery:
    """Pictures that passed by, a bounded few by event, and the newest of each camera.

    `shrink` makes those fit that are too large; without it they are not shown.
    """

    def __init__(self, shrink: Shrink | None = None) -> None:
        self._shrink = shrink
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._newest: dict[str, Picture] = {}

    def keep(self, picture: Picture, event: str | None) -> None:
        """Keep one, for an event or as the newest of its camera."""
        self._newest[picture.camera] = picture
        if event is None:
            return
        kept = self._kept.setdefault(event, _Kept())
        kept.waiting.append(picture)
        if len(kept.waiting) > KEPT:
            kept.waiting.remove(_dispensable(kept.waiting))
        while len(self._kept) > MAX_EVENTS:
            self._kept.popitem(last=False)

    def choose(self, event: str, most: int = MOST) -> tuple[Picture, ...]:
        """At most so many that were not shown yet, by time; they count as shown from now on. MOST an event in all."""
        kept = self._kept.get(event)
        if kept is None:
            return ()
        chosen = best(kept.waiting, min(most, MOST - kept.shown))
        kept.waiting = [picture for picture in kept.waiting if picture not in chosen]
        kept.shown += len(chosen)
        self._newest = {camera: one for camera, one in self._newest.items() if one not in chosen}
        return chosen

    def give_back(self, event: str, pictures: tuple[Picture, ...]) -> None:
        """They were not shown after all."""
        if (kept := self._kept.get(event)) is not None:
            kept.waiting = sorted((*kept.waiting, *pictures), key=lambda picture: picture.time)[-KEPT:]
            kept.shown -= len(pictures)

    def newest(self, camera: str, *, since: float, until: float = math.inf) -> Picture | None:
        """The last one of a camera, from `since` to `until`; it is given once."""
        picture = self._newest.get(camera)
        if picture is None or not since <= picture.time <= until:
            return None
        for kept in self._kept.values():
            if picture in kept.waiting:
                kept.waiting.remove(picture)
                kept.shown += 1
        return self._newest.pop(camera)

    async def fitted(self, pictures: Sequence[Picture]) -> tuple[Picture, ...]:
        """Those that fit, or can be made to."""
        small: list[Picture] = []
        for picture in pictures:
            if self._shrink is None or fits(picture):
                small.append(picture)
                continue
            with contextlib.suppress(BlikkError):
                small.append(await asyncio.to_thread(self._shrink, picture))
        return tuple(picture for picture in small if fits(picture))

    def forget_newest(self, camera: str) -> None:
        """What it shows is not to be seen any more."""
        self._newest.pop(camera, None)

    def forget(self, event: str) -> None:
        """Nobody asks for this event any more."""
        self._kept.pop(event, None)


def best(pictures: list[Picture], most: int) -> tuple[Picture, ...]:
    """The newest, which is the best view so far, then each time the one that lies farthest from those chosen; by time.

    Of those equally far the clearer one is taken.
    """
    if most <= 0 or not pictures:
        return ()
    chosen = [max(pictures, key=lambda picture: picture.time)]
    while len(chosen) < most and (rest := [picture for picture in pictures if picture not in chosen]):
        chosen.append(max(rest, key=lambda one: (min(abs(one.time - other.time) for other in chosen), clarity(one))))
    return tuple(sorted(chosen, key=lambda picture: picture.time))


def clarity(picture: Picture) -> float:
    """How much of it can be made out: JPEG bytes for each pixel, which blur and darkness lower; less for whole
    persons that were blurred.
    """
    return len(picture.jpeg) / max(1, picture.width_px * picture.height_px) / (1 + picture.persons)


def fits(picture: Picture) -> bool:
    """Whether it is as small as a model is shown."""
    return max(picture.width_px, picture.height_px) <= SIDE_PX and len(picture.jpeg) <= MAX_BYTES


def _dispensable(pictures: list[Picture]) -> Picture:
    """The one nearest in time to another, not the newest; the less clear of such a pair."""
    ordered = sorted(pictures, key=lambda picture: picture.time)
    first, second = min(pairwise(ordered), key=lambda pair: pair[1].time - pair[0].time)
    return first if second is ordered[-1] or clarity(first) < clarity(second) else second
