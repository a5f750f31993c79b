"""When a camera was watched: spans of time, kept coarsely, so that an answer knows what it cannot know."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

GAP_S: Final = 600.0
"""Shorter gaps do not count: a restart, a reconnect, and the minutes between two writings of the record."""

SPANS_MAX: Final = 200
"""Of one camera; beyond it the oldest are forgotten, and what was before them is not known."""

Span: TypeAlias = tuple[float, float]
"""From when until when, seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """When one camera was watched: frames came and were looked at.

    Attributes:
        known_since: Of times before it nothing is known, as a store may be older than this record; seconds since 1970
            UTC.
        known_until: Of times after it nothing is known, as who else may have watched did not tell it yet.
        spans: From when until when, in order and more than GAP_S apart.
    """

    known_since: float = 0.0
    known_until: float = math.inf
    spans: tuple[Span, ...] = ()

    def with_spans(self, more: Iterable[Span], *, now: float) -> "Watched":
        """With further spans, and without what would lie after `now`: the clock was wrong then."""
        merged: list[Span] = []
        for since, until in sorted([*self.spans, *more]):
            end = min(until, now)
            if end < since:
                continue
            if merged and since - merged[-1][1] <= GAP_S:
                merged[-1] = merged[-1][0], max(merged[-1][1], end)
            else:
                merged.append((since, end))
        kept = merged[-SPANS_MAX:]
        known_since = self.known_since if len(kept) == len(merged) else max(self.known_since, kept[0][0])
        return replace(self, known_since=known_since, spans=tuple(kept))

    def gaps(self, since: float, until: float) -> tuple[Span, ...]:
        """The parts of `since..until` in which it was known not to be watched: longer than GAP_S, or all of it."""
        asked, until = until, min(until, self.known_until)
        ends = [-math.inf, *(end for _, end in self.spans)]
        starts = [*(start for start, _ in self.spans), math.inf]
        found = []
        for end, start in zip(ends, starts, strict=True):
            # the last span may go on: its newest minutes are not written yet
            first = max(end if end + GAP_S < until else until, since, self.known_since)
            last = min(start, until)
            if last - first > GAP_S or (first <= since and last >= asked and last > first):
                found.append((first, last))
        return tuple(found)


WatchedAt: TypeAlias = Callable[[str], Watched | None]
"""When a camera was watched, by its id, or NODE; None where that is not known. Blocking; raises StoreError."""

NODE: Final = ""
"""In place of a camera's id: when the node ran, and doorbells were watched."""
