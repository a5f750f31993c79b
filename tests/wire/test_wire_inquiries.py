"""Requests with an answer: what is understood, what is refused, and where answers may go.

After a wanted change: `BLIKK_WRITE_EXAMPLES=1 pytest tests/wire/test_wire_inquiries.py` writes the examples anew.
"""

import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import wire_samples as s
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from blikk_edge.core.errors import WireError
from blikk_edge.core.inquiry import (
    Aggregate,
    AskQuestion,
    CheckText,
    DescribeNow,
    EventWithText,
    Forget,
    ListEvents,
    Query,
    Reply,
    refusal,
)
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Said
from blikk_edge.wire.inquiries import (
    MAX_CORRELATION,
    MAX_REPLY_BYTES,
    check_correlation_data,
    check_response_topic,
    open_envelope,
    read_request,
    reply_content,
    write_request,
)
from blikk_edge.wire.messages import event_content
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import json_bytes

CONTRACT = Path(__file__).parents[2] / "contract"
CAMERAS = {"front_door", "yard"}
TOPIC = "blikk/porch-pi/reply/1f"
CORRELATION = "7f3a"
GOLDEN = {
    **{name: write_request(r, response_topic=TOPIC, correlation=CORRELATION) for name, r in s.REQUESTS.items()},
    **{name: json_bytes(reply_content(r, correlation=CORRELATION)) for name, r in s.REPLIES.items()},
}


