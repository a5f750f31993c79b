"""Closed outlines of points, as they are written by hand: what to mend in one, and whether it crosses itself."""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

Point: TypeAlias = tuple[float, float]

NEAR: Final = 1e-9
"""Points nearer than this are one: coordinates are written with a few decimals, and sums of them are off by 1e-16."""


def tidied(points: Sequence[Point]) -> tuple[Point, ...]:
    """The same outline without points written twice in a row and without single spikes (there and back on one line)."""
    return _without_doubles(tuple(point for point, spike in _with_spikes(_without_doubles(points)) if not spike))


def crosses_itself(points: Sequence[Point]) -> bool:
    """Whether two sides of a tidied outline have more in common than the corner between them.

    An outline for which this is False winds at most once around any point (Jordan), so that even-odd and non-zero
    winding mean the same.
    """
    if any(spike for _, spike in _with_spikes(points)):
        return True
    count = len(points)
    sides = [(points[i], points[(i + 1) % count], i) for i in range(count)]
    sides.sort(key=lambda side: min(side[0][0], side[1][0]))
    for place, (a, b, i) in enumerate(sides):
        right, low, high = max(a[0], b[0]) + NEAR, min(a[1], b[1]) - NEAR, max(a[1], b[1]) + NEAR
        for c, d, j in sides[place + 1 :]:
            if min(c[0], d[0]) > right:
                break  # nor does any side that begins further right
            if max(c[1], d[1]) < low or min(c[1], d[1]) > high or abs(i - j) in {1, count - 1}:
                continue
            if _touch(a, b, c, d):
                return True
    return False


def convex_hull(points: Sequence[Point]) -> tuple[Point, ...]:
    """The smallest convex outline around the points (A. M. Andrew's monotone chain); fewer than three for a line."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return tuple(ordered)
    halves: list[Point] = []
    for row in (ordered, ordered[::-1]):
        half: list[Point] = []
        for point in row:
            while len(half) > 1 and _cross(half[-2], half[-1], point) <= 0:
                half.pop()
            half.append(point)
        halves += half[:-1]
    return tuple(halves)


def area(points: Sequence[Point]) -> float:
    """What an outline that does not cross itself encloses (shoelace formula)."""
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], *points[:1]], strict=True))) / 2


def _cross(a: Point, b: Point, c: Point) -> float:
    """Twice the signed area of a triangle: positive where c lies left of the way from a to b."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _is_near(point: Point, a: Point, b: Point) -> bool:
    """Whether a point lies on the side from a to b."""
    along_x, along_y = b[0] - a[0], b[1] - a[1]
    length = along_x * along_x + along_y * along_y
    share = ((point[0] - a[0]) * along_x + (point[1] - a[1]) * along_y) / length if length > 0 else 0.0
    share = min(1.0, max(0.0, share))
    return math.hypot(a[0] + share * along_x - point[0], a[1] + share * along_y - point[1]) <= NEAR


def _without_doubles(points: Sequence[Point]) -> tuple[Point, ...]:
    kept = [
        p for p, before in zip(points, (*points[-1:], *points[:-1]), strict=True) if not _is_near(p, before, before)
    ]
    return tuple(kept) if kept else tuple(points[:1])


def _with_spikes(points: Sequence[Point]) -> list[tuple[Point, bool]]:
    """Each point, and whether the outline turns back there on the line that it came on."""
    befores, afters = (*points[-1:], *points[:-1]), (*points[1:], *points[:1])
    return [
        (point, _is_near(after, before, point) or _is_near(before, point, after))
        for before, point, after in zip(befores, points, afters, strict=True)
    ]


def _touch(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two sides have a point in common."""
    if _cross(a, b, c) * _cross(a, b, d) < 0 and _cross(c, d, a) * _cross(c, d, b) < 0:
        return True
    return _is_near(c, a, b) or _is_near(d, a, b) or _is_near(a, c, d) or _is_near(b, c, d)
