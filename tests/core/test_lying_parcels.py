import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box
from blikk_edge.core.parcels import Lying, lying_from_json, lying_to_json

SHARES = st.floats(0, 1)


@given(
    st.lists(
        st.builds(
            lambda xs, ys, since, score, edges: Lying(
                box=Box(min(xs), min(ys), max(xs), max(ys)), since=since, score=score, edges=edges
            ),
            st.tuples(SHARES, SHARES),
            st.tuples(SHARES, SHARES),
            st.floats(0, 9e10),
            SHARES,
            st.binary(min_size=64, max_size=64),
        ),
        max_size=3,
    )
)
def test_what_lies_there_is_the_same_when_read_again(lying):
    assert lying_from_json(lying_to_json(lying)) == tuple(lying)


@pytest.mark.parametrize(
    "change",
    [
        {"box": [0, 0, 2, 1]},
        {"box": "no"},
        {"since": -1},
        {"since": "soon"},
        {"score": 1.5},
        {"edges": "00"},
        {"edges": 7},
        {"edges": "xy" * 64},
    ],
)
def test_an_entry_that_cannot_be_read_is_left_out(change):
    good = {"box": [0.1, 0.2, 0.3, 0.4], "since": 1e9, "score": 0.7, "edges": "07" * 64}
    assert len(lying_from_json(json.dumps([good, {**good, **change}]))) == 1


@pytest.mark.parametrize("text", [None, "", "{", "{}", "7", "[" * 100_000])
def test_damaged_text_holds_nothing(text):
    assert lying_from_json(text) == ()
