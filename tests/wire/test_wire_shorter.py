"""Records made small enough for a broker."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import wire_samples as s
from jsonschema import Draft202012Validator

from blikk_edge.wire.messages import Message, encode
from blikk_edge.wire.shorter import shorter


def fits(limit):
    return lambda message: len(message.payload) <= limit


def message(content, **more):
    payload = json.dumps(content).encode()
    return Message(topic="t", payload=payload, qos=1, retain=False, content_type="application/json", **more)


def test_the_embedding_goes_first():
    content = {"id": "1", "embedding": [0.5] * 999, "objects": [{"track": n} for n in range(4)]}
    made = shorter(message(content), fits(200))
    assert json.loads(made.payload) == {"id": "1", "objects": content["objects"]}
    assert (made.topic, made.qos, made.content_type) == ("t", 1, "application/json")


@pytest.mark.parametrize(("limit", "left"), [(2000, 16), (700, 8), (130, 1), (60, 0)])
def test_as_many_objects_as_fit_are_kept(limit, left):
    content = {"id": "1", "counts": {"person": 16}, "objects": [{"track": n, "pad": "x" * 50} for n in range(16)]}
    made = json.loads(shorter(message(content), fits(limit)).payload)
    assert made["objects"] == content["objects"][:left]
    assert made["counts"] == {"person": 16}


@pytest.mark.parametrize("payload", [b"", b"[]", b"\xff\xd8", b'{"text": "' + b"x" * 500 + b'"}', b'{"objects": 7}'])
def test_what_cannot_be_made_smaller_is_none(payload):
    assert shorter(replace(message({}), payload=payload), fits(5)) is None


@pytest.mark.parametrize(("record", "schema"), [(s.STARTED, "event"), (s.OBSERVATION, "observation")])
def test_a_shorter_record_keeps_to_the_contract(record, schema):
    whole = encode(replace(record, objects=(s.PERSON,) * 8), s.TOPICS)
    content = json.loads(shorter(whole, fits(len(whole.payload) - 1)).payload)
    path = Path(__file__).parents[2] / "contract" / "schemas" / f"{schema}.json"
    Draft202012Validator(json.loads(path.read_text())).validate(content)
    assert len(content["objects"]) == 4
