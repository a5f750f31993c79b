"""Boxes and polygons: what holds for all of them."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box, Polygon, hull, intersection, iou
from blikk_edge.core.outlines import area, convex_hull, crosses_itself

shares = st.floats(0.0, 1.0)
anything = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x1, x2 = sorted((draw(shares), draw(shares)))
    y1, y2 = sorted((draw(shares), draw(shares)))
    return Box(x1, y1, x2, y2)


@given(anything, anything, anything, anything)
def test_clipping_any_four_numbers_gives_a_box_or_nothing(x1: float, y1: float, x2: float, y2: float) -> None:
    box = Box.clipped(x1, y1, x2, y2)
    assert box is None or (box.area >= 0.0 and box.width > 0.0 and box.height > 0.0)


@pytest.mark.parametrize("numbers", [(0.5, 0, 0.4, 1), (-0.1, 0, 1, 1), (0, 0, 1.1, 1), (0, math.nan, 1, 1)])
def test_what_is_no_box_is_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="not a box"):
        Box(*numbers)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_0_and_1(a: Box, b: Box) -> None:
    assert iou(a, b) == iou(b, a)
    assert 0.0 <= iou(a, b) <= 1.0 + 1e-9


@given(boxes())
def test_a_box_shares_all_of_itself(box: Box) -> None:
    assert intersection(box, box) == pytest.approx(box.area)
    if box.area > 1e-12:
        assert iou(box, box) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box(0.5, 0.0, 1.0, 0.5), 0.0),  # side by side
        (Box(0.25, 0.0, 0.75, 0.5), 1 / 3),
        (Box(0.0, 0.0, 0.25, 0.25), 0.25),  # inside
    ],
)
def test_known_overlaps(other: Box, expected: float) -> None:
    assert iou(Box(0.0, 0.0, 0.5, 0.5), other) == pytest.approx(expected)


@given(boxes(), st.floats(0.0, 3.0))
def test_a_grown_box_holds_the_box_and_stays_in_the_picture(box: Box, share: float) -> None:
    grown = box.grown(share)
    assert grown.x1 <= box.x1
    assert grown.y2 >= box.y2
    assert intersection(grown, box) == pytest.approx(box.area)


@given(boxes(), st.integers(1, 4000), st.integers(1, 4000))
def test_pixels_cover_the_box_and_nothing_outside_the_picture(box: Box, width_px: int, height_px: int) -> None:
    x1, y1, x2, y2 = box.pixels(width_px, height_px)
    assert 0 <= x1 <= x2 <= width_px
    assert 0 <= y1 <= y2 <= height_px
    assert x1 <= box.x1 * width_px + 1e-6
    assert x2 >= box.x2 * width_px - 1e-6


@given(st.lists(boxes(), min_size=1, max_size=8))
def test_the_hull_holds_every_box(several: list[Box]) -> None:
    around = hull(several)
    assert around is not None
    assert all(intersection(around, box) == pytest.approx(box.area) for box in several)


def test_there_is_no_hull_of_nothing() -> None:
    assert hull([]) is None


@given(boxes().filter(lambda box: min(box.width, box.height) > 1e-6), shares, shares)
def test_a_polygon_that_is_a_box_contains_what_the_box_does(box: Box, x: float, y: float) -> None:
    outline = Polygon(((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2)))
    assert outline.contains((x, y)) == (box.x1 <= x < box.x2 and box.y1 <= y < box.y2)


def test_a_concave_polygon_leaves_its_notch_out() -> None:
    notched = Polygon.of([(0, 0), (1, 0), (1, 1), (0.5, 0.4), (0, 1)])
    assert notched.contains((0.2, 0.5))
    assert not notched.contains((0.5, 0.8))


SQUARE = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
Z_ORDER = [(0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)]
STAR = [(0.5, 0.1), (0.735, 0.824), (0.12, 0.376), (0.88, 0.376), (0.265, 0.824)]
MIDS = [(0.2, 0.2), (0.5, 0.2), (0.8, 0.2), (0.8, 0.8), (0.1 + 0.4, 0.8), (0.2, 0.8), (0.2, 0.1 + 0.2)]
CROSSING = {
    "Z order": Z_ORDER,
    "a square twice round": SQUARE * 2,
    "a square twice round from elsewhere": [*SQUARE[2:], *SQUARE, *SQUARE[:2]],
    "a square there and back": [*SQUARE, SQUARE[0], *SQUARE[::-1]],
    "a square twice round by other points": [*SQUARE, *MIDS],
    "a pentagram": STAR,
    "a pentagram with its crossings as corners": [
        *((0.5, 0.1), (0.588, 0.376), (0.644, 0.548), (0.735, 0.824), (0.5, 0.653), (0.356, 0.548), (0.12, 0.376)),
        *((0.412, 0.376), (0.588, 0.376), (0.88, 0.376), (0.644, 0.548), (0.5, 0.653), (0.265, 0.824)),
        *((0.356, 0.548), (0.412, 0.376)),
    ],
    "a bow-tie": [(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)],
    "a corner that touches a side": [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.1), (0.1, 0.9)],
}
SIMPLE = {
    "a square": SQUARE,
    "the other way round": SQUARE[::-1],
    "closed by its first point": [*SQUARE, SQUARE[0]],
    "every point twice": [point for point in SQUARE for _ in range(2)],
    "points on its sides": MIDS,
    "with a spike outward": [*SQUARE[:2], (0.95, 0.2), *SQUARE[1:]],
    "with a spike inward": [*SQUARE, (0.6, 0.8), (0.2, 0.8)],
}


def grid() -> list[tuple[float, float]]:
    return [(x / 53, y / 53) for x in range(54) for y in range(54)]


@pytest.mark.parametrize("points", CROSSING.values(), ids=CROSSING)
def test_what_crosses_itself_contains_all_that_lies_between_its_points(points: list[tuple[float, float]]) -> None:
    crossing = Polygon.of(points)
    around = Polygon(convex_hull(crossing.points))
    assert crossing.crosses_itself
    assert not around.crosses_itself
    assert [crossing.contains(p) for p in grid()] == [around.contains(p) for p in grid()]
    assert crossing.area == pytest.approx(around.area)


@pytest.mark.parametrize("points", SIMPLE.values(), ids=SIMPLE)
def test_a_square_is_a_square_however_it_is_written(points: list[tuple[float, float]]) -> None:
    square = Polygon.of(points)
    assert not square.crosses_itself
    assert square.area == pytest.approx(0.36)
    assert [square.contains(p) for p in grid()] == [0.2 <= x < 0.8 and 0.2 <= y < 0.8 for x, y in grid()]


@pytest.mark.parametrize("points", [[(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)], [(0.3, 0.3)] * 4, [(0, 0), (1, 1), (0, 0)]])
def test_what_encloses_nothing_contains_nothing(points: list[tuple[float, float]]) -> None:
    line = Polygon.of(points)
    assert line.area == 0.0
    assert not any(line.contains(p) for p in grid())


places = st.integers(0, 8).map(lambda eighths: eighths / 8)


@given(st.lists(st.tuples(places, places), min_size=3, max_size=9))
def test_no_outline_crosses_itself(points: list[tuple[float, float]]) -> None:
    outline = Polygon.of(points).outline
    assert area(outline) == 0 or not crosses_itself(outline)


@given(st.lists(st.tuples(shares, shares) | st.tuples(places, places), min_size=3, max_size=9), shares, shares)
def test_what_winds_round_a_point_contains_it(points: list[tuple[float, float]], x: float, y: float) -> None:
    """The non-zero rule, and more: nothing that any reading of the points takes for inside is left out."""
    polygon = Polygon.of(points)
    turned = 0.0
    for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
        turned += math.remainder(math.atan2(y2 - y, x2 - x) - math.atan2(y1 - y, x1 - x), math.tau)
        near = _distance((x, y), (x1, y1), (x2, y2))
        assume(near > 1e-6)
    assert polygon.contains((x, y)) or abs(turned) < 0.1


def _distance(p: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    along = (b[0] - a[0], b[1] - a[1])
    length = along[0] ** 2 + along[1] ** 2
    share = 0.0 if length == 0 else ((p[0] - a[0]) * along[0] + (p[1] - a[1]) * along[1]) / length
    share = min(1.0, max(0.0, share))
    return math.hypot(a[0] + share * along[0] - p[0], a[1] + share * along[1] - p[1])


def test_a_circle_of_a_thousand_corners_is_one() -> None:
    corners = [
        (0.5 + 0.4 * math.cos(i * math.tau / 1000), 0.5 + 0.4 * math.sin(i * math.tau / 1000)) for i in range(1000)
    ]
    circle = Polygon.of(corners)
    assert not circle.crosses_itself
    assert circle.area == pytest.approx(math.pi * 0.16, rel=1e-4)
    with pytest.raises(ValueError, match="1000 points"):
        Polygon.of([*corners, (0.5, 0.5)])


@pytest.mark.parametrize(
    "points",
    [[(0, 0), (1, 1)], [(0, 0), (1, 0), (1, 1.2)], [(0, 0), (1, 0), (1, math.nan)], [(0, 0), (1, 0), (-math.inf, 1)]],
)
def test_what_is_no_polygon_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="polygon"):
        Polygon.of(points)
