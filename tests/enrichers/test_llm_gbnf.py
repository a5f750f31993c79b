"""Grammars: numbers just within their bounds, texts that cannot break out, no schema that is not fully known.

That llama.cpp takes and keeps to them is tested with the real one in `test_llm_local`.
"""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_asking import SCHEMA

from blikk_edge.llm.gbnf import GrammarError, gbnf, literal


def of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}, "required": ["x"]}


def as_regex(grammar: str) -> re.Pattern[str]:
    """A regular expression of a grammar of numbers: its first rule, whose language is the same."""
    rule = grammar.splitlines()[1].partition(" ::= ")[2]
    return re.compile(rule.replace('"."', r"\.").replace(" ", "").replace('"', ""))


LIMIT = 3000
bounds = st.tuples(st.integers(-LIMIT, LIMIT), st.integers(-LIMIT, LIMIT)).map(sorted)


@given(bounds, st.integers(-2 * LIMIT, 2 * LIMIT))
def test_integers_are_those_within_the_bounds(bounds: list[int], number: int) -> None:
    low, high = bounds
    pattern = as_regex(gbnf(of({"type": "integer", "minimum": low, "maximum": high})))
    for each in (number, low, high, low - 1, high + 1):
        assert bool(pattern.fullmatch(str(each))) == (low <= each <= high)


@given(bounds, st.decimals(-LIMIT, LIMIT, places=2))
def test_numbers_are_those_within_the_bounds(bounds: list[int], number: Any) -> None:
    low, high = bounds
    pattern = as_regex(gbnf(of({"type": "number", "minimum": low, "maximum": high})))
    inside = low <= number <= high
    assert bool(pattern.fullmatch(str(number))) == inside
    for each in (f"{low}", f"{high}", f"{high}.000"):
        assert pattern.fullmatch(each)
    if high > 0:
        assert not pattern.fullmatch(f"{high}.001")


@pytest.mark.parametrize("text", ["007", "+1", "1.", ".5", "1e3", "0x1", "- 1", "00", "-01", ""])
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_what_json_does_not_call_a_number_is_none(kind: str, text: str) -> None:
    assert not as_regex(gbnf(of({"type": kind, "minimum": -5000, "maximum": 5000}))).fullmatch(text)


@given(st.text(max_size=30))
def test_a_literal_is_plain_text_between_quotes_that_says_the_value(text: str) -> None:
    written = literal(text)
    assert re.fullmatch(r'"(?:[ !#-\[\]-~]|\\"|\\\\|\\U[0-9A-F]{8})*"', written, re.ASCII)
    read = re.sub(r'\\U([0-9A-F]{8})|\\(["\\])', lambda m: chr(int(m[1], 16)) if m[1] else m[2], written[1:-1])
    assert json.loads(read) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    )
)
def test_anything_is_a_grammar_or_a_grammar_error(schema: Any) -> None:
    for each in (schema, {"type": "object", "properties": schema}, of(schema), of({"enum": schema})):
        if isinstance(each, dict):
            try:
                grammar = gbnf(each)
            except GrammarError:
                continue
            assert all(re.fullmatch(r"(root|r\d+|char) ::= .+", line) for line in grammar.splitlines())


WRONG: dict[str, Any] = {
    "no object": {"type": "string", "maxLength": 3},
    "an empty object": {"type": "object", "properties": {}},
    "an unbounded string": of({"type": "string"}),
    "an unbounded list": of({"type": "array", "items": {"type": "boolean"}}),
    "a long string": of({"type": "string", "maxLength": 100_000}),
    "bounds crossed": of({"type": "string", "minLength": 3, "maxLength": 2}),
    "a bool for a length": of({"type": "string", "maxLength": True}),
    "a pattern": of({"type": "string", "maxLength": 3, "pattern": "^a"}),
    "a reference": of({"$ref": "#/$defs/a"}),
    "exclusive bounds": of({"type": "integer", "exclusiveMinimum": 0}),
    "no number between": of({"type": "number", "minimum": 0.2, "maximum": 0.8}),
    "not a number": of({"type": "number", "minimum": float("nan")}),
    "beyond all numbers": of({"type": "integer", "maximum": float("inf")}),
    "no type": of({}),
    "an unknown type": of({"type": "date"}),
    "a type that is none": of({"type": ["string", "date"], "maxLength": 3}),
    "an empty enum": of({"enum": []}),
    "an enum of no JSON": of({"enum": [float("nan")]}),
    "half a character": of({"enum": ["\ud83d"]}),
    "what is required but not described": {**of({"type": "boolean"}), "required": ["y"]},
    "items unknown": of({"type": "array", "maxItems": 2}),
    "true": of(True),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("schema", WRONG.values(), ids=WRONG)
def test_a_schema_that_is_not_bounded_or_not_known_is_reported(schema: dict[str, Any]) -> None:
    with pytest.raises(GrammarError):
        gbnf(schema)


def test_a_schema_nested_without_end_is_reported() -> None:
    endless = of({"type": "boolean"})
    endless["properties"]["x"] = endless
    with pytest.raises(GrammarError, match="deep"):
        gbnf(endless)


def test_a_schema_too_large_is_reported() -> None:
    wide = {"type": "object", "properties": {f"p{i}": {"type": "boolean"} for i in range(300)}}
    with pytest.raises(GrammarError, match="large"):
        gbnf(wide)


def test_the_grammar_of_a_summary() -> None:
    assert gbnf(SCHEMA).splitlines()[:4] == [
        "root ::= r10",
        'r0 ::= "\\"" char{1,60} "\\""',
        'r1 ::= "\\"low\\"" | "\\"normal\\"" | "\\"high\\""',
        'r2 ::= [0-9]{1} | [1-4] [0-9]{1} | "5" "0"',
    ]
