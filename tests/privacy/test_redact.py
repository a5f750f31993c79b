"""The pixels: what is blurred cannot come back, what is not blurred is untouched."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box, Polygon
from blikk_edge.transforms.privacy.paint import FADE_PX, MAX_SAMPLES, SAMPLES, blur, cell_edges, cell_px, paint

WIDTH, HEIGHT = 96, 72
NOISE = np.random.default_rng(11).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)

shares = st.floats(0, 1, allow_nan=False, width=32)
boxes = st.tuples(shares, shares, shares, shares).map(
    lambda v: Box(min(v[0], v[1]), min(v[2], v[3]), max(v[0], v[1]), max(v[2], v[3]))
)


def blurred(pixels: np.ndarray, *regions: Box) -> np.ndarray:
    out = pixels.copy()
    blur(out, regions)
    return out


def mask_of(regions) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for region in regions:
        x1, y1, x2, y2 = region.pixels(WIDTH, HEIGHT)
        mask[y1:y2, x1:x2] = True
    return mask


@given(st.lists(boxes, max_size=6))
@settings(max_examples=150)
def test_nothing_changes_but_the_regions_and_where_they_fade(regions):
    mask = mask_of(regions)
    reach = 2 * FADE_PX + 1
    near = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)).astype(bool)
    assert np.array_equal(blurred(NOISE, *regions)[~near], NOISE[~near])


def test_a_region_has_no_hard_edge():
    """From the raw picture to the cells it goes step by step."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[20:50, 30:60] = 200
    row = blurred(picture, Box(30 / WIDTH, 20 / HEIGHT, 60 / WIDTH, 50 / HEIGHT))[35, :, 0].astype(int)
    assert row[45] > 180
    assert row[0] == row[-1] == 0
    assert np.abs(np.diff(row)).max() < 50


@given(st.lists(boxes.filter(lambda b: b.width * WIDTH >= 4 and b.height * HEIGHT >= 4), min_size=1, max_size=6))
@settings(max_examples=150)
@example([Box(0, 0.5, 0.5, 1), Box(0.84375, 0, 1, 0.140625), Box(0.34375, 0.1875, 0.9375, 1)])
def test_no_raw_pixel_stays_in_any_region(regions):
    """A fine checker averages to about grey in every cell; raw it steps by 196 from each pixel to the next."""
    checker = np.where(np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2, 30, 226)[:, :, None].repeat(3, axis=2)
    inside = blurred(checker.astype(np.uint8), *regions)[mask_of(regions)]
    assert inside.size == 0 or int(inside.max()) - int(inside.min()) <= 100


