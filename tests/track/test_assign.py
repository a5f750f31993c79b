import math
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.transforms.tracking.assign import assign

LIMIT = 0.9

costs = st.one_of(st.floats(0, 2), st.just(math.inf), st.just(math.nan))


@st.composite
def matrices(draw):
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return [[draw(costs) for _ in range(columns)] for _ in range(rows)]


def gain(matrix, pairs):
    return sum(LIMIT - matrix[r][c] for r, c in pairs)


def best_gain(matrix):
    rows, columns = len(matrix), len(matrix[0])
    slots = [*range(columns), *([None] * rows)]
    return max(
        gain(matrix, [(r, c) for r, c in enumerate(chosen) if c is not None and matrix[r][c] < LIMIT])
        for chosen in permutations(slots, rows)
    )


@given(matrices())
def test_pairing_is_as_good_as_the_best_of_all(matrix):
    assert math.isclose(gain(matrix, assign(matrix, LIMIT)), best_gain(matrix), abs_tol=1e-9)


@given(matrices())
def test_nobody_is_paired_twice_or_beyond_the_limit(matrix):
    pairs = assign(matrix, LIMIT)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    assert all(matrix[r][c] < LIMIT for r, c in pairs)


def test_a_cheap_pair_gives_way_where_the_sum_is_smaller():
    assert assign([[0.1, 0.2], [0.2, 0.8]], LIMIT) == [(0, 1), (1, 0)]


def test_no_rows_or_no_columns_pair_nothing():
    assert assign([], LIMIT) == []
    assert assign([[], []], LIMIT) == []
