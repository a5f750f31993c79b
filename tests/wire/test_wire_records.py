import json
from dataclasses import replace

import pytest
import wire_samples as s
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.errors import WireError
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observation, Observed, Phase, Ring, Shown, Sighting, Withdrawn
from blikk_edge.core.sightings import VALUE_MAX, WORD, Label, Measure
from blikk_edge.core.summary import Answer, Author, Importance, Summary
from blikk_edge.wire.messages import encode
from blikk_edge.wire.records import record_from_text, record_to_text

REAL = st.floats(allow_nan=False)
ONE = st.floats(0, 1)
NAMES = st.lists(st.text()).map(tuple)


@st.composite
def boxes(draw):
    x1, x2 = sorted((draw(ONE), draw(ONE)))
    y1, y2 = sorted((draw(ONE), draw(ONE)))
    return Box(x1, y1, x2, y2)


SIGHTINGS = st.lists(
    st.builds(
        Sighting,
        track=st.integers(),
        label=st.sampled_from(Label),
        sub_label=st.text(),
        score=REAL,
        box=boxes(),
        since=REAL,
        dwell_s=REAL,
        still=st.booleans(),
        zones=NAMES,
    ),
    max_size=3,
).map(tuple)
WORDS = st.from_regex(WORD, fullmatch=True)
MEASURES = st.lists(
    st.builds(
        Measure,
        name=WORDS,
        value=st.floats(-VALUE_MAX, VALUE_MAX),
        unit=st.none() | st.sampled_from(["°C", "%", "km/h"]),
        box=st.none() | boxes(),
        alert=st.none() | WORDS,
    ),
    max_size=3,
).map(tuple)
OBSERVATIONS = st.builds(
    Observation,
    id=st.text(),
    camera=st.text(),
    kind=st.sampled_from(Observed),
    time=REAL,
    until=REAL,
    score=REAL,
    objects=SIGHTINGS,
    zones=NAMES,
    event=st.none() | st.text(),
    folded=st.integers(),
    embedding=st.none() | st.lists(REAL).map(tuple),
    measures=MEASURES,
)
EVENTS = st.builds(
    Event,
    id=st.text(),
    camera=st.text(),
    phase=st.sampled_from(Phase),
    revision=st.integers(),
    time=REAL,
    started=REAL,
    label=st.sampled_from(Label),
    reason=st.sampled_from(Observed),
    objects=SIGHTINGS,
    peak=st.integers(),
    zones=NAMES,
    loitering=st.booleans(),
    ended=st.none() | REAL,
    picture=st.none() | st.text(),
)
TOKENS = st.integers()
SUMMARIES = st.builds(
    Summary,
    id=st.text(),
    camera=st.none() | st.text(),
    event=st.none() | st.text(),
    revision=st.integers(),
    time=REAL,
    since=REAL,
    until=REAL,
    title=st.text(),
    text=st.text(),
    importance=st.sampled_from(Importance),
    labels=st.lists(st.sampled_from(Label)).map(tuple),
    source=st.sampled_from(Author),
    model=st.none() | st.text(),
    input_tokens=TOKENS,
    output_tokens=TOKENS,
    pictures=st.integers(),
)
ANSWERS = st.builds(
    Answer,
    id=st.text(),
    camera=st.text(),
    question=st.text(),
    asked=st.text(),
    answer=st.text(),
    confidence=REAL,
    time=REAL,
    since=REAL,
    changed=st.booleans(),
    evidence=st.text(),
    event=st.none() | st.text(),
    source=st.sampled_from(Author),
    model=st.none() | st.text(),
    input_tokens=TOKENS,
    output_tokens=TOKENS,
)
RINGS = st.builds(Ring, id=st.text(), camera=st.text(), time=REAL, via=st.text())

WITHDRAWN = st.builds(Withdrawn, camera=st.none() | st.text(), what=st.sampled_from(Shown), name=st.text())


