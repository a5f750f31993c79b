import json
import re
from dataclasses import replace

import pytest
import wire_samples as s
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, SummaryMode
from blikk_edge.wire.discovery import components_of, config_filter, devices, removal, tombstones
from blikk_edge.wire.entities import slug
from blikk_edge.wire.messages import encode
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import truncate

NODE, FRONT, YARD = devices(s.NODE, s.TOPICS)


def test_each_camera_and_the_node_have_a_retained_payload_on_a_topic_of_their_own():
    assert [d.topic for d in (NODE, FRONT, YARD)] == [
        "homeassistant/device/blikk_porch-pi/node/config",
        "homeassistant/device/blikk_porch-pi/camera_front_door/config",
        "homeassistant/device/blikk_porch-pi/camera_yard/config",
    ]
    assert all((d.message().retain, d.message().qos) == (True, 1) for d in (NODE, FRONT, YARD))


def test_one_subscription_sees_all_config_topics():
    pattern = re.escape(config_filter(s.TOPICS)).replace(r"\+", "[^/]+")

    assert all(re.fullmatch(pattern, d.topic) for d in (NODE, FRONT, YARD))


def test_cameras_hang_on_the_node():
    (node,) = NODE.payload["device"]["identifiers"]

    assert [d.payload["device"]["via_device"] for d in (FRONT, YARD)] == [node, node]


def test_only_what_is_seen_now_needs_the_stream():
    base, stream = "blikk/porch-pi/status", "blikk/porch-pi/front_door/status"
    assert FRONT.payload["availability"] == [{"topic": base}]
    parts = FRONT.payload["components"]
    seen = {key: part for key, part in parts.items() if "availability" in part}

    assert {
        (part["availability_mode"], *(each["topic"] for each in part["availability"])) for part in seen.values()
    } == {("all", base, stream)}
    reported = {"doorbell", "detected", "last_summary", "summaries", "describe", "detect", "threshold", "snapshot"}
    assert parts.keys() - seen.keys() == reported | {"stream", "fps", "inference", "frame_age", "dropped", "restarts"}


def test_a_summary_has_all_that_its_message_says_as_attributes():
    template = FRONT.payload["components"]["last_summary"]["json_attributes_template"]
    said = json.loads(encode(s.SUMMARY, s.TOPICS).payload).keys() - {"v", "id", "camera", "title"}

    assert set(re.findall(r"'(\w+)': value_json", template)) == said
    assert set(re.findall(r"value_json\.(\w+)", template)) == said


@pytest.mark.parametrize("language", ["en", "de", "es", "fr", "it", "nl"])
def test_the_ways_of_making_summaries_are_shown_and_chosen_in_the_language(language):
    modes = tuple(SummaryMode)
    _, front, *_ = devices(replace(s.NODE, language=language, summaries=modes), s.TOPICS)
    part = front.payload["components"]["summaries"]
    shown, chosen = (
        json.loads(part[key].removeprefix("{{ ").removesuffix(end))
        for key, end in (("value_template", ".get(value_json.summary, 'None') }}"), ("command_template", "[value] }}"))
    )

    assert [shown[mode.value] for mode in modes] == part["options"]
    assert [chosen[word] for word in part["options"]] == [mode.value for mode in modes]
    english = ["Off", "Template", "Language model, from text", "Language model, from pictures"]
    assert (part["options"] == english) if language == "en" else not {*part["options"]} & {*english}


def test_entities_follow_what_the_camera_can_do():
    assert {"doorbell", "last_ring", "person", "last_package", "zone_porch"} <= FRONT.components.keys()
    assert not {"doorbell", "last_ring", "person", "zone_porch"} & YARD.components.keys()


def test_doorbell_declares_ring_and_detection_its_labels():
    parts = FRONT.payload["components"]

    assert (parts["doorbell"]["device_class"], parts["doorbell"]["event_types"]) == ("doorbell", ["ring"])
    assert parts["detected"]["event_types"] == ["person", "package", "loitering", "package_taken"]


def test_what_blueprints_tell_says_the_language_of_the_node():
    def languages(node):
        parts = devices(node, s.TOPICS)[1].payload["components"]
        return {key: set(re.findall(r"language\W+(\w+)", json.dumps(part))) - {"en"} for key, part in parts.items()}

    german = languages(replace(s.NODE, language="de"))
    told = {key for key, said in german.items() if said == {"de"}}
    assert told == {"doorbell", "detected", "package", "package_in_zone_porch", "package_in_zone_path"}
    assert not any(languages(s.NODE).values())


def test_nothing_can_be_changed_but_what_is_harmless():
    commands = {part["command_topic"] for part in FRONT.payload["components"].values() if "command_topic" in part}

    assert commands == {
        f"blikk/porch-pi/front_door/set/{name}" for name in ("detect", "threshold", "summary", "snapshot", "describe")
    }


def test_texts_have_entities_where_they_are_written():
    parts, node = FRONT.payload["components"], NODE.payload["components"]

    assert parts["summaries"]["options"] == ["Off", "Template", "Language model, from text"]
    assert parts["question_gate_open"]["name"] == "Is the gate open?"
    assert {"digest", "llm_calls", "llm_tokens_left"} <= node.keys()
    silent, bare = devices(replace(s.NODE, summaries=(), cameras=(replace(s.FRONT, questions=()),)), s.TOPICS)
    assert not {"digest", "llm_calls"} & silent.components.keys()
    assert not {"last_summary", "summaries", "describe", "question_gate_open"} & bare.components.keys()


