"""Durations of a program are read as those of `blikk.yaml` are."""

from datetime import timedelta
from typing import Any

import pytest

from blikk_edge.agents.durations import seconds
from blikk_edge.core.errors import ConfigError
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.values import duration


@pytest.mark.parametrize("text", ["10", "10s", "1.5 min", "500ms", "2h", "3d", " .5s", "10S", "7sec"])
def test_a_text_means_what_it_means_in_the_configuration(text: str) -> None:
    assert seconds(text, "every") == pytest.approx(duration(0, 1e9)(text))


@pytest.mark.parametrize("text", ["", "soon", "-1s", "10 weeks", "1e3", "nan", "10 s s"])
def test_what_is_none_there_is_none_here(text: str) -> None:
    with pytest.raises(ConfigError, match="every is no duration"):
        seconds(text, "every")
    with pytest.raises(Wrong):
        duration(0, 1e9)(text)


@pytest.mark.parametrize(("value", "found"), [(3, 3.0), (0.25, 0.25), (timedelta(minutes=2), 120.0)])
def test_numbers_are_seconds(value: Any, found: float) -> None:
    assert seconds(value, "timeout") == found


@pytest.mark.parametrize("value", [True, None, float("nan"), float("inf"), -1, [1]])
def test_nothing_else_is_a_duration(value: Any) -> None:
    with pytest.raises(ConfigError, match="timeout is no duration"):
        seconds(value, "timeout")
