import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import wire_samples as s

from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.wire.discovery import devices
from blikk_edge.wire.messages import encode

ODD_ZONES = ("porch", 'Hof "hinten"', "日本", "a/b}}", "it's", "emoji 🚪\\n", "Porch")
ODD = CameraInfo(id="odd-1", name="Größe “x” 🚪", labels=tuple(Label), zones=ODD_ZONES, ring=True)
NODE = replace(s.NODE, cameras=(*s.NODE.cameras, ODD, s.BOILER))
WITHDRAWN = (
    Withdrawn(camera="front_door", what=Shown.SUMMARY),
    Withdrawn(camera=None, what=Shown.DIGEST),
    Withdrawn(camera="front_door", what=Shown.ANSWER, name=s.ANSWER.question),
)
EVENTS = (s.STARTED, s.LOITERING, s.ENDED)
BOILER = devices(s.MEASURING, s.TOPICS)[1]
SCRIPT = Path(__file__).with_name("inspect_discovery.py")


def inspect(python, configs, messages):
    states = {}
    for message in messages:
        states.setdefault(message.topic, []).append(message.payload.decode())
    work = {"configs": {d.topic: d.payload for d in configs}, "states": states}
    done = subprocess.run(
        [python, SCRIPT], check=False, input=json.dumps(work), capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def report(ha_python):
    state = CameraState(
        camera="odd-1", online=True, counts=((Label.ANIMAL, 1),), zones=tuple((z, i) for i, z in enumerate(ODD_ZONES))
    )
    messages = [encode(item, s.TOPICS) for item in (s.STATE, state, s.HEALTH, *EVENTS, s.RING)]
    messages += [encode(item, s.TOPICS) for item in (s.SUMMARY, s.DIGEST, s.ANSWER, *WITHDRAWN)]
    messages += [
        encode(item, s.TOPICS) for item in (s.MEASURED_STATE, s.NOT_MEASURED, s.MEASURED, s.ALERT, s.ALERT_ENDED)
    ]
    stale = (s.STARTED, s.RING, s.ALERT)
    messages += [encode(replace(old, time=s.T0 - 10**8), s.TOPICS, replayed=True) for old in stale]
    return inspect(ha_python, devices(NODE, s.TOPICS), messages)


def components(report):
    return {
        (topic.split("/")[-2], key): part
        for topic, device in report.items()
        for key, part in device["components"].items()
    }


def test_every_device_payload_is_valid_and_on_a_topic_home_assistant_reads(report):
    assert {topic: (d["topic_ok"], d["error"]) for topic, d in report.items()} == dict.fromkeys(report, (True, None))
    assert len(report) == 5


def test_every_component_is_valid_for_its_platform(report):
    assert {key: part["error"] for key, part in components(report).items() if "error" in part} == {}


def test_no_key_is_unknown_to_home_assistant(report):
    assert {key: part["dropped"] for key, part in components(report).items() if part.get("dropped")} == {}


def test_templates_read_the_states_we_publish(report):
    texts = {key: part["rendered"].get("value_template", [None])[0] for key, part in components(report).items()}

    assert {
        name: texts["camera_front_door", name]
        for name in (
            "motion",
            "person",
            "package",
            "person_count",
            "zone_porch",
            "person_in_zone_porch",
            "person_in_zone_path",
            "summaries",
            "fps",
            "inference",
            "frame_age",
        )
    } == {
        "motion": "ON",
        "person": "ON",
        "package": "OFF",
        "person_count": "2",
        "zone_porch": "2",
        "person_in_zone_porch": "ON",
        "person_in_zone_path": "OFF",
        "summaries": "Language model, from text",
        "fps": "4.99",
        "inference": "61.3",
        "frame_age": "0.2",
    }
    assert [texts["camera_front_door", name] for name in ("dropped", "restarts", "detect", "threshold")] == [
        "3",
        "1",
        "ON",
        "0.35",
    ]
    assert [texts["node", name] for name in ("problem", "cpu", "memory", "temperature", "outbox", "lost")] == [
        "ON",
        "41.3",
        "164.0",
        "52.3",
        "2",
        "0",
    ]
    assert texts["camera_odd-1", "inference"] == "None"  # which Home Assistant reads as unknown


@pytest.mark.parametrize(
    ("device", "key", "state"),
    [
        ("camera_front_door", "last_summary", s.SUMMARY.title),
        ("node", "digest", s.DIGEST.title),
        ("camera_front_door", f"question_{s.ANSWER.question}", "ON"),
    ],
)
def test_a_text_that_was_forgotten_leaves_its_entity_unknown_and_without_attributes(report, device, key, state):
    texts = components(report)[device, key]["rendered"]

    assert texts["value_template"] == [state, "None"]
    reported, withdrawn = (json.loads(each) for each in texts["json_attributes_template"])
    assert reported["event"] in {s.SUMMARY.event, s.DIGEST.event, s.ANSWER.event}
    assert reported.get("checked") == (None if key.startswith("question_") else "whole")
    assert withdrawn == {}


def test_zones_of_any_name_are_counted_apart(report):
    zones = {
        key: part["rendered"]["value_template"][0]
        for (device, key), part in components(report).items()
        if device == "camera_odd-1" and key.startswith("zone_")
    }

    assert sorted(zones.values()) == sorted(str(i) for i in range(len(ODD_ZONES)))


def test_detection_fires_for_started_and_loitering_alone_and_not_for_what_is_stale(report):
    texts = components(report)["camera_front_door", "detected"]["rendered"]["value_template"]
    started, loitering, ended, stale = texts

    assert json.loads(started) == {**json.loads(encode(s.STARTED, s.TOPICS).payload), "language": "en"}
    assert json.loads(loitering)["event_type"] == "loitering"
    assert (ended, stale) == ("", "")


def test_doorbell_does_not_ring_for_what_is_stale(report):
    ring, stale = components(report)["camera_front_door", "doorbell"]["rendered"]["value_template"]

    assert json.loads(ring)["event_type"] == "ring"
    assert stale == ""


def test_what_blueprints_tell_says_in_which_language(report):
    told = {
        key: json.loads(text)["language"]
        for (device, key), part in components(report).items()
        for kind in ("value_template", "json_attributes_template")
        for text in part["rendered"].get(kind, ())
        if device == "camera_front_door" and '"language"' in text
    }

    assert told == dict.fromkeys(
        ["detected", "doorbell", "package", "package_in_zone_porch", "package_in_zone_path"], "en"
    )


@pytest.mark.parametrize(("key", "value", "alert"), [("pressure", "2.6", "too_high"), ("needle_angle", "41.5", None)])
def test_a_measure_is_a_sensor_that_is_unknown_while_nothing_is_measured(report, key, value, alert):
    texts = components(report)["camera_boiler", f"measure_{key}"]["rendered"]

    assert texts["value_template"] == [value, "None"]
    assert [json.loads(each) for each in texts["json_attributes_template"]] == [{"alert": alert}, {"alert": None}]


def test_an_alert_fires_when_it_begins_and_not_for_what_is_stale(report):
    measured, alert, ended, stale = components(report)["camera_boiler", "alert"]["rendered"]["value_template"]

    reported = json.loads(alert)
    assert (reported["event_type"], reported["value"], reported["unit"]) == ("pressure_too_high", 2.6, "bar")
    assert reported["event_type"] in BOILER.payload["components"]["alert"]["event_types"]
    assert (measured, ended, stale) == ("", "", "")


def test_component_with_a_typing_error_is_noticed(ha_python):
    front = devices(s.NODE, s.TOPICS)[1]
    parts = front.payload["components"]
    broken = {**front.payload, "components": {**parts, "motion": {**parts["motion"], "device_clas": "motion"}}}

    report = inspect(ha_python, [replace(front, payload=broken)], [])

    assert report[front.topic]["components"]["motion"]["dropped"] == ["device_clas"]
