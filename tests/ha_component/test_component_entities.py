"""The entities of a node: names, ids, states, availability, and what they send."""

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from stage import BASE, JPEG, NODE, ROOT, announce, entry_of, golden, publish, published, set_up

from custom_components.blikk.names import slug


def state(hass, entity_id):
    return hass.states.get(entity_id).state


def plain_components():
    """Domain, unique id and entity id of what plain discovery makes."""
    parts = [*golden("discovery-node")["components"].values(), *golden("discovery-camera")["components"].values()]
    return {(part["platform"], part["unique_id"], part["default_entity_id"]): part for part in parts}


async def test_every_entity_of_plain_discovery_lives_on_under_its_ids(hass, mqtt_mock, entity_registry):
    content = announce()
    content["cameras"] = content["cameras"][:1]
    entry = await set_up(hass, entry_of(content))
    ours = {
        (entity.domain, entity.unique_id, entity.entity_id): entity
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    plain = plain_components()
    assert plain.keys() - ours.keys() == set()
    for key, part in plain.items():
        assert ours[key].disabled == (part.get("enabled_by_default") is False), key
        assert (ours[key].entity_category or None) == part.get("entity_category"), key
        assert ours[key].original_device_class == part.get("device_class"), key
        assert ours[key].unit_of_measurement == part.get("unit_of_measurement"), key
        assert ours[key].original_name == part["name"], key


async def test_entity_ids_do_not_depend_on_the_language(hass, mqtt_mock):
    hass.config.language = "de"
    await set_up(hass)
    assert hass.states.get("binary_sensor.front_door_person")
    assert hass.states.get("sensor.front_door_last_summary")


@pytest.mark.parametrize(("language", "model"), [("en", "Camera"), ("de", "Kamera"), ("es", "Cámara")])
async def test_a_camera_is_called_so_in_the_language_of_home_assistant(
    hass, mqtt_mock, device_registry, language, model
):
    hass.config.language = language
    entry = await set_up(hass)
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert {device.model for device in devices} == {"Blikk Edge", model}


async def test_devices_are_the_node_and_its_cameras(hass, mqtt_mock, device_registry):
    entry = await set_up(hass)
    devices = {device.name: device for device in dr.async_entries_for_config_entry(device_registry, entry.entry_id)}
    assert devices.keys() == {"Porch Pi", "Front door", "Yard"}
    hub = devices["Porch Pi"]
    assert (hub.manufacturer, hub.model, hub.sw_version) == ("Blikk", "Blikk Edge", "0.1.0")
    assert {devices[name].via_device_id for name in ("Front door", "Yard")} == {hub.id}


async def test_the_state_of_a_camera_is_shown(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "front_door/state", golden("state"))
    assert state(hass, "binary_sensor.front_door_motion") == "on"
    assert state(hass, "binary_sensor.front_door_person") == "on"
    assert state(hass, "binary_sensor.front_door_package") == "off"
    assert state(hass, "binary_sensor.front_door_porch_person") == "on"
    assert state(hass, "binary_sensor.front_door_path_person") == "off"
    assert hass.states.get("binary_sensor.front_door_porch_person").name == "Front door Porch: person"
    assert hass.states.get("binary_sensor.front_door_porch_package") is None  # disabled
    assert state(hass, "switch.front_door_detection") == "on"
    assert state(hass, "number.front_door_threshold") == "0.35"
    assert state(hass, "select.front_door_summaries") == "text"
    assert hass.states.get("binary_sensor.front_door_stream").attributes["problem"] is None
    assert state(hass, "binary_sensor.yard_motion") == "unknown"


async def test_figures_and_zones_are_there_when_they_are_enabled(hass, mqtt_mock, entity_registry):
    entry = await set_up(hass)
    for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id):
        if entity.disabled:
            entity_registry.async_update_entity(entity.entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    await publish(hass, "status", "online")
    await publish(hass, "front_door/status", "online")
    await publish(hass, "front_door/state", golden("state"))
    await publish(hass, "health", golden("health"))
    await publish(hass, "front_door/digest", golden("summary-digest"))
    shown = {
        "sensor.front_door_person_count": "2",
        "sensor.front_door_package_count": "0",
        "sensor.front_door_porch_count": "2",
        "sensor.front_door_path_count": "0",
        "sensor.front_door_frame_rate": "4.99",
        "sensor.front_door_inference_time": "61.3",
        "sensor.front_door_last_frame_age": "0.2",
        "sensor.front_door_dropped_frames": "3",
        "sensor.front_door_restarts": "1",
        "sensor.porch_pi_llm_cost_today": "0.0134",
        "sensor.front_door_digest": "Quiet day",
    }
    assert {entity_id: state(hass, entity_id) for entity_id in shown} == shown
    assert hass.states.get("sensor.porch_pi_llm_cost_today").attributes["unit_of_measurement"] == "EUR"


async def test_the_health_of_a_node_is_shown(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "health", golden("health"))
    shown = {
        "binary_sensor.porch_pi_problem": "on",
        "sensor.porch_pi_cpu": "41.3",
        "sensor.porch_pi_memory": "164.0",
        "sensor.porch_pi_temperature": "52.3",
        "sensor.porch_pi_inference_time": "61.3",
        "sensor.porch_pi_outbox": "2",
        "sensor.porch_pi_lost_records": "0",
        "sensor.porch_pi_language_model": "ready",
        "sensor.porch_pi_llm_calls_today": "41",
        "sensor.porch_pi_llm_tokens_today": "18204",
        "sensor.porch_pi_llm_calls_left": "459",
        "sensor.porch_pi_llm_tokens_left": "81796",
    }
    assert {entity_id: state(hass, entity_id) for entity_id in shown} == shown
    assert hass.states.get("binary_sensor.porch_pi_problem").attributes["problems"] == ["yard: no frame for 10 s"]


async def test_without_a_model_there_are_no_figures_of_one(hass, mqtt_mock):
    content = announce(summaries=[], capabilities=["event"])
    for camera in content["cameras"]:
        camera["questions"] = []
    await set_up(hass, entry_of(content))
    assert hass.states.get("sensor.porch_pi_llm_calls_today") is None
    assert hass.states.get("sensor.front_door_last_summary") is None
    assert hass.states.get("button.front_door_describe") is None


async def test_a_summary_is_shown_and_its_final_words_stay(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "front_door/summary", golden("summary"))
    await publish(hass, "front_door/summary", {**golden("summary"), "revision": 1, "title": "Somebody"})
    shown = hass.states.get("sensor.front_door_last_summary")
    assert shown.state == "Two people at the front door"
    assert (shown.attributes["importance"], shown.attributes["checked"]) == ("high", "whole")
    assert shown.attributes["event"] == "front_door-1795262400250"
    assert (shown.attributes["source"], shown.attributes["model"], shown.attributes["tokens"]) == (
        "llm",
        "qwen3-vl-2b",
        {"input": 214, "output": 58},
    )
    await publish(
        hass, "front_door/summary", {**golden("summary"), "event": "another", "revision": 1, "title": "A cat"}
    )
    assert state(hass, "sensor.front_door_last_summary") == "A cat"
    await publish(hass, "front_door/summary", "")
    assert state(hass, "sensor.front_door_last_summary") == "unknown"


async def test_a_digest_of_the_node_is_shown(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "digest", golden("summary-digest"))
    assert state(hass, "sensor.porch_pi_digest") == "Quiet day"
    await publish(hass, "digest", "")
    assert state(hass, "sensor.porch_pi_digest") == "unknown"


@pytest.mark.parametrize(("answer", "shown"), [("yes", "on"), ("no", "off"), ("unknown", "unknown"), ("hm", "unknown")])
async def test_a_yes_or_no_question_is_a_binary_sensor_with_its_evidence(hass, mqtt_mock, answer, shown):
    await set_up(hass)
    await publish(hass, "front_door/answer/gate_open", {**golden("answer"), "answer": answer})
    seen = hass.states.get("binary_sensor.front_door_is_the_gate_open")
    assert seen.state == shown
    assert seen.attributes["evidence"] == "The left wing stands away from the post."
    assert seen.attributes["friendly_name"] == "Front door Is the gate open?"
    await publish(hass, "front_door/answer/gate_open", "")
    assert "evidence" not in hass.states.get("binary_sensor.front_door_is_the_gate_open").attributes


async def test_any_other_question_is_a_sensor(hass, mqtt_mock):
    content = announce()
    content["cameras"][0]["questions"] = [{"id": "color", "question": "What color is the car?", "kind": "text"}]
    await set_up(hass, entry_of(content))
    await publish(hass, "front_door/answer/color", {**golden("answer"), "question": "color", "answer": "red"})
    assert state(hass, "sensor.front_door_what_color_is_the_car") == "red"


async def test_a_label_that_is_new_to_the_component_has_entities_too(hass, mqtt_mock, entity_registry):
    content = announce()
    content["cameras"][0]["labels"] = ["person", "drone"]
    await set_up(hass, entry_of(content))
    await publish(hass, "front_door/state", {**golden("state"), "counts": {"person": 0, "drone": 3}})
    assert state(hass, "binary_sensor.front_door_drone") == "on"
    assert hass.states.get("binary_sensor.front_door_drone").name == "Front door Drone"
    ids = {"sensor.front_door_drone_count": "Drone count", "image.front_door_last_drone": "Last drone"}
    names = {entity_id: entity_registry.async_get(entity_id).original_name for entity_id in ids}
    assert names == ids


async def test_a_node_that_does_not_tell_labels_by_zone_has_no_sensors_of_them(hass, mqtt_mock, entity_registry):
    await set_up(hass, entry_of(announce(capabilities=["ask"])))
    assert entity_registry.async_get("binary_sensor.front_door_porch_person") is None
    assert entity_registry.async_get("sensor.front_door_porch_count")


# ---- events


async def test_a_detection_is_reported_when_it_begins(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "front_door/event", golden("event-started"))
    shown = hass.states.get("event.front_door_detection")
    assert shown.attributes["event_type"] == "person"
    assert shown.attributes["id"] == "front_door-1795262400250"
    assert shown.attributes["zones"] == ["porch"]
    assert "objects" not in shown.attributes
    await publish(hass, "front_door/event", golden("event-ended"))
    assert hass.states.get("event.front_door_detection").last_updated == shown.last_updated
    await publish(hass, "front_door/event", golden("event-loitering"))
    assert hass.states.get("event.front_door_detection").attributes["event_type"] == "loitering"


async def test_a_detection_that_comes_twice_is_reported_once(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "front_door/event", golden("event-started"))
    first = state(hass, "event.front_door_detection")
    await publish(hass, "front_door/event", golden("event-started"))
    assert state(hass, "event.front_door_detection") == first
    await publish(hass, "front_door/event", {**golden("event-started"), "id": "other"})
    assert state(hass, "event.front_door_detection") != first


async def test_retained_events_and_rings_are_not_reported(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "front_door/event", golden("event-started"), retain=True)
    await publish(hass, "front_door/ring", golden("ring"), retain=True)
    assert state(hass, "event.front_door_detection") == "unknown"
    assert state(hass, "event.front_door_doorbell") == "unknown"


@pytest.mark.parametrize(("age_s", "reported"), [(200, True), (400, False)])
async def test_what_waited_too_long_is_not_reported(hass, mqtt_mock, freezer: FrozenDateTimeFactory, age_s, reported):
    freezer.move_to("2026-11-21T12:00:00.650Z")
    await set_up(hass)
    freezer.tick(age_s)
    await publish(hass, "front_door/event", golden("event-replayed"))
    await publish(hass, "front_door/ring", {**golden("ring"), "replayed": True})
    assert (state(hass, "event.front_door_detection") != "unknown") == reported
    assert (state(hass, "event.front_door_doorbell") != "unknown") == reported


async def test_the_doorbell_rings(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "front_door/ring", golden("ring"))
    shown = hass.states.get("event.front_door_doorbell")
    assert shown.attributes["event_type"] == "ring"
    assert (shown.attributes["via"], shown.attributes["device_class"]) == ("gpio", "doorbell")
    assert hass.states.get("event.yard_doorbell") is None


async def test_what_blueprints_tell_says_in_which_language_as_it_is_at_the_next_event(hass, mqtt_mock, entity_registry):
    await hass.config.async_update(language="de")
    entry = await set_up(hass)
    zone = entity_registry.async_update_entity("binary_sensor.front_door_porch_package", disabled_by=None).entity_id
    await hass.config_entries.async_reload(entry.entry_id)
    told = ["event.front_door_doorbell", "event.front_door_detection", "binary_sensor.front_door_package", zone]

    async def languages(number):
        for topic, payload in {
            "status": "online",
            "front_door/status": "online",
            "front_door/state": golden("state"),
            "front_door/ring": {**golden("ring"), "id": f"ring-{number}"},
            "front_door/event": {**golden("event-started"), "id": f"event-{number}"},
        }.items():
            await publish(hass, topic, payload)
        return {hass.states.get(entity_id).attributes["language"] for entity_id in told}

    assert await languages(1) == {"de"}
    await hass.config.async_update(language="pt-BR")
    assert await languages(2) == {"pt-BR"}
    assert "language" not in hass.states.get("binary_sensor.front_door_person").attributes


async def test_an_event_of_an_unknown_type_is_passed_over(hass, mqtt_mock, caplog):
    await set_up(hass)
    await publish(hass, "front_door/event", {**golden("event-started"), "event_type": "unicorn", "label": "unicorn"})
    assert state(hass, "event.front_door_detection") == "unknown"
    assert "Traceback" not in caplog.text


# ---- pictures


async def test_pictures_are_shown_byte_for_byte(hass, mqtt_mock, hass_client):
    await set_up(hass)
    await publish(hass, "front_door/picture/person", JPEG)
    assert state(hass, "image.front_door_last_person") != "unknown"
    assert state(hass, "image.front_door_last_ring") == "unknown"
    client = await hass_client()
    assert await (await client.get("/api/image_proxy/image.front_door_last_person")).read() == JPEG
    assert await (await client.get("/api/camera_proxy/camera.front_door")).read() == JPEG
    none = await client.get("/api/image_proxy/image.front_door_last_ring")  # a dialog would show a broken picture
    assert (none.status, none.content_type) == (200, "image/png")
    assert await none.read() == (ROOT / "custom_components/blikk/brand/icon.png").read_bytes()


async def test_an_image_without_a_picture_shows_its_icon(hass, mqtt_mock):
    await set_up(hass)
    assert "entity_picture" not in hass.states.get("image.front_door_last_person").attributes
    await publish(hass, "front_door/picture/person", JPEG)
    shown = hass.states.get("image.front_door_last_person").attributes["entity_picture"]
    assert shown.startswith("/api/image_proxy/image.front_door_last_person?token=")


async def test_the_camera_shows_the_newest_picture(hass, mqtt_mock, hass_client):
    await set_up(hass)
    client = await hass_client()
    first, second, third = (JPEG.replace(b"a", letter) for letter in (b"1", b"2", b"3"))
    await publish(hass, "front_door/picture/snapshot", first, retain=True)
    await publish(hass, "front_door/picture/ring", second, retain=True)
    assert await (await client.get("/api/camera_proxy/camera.front_door")).read() == first
    await publish(hass, "front_door/picture/person", third)
    assert await (await client.get("/api/camera_proxy/camera.front_door")).read() == third


async def test_a_picture_the_broker_kept_is_not_taken_for_a_new_one(hass, mqtt_mock, freezer):
    await set_up(hass)
    await publish(hass, "front_door/picture/person", JPEG)
    came = state(hass, "image.front_door_last_person")
    freezer.tick(60)
    await publish(hass, "front_door/picture/person", JPEG, retain=True)
    assert state(hass, "image.front_door_last_person") == came
    await publish(hass, "front_door/picture/person", JPEG)
    assert state(hass, "image.front_door_last_person") != came


async def test_what_is_no_picture_leaves_the_last_one(hass, mqtt_mock, hass_client, caplog):
    await set_up(hass)
    await publish(hass, "front_door/picture/person", JPEG)
    for payload in (b"<html>", JPEG + b"x" * (5 * 2**20), b"<html>"):
        await publish(hass, "front_door/picture/person", payload)
    client = await hass_client()
    assert await (await client.get("/api/image_proxy/image.front_door_last_person")).read() == JPEG
    complaints = [r for r in caplog.records if r.levelname == "WARNING" and "picture/person" in r.getMessage()]
    assert len(complaints) == 1


async def test_what_was_forgotten_is_shown_no_more(hass, mqtt_mock, hass_client, caplog):
    await set_up(hass)
    reported = {
        "sensor.front_door_last_summary": ("front_door/summary", golden("summary")),
        "sensor.porch_pi_digest": ("digest", golden("summary-digest")),
        "binary_sensor.front_door_is_the_gate_open": ("front_door/answer/gate_open", golden("answer")),
        "image.front_door_last_person": ("front_door/picture/person", JPEG),
    }
    client = await hass_client()
    for topic, content in reported.values():
        await publish(hass, topic, content)
    await publish(hass, "front_door/picture/snapshot", JPEG + JPEG)
    assert STATE_UNKNOWN not in {state(hass, entity) for entity in reported}
    for topic in (*(topic for topic, _ in reported.values()), "front_door/picture/snapshot"):
        await publish(hass, topic, b"")
    for entity in reported:
        assert state(hass, entity) == STATE_UNKNOWN, entity
        assert not {"text", "evidence", "entity_picture"} & hass.states.get(entity).attributes.keys()
    assert (await client.get("/api/image_proxy/image.front_door_last_person")).content_type == "image/png"
    assert (await client.get("/api/camera_proxy/camera.front_door")).status == 500
    await publish(hass, "front_door/picture/person", JPEG)
    assert state(hass, "image.front_door_last_person") != STATE_UNKNOWN
    assert not [record for record in caplog.records if record.levelname == "WARNING" and "blikk" in record.name]


async def test_a_forgotten_picture_leaves_the_still_that_is_another(hass, mqtt_mock, hass_client):
    await set_up(hass)
    await publish(hass, "front_door/picture/person", JPEG)
    await publish(hass, "front_door/picture/snapshot", JPEG + JPEG)
    await publish(hass, "front_door/picture/person", b"")
    client = await hass_client()
    assert await (await client.get("/api/camera_proxy/camera.front_door")).read() == JPEG + JPEG


# ---- availability


async def test_entities_are_there_while_broker_node_and_camera_are(hass, mqtt_mock):
    await set_up(hass, online=False)
    for topic, payload, shown in (
        ("status", "online", STATE_UNAVAILABLE),
        ("front_door/status", "online", "unknown"),
        ("front_door/status", "offline", STATE_UNAVAILABLE),
        ("front_door/status", "online", "unknown"),
        ("status", "offline", STATE_UNAVAILABLE),
    ):
        await publish(hass, topic, payload)
        assert state(hass, "binary_sensor.front_door_motion") == shown, (topic, payload)
    assert state(hass, "binary_sensor.porch_pi_connection") == "off"
    assert state(hass, "binary_sensor.front_door_stream") == STATE_UNAVAILABLE
    assert state(hass, "binary_sensor.front_door_snoozed") == "off"


async def test_only_what_is_seen_now_needs_the_stream_as_in_plain_discovery(hass, mqtt_mock, entity_registry):
    entry = await set_up(hass)
    parts = golden("discovery-camera")["components"].values()
    plain = {part["unique_id"] for part in parts if "availability" in part}
    assert plain
    for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id):
        entity_registry.async_update_entity(entity.entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await publish(hass, "status", "online")
    await publish(hass, "front_door/status", "offline")
    ours = {entity.unique_id: state(hass, entity.entity_id) for entity in entity_registry.entities.values()}
    here = {part["unique_id"] for part in parts} | {f"blikk.{NODE}.front_door.timeline"}
    away = {unique_id for unique_id in here & ours.keys() if ours[unique_id] == STATE_UNAVAILABLE}
    assert away == plain


async def test_a_ring_that_is_heard_while_the_stream_is_away_is_reported(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "front_door/status", "offline")
    await publish(hass, "front_door/ring", golden("ring"))
    rang = hass.states.get("event.front_door_doorbell")
    assert (rang.attributes["event_type"], rang.attributes["via"]) == ("ring", "gpio")


async def test_a_stream_that_is_away_is_off(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "front_door/status", "offline")
    assert state(hass, "binary_sensor.front_door_stream") == "off"
    assert state(hass, "binary_sensor.yard_stream") == "on"


async def test_without_the_broker_everything_is_away(hass, mqtt_mock):
    from homeassistant.components.mqtt.const import MQTT_CONNECTION_STATE
    from homeassistant.helpers.dispatcher import async_dispatcher_send

    await set_up(hass)
    async_dispatcher_send(hass, MQTT_CONNECTION_STATE, False)
    await hass.async_block_till_done()
    assert state(hass, "binary_sensor.porch_pi_connection") == STATE_UNAVAILABLE
    assert state(hass, "camera.front_door") == STATE_UNAVAILABLE
    async_dispatcher_send(hass, MQTT_CONNECTION_STATE, True)
    await hass.async_block_till_done()
    assert state(hass, "camera.front_door") == STATE_UNAVAILABLE  # until the node is heard
    await publish(hass, "status", "online")
    assert state(hass, "binary_sensor.porch_pi_connection") == "on"
    assert state(hass, "camera.front_door") != STATE_UNAVAILABLE


async def test_going_and_coming_are_logged_once_each(hass, mqtt_mock, caplog):
    await set_up(hass)
    for payload in ("offline", "offline", "online", "online"):
        await publish(hass, "status", payload)
        await publish(hass, "yard/status", payload)
    assert caplog.text.count("Porch Pi is offline") == 1
    assert caplog.text.count("Porch Pi is online again") == 1
    assert caplog.text.count("camera yard is offline") == 1
    assert caplog.text.count("camera yard is online again") == 1


# ---- commands


@pytest.mark.parametrize(
    ("domain", "action", "entity", "values", "topic", "payload"),
    [
        ("switch", "turn_on", "switch.front_door_detection", {}, "detect", "ON"),
        ("switch", "turn_off", "switch.front_door_detection", {}, "detect", "OFF"),
        ("number", "set_value", "number.front_door_threshold", {"value": 0.45}, "threshold", "0.450"),
        ("select", "select_option", "select.front_door_summaries", {"option": "template"}, "summary", "template"),
        ("button", "press", "button.front_door_snapshot", {}, "snapshot", "PRESS"),
        ("button", "press", "button.front_door_describe", {}, "describe", "PRESS"),
    ],
)
async def test_a_control_sends_its_command(hass, mqtt_mock, domain, action, entity, values, topic, payload):
    await set_up(hass)
    await hass.services.async_call(domain, action, {"entity_id": entity, **values}, blocking=True)
    assert published(mqtt_mock, f"{BASE}/front_door/set/{topic}") == [(payload, 1, False)]


async def test_a_command_to_a_node_that_left_is_an_error(hass, mqtt_mock):
    entry = await set_up(hass)
    await publish(hass, "status", "offline")
    with pytest.raises(HomeAssistantError) as caught:
        await entry.runtime_data.async_set("front_door", "detect", "ON")
    assert caught.value.translation_key == "node_offline"
    assert published(mqtt_mock, f"{BASE}/front_door/set/detect") == []


async def test_ways_of_summaries_follow_the_announce(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "announce", announce(summaries=["off", "vision"]))
    assert hass.states.get("select.front_door_summaries").attributes["options"] == ["off", "vision"]


# ---- update


@pytest.mark.parametrize(("version", "shown"), [("0.0.9", "on"), ("0.1.0", "off"), ("9.9.9", "off"), ("?", "off")])
async def test_a_node_older_than_the_component_wants_an_update(hass, mqtt_mock, version, shown):
    await set_up(hass, entry_of(announce(version=version)))
    assert state(hass, "update.porch_pi_software") == shown


async def test_a_node_that_does_not_tell_its_version_is_unknown(hass, mqtt_mock):
    content = announce()
    del content["version"]
    await set_up(hass, entry_of(content))
    assert state(hass, "update.porch_pi_software") == "unknown"


# ---- coming and going


async def test_a_new_camera_appears_without_a_reload(hass, mqtt_mock, device_registry):
    entry = await set_up(hass)
    runtime = entry.runtime_data
    content = announce()
    content["cameras"].append({**content["cameras"][0], "id": "garage", "name": "Garage"})
    await publish(hass, "announce", content)
    assert entry.runtime_data is runtime
    assert device_registry.async_get_device_by_identifier(("blikk", f"{NODE}.garage"), entry.entry_id)
    await publish(hass, "garage/status", "online")
    assert state(hass, "binary_sensor.garage_person") == "unknown"
    assert state(hass, "binary_sensor.front_door_stream") == "on"
    assert entry.data["announce"]["cameras"][-1]["id"] == "garage"


async def test_a_camera_that_is_gone_goes_with_device_and_entities_and_can_come_back(
    hass, mqtt_mock, device_registry, entity_registry
):
    entry = await set_up(hass)
    content = announce()
    await publish(hass, "announce", {**content, "cameras": content["cameras"][1:]})
    assert hass.states.get("camera.front_door") is None
    assert entity_registry.async_get("binary_sensor.front_door_person") is None
    assert not device_registry.async_get_device_by_identifier(("blikk", f"{NODE}.front_door"), entry.entry_id)
    assert state(hass, "binary_sensor.yard_stream") == "on"
    await publish(hass, "front_door/state", golden("state"))
    await publish(hass, "announce", content)
    await publish(hass, "front_door/status", "online")
    await publish(hass, "front_door/state", golden("state"))
    assert state(hass, "binary_sensor.front_door_person") == "on"


async def test_labels_zones_and_names_follow_the_announce(hass, mqtt_mock, device_registry, entity_registry):
    entry = await set_up(hass)
    content = announce(name="Porch node", version="0.2.0")
    content["cameras"][0] |= {"name": "Entrance", "labels": ["person", "vehicle"], "zones": []}
    await publish(hass, "announce", content)
    assert hass.states.get("binary_sensor.front_door_vehicle")
    assert hass.states.get("binary_sensor.front_door_package") is None
    assert entity_registry.async_get("sensor.front_door_porch_count") is None
    assert hass.states.get("event.front_door_detection").attributes["event_types"] == ["person", "vehicle", "loitering"]
    device = device_registry.async_get_device_by_identifier(("blikk", f"{NODE}.front_door"), entry.entry_id)
    assert (device.name, device.sw_version, entry.title) == ("Entrance", "0.2.0", "Porch node")


async def test_two_cameras_that_look_alike_both_have_entities(hass, mqtt_mock):
    cameras = [{"id": name, "name": name, "labels": ["person"]} for name in ("Tür", "tur")]
    await set_up(hass, entry_of(announce(cameras=cameras)))
    assert hass.states.get("camera.tur")
    assert hass.states.get("camera.tur_2")


async def test_a_camera_with_an_odd_id_is_heard(hass, mqtt_mock):
    await set_up(hass, entry_of(announce(cameras=[{"id": "Größe “x” 🚪", "name": "Odd"}])))
    await publish(hass, "Größe “x” 🚪/state", golden("state"))
    assert state(hass, "binary_sensor.grosse_x_motion") == "on"


# ---- rubbish


GARBAGE = [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"v":1}', b'{"v":2}', b"[" * 50_000, b"x" * 5_000_000]
TOPICS = [
    "status", "announce", "health", "digest", "reply/x", "front_door/status", "front_door/state", "front_door/event",
    "front_door/ring", "front_door/summary", "front_door/digest", "front_door/answer/gate_open",
    "front_door/observation", "front_door/picture/person", "nowhere/state", "front_door/nothing",
]  # fmt: skip


async def test_no_rubbish_on_any_topic_loses_an_entity_or_makes_a_stack_trace(hass, mqtt_mock, caplog):
    await set_up(hass)
    await publish(hass, "front_door/state", golden("state"))
    before = {state.entity_id for state in hass.states.async_all()}
    for topic in TOPICS:
        for payload in GARBAGE:
            await publish(hass, topic, payload)
    assert {state.entity_id for state in hass.states.async_all()} == before
    assert state(hass, "binary_sensor.front_door_person") == "on" or golden("state")
    assert "Traceback" not in caplog.text
    for topic in TOPICS:
        warnings = [
            r for r in caplog.records if r.levelname == "WARNING" and r.getMessage().startswith(f"{BASE}/{topic}")
        ]
        assert len(warnings) <= 2, topic


async def test_what_is_wrong_is_logged_once_until_it_is_right_again(hass, mqtt_mock, caplog):
    await set_up(hass)
    for _ in range(3):
        await publish(hass, "front_door/state", b"{")
    assert caplog.text.count(f"{BASE}/front_door/state: not JSON") == 1
    await publish(hass, "front_door/state", golden("state"))
    assert caplog.text.count("can be read again") == 1


async def test_pictures_and_answers_of_more_names_than_sensible_are_not_kept(hass, mqtt_mock):
    entry = await set_up(hass)
    for number in range(80):
        await publish(hass, f"front_door/picture/p{number}", JPEG)
        await publish(hass, f"front_door/answer/a{number}", golden("answer"))
    now = entry.runtime_data.camera("front_door")
    assert (len(now.pictures), len(now.answers)) == (64, 64)


@pytest.mark.parametrize(
    ("text", "expected"), [("Front door", "front_door"), ("Größe", "grosse"), ("日本", "x"), ("__a--b__", "a_b")]
)
def test_slugs_are_those_of_the_node(text, expected):
    assert slug(text) == expected