@given(OBSERVATIONS | EVENTS | RINGS | SUMMARIES | ANSWERS | WITHDRAWN, st.none() | st.integers(1))
def test_record_survives_being_text_with_a_fence_and_without(record, fence):
    record = replace(record, fence=fence)
    text = record_to_text(record)

    assert text.isascii()
    assert "\n" not in text
    assert record_from_text(text) == record
    assert ("fence" in json.loads(text)) == (fence is not None)


@given(OBSERVATIONS | EVENTS | RINGS | SUMMARIES | ANSWERS)
def test_every_record_that_comes_out_of_the_store_can_be_published(record):
    content = json.loads(encode(record, s.TOPICS).payload)

    assert content["v"] == 1


@pytest.mark.parametrize("record", [s.OBSERVATION, s.STARTED, s.LOITERING, s.ENDED, s.RING, s.SUMMARY, s.ANSWER])
def test_fields_of_a_newer_version_are_ignored(record):
    text = record_to_text(record)

    assert record_from_text(text[:-1] + ',"colour":"red"}') == record


def test_an_observation_without_measures_and_looks_is_written_as_by_earlier_versions():
    assert "measures" not in record_to_text(s.OBSERVATION)
    assert "appearances" not in record_to_text(s.OBSERVATION)


@pytest.mark.parametrize("record", [s.APPEARED, s.OTHER_SCENE])
def test_looks_are_read_as_they_were_written_and_damaged_ones_refused(record):
    text = record_to_text(record)
    assert record_from_text(text) == record
    for word, instead in (('"grey"', '"mauve"'), ('"float16":"', '"float16":"!'), ('"track":3', '"track":"3"')):
        if word in text:
            with pytest.raises(WireError):
                record_from_text(text.replace(word, instead))


@pytest.mark.parametrize("record", [s.OBSERVATION, s.ALERT, s.ALERT_OF_ITEM, s.STARTED, s.RING, s.SUMMARY, s.ANSWER])
def test_text_cut_anywhere_is_no_record(record):
    text = record_to_text(record)

    for end in range(len(text)):
        with pytest.raises(WireError):
            record_from_text(text[:end])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"record":"frame"}',
        '{"record":["event"]}',
        '{"record":"ring"}',
        '{"record":"ring","id":1,"camera":"a","time":1,"via":"mqtt"}',
        '{"record":"ring","id":"1","camera":"a","time":true,"via":"mqtt"}',
        '{"record":"ring","id":"1","camera":"a","time":1' + "0" * 400 + ',"via":"mqtt"}',
        '{"record":"event"}',
        record_to_text(s.ALERT).replace('"pressure"', '"Not a word"'),
        record_to_text(s.ALERT).replace('"too_high"', '"<b>"'),
        record_to_text(s.ALERT_OF_ITEM).replace('"item":42', '"item":0'),
        record_to_text(s.ALERT).replace('"bar"', '"' + "x" * 17 + '"'),
        "[" * 100_000,
    ],
)
def test_other_text_is_no_record(text):
    with pytest.raises(WireError):
        record_from_text(text)


@given(st.text())
def test_any_text_is_a_record_or_a_wire_error(text):
    with pytest.raises(WireError):
        record_from_text(text)


@given(
    st.sampled_from([s.OBSERVATION, s.STARTED, s.ENDED, s.RING, s.SUMMARY, s.ANSWER]),
    st.data(),
    st.sampled_from(["null", "[]", "{}", '"x"', "1", "-1", "true", "1e999", "NaN"]),
)
def test_record_with_one_odd_value_is_read_or_refused(record, data, value):
    text = record_to_text(record)
    starts = [i for i, c in enumerate(text) if c == ":"]
    at = data.draw(st.sampled_from(starts)) + 1
    end = min((i for i in (text.find(",", at), text.find("}", at)) if i > 0), default=len(text))

    try:
        read = record_from_text(text[:at] + value + text[end:])
    except WireError:
        return
    assert type(read) is type(record)