@pytest.mark.parametrize("discovery", [NODE, FRONT, YARD], ids=["node", "front", "yard"])
def test_ids_are_unique_and_fit_their_platform(discovery):
    parts = list(discovery.payload["components"].values())

    assert len({part["unique_id"] for part in parts}) == len(parts)
    assert len({part["default_entity_id"] for part in parts}) == len(parts)
    assert all(part["default_entity_id"].startswith(part["platform"] + ".") for part in parts)


def test_entity_ids_are_those_a_user_would_guess():
    ids = {key: part["default_entity_id"] for key, part in FRONT.payload["components"].items()}

    assert ids["still"] == "camera.front_door"
    assert ids["person"] == "binary_sensor.front_door_person"
    assert ids["detected"] == "event.front_door_detection"
    assert ids["last_person"] == "image.front_door_last_person"
    assert NODE.payload["components"]["cpu"]["default_entity_id"] == "sensor.porch_pi_cpu"


def test_unique_ids_do_not_depend_on_names():
    named = replace(s.NODE, name="Other", cameras=tuple(replace(c, name="Other " + c.name) for c in s.NODE.cameras))

    def ids(node):
        return [p["unique_id"] for d in devices(node, s.TOPICS) for p in d.payload["components"].values()]

    assert ids(named) == ids(s.NODE)


def test_zones_that_look_alike_as_ids_keep_apart():
    camera = CameraInfo(id="c", name="C", labels=(), zones=("Hof", "hof", "höf", "日本", "中国"))

    (_, discovery) = devices(replace(s.NODE, cameras=(camera,)), s.TOPICS)

    zones = [key for key in discovery.components if key.startswith("zone_")]
    assert zones == ["zone_hof", "zone_hof_2", "zone_hof_3", "zone_x", "zone_x_2"]


def test_a_zone_has_a_sensor_of_each_label_of_which_that_of_people_is_enabled():
    camera = CameraInfo(id="c", name="C", labels=(Label.PERSON, Label.ANIMAL), zones=("porch", "porch animal"))

    (_, discovery) = devices(replace(s.NODE, cameras=(camera,)), s.TOPICS)

    inside = {key: part for key, part in discovery.payload["components"].items() if "_in_zone_" in key}
    parts = {key: (part["name"], part.get("enabled_by_default", True)) for key, part in inside.items()}
    assert parts == {
        "person_in_zone_porch": ("Porch: person", True),
        "animal_in_zone_porch": ("Porch: animal", False),
        "person_in_zone_porch_animal": ("Porch animal: person", True),
        "animal_in_zone_porch_animal": ("Porch animal: animal", False),
    }


def test_removed_component_gets_a_tombstone_with_its_platform_only():
    before = replace(s.NODE, cameras=(replace(s.FRONT, labels=(*s.FRONT.labels, Label.ANIMAL)),))
    old = components_of(devices(before, s.TOPICS)[1].message().payload)

    message = tombstones(old, FRONT)

    parts = json.loads(message.payload)["components"]
    graves = {key: part for key, part in parts.items() if len(part) == 1}
    assert graves == {
        "animal": {"platform": "binary_sensor"},
        "animal_count": {"platform": "sensor"},
        "last_animal": {"platform": "image"},
        "animal_in_zone_path": {"platform": "binary_sensor"},
        "animal_in_zone_porch": {"platform": "binary_sensor"},
    }
    assert parts.keys() - graves.keys() == FRONT.components.keys()
    assert (message.topic, message.retain) == (FRONT.topic, True)


def test_component_that_changed_its_platform_gets_a_tombstone_of_the_old_one():
    message = tombstones({"motion": "sensor"}, FRONT)

    assert json.loads(message.payload)["components"]["motion"] == {"platform": "sensor"}


def test_no_tombstones_where_nothing_went():
    assert tombstones(components_of(FRONT.message().payload), FRONT) is None
    assert tombstones({}, FRONT) is None


def test_removal_is_an_empty_retained_payload():
    message = removal(FRONT.topic)

    assert (message.payload, message.retain, message.qos) == (b"", True, 1)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["components", "platform", "a"]), x),
    ).map(lambda x: json.dumps(x).encode())
)
def test_any_payload_found_on_the_broker_has_components_or_none(payload):
    assert all(isinstance(platform, str) for platform in components_of(payload).values())


@given(st.text())
def test_slug_is_an_object_id(text):
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", slug(text))


def test_node_id_with_odd_characters_still_makes_topics_home_assistant_reads():
    node = replace(s.NODE, id="pi.küche 1")
    topics = Topics("blikk", node.id)

    assert all(re.fullmatch(r"homeassistant/device(/[a-zA-Z0-9_-]+){2}/config", d.topic) for d in devices(node, topics))


@pytest.mark.parametrize(("text", "out"), [("x" * 255, "x" * 255), ("x" * 256, "x" * 254 + "…"), ("", "")])
def test_truncate_keeps_states_within_the_limit(text, out):
    assert truncate(text) == out
