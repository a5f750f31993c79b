"""The wire as data: schemas and golden examples in `contract/`, against what is really encoded.

After a wanted change: `BLIKK_WRITE_EXAMPLES=1 pytest tests/wire/test_wire_contract.py` writes the examples anew.
"""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import wire_samples as s
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from blikk_edge.core.locale import Claim
from blikk_edge.core.observation import MEASURED, Observation, Observed, Shown, Withdrawn
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState, Health
from blikk_edge.wire.claim import read_claim
from blikk_edge.wire.commands import decode_command
from blikk_edge.wire.discovery import devices
from blikk_edge.wire.envelope import Place, enveloped
from blikk_edge.wire.messages import Message, announce, encode
from blikk_edge.wire.subscription import Cursor, Subscription, hello
from blikk_edge.wire.topics import Topics

CONTRACT = Path(__file__).parents[2] / "contract"
REQUESTS = {"ask", "reply"}
HEARD = {"claim"}
SCHEMAS = sorted({path.stem for path in (CONTRACT / "schemas").glob("*.json")} - REQUESTS - HEARD)
NODE, FRONT, _ = devices(s.NODE, s.TOPICS)
_, BOILER = devices(s.MEASURING, s.TOPICS)
_, GATE = devices(s.SEARCHED, s.TOPICS)

CURSOR = Cursor(stream="mie4k2x1", seq=7, time=1795262400.25)
PLACE = Place(stream="mie4k2x1", seq=7, cursor=str(CURSOR))
GONE = Withdrawn(camera="front_door", what=Shown.SUMMARY)


def _sent(payload: bytes) -> Message:
    """What is no message of MQTT, as one."""
    return Message(topic="", payload=payload, qos=0, retain=False)


# the bare minimum of each, where every optional part is missing
BARE = {
    "observation": Observation(id="o", camera="c", kind=Observed.MOTION, time=0.0, until=0.0, score=0.0),
    "state": CameraState(camera="c", online=False),
    "health": Health(time=0.0, uptime_s=0.0, cpu_percent=0.0, rss_bytes=0),
    "event": s.ENDED,
}
EXAMPLES = {
    "announce": announce(s.NODE, s.TOPICS),
    "health": encode(s.HEALTH, s.TOPICS),
    "state": encode(s.STATE, s.TOPICS),
    "state-bare": encode(BARE["state"], s.TOPICS),
    "observation": encode(s.OBSERVATION, s.TOPICS),
    "observation-bare": encode(BARE["observation"], s.TOPICS),
    "event-started": encode(s.STARTED, s.TOPICS),
    "event-loitering": encode(s.LOITERING, s.TOPICS),
    "event-ended": encode(s.ENDED, s.TOPICS),
    "event-interrupted": encode(s.INTERRUPTED, s.TOPICS),
    "event-left-behind": encode(s.LEFT_BEHIND, s.TOPICS),
    "event-taken": encode(s.TAKEN, s.TOPICS),
    "observation-left-behind": encode(s.WAS_LEFT, s.TOPICS),
    "event-replayed": encode(s.STARTED, s.TOPICS, replayed=True),
    "ring": encode(s.RING, s.TOPICS),
    "summary": encode(s.SUMMARY, s.TOPICS),
    "summary-digest": encode(s.DIGEST, s.TOPICS),
    "answer": encode(s.ANSWER, s.TOPICS),
    "announce-measures": announce(s.MEASURING, s.TOPICS),
    "health-skipped": encode(s.MEASURED_HEALTH, s.TOPICS),
    "state-measures": encode(s.MEASURED_STATE, s.TOPICS),
    "observation-measure": encode(s.MEASURED, s.TOPICS),
    "observation-alert": encode(s.ALERT, s.TOPICS),
    "observation-alert-ended": encode(s.ALERT_ENDED, s.TOPICS),
    "observation-alert-item": encode(s.ALERT_OF_ITEM, s.TOPICS),
    "announce-search": announce(s.SEARCHED, s.TOPICS),
    "state-concepts": encode(s.CONCEPT_STATE, s.TOPICS),
    "observation-appeared": encode(s.APPEARED, s.TOPICS),
    "observation-scene": encode(s.OTHER_SCENE, s.TOPICS),
    "discovery-camera-concepts": GATE.message(),
    "discovery-camera-measures": BOILER.message(),
    "envelope": _sent(enveloped(s.STARTED, s.TOPICS, PLACE).text),
    "envelope-withdrawn": _sent(enveloped(GONE, s.TOPICS, PLACE).text),
    "envelope-status": _sent(enveloped(s.GONE, s.TOPICS).text),
    "envelope-state": _sent(enveloped(s.STATE, s.TOPICS).text),
    "envelope-replayed": _sent(enveloped(s.RING, s.TOPICS, replayed=True).text),
    "envelope-fleet": _sent(enveloped(replace(s.RING, fence=41), Topics("blikk", "hall", "hall_1"), PLACE).text),
    "hello": _sent(hello(Subscription(), node="porch", stream="mie4k2x1", seq=7, complete=None, cursor=CURSOR)),
    "discovery-node": NODE.message(),
    "discovery-camera": FRONT.message(),
}


