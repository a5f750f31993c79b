"""Boxes and polygons: what holds for all of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box, Polygon, hull, intersection, iou

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


@given(boxes(), shares, shares)
def test_a_polygon_that_is_a_box_contains_what_the_box_does(box: Box, x: float, y: float) -> None:
    outline = Polygon(((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2)))
    assert outline.contains((x, y)) == (box.x1 <= x < box.x2 and box.y1 <= y < box.y2)


def test_a_concave_polygon_leaves_its_notch_out() -> None:
    notched = Polygon.of([(0, 0), (1, 0), (1, 1), (0.5, 0.4), (0, 1)])
    assert notched.contains((0.2, 0.5))
    assert not notched.contains((0.5, 0.8))


@pytest.mark.parametrize("points", [[(0, 0), (1, 1)], [(0, 0), (1, 0), (1, 1.2)]])
def test_what_is_no_polygon_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="polygon"):
        Polygon.of(points)