@given(boxes, st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_two_faces_with_the_same_means_are_the_same_afterwards(region, seed):
    """Every pixel is shuffled within its cell: all by which two faces differ but the means of the cells."""
    x1, y1, x2, y2 = region.pixels(WIDTH, HEIGHT)
    cell = cell_px(x2 - x1, y2 - y1)
    rng = np.random.default_rng(seed)
    other = NOISE.copy()
    for top, bottom in pairwise(y1 + cell_edges(y2 - y1, cell)):
        for left, right in pairwise(x1 + cell_edges(x2 - x1, cell)):
            piece = other[top:bottom, left:right]
            other[top:bottom, left:right] = rng.permutation(piece.reshape(-1, 3)).reshape(piece.shape)
    mask = mask_of([region])
    assert np.array_equal(blurred(NOISE, region)[mask], blurred(other, region)[mask])


@given(st.integers(1, 900), st.integers(1, 900))
def test_a_region_keeps_at_most_four_by_two_samples(width, height):
    cell = cell_px(width, height)
    assert len(cell_edges(max(width, height), cell)) - 1 <= MAX_SAMPLES == 4
    assert len(cell_edges(min(width, height), cell)) - 1 <= SAMPLES == 2


@given(st.integers(1, 900), st.floats(4, 300))
def test_no_cell_is_a_sliver(side, cell):
    """The rest of a side is shared among its cells: an average over few pixels would be as good as raw."""
    sizes = np.diff(cell_edges(side, cell))
    assert sizes.sum() == side
    assert sizes.min() >= min(side, int(cell))


@given(boxes.filter(lambda b: b.width * WIDTH >= 8 and b.height * HEIGHT >= 8))
@settings(max_examples=100)
def test_a_blurred_region_can_be_drawn_from_its_few_samples(region):
    """One pixel of each cell is enough to draw it: there is nothing else in it."""
    x1, y1, x2, y2 = region.pixels(WIDTH, HEIGHT)
    inside = blurred(NOISE, region)[y1:y2, x1:x2]
    cell = cell_px(x2 - x1, y2 - y1)
    rows, columns = (len(cell_edges(side, cell)) - 1 for side in (y2 - y1, x2 - x1))
    few = cv2.resize(inside, (columns, rows), interpolation=cv2.INTER_NEAREST_EXACT)
    drawn = cv2.resize(few, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
    assert rows * columns <= SAMPLES * MAX_SAMPLES
    assert np.abs(drawn.astype(int) - inside).max() <= 20


def test_a_colour_is_rough_and_a_grey_stays_grey():
    """What is left of the colour of skin and hair does not tell two people apart who look about alike."""
    grey = blurred(np.full((24, 24, 3), 100, np.uint8), Box(0, 0, 1, 1))
    assert (grey == grey[:, :, :1]).all()
    skins = [(120, 140, 190), (121, 141, 191), (118, 139, 189)]
    seen = {blurred(np.full((24, 24, 3), skin, np.uint8), Box(0, 0, 1, 1)).tobytes() for skin in skins}
    assert len(seen) == 1


def test_a_sample_is_one_of_sixteen_levels():
    flat = {int(blurred(np.full((24, 24, 3), grey, np.uint8), Box(0, 0, 1, 1))[0, 0, 0]) for grey in range(256)}
    assert len(flat) == 16


def test_regions_that_overlap_share_the_coarser_grid():
    """A small region in a large one must not add finer samples of the same pixels."""
    large, small = Box(0.1, 0.1, 0.9, 0.9), Box(0.4, 0.4, 0.5, 0.5)
    assert np.array_equal(blurred(NOISE, large, small), blurred(NOISE, large))
    assert np.array_equal(blurred(NOISE, small, large), blurred(NOISE, large))


@pytest.mark.parametrize("region", [Box(0, 0, 0, 0), Box(0.5, 0.5, 0.5, 0.5), Box(1, 1, 1, 1)])
def test_an_empty_region_touches_a_pixel_at_most(region):
    assert (blurred(NOISE, region) != NOISE).any(axis=2).sum() <= 1


points = st.lists(st.tuples(shares, shares), min_size=3, max_size=6)


@given(points)
@settings(max_examples=150)
def test_a_polygon_covers_every_pixel_that_it_touches(corners):
    polygon = Polygon.of(corners)
    painted = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    paint(painted, [polygon])
    sub = [(i + 0.25) / 2 for i in range(2 * max(WIDTH, HEIGHT))]
    for x in sub[: 2 * WIDTH : 3]:
        for y in sub[: 2 * HEIGHT : 3]:
            if polygon.contains((x / WIDTH, y / HEIGHT)):
                assert not painted[int(y), int(x)].any()


SQUARE = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
STAR = [(0.5, 0.1), (0.735, 0.824), (0.12, 0.376), (0.88, 0.376), (0.265, 0.824)]


@pytest.mark.parametrize(
    ("corners", "share"),
    [
        (SQUARE, 0.36),
        (SQUARE[::-1], 0.36),
        ([*SQUARE, SQUARE[0]], 0.36),
        (SQUARE * 2, 0.36),
        (SQUARE * 3, 0.36),
        ([*SQUARE, SQUARE[0], *SQUARE[::-1]], 0.36),
        ([SQUARE[0], SQUARE[1], SQUARE[3], SQUARE[2]], 0.36),
        ([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]], 0.36),
        ([*SQUARE, (0.5, 0.8), (0.2, 0.8)], 0.36),
        (STAR, 0.38),
        (STAR * 2, 0.38),
        ([(0.1, 0.5), (0.9, 0.5), (0.5, 0.5)], 0.0),
    ],
    ids=[
        *("square", "reversed", "closed", "twice round", "thrice round", "there and back", "Z order", "bow-tie"),
        *("spike", "pentagram", "pentagram twice", "line"),
    ],
)
def test_no_pixel_inside_stays_raw_however_the_corners_are_written(corners, share):
    """All between the corners is black (the convex hull for those that cross), and next to nothing outside of it."""
    painted = np.full((480, 640, 3), 200, np.uint8)
    paint(painted, [Polygon.of(corners)])
    black = (painted == 0).all(axis=2)
    assert share <= black.mean() <= share + 0.012
    if share == 0.36:
        assert black[96:384, 128:512].all()


@given(points)
@settings(max_examples=100)
def test_a_polygon_leaves_the_rest_of_the_picture_alone(corners):
    painted = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    paint(painted, [Polygon.of(corners)])
    xs, ys = [x * WIDTH for x, _ in corners], [y * HEIGHT for _, y in corners]
    ys_of, xs_of = np.nonzero(painted[:, :, 0] == 0)
    assert xs_of.min() >= min(xs) - 3
    assert xs_of.max() <= max(xs) + 3
    assert ys_of.min() >= min(ys) - 3
    assert ys_of.max() <= max(ys) + 3
