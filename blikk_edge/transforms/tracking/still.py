"""Whether a followed box stands still, seen through the jitter of a detector."""

import math

from blikk_edge.core.geometry import Box, iou

# With these limits all four people who stand for 10 s in one-by-one-person-detection.mp4, gesturing, are seen to stand
# (YOLOX-nano). An IoU of .5 loses one of them: the place is then fixed while they still arrive.
MOVED_IOU = 0.6
MOVED_SHARE = 0.18
SETTLE_LOOKS = 5  # the anchor is the mean of so many boxes, then it is frozen: a slow walker must not drag it along
MOVED_LOOKS = 3  # a single wild box is not a move


class Stillness:
    """Remembers where a box came to rest and says since when it has not moved from there."""

    __slots__ = ("_anchor", "_away", "_looks", "_since", "_still_s", "since")

    def __init__(self, box: Box, time: float, *, still_s: float) -> None:
        self._still_s = still_s
        self._anchor = box
        self._since = time
        self._looks = 1
        self._away = 0
        self.since: float | None = time if still_s <= 0 else None

    @property
    def at_rest(self) -> bool:
        """Whether it stands still and was where it came to rest when last seen."""
        return self.since is not None and self._away == 0

    @property
    def unsettled(self) -> bool:
        """Whether it stood still and may just be moving off."""
        return self.since is not None and self._away > 0

    def see(self, box: Box, time: float, aspect: float) -> None:
        """Take in the next box; `aspect` is picture width by height. Sets or clears `since` (capture time)."""
        if self._moved(box, aspect):
            self._away += 1
            if self._away >= MOVED_LOOKS or self._looks < SETTLE_LOOKS:
                self._anchor, self._since, self._looks, self._away = box, time, 1, 0
                self.since = None
            return
        self._away = 0
        if self._looks < SETTLE_LOOKS:
            self._looks += 1
            self._anchor = _towards(self._anchor, box, 1 / self._looks)
        if time - self._since >= self._still_s:
            self.since = self._since

    def _moved(self, box: Box, aspect: float) -> bool:
        if iou(self._anchor, box) < MOVED_IOU:
            return True
        (x, y), (ax, ay) = box.centre, self._anchor.centre
        size = max(self._anchor.width * aspect, self._anchor.height, 1e-6)
        return math.hypot((x - ax) * aspect, y - ay) / size > MOVED_SHARE


def _towards(a: Box, b: Box, share: float) -> Box:
    """The box `share` of the way from `a` to `b`; both ends are boxes in 0..1, so is all between up to rounding."""

    def between(p: float, q: float) -> float:
        return min(1.0, max(0.0, p + (q - p) * share))

    x1, y1 = between(a.x1, b.x1), between(a.y1, b.y1)
    return Box(x1, y1, max(x1, between(a.x2, b.x2)), max(y1, between(a.y2, b.y2)))