def validator(name):
    schema = json.loads((CONTRACT / "schemas" / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


ASK, REPLY = validator("ask"), validator("reply")


def closed(schema):
    """The schema with every described object closed, so that a field that nobody described is noticed."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(part) for key, part in schema.items()}
    return (
        {**inner, "additionalProperties": False}
        if {"measure", "ok", "do"} & set(inner.get("properties", ()))
        else inner
    )


def read(payload, **more):
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read_request(open_envelope(payload, s.TOPICS, **more).content, CAMERAS)


@pytest.mark.parametrize("name", GOLDEN)
def test_what_is_written_equals_its_golden_example_and_its_closed_schema(name):
    path = CONTRACT / "examples" / f"{name}.json"
    if os.environ.get("BLIKK_WRITE_EXAMPLES"):
        path.write_bytes(GOLDEN[name] + b"\n")

    assert GOLDEN[name] + b"\n" == path.read_bytes()
    schema = (ASK if name in s.REQUESTS else REPLY).schema
    Draft202012Validator(closed(schema)).validate(json.loads(GOLDEN[name]))


@pytest.mark.parametrize("name", s.REQUESTS)
def test_a_golden_request_is_read_as_it_was_meant(name):
    envelope = open_envelope(GOLDEN[name], s.TOPICS)

    assert (envelope.response_topic, envelope.correlation) == (TOPIC, CORRELATION)
    assert read_request(envelope.content, CAMERAS) == s.REQUESTS[name]


def test_a_question_alone_is_a_request_and_unknown_fields_are_ignored():
    payload = (CONTRACT / "examples" / "ask-minimal.json").read_bytes()

    ASK.validate(json.loads(payload))
    assert read(payload) == AskQuestion(question="Is anyone at the front door?")
    assert open_envelope(payload, s.TOPICS).response_topic is None


def test_the_events_of_a_reply_follow_their_schema():
    event, summary = validator("event"), validator("summary")
    for reported in reply_content(s.REPLIES["reply"])["events"]:
        event.validate({key: value for key, value in reported.items() if key != "summary"})
        summary.validate({"v": 1, **reported["summary"]})


@pytest.mark.parametrize("field", sorted(REPLY.schema["required"]))
def test_a_reply_that_lacks_a_field_is_refused(field):
    content = reply_content(s.REPLIES["reply"])
    with pytest.raises(ValidationError):
        REPLY.validate({key: value for key, value in content.items() if key != field})


@pytest.mark.parametrize("measure", list(Aggregate))
@pytest.mark.parametrize("label", list(Label))
def test_the_schema_of_replies_knows_every_measure_and_label(measure, label):
    REPLY.validate(reply_content(Reply(query=Query(measure=measure, labels=(label,), zone="porch", since=0.0))))


@pytest.mark.parametrize("text", ["who came?", "  who came?\n", '"who came?"', "was Zoë da? 🐈"])
def test_plain_text_is_a_question(text):
    assert read(text.encode()) == AskQuestion(question=text.strip().strip('"'))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (1795262400, 1795262400.0),
        (1795262400.25, 1795262400.25),
        ("2026-11-21T12:00:00Z", 1795262400.0),
        ("2026-11-21T13:00:00.250+01:00", 1795262400.25),
        ("2026-11-21T12:00:00", datetime(2026, 11, 21, 12).timestamp()),  # noqa: DTZ001 - local time is meant
        ("2026-11-21", datetime(2026, 11, 21).timestamp()),  # noqa: DTZ001
        (0, 0.0),
    ],
)
def test_times_are_iso_or_seconds(written, seconds):
    assert read({"do": "events", "since": written}) == ListEvents(since=seconds)


WRITTEN = {"do": "check", "event": "e", "title": "Two people", "text": "They came."}
REFUSED = {
    "empty": b"",
    "only blanks": b"   ",
    "no UTF-8": b"\xff\xfe",
    "half of JSON": b'{"question": "who',
    "a list": b"[1, 2]",
    "a number": b"42",
    "null": b"null",
    "no question": {},
    "an empty question": {"question": " "},
    "a question that is none": {"question": ["who"]},
    "a question too long": {"question": "x" * 501},
    "half a character": b'{"question": "\\ud800"}',
    "a payload too long": {"question": "x", "more": "x" * 9000},
    "a bottomless payload": b"[" * 8000,
    "not a number": b'{"do": "events", "since": NaN}',
    "another verb": {"do": "restart"},
    "a verb that is none": {"do": {"ask": 1}},
    "an unknown camera": {"question": "who?", "camera": "garage"},
    "a camera that is none": {"question": "who?", "camera": 7},
    "an unknown label": {"do": "events", "label": "ghost"},
    "no limit": {"do": "events", "limit": 0},
    "a limit too high": {"do": "events", "limit": 501},
    "a limit that is none": {"do": "events", "limit": True},
    "a broken limit": {"do": "events", "limit": 1.5},
    "no time": {"do": "events", "since": "yesterday"},
    "a time before 1970": {"do": "events", "since": -1},
    "a time too far": {"do": "events", "since": 1e300},
    "a time of the year 1": {"do": "events", "since": "0001-01-01"},
    "a true time": {"do": "events", "until": True},
    "an end before its beginning": {"do": "events", "since": 10, "until": 5},
    "nothing to describe": {"do": "describe"},
    "two things to describe": {"do": "describe", "camera": "yard", "event": "e"},
    "everything to forget": {"do": "forget"},
    "nothing to mark": {"do": "mark", "mark": "Family"},
    "a mark that is a story": {"do": "mark", "event": "e", "mark": "x" * 61},
    "nothing to check": {"do": "check", "event": "e", "title": "Two people"},
    "a text of no event": {"do": "check", "title": "Two people", "text": "They came."},
    "a novel to check": {"do": "check", "event": "e", "title": "Two people", "text": "x" * 2001},
    "pictures by number": {**WRITTEN, "pictures": 3},
    "an account in words": {**WRITTEN, "said": "two people"},
    "a count below zero": {**WRITTEN, "said": {"counts": {"person": -1}}},
    "a count of unicorns": {**WRITTEN, "said": {"counts": {"unicorn": 1}}},
    "a true count": {**WRITTEN, "said": {"rings": True}},
    "a list of counts": {**WRITTEN, "said": {"counts": [1, 0, 0, 0]}},
    "no language": {**WRITTEN, "language": "Klingon?"},
    "a time alone": {**WRITTEN, "said": {"times": "12:00"}},
    "a time that is a story": {**WRITTEN, "said": {"times": ["twelve o'clock"]}},
}


@pytest.mark.parametrize("payload", REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_request_is_refused_in_words(payload):
    with pytest.raises(WireError) as refused:
        read(payload)
    assert 10 < len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "topic",
    ["blikk/porch-pi/reply/1", "blikk/porch-pi/reply/a/b", "blikk/porch-pi/reply/küche", "blikk/porch-pi/reply/set/x"],
)
def test_answers_may_go_there(topic):
    assert open_envelope(b"who?", s.TOPICS, response_topic=topic).response_topic == topic
    in_json = json.dumps({"question": "who?", "response_topic": topic}).encode()
    assert open_envelope(in_json, s.TOPICS).response_topic == topic


@pytest.mark.parametrize(
    "topic",
    [
        *("", "a/+/b", "a/#", "#", "$SYS/x", "a$b", "a\x00b", "a\nb", "x" * 201, "blikk", "blikk/porch-pi"),
        *("blikk/porch-pi/status", "blikk/porch-pi/yard/set/detect", "blikk/porch-pi/reply"),
        *("blikk/other/reply/1", "blikk/other/ha/claim", "blikk/porch-pi/ask", "blikk/porch-pi/reply/"),
        *("homeassistant/status", "homeassistant/device/blikk_porch-pi/node/config", "home/answers", "x"),
        *("zigbee2mqtt/lock/set", "cmnd/plug/POWER", "frigate/events", "/blikk/porch-pi/reply/1", "blikkx/y"),
        *("blikk/porch-pi/reply//1", "blikk/porch-pi/reply/1/", "blikk/porch-pi/replyx/1", "Blikk/porch-pi/reply/1"),
        *("blikk/porch-pi/reply/\x00", "blikk/porch-pi/reply/+", "blikk/porch-pi/reply/#", "blikk/porch-pi/reply/$x"),
        *("blikk/porch-pi/reply/\u2028", "blikk/porch-pi/reply/\x7f", "blikk/porch-pi/reply/" + "x" * 200),
    ],
)
def test_answers_may_not_go_there(topic):
    with pytest.raises(WireError):
        open_envelope(b"who?", s.TOPICS, response_topic=topic)
    with pytest.raises(WireError):
        open_envelope(json.dumps({"question": "who?", "response_topic": topic}).encode(), s.TOPICS)


def test_the_response_topic_of_version_5_counts_first():
    json_topic, v5_topic = "blikk/porch-pi/reply/json", "blikk/porch-pi/reply/v5"
    payload = json.dumps({"question": "who?", "response_topic": json_topic}).encode()
    assert open_envelope(payload, s.TOPICS, response_topic=v5_topic).response_topic == v5_topic


def test_an_answer_below_a_prefix_of_several_levels():
    topics = Topics("site/east/blikk", "porch-pi")
    check_response_topic("site/east/blikk/porch-pi/reply/1", topics)
    with pytest.raises(WireError, match="site/east/blikk/porch-pi/reply/"):
        check_response_topic("blikk/porch-pi/reply/1", topics)


def test_correlation_data_have_an_end():
    check_correlation_data(bytes(MAX_CORRELATION))
    with pytest.raises(WireError, match="201 bytes of correlation data"):
        check_correlation_data(bytes(MAX_CORRELATION + 1))


@given(st.binary(max_size=400))
def test_no_bytes_break_it(payload):
    try:
        request = read(payload)
    except WireError:
        return
    assert isinstance(request, AskQuestion)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["yard", "person"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(sorted(ASK.schema["properties"]))


@given(st.dictionaries(FIELDS, VALUES, max_size=6), st.sampled_from(sorted(ASK.schema["properties"]["do"]["enum"])))
@example({"question": "who?", "since": "2026-11-21"}, "ask")
@example({"limit": 20, "label": "person", "zone": "z"}, "events")
@example({"event": "e", "title": "t", "text": "x", "said": {"counts": {"person": 1}, "times": ["12:00"]}}, "check")
def test_what_is_read_follows_the_schema(content, do):
    content = {**content, "do": do}
    try:
        envelope = open_envelope(json.dumps(content).encode(), s.TOPICS)
        request = read_request(envelope.content, CAMERAS)
    except WireError:
        return
    # only what this request uses was checked; null counts as left out
    used = {"do", "response_topic", "correlation", *type(request).__dataclass_fields__}
    ASK.validate({key: value for key, value in content.items() if key in used and value is not None})


TIMES = st.none() | st.integers(0, 2_000_000_000).map(float)
REQUESTS = st.one_of(
    st.builds(AskQuestion, question=st.text("abc ?é", min_size=1, max_size=500).filter(str.strip).map(str.strip)),
    st.builds(
        ListEvents,
        camera=st.sampled_from([None, "yard"]),
        label=st.none() | st.sampled_from(Label),
        event=st.none() | st.just("yard-1"),
        since=TIMES,
    ),
    st.builds(DescribeNow, event=st.text("ab", min_size=1)),
    st.builds(Forget, camera=st.just("yard"), until=TIMES.filter(bool)),
    st.builds(
        CheckText,
        event=st.just("yard-1"),
        title=st.just("Two people"),
        text=st.text("ab é", min_size=1).filter(str.strip),
        pictures=st.booleans(),
        language=st.sampled_from([None, "de"]),
        said=st.none() | st.builds(Said, counts=st.dictionaries(st.sampled_from(Label), st.integers(0, 9))),
    ),
)


@given(REQUESTS)
def test_every_request_survives_the_way_over_the_wire(request):
    assert read(write_request(request, response_topic=TOPIC, correlation="")) == request


def test_a_reply_never_outgrows_its_limit_and_keeps_the_newest():
    crowd = replace(s.STARTED, objects=(s.PERSON,) * 24)
    reported = tuple(EventWithText(event=replace(crowd, id=f"e{number}")) for number in range(500))

    content = reply_content(Reply(count=500, events=reported))

    assert MAX_REPLY_BYTES * 0.9 < len(json_bytes(content)) < MAX_REPLY_BYTES + 2000
    assert [each["id"] for each in content["events"]] == [f"e{n}" for n in range(len(content["events"]))]
    assert content["count"] == 500


def test_an_event_in_a_reply_is_as_in_its_own_message():
    [reported] = reply_content(Reply(events=(EventWithText(event=s.ENDED),)))["events"]
    assert reported == {**event_content(s.ENDED), "summary": None}


def test_a_refusal_says_why():
    content = reply_content(refusal("not now"), correlation="x")
    assert (content["ok"], content["error"], content["correlation"], content["text"]) == (False, "not now", "x", None)
