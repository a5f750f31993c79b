"""When a package counts: once it stands still on its own. A bag that is carried is no delivery."""

from collections.abc import Sequence
from dataclasses import dataclass

from blikk_edge.core.geometry import Box, intersection, iou
from blikk_edge.core.sightings import Track

STILL_IOU = 0.7
CARRIED = 0.5  # of the package's box within a person's
PERSON_MISSED = 2  # a person missed by so few looks is still there


@dataclass(slots=True)
class _Rest:
    box: Box
    since: float
    settled: bool = False


class Packages:
    """Separates placed packages from carried ones.

    A package is placed when for `still_s` its box has not moved (IoU at least 0.7 with where it came to rest) and less
    than half of it lay within any person. Once placed it stays so, until its track ends.
    """

    def __init__(self, still_s: float) -> None:
        self._still_s = still_s
        self._rests: dict[int, _Rest] = {}

    def placed(self, packages: Sequence[Track], people: Sequence[Track]) -> dict[int, float]:
        """Since when each placed one of these packages has stood on its own, by track id."""
        near = [p.box.grown(0.05) for p in people if p.missed <= PERSON_MISSED]
        self._rests = {p.id: self._rest(p, near) for p in packages}
        return {key: rest.since for key, rest in self._rests.items() if rest.settled}

    def _rest(self, package: Track, people: Sequence[Box]) -> _Rest:
        rest = self._rests.get(package.id)
        if rest is None:
            rest = _Rest(package.box, package.first_seen)
        if rest.settled or package.missed:
            return rest
        carried = any(intersection(package.box, p) >= CARRIED * package.box.area for p in people)
        if carried or iou(rest.box, package.box) < STILL_IOU:
            return _Rest(package.box, package.last_seen)
        rest.settled = package.last_seen - rest.since >= self._still_s
        return rest