def validator(name):
    schema = json.loads((CONTRACT / "schemas" / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def strict(schema):
    """The schema with every object closed: a field that nobody described is noticed here, not by a reader."""
    if isinstance(schema, dict):
        closed = {key: strict(part) for key, part in schema.items()}
        return (
            {**closed, "additionalProperties": closed.get("additionalProperties", False)}
            if "properties" in closed
            else closed
        )
    return [strict(part) for part in schema] if isinstance(schema, list) else schema


def test_every_json_topic_has_a_schema():
    records = ["answer", "event", "observation", "ring", "summary"]
    assert sorted([*records, "announce", "envelope", "health", "hello", "state"]) == SCHEMAS


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_published_equals_its_golden_example(name):
    path = CONTRACT / "examples" / f"{name}.json"
    if os.environ.get("BLIKK_WRITE_EXAMPLES"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(EXAMPLES[name].payload + b"\n")

    assert EXAMPLES[name].payload + b"\n" == path.read_bytes()


def test_a_picture_that_is_published_equals_its_golden_example():
    path = CONTRACT / "examples" / "picture.jpg"
    if os.environ.get("BLIKK_WRITE_EXAMPLES"):
        path.write_bytes(encode(s.PICTURE, s.TOPICS).payload)

    assert encode(s.PICTURE, s.TOPICS).payload == path.read_bytes()


def test_no_example_is_left_over():
    requests = {*s.REQUESTS, *s.REPLIES, "ask-minimal"}  # test_wire_inquiries.py
    assert {path.stem for path in (CONTRACT / "examples").glob("*.json")} == set(EXAMPLES) | requests | HEARD


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.startswith("discovery")])
def test_example_follows_its_schema_and_every_field_is_described(name):
    content = json.loads((CONTRACT / "examples" / f"{name}.json").read_bytes())
    check = validator(name.split("-")[0])

    check.validate(content)
    Draft202012Validator(strict(check.schema)).validate(content)


def test_the_claim_says_of_the_household_as_its_schema_says():
    payload = (CONTRACT / "examples" / "claim.json").read_bytes()

    validator("claim").validate(json.loads(payload))
    assert read_claim(payload) == Claim(timezone="Europe/Berlin", language="de")


@pytest.mark.parametrize(
    ("payload", "reported"),
    [
        (b"", Claim()),
        (b"yes", Claim()),
        (b"[1]", Claim()),
        (b'{"timezone": 1, "language": null}', Claim()),
        (b'{"timezone": "../../etc/passwd", "language": "../de"}', Claim()),
        (
            b'{"timezone": "America/Argentina/Ushuaia", "language": "pt-BR"}',
            Claim(timezone="America/Argentina/Ushuaia", language="pt"),
        ),
        (b'{"timezone": "Mars/Base", "language": "zh-Hans"}', Claim(timezone="Mars/Base", language="zh")),
        (b'{"language": "' + b"d" * 5000 + b'"}', Claim()),
        (b"[" * 4000, Claim()),
    ],
)
def test_whatever_stands_there_is_a_claim_and_what_is_no_name_reports_nothing(payload, reported):
    assert read_claim(payload) == reported


@pytest.mark.parametrize("schema", SCHEMAS)
def test_schema_refuses_a_message_that_lacks_a_field_or_is_of_another_protocol(schema):
    content = json.loads(
        (CONTRACT / "examples" / f"{schema if schema != 'event' else 'event-started'}.json").read_bytes()
    )
    check = validator(schema)

    for field in content:
        with pytest.raises(ValidationError):
            check.validate({key: value for key, value in content.items() if key != field})
    with pytest.raises(ValidationError):
        check.validate({**content, "v": 2})


@pytest.mark.parametrize("schema", SCHEMAS)
def test_schema_lets_a_newer_field_pass(schema):
    content = json.loads(
        (CONTRACT / "examples" / f"{schema if schema != 'event' else 'event-started'}.json").read_bytes()
    )

    validator(schema).validate({**content, "a_field_of_tomorrow": 1})


@pytest.mark.parametrize("kind", list(Observed))
@pytest.mark.parametrize("label", list(Label))
def test_schemas_know_every_kind_and_label(kind, label):
    sighting = replace(s.PERSON, label=label)
    event = replace(s.STARTED, reason=kind, label=label, objects=(sighting,))
    observation = replace(s.OBSERVATION, kind=kind, objects=(sighting,), embedding=(0.5,))

    if kind not in MEASURED:  # no visit
        validator("event").validate(json.loads(encode(event, s.TOPICS).payload))
    validator("observation").validate(json.loads(encode(observation, s.TOPICS, replayed=True).payload))


def rows(page):
    return re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", page, re.MULTILINE)


TOLD = (s.HEALTH, s.GONE, s.STATE, s.OBSERVATION, s.STARTED, s.RING, s.PICTURE, s.SUMMARY, s.DIGEST, s.ANSWER)


def test_page_of_topics_says_what_is_published_with_its_retain_and_qos():
    text = (CONTRACT / "topics.md").read_text().split("## Subscribed to by the node")[0]
    page = dict(rows(text.replace("| `<camera>/digest`, `digest` |", "| `digest` |")))
    camera = Topics("blikk", "porch-pi")
    published = [encode(i, camera) for i in TOLD]

    for message in [announce(s.NODE, camera), *published]:
        topic = message.topic.removeprefix(camera.base + "/")
        topic = (
            re.sub(r"^(front_door|yard)/", "<camera>/", topic)
            .replace("/person", "/<name>")
            .replace("/gate_open", "/<question>")
        )
        keep = "expiry" if message.expiry_s else "yes" if message.retain else "no"
        assert page[topic] == f"{keep}, {message.qos}"


def test_page_of_topics_names_every_setting_with_payloads_that_work():
    page = dict(rows((CONTRACT / "topics.md").read_text()))
    settings = {topic: text for topic, text in page.items() if "/set/" in topic}

    assert {topic.rsplit("/", 1)[1] for topic in settings} == {
        *("detect", "threshold", "summary", "snapshot", "describe", "ring")
    }
    for topic, text in settings.items():
        for word in re.findall(r"`([^`]+)`", text) or ["0.4"]:
            decode_command(s.TOPICS.base + "/" + topic.replace("<camera>", "yard"), word.encode(), s.TOPICS, {"yard"})
