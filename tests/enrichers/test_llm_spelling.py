"""Answers of models held to no form: what is only spelled otherwise is put right, what is cut off is not made up."""

import json
import time
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.enrichers.summaries.note import SCHEMA
from blikk_edge.llm.answer_object import object_in
from blikk_edge.llm.form import fits, shaped

GOOD: Final = '{"title": "A person came", "text": "One.", "importance": "low"}'
MEANT: Final = json.loads(GOOD)

SPELLED: Final = {
    "curly quotes": "{“title”: “A person came”, “text”: “One.”, “importance”: “low”}",
    "straight quotes, closed by curly ones": '{“title": “A person came", “text": “One.", “importance": “low"}',
    "single quotes": "{'title': 'A person came', 'text': 'One.', 'importance': 'low'}",
    "bare keys": '{title: "A person came", text: "One.", importance: "low"}',
    "Python's words": '{"title": "A person came", "text": "One.", "importance": "low", "note": None, "sure": True}',
    "no number": '{"title": "A person came", "text": "One.", "importance": "low", "score": NaN}',
    "comments": '{\n "title": "A person came", // short\n "text": "One.", /* one */ "importance": "low" # low\n}',
    "no comma between lines": '{\n"title": "A person came"\n"text": "One."\n"importance": "low"\n}',
    "no end": '{"title": "A person came", "text": "One.", "importance": "low"',
    "no end within a fence": '```json\n{"title": "A person came", "text": "One.", "importance": "low"\n```',
    "wide signs": "\uff5b“title”\uff1a“A person came”\uff0c“text”\uff1a“One.”\uff0c“importance”\uff1a“low”\uff5d",
    "blanks that JSON has not": GOOD.replace(": ", ":\u00a0").replace(", ", ",\u200b\u3000"),
    "escaped as a whole": GOOD.replace('"', '\\"'),
    "of a web page": GOOD.replace('"', "&quot;"),
    "Ruby's arrows": '{"title" => "A person came", "text" => "One.", "importance" => "low"}',
    "keys in capitals": '{"Title": "A person came", "TEXT": "One.", "Importance": "LOW"}',
    "a choice with blanks": '{"title": "A person came", "text": "One.", "importance": " Low "}',
    "fields beside": '{"title": "A person came", "text": "One.", "importance": "low", "confidence": 0.9}',
}


@pytest.mark.parametrize(
    "around", ["{}", "Here it is:\n```json\n{}\n```\nAnything else?", "<think>{{'title': 1}}</think>{}"]
)
@pytest.mark.parametrize("written", SPELLED.values(), ids=SPELLED)
def test_what_is_only_spelled_otherwise_is_put_right(written: str, around: str) -> None:
    found = object_in(around.replace("{{", "{").replace("}}", "}").replace("{}", written), SCHEMA)
    assert found is not None
    assert json.loads(found) == MEANT


TEXTS: Final = {
    "quotes within": ('{"title": "A "red" car", "text": "One.", "importance": "low"}', 'A "red" car'),
    "curly ones within": ("{“title”: “A “red” car”, “text”: “One.”, “importance”: “low”}", "A “red” car"),
    "an apostrophe": ("{'title': 'It's a car', 'text': 'One.', 'importance': 'low'}", "It's a car"),
    "an escape of Markdown": ('{"title": "front\\_door", "text": "One.", "importance": "low"}', "front_door"),
    "an escape of JavaScript": ('{"title": "It\\\'s a car", "text": "One.", "importance": "low"}', "It's a car"),
    "an address": ("{'title': 'see http://a/b#c', 'text': 'One.', 'importance': 'low'}", "see http://a/b#c"),
}


@pytest.mark.parametrize(("written", "title"), TEXTS.values(), ids=TEXTS)
def test_a_text_ends_where_something_of_json_follows(written: str, title: str) -> None:
    found = object_in(written, SCHEMA)
    assert found is not None
    assert json.loads(found)["title"] == title


@pytest.mark.parametrize("keep", range(1, len(GOOD) - 1))
@pytest.mark.parametrize("quote", ['"', "'"])
def test_what_is_cut_off_is_never_an_answer(quote: str, keep: int) -> None:
    found = object_in(GOOD.replace('"', quote)[:keep], SCHEMA)
    assert found is None or not fits(json.loads(found), SCHEMA)


NUMBERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "alert": {"type": "boolean"},
        "labels": {"type": "array", "items": {"enum": ["person", "vehicle"]}},
    },
    "required": ["count", "share", "alert", "labels"],
    "additionalProperties": False,
}


def test_numbers_and_choices_that_are_texts_are_read() -> None:
    given = {"count": "2", "share": " 0.5 ", "alert": "False", "labels": ["Person", "VEHICLE"]}
    assert shaped(given, NUMBERS) == {"count": 2, "share": 0.5, "alert": False, "labels": ["person", "vehicle"]}
    assert shaped({**given, "count": 2.0}, NUMBERS) == shaped(given, NUMBERS)


REPLY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no", "unknown"]}, "confidence": {"type": "number"}},
    "required": ["answer", "confidence"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "written",
    [
        '{"answer": true, "confidence": 0.9}',
        '{"answer": "Yes.", "confidence": "0.9"}',
        '{"answer": ["yes"], "confidence": "90 %"}',
        '{"answer": "yes", "confidence": .9}',
        "{answer: yes, confidence: 0.9}",
    ],
)
def test_a_reply_that_means_yes_is_one(written: str) -> None:
    found = object_in(written, REPLY)
    assert found is not None
    assert json.loads(found) == {"answer": "yes", "confidence": 0.9}


def test_a_reply_that_is_made_to_be_deep_is_none() -> None:
    deep = "[" * 800 + "]" * 800
    found = object_in(f'{{"answer": {deep}, "confidence": 0.9}}', REPLY)
    assert found is None or json.loads(found)["answer"] != "yes"


@pytest.mark.parametrize("answer", [1, None, "maybe", ["yes", "no"], {}])
def test_a_reply_that_means_nothing_is_left(answer: object) -> None:
    given = {"answer": answer, "confidence": 0.5}
    assert shaped(given, REPLY) == given


def test_what_says_something_else_is_left_for_whoever_asked() -> None:
    given = {"count": "two", "share": "half", "alert": "maybe", "labels": ["dog"]}
    assert shaped(given, NUMBERS) == given


def test_an_object_that_fits_as_it_is_comes_before_one_that_must_be_put_right() -> None:
    assert object_in(f"{GOOD}\n{GOOD.replace('low', 'HIGH')}", SCHEMA) == GOOD


@given(st.text(alphabet="{}[]\"'“”:,/*#\\ \na1", max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    found = object_in(text, SCHEMA)
    assert found is None or isinstance(json.loads(found), dict)


@pytest.mark.parametrize("unit", ['{"a', "{'a': ", '{"a": "b" /*', '{"', "{a:[", '{"a":"\n'])
def test_a_text_that_is_made_to_take_long_does_not(unit: str) -> None:
    began = time.process_time()
    object_in(unit * (60_000 // len(unit)), SCHEMA)
    assert time.process_time() - began < 5
