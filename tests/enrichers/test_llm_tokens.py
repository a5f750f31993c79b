"""Estimates are rather too high than too low, and learn from what was counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_asking import SCHEMA, picture, prompt

from blikk_edge.llm.tokens import Ratio, data_tokens, prompt_tokens, prose_tokens, schema_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("08:15:07 person 1001 in porch 1.4s", 20), ("é", 2)],
)
def test_data_is_counted_by_bytes(text: str, tokens: int) -> None:
    assert data_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("You tell what a camera saw.", 9), ("人在门口", 5), ("\ud83d", 1)],
)
def test_prose_is_counted_by_letters_and_script(text: str, tokens: int) -> None:
    assert prose_tokens(text) == tokens


@given(st.text(max_size=200))
def test_prose_is_never_dearer_than_data(text: str) -> None:
    assert 0 <= prose_tokens(text) <= data_tokens(text)


def test_pictures_cost_what_is_configured() -> None:
    seeing = prompt(picture(b"a"), picture(b"b"))
    assert prompt_tokens(seeing, image_tokens=85) - prompt_tokens(prompt(), image_tokens=85) == 170


def test_a_schema_that_is_reported_costs_tokens() -> None:
    assert 200 < schema_tokens(SCHEMA) < 600


@pytest.mark.parametrize(("counted", "value"), [(50, 0.5), (1, 0.5), (10_000, 2.0), (100, 1.0), (150, 1.5)])
def test_the_ratio_goes_to_the_truth_within_its_bounds(counted: int, value: float) -> None:
    ratio = Ratio()
    for _ in range(40):
        ratio.learn(estimated=100, counted=counted)
    assert ratio.value == pytest.approx(value, abs=0.01)
    assert ratio.corrected(100) == pytest.approx(100 * value, abs=2)


@pytest.mark.parametrize(("estimated", "counted"), [(0, 10), (10, 0), (10, -1)])
def test_nothing_is_learnt_from_nothing(estimated: int, counted: int) -> None:
    ratio = Ratio()
    ratio.learn(estimated=estimated, counted=counted)
    assert ratio.value == 1.0
