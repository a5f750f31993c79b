"""The pixels: what is blurred cannot come back, what is not blurred is untouched."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box, Polygon
from blikk_edge.transforms.privacy.paint import (
    FADE_STEPS,
    Ellipse,
    Rounded,
    alikes,
    blur,
    bounds,
    covered,
    lattice_step,
    paint,
)

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
    return covered(regions, WIDTH, HEIGHT)


def step_of(region) -> int:
    x1, y1, x2, y2 = bounds(region, WIDTH, HEIGHT)
    return lattice_step(x2 - x1, y2 - y1)


ellipses = st.builds(Ellipse, shares, shares, st.floats(0.05, 0.6), st.floats(0.05, 0.6))
regions_of_any_shape = boxes | ellipses | boxes.map(Rounded)


@given(st.lists(regions_of_any_shape, max_size=6))
@settings(max_examples=150)
def test_nothing_changes_but_the_regions_and_where_they_fade(regions):
    mask = mask_of(regions)
    reach = 2 * max([round(step_of(region) * FADE_STEPS) + 2 for region in regions], default=0) + 1
    near = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)).astype(bool)
    assert np.array_equal(blurred(NOISE, *regions)[~near], NOISE[~near])


def test_a_region_has_no_hard_edge():
    """From the raw picture to the samples it goes step by step."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[20:50, 30:60] = 200
    row = blurred(picture, Box(30 / WIDTH, 20 / HEIGHT, 60 / WIDTH, 50 / HEIGHT))[35, :, 0].astype(int)
    assert row[45] > 40
    assert row[0] == row[-1] == 0
    assert np.abs(np.diff(row)).max() < 90


def test_an_ellipse_leaves_the_corners_of_its_box_alone():
    out = blurred(NOISE, Ellipse(0.5, 0.5, 0.4, 0.4))
    x1, y1, x2, y2 = bounds(Ellipse(0.5, 0.5, 0.4, 0.4), WIDTH, HEIGHT)
    assert all(np.array_equal(out[y, x], NOISE[y, x]) for y in (y1, y2 - 1) for x in (x1, x2 - 1))


