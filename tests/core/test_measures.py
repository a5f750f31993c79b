"""Measures are words and numbers, whoever makes them."""

import json

import numpy as np
import pytest

from blikk_edge.core.geometry import Box
from blikk_edge.core.sightings import Measure, MeasureInfo


def test_a_numpy_number_becomes_a_plain_one() -> None:
    side = np.float32(0.5)
    measure = Measure(name="angle", value=np.float32(12.5), box=Box(0.0, 0.0, side, side))  # type: ignore[arg-type]
    assert (type(measure.value), measure.value) == (float, 12.5)
    assert measure.box is not None
    json.dumps([measure.value, measure.box.x2])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, True, "12", None, np.zeros(1), 3j])
def test_a_value_is_a_finite_number(value: object) -> None:
    with pytest.raises(ValueError, match="number"):
        Measure(name="angle", value=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["", "Angle", "9lives", "an angle", "ängle", "x" * 33, "angle\n", b"angle", None])
def test_a_name_is_a_word(word: object) -> None:
    with pytest.raises(ValueError, match="name"):
        Measure(name=word, value=1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["", "x" * 17, "a\nb", 3, b"m"])
def test_a_unit_is_short_and_can_be_printed(unit: object) -> None:
    with pytest.raises(ValueError, match="unit"):
        Measure(name="angle", value=1.0, unit=unit)  # type: ignore[arg-type]


@pytest.mark.parametrize("box", [(0, 0, 1, 1), np.zeros((4, 4))])
def test_a_box_is_a_box(box: object) -> None:
    with pytest.raises(ValueError, match="box"):
        Measure(name="angle", value=1.0, box=box)  # type: ignore[arg-type]


@pytest.mark.parametrize("alerts", [["high"], ("high", "high"), tuple("abcdefghi"), ("Too high",)])
def test_alerts_are_a_few_different_words(alerts: object) -> None:
    with pytest.raises(ValueError, match="alert"):
        MeasureInfo(name="angle", alerts=alerts)  # type: ignore[arg-type]


def test_a_change_that_counts_is_not_negative() -> None:
    with pytest.raises(ValueError, match="min_change"):
        MeasureInfo(name="angle", min_change=-1.0)
