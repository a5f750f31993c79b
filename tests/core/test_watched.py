"""Spans of watching: kept in order, merged over short gaps, bounded; and what lies between them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.watched import GAP_S, SPANS_MAX, Watched

HOUR = 3600.0
SPANS = st.lists(st.tuples(st.integers(0, 500_000), st.integers(0, 20_000)).map(lambda s: (s[0], s[0] + s[1])))


def watched(*spans: tuple[float, float], known_since: float = 0.0) -> Watched:
    return Watched(known_since=known_since).with_spans(spans, now=1e9)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 100), (50, 200)], ((0, 200),)),
        ([(0, 100), (100 + GAP_S, 2000)], ((0, 2000),)),
        ([(0, 100), (101 + GAP_S, 2000)], ((0, 100), (101 + GAP_S, 2000))),
        ([(5000, 6000), (0, 100)], ((0, 100), (5000, 6000))),
        ([(0, 6000), (100, 200)], ((0, 6000),)),
        ([(300, 200)], ()),
    ],
)
def test_spans_are_merged_and_in_order(
    spans: list[tuple[float, float]], expected: tuple[tuple[float, float], ...]
) -> None:
    assert watched(*spans).spans == expected


def test_what_lies_after_now_was_a_wrong_clock() -> None:
    assert Watched().with_spans([(0, 100), (9000, 9100)], now=50).spans == ((0, 50),)


@pytest.mark.parametrize(
    ("since", "until", "gaps"),
    [
        (0, HOUR, ((0, HOUR),)),
        (8 * HOUR, 9 * HOUR, ()),
        (7 * HOUR, 9 * HOUR, ((7 * HOUR, 8 * HOUR),)),
        (9 * HOUR, 11 * HOUR, ((10 * HOUR, 11 * HOUR),)),
        (0, 24 * HOUR, ((0, 8 * HOUR), (10 * HOUR, 20 * HOUR), (22 * HOUR, 24 * HOUR))),
        (21 * HOUR, 22 * HOUR + GAP_S, ()),  # it may go on: the newest minutes are not written yet
        (21 * HOUR, 22 * HOUR + GAP_S + 1, ((22 * HOUR, 22 * HOUR + GAP_S + 1),)),
        (8 * HOUR - 60, 9 * HOUR, ()),  # a minute does not count
        (8 * HOUR - 60, 8 * HOUR - 30, ((8 * HOUR - 60, 8 * HOUR - 30),)),  # but where it is all
    ],
)
def test_what_was_not_watched(since: float, until: float, gaps: tuple[tuple[float, float], ...]) -> None:
    assert watched((8 * HOUR, 10 * HOUR), (20 * HOUR, 22 * HOUR)).gaps(since, until) == gaps


def test_of_what_others_have_not_told_yet_nothing_is_said() -> None:
    known = replace(watched((8 * HOUR, 10 * HOUR)), known_until=12 * HOUR)
    assert known.gaps(9 * HOUR, 20 * HOUR) == ((10 * HOUR, 12 * HOUR),)
    assert known.gaps(10 * HOUR, 20 * HOUR) == ((10 * HOUR, 12 * HOUR),)
    assert known.gaps(12 * HOUR - 30, 20 * HOUR) == ()  # half a minute is not all that was asked
    assert known.gaps(13 * HOUR, 20 * HOUR) == ()


def test_of_what_was_before_the_record_nothing_is_said() -> None:
    known = watched((8 * HOUR, 10 * HOUR), known_since=8 * HOUR)
    assert known.gaps(0, 9 * HOUR) == ()
    assert watched(known_since=8 * HOUR).gaps(7 * HOUR, 10 * HOUR) == ((8 * HOUR, 10 * HOUR),)


def test_the_oldest_spans_go_and_what_was_before_is_not_known() -> None:
    known = watched(*((n * HOUR, n * HOUR + 60) for n in range(SPANS_MAX + 5)))
    assert (len(known.spans), known.known_since) == (SPANS_MAX, 5 * HOUR)
    assert known.gaps(0, 5 * HOUR) == ()


@given(SPANS, SPANS, st.integers(0, 500_000), st.integers(1, 100_000))
def test_gaps_and_spans_share_nothing(first: list, second: list, since: int, length: int) -> None:
    known = watched(*first).with_spans(second, now=1e9)
    assert all(b[0] - a[1] > GAP_S for a, b in zip(known.spans, known.spans[1:], strict=False))
    for start, end in known.gaps(since, since + length):
        assert since <= start < end <= since + length
        assert not [span for span in (*first, *second) if span[0] < end and span[1] > start]