def test_a_head_cut_by_the_border_is_covered_up_to_it():
    """The ellipse keeps its shape where a part of it lies outside of the picture."""
    whole, cut = Ellipse(0.5, 0.5, 0.3, 0.3), Ellipse(0.0, 0.5, 0.3, 0.3)
    half = covered([whole], WIDTH, HEIGHT)[:, WIDTH // 2 :]
    assert np.array_equal(covered([cut], WIDTH, HEIGHT)[:, : WIDTH // 2], half)


@given(st.lists(boxes.filter(lambda b: b.width * WIDTH >= 4 and b.height * HEIGHT >= 4), min_size=1, max_size=6))
@settings(max_examples=150)
@example([Box(0, 0.5, 0.5, 1), Box(0.84375, 0, 1, 0.140625), Box(0.34375, 0.1875, 0.9375, 1)])
def test_no_raw_pixel_stays_in_any_region(regions):
    """A fine checker averages to about grey in every cell; raw it steps by 196 from each pixel to the next."""
    checker = np.where(np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2, 30, 226)[:, :, None].repeat(3, axis=2)
    inside = blurred(checker.astype(np.uint8), *regions)[mask_of(regions)]
    assert inside.size == 0 or int(inside.max()) - int(inside.min()) <= 100


STILL = cv2.resize(NOISE[::4, ::4], (640, 480), interpolation=cv2.INTER_NEAREST)


@given(st.integers(-12, 12), st.integers(-12, 12), st.integers(60, 130))
@settings(max_examples=60)
def test_a_region_that_trembles_over_a_still_head_shows_the_same_samples(right, down, side):
    """Fifty frames of it hold no more than one: the lattice stands still in the picture."""

    def around(x: int, y: int) -> Ellipse:
        return Ellipse(x / 640, y / 480, side / 640, side / 480)

    one, other = around(300, 240), around(300 + right, 240 + down)
    assume(alikes([one], 640, 480)[0].step_px == alikes([other], 640, 480)[0].step_px)
    shown, again = STILL.copy(), STILL.copy()
    blur(shown, [one])
    blur(again, [other])
    both = covered([one], 640, 480) & covered([other], 640, 480)
    assert both.sum() > 1000
    assert np.array_equal(shown[both], again[both])


@given(st.integers(30, 90), st.integers(30, 90), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_region_has_no_more_degrees_of_freedom_than_samples(x, y, seed):
    """Of all pictures there can be, those that are shown span so few dimensions, but for what rounding adds."""
    rng = np.random.default_rng(seed)
    region = Ellipse(x / 120, y / 120, 0.25, 0.3)
    mask = covered([region], 120, 120)
    seen = []
    for _ in range(40):
        bgr = np.repeat(rng.integers(0, 256, (120, 120, 1)).astype(np.uint8), 3, axis=2)
        bgr = np.where(rng.random((120, 120, 1)) < 0.5, bgr, rng.integers(0, 256)).astype(np.uint8)
        blur(bgr, [region])
        seen.append(bgr[:, :, 0][mask].astype(float))
    strength = np.linalg.svd(np.array(seen), compute_uv=False)
    assert (strength > 0.02 * strength[0]).sum() <= 16


@given(st.integers(1, 900), st.integers(1, 900))
def test_a_region_is_at_most_one_sample_wide_and_five_long(width, height):
    step = lattice_step(width, height)
    assert min(width, height) <= step or max(width, height) <= 4
    assert max(width, height) <= 5 * step
    assert step == 4 or step <= 1.5 * max(min(width, height), max(width, height) / 5)


def test_what_is_finer_than_the_lattice_does_not_come_out():
    """Stripes of half a step, in any phase, are one grey: that is what superresolution would need."""
    region = Ellipse(0.5, 0.5, 0.25, 0.25)
    step = lattice_step(160, 120)
    mask = covered([region], 320, 240)
    for phase in range(0, step, 7):
        stripes = 128 + 100 * np.sin(2 * np.pi * (np.arange(320) + phase) / (step / 2))
        bgr = np.tile(stripes[None, :, None], (240, 1, 3)).astype(np.uint8)
        blur(bgr, [region])
        assert np.ptp(bgr[mask].astype(int)) <= 16


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


def test_regions_that_touch_have_one_lattice_the_coarsest():
    """Of a head between others no more samples are seen than of a head alone."""
    large, small = Box(0.1, 0.1, 0.6, 0.6), Ellipse(0.62, 0.45, 0.05, 0.05)
    (alike,) = {each.step_px for each in alikes([small, large], WIDTH, HEIGHT)}
    assert alike == alikes([large], WIDTH, HEIGHT)[0].step_px
    assert np.array_equal(blurred(NOISE, large, small), blurred(NOISE, small, large))
    apart = alikes([large, Ellipse(0.9, 0.9, 0.05, 0.05)], WIDTH, HEIGHT)
    assert len({each.step_px for each in apart}) == 2


def test_a_row_of_regions_has_one_lattice_from_end_to_end():
    sizes = [0.02, 0.05, 0.02, 0.3]
    row, x = [], 0.0
    for size in sizes:
        row.append(Box(x, 0.1, x + size, 0.1 + size))
        x += size
    assert len({each.step_px for each in alikes(row, WIDTH, HEIGHT)}) == 1


def test_a_small_region_fades_as_fast_beside_a_large_one():
    fades = {each.fade_px for each in alikes([Box(0, 0, 0.9, 0.9), Ellipse(0.95, 0.5, 0.05, 0.05)], 640, 480)}
    assert min(fades) == alikes([Ellipse(0.95, 0.5, 0.05, 0.05)], 640, 480)[0].fade_px


def test_a_rounded_box_leaves_its_corners_but_not_those_at_the_border():
    inside = covered([Rounded(Box(0.25, 0.25, 0.75, 0.75))], WIDTH, HEIGHT)
    assert not inside[18, 24]
    assert inside[36, 24]
    assert inside[18, 48]
    at_border = covered([Rounded(Box(0.0, 0.0, 0.5, 0.5))], WIDTH, HEIGHT)
    assert at_border[0, 0]
    assert at_border[35, 0]
    assert not at_border[35, 47]


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
