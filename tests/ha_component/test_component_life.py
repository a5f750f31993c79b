"""Setting up, unloading, what stands in the way, repairs and diagnostics."""

import asyncio
import json
from datetime import timedelta
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    mock_restore_cache_with_extra_data,
)
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from stage import BASE, DOMAIN, JPEG, NODE, announce, entry_of, golden, publish, published, set_up

from custom_components.blikk import memory, reader


@pytest.fixture
async def diagnostics(hass):
    """Home Assistant's own diagnostics."""
    assert await async_setup_component(hass, "diagnostics", {})


async def test_without_mqtt_it_is_tried_again(hass):
    entry = entry_of()
    entry.add_to_hass(hass)
    with patch("custom_components.blikk.mqtt.async_wait_for_mqtt_client", return_value=False):
        await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "mqtt_unavailable"


async def test_the_entities_are_there_before_the_node_is(hass, mqtt_mock):
    await set_up(hass, online=False)
    assert hass.states.get("binary_sensor.front_door_person").state == "unavailable"
    assert hass.states.get("binary_sensor.porch_pi_connection").state == "unknown"


async def test_twenty_reloads_leave_nothing_open(hass, mqtt_mock, caplog):
    entry = await set_up(hass, entry_of(announce(cameras=[{"id": "yard", "name": "Yard"}])))
    entry.runtime_data.snooze("yard", dt_util.utcnow() + timedelta(hours=1))
    before = len(hass.states.async_all()), hass.bus.async_listeners()["entity_registry_updated"]
    for _ in range(20):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()
    assert (len(hass.states.async_all()), hass.bus.async_listeners()["entity_registry_updated"]) == before
    with patch("custom_components.blikk.reader.read_state", wraps=reader.read_state) as read:
        await publish(hass, "yard/state", golden("state"))
    assert len(read.mock_calls) == 1
    assert entry.runtime_data.snoozed_until("yard")
    assert "Traceback" not in caplog.text


@pytest.fixture
def late_saves(monkeypatch):
    """Nothing is written by itself during a test, however slow the machine is."""
    monkeypatch.setattr(memory, "_SAVE_DELAY_S", 3600.0)


async def test_a_snooze_outlives_a_reload_that_follows_at_once(hass, mqtt_mock, late_saves):
    entry = await set_up(hass, entry_of(announce(cameras=[{"id": "yard", "name": "Yard"}])))
    until = dt_util.utcnow() + timedelta(hours=1)
    entry.runtime_data.snooze("yard", until)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert entry.runtime_data.snoozed_until("yard") == until
    entry.runtime_data.snooze("yard", None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert entry.runtime_data.snoozed_until("yard") is None


async def test_a_snooze_that_waits_to_be_written_goes_with_its_node(hass, hass_storage, mqtt_mock, late_saves):
    entry = await set_up(hass, entry_of(announce(cameras=[{"id": "yard", "name": "Yard"}])))
    entry.runtime_data.snooze("yard", dt_util.utcnow() + timedelta(hours=1))
    await hass.config_entries.async_remove(entry.entry_id)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)  # what waits is written now
    await hass.async_block_till_done()
    assert f"{DOMAIN}.{entry.entry_id}" not in hass_storage


async def test_unloading_makes_everything_unavailable(hass, mqtt_mock):
    entry = await set_up(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    await publish(hass, "front_door/state", golden("state"))
    assert hass.states.get("binary_sensor.front_door_person").state == "unavailable"


async def test_a_newer_protocol_is_a_repair_until_it_is_gone(hass, mqtt_mock):
    entry = await set_up(hass)
    before = len(hass.states.async_all())
    await publish(hass, "announce", announce(protocol=2))
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"protocol_too_new_{entry.entry_id}")
    assert (issue.is_fixable, issue.translation_placeholders["protocol"]) == (False, "2")
    assert len(hass.states.async_all()) == before
    await publish(hass, "announce", announce())
    assert ir.async_get(hass).issues == {}


async def test_an_empty_or_foreign_announce_changes_nothing(hass, mqtt_mock):
    entry = await set_up(hass)
    before = entry.runtime_data.announce
    for content in ("", "{", announce(id="another", cameras=[])):
        await publish(hass, "announce", content)
    assert entry.runtime_data.announce == before


async def test_a_model_that_refuses_is_a_repair_until_it_does_not(hass, mqtt_mock):
    entry = await set_up(hass)
    health = golden("health")
    health["llm"]["phase"] = "refused"
    await publish(hass, "health", health)
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"llm_refused_{entry.entry_id}")
    assert issue.translation_placeholders == {"node": "Porch Pi", "model": "qwen3-vl-2b"}
    await publish(hass, "health", {**health, "llm": None})
    assert ir.async_get(hass).issues == {}
    assert hass.states.get("sensor.porch_pi_llm_calls_today").state == "unknown"


async def test_only_a_device_that_is_not_announced_may_be_removed(hass, mqtt_mock, device_registry):
    from custom_components.blikk import async_remove_config_entry_device

    entry = await set_up(hass)
    hub = device_registry.async_get_device_by_identifier((DOMAIN, NODE), entry.entry_id)
    old = device_registry.async_get_or_create(config_entry_id=entry.entry_id, identifiers={(DOMAIN, f"{NODE}.old")})
    assert not await async_remove_config_entry_device(hass, entry, hub)
    assert await async_remove_config_entry_device(hass, entry, old)


async def test_a_kept_picture_has_the_time_it_had_before_the_restart(hass, mqtt_mock):
    from hashlib import sha256

    entity_id, came = "image.front_door_last_person", "2026-11-20T10:00:00+00:00"
    known = {"digest": sha256(JPEG).hexdigest(), "time": came}
    mock_restore_cache_with_extra_data(hass, [(State(entity_id, came), known)])
    await set_up(hass)
    await publish(hass, "front_door/picture/person", JPEG, retain=True)
    assert hass.states.get(entity_id).state == came
    entity = hass.data["image"].get_entity(entity_id)
    assert entity.extra_restore_state_data.as_dict() == known
    await publish(hass, "front_door/picture/person", JPEG)
    assert hass.states.get(entity_id).state != came


# ---- requests


async def ask(hass, entry, mqtt_mock, reply, do="ask", **fields):
    """Ask, and answer as the node would."""
    task = hass.async_create_task(entry.runtime_data.async_request(do, **fields))
    while not (asked := published(mqtt_mock, f"{BASE}/ask")):
        await asyncio.sleep(0)
    request = json.loads(asked[-1][0])
    if reply is not None:
        await publish(
            hass, request["response_topic"].removeprefix(f"{BASE}/"), {**reply, "correlation": request["correlation"]}
        )
    return request, await task


async def test_a_request_is_answered(hass, mqtt_mock):
    entry = await set_up(hass)
    request, reply = await ask(hass, entry, mqtt_mock, golden("reply"), question="Who?", camera=None)
    assert request.keys() == {"do", "question", "correlation", "response_topic"}
    assert request["response_topic"].startswith(f"{BASE}/reply/")
    assert reply.text.startswith("One person")
    assert reply.events[0]["id"] == "front_door-1795262400250"


async def test_a_refusal_is_an_error_that_says_what_the_node_said(hass, mqtt_mock):
    entry = await set_up(hass)
    with pytest.raises(HomeAssistantError) as caught:
        await ask(hass, entry, mqtt_mock, golden("reply-refused"))
    assert caught.value.translation_key == "refused"
    assert "garage" in caught.value.translation_placeholders["error"]


async def test_a_node_that_does_not_answer_is_an_error(hass, mqtt_mock, monkeypatch):
    from custom_components.blikk import node

    monkeypatch.setitem(node.REQUEST_LIMITS_S, "ask", 0.05)
    entry = await set_up(hass)
    with pytest.raises(HomeAssistantError) as caught:
        await ask(hass, entry, mqtt_mock, None)
    assert caught.value.translation_key == "no_reply"


async def test_a_node_that_cannot_answer_is_not_asked(hass, mqtt_mock):
    entry = await set_up(hass, entry_of(announce(capabilities=[])))
    with pytest.raises(HomeAssistantError) as caught:
        await entry.runtime_data.async_request("ask", question="Who?")
    assert caught.value.translation_key == "cannot_answer"
    assert published(mqtt_mock, f"{BASE}/ask") == []


async def test_a_request_ends_when_the_node_is_unloaded(hass, mqtt_mock):
    entry = await set_up(hass)
    task = hass.async_create_task(entry.runtime_data.async_request("ask", question="Who?"))
    while not published(mqtt_mock, f"{BASE}/ask"):
        await asyncio.sleep(0)
    entry.runtime_data.stop()
    with pytest.raises(HomeAssistantError):
        await task


async def test_an_answer_to_nobody_is_dropped(hass, mqtt_mock):
    await set_up(hass)
    await publish(hass, "reply/1f", golden("reply"))
    await publish(hass, "reply/1f", golden("reply"), retain=True)


# ---- snooze


async def test_a_snoozed_camera_is_silent_until_then(hass, mqtt_mock, freezer):
    entry = await set_up(hass)
    until = dt_util.utcnow() + timedelta(minutes=30)
    entry.runtime_data.snooze("front_door", until)
    await hass.async_block_till_done()
    assert hass.states.get("binary_sensor.front_door_snoozed").state == "on"
    await publish(hass, "front_door/event", golden("event-started"))
    await publish(hass, "front_door/ring", golden("ring"))
    assert hass.states.get("event.front_door_detection").state == "unknown"
    assert hass.states.get("event.front_door_doorbell").state == "unknown"
    await publish(hass, "yard/event", {**golden("event-started"), "event_type": "animal", "camera": "yard"})
    assert hass.states.get("event.yard_detection").state != "unknown"
    freezer.move_to(until + timedelta(seconds=1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    assert hass.states.get("binary_sensor.front_door_snoozed").state == "off"
    await publish(hass, "front_door/ring", {**golden("ring"), "id": "another"})
    assert hass.states.get("event.front_door_doorbell").state != "unknown"


async def test_a_snooze_survives_a_restart(hass, mqtt_mock, hass_storage):
    until = dt_util.utcnow() + timedelta(hours=1)
    entry = entry_of(entry_id="the_entry")
    hass_storage["blikk.the_entry"] = {
        "version": 1,
        "key": "blikk.the_entry",
        "data": {"snoozed": {"front_door": until.isoformat(), "yard": "nonsense"}, "legacy": {}},
    }
    await set_up(hass, entry)
    assert entry.runtime_data.snoozed_until("front_door") == until
    assert hass.states.get("binary_sensor.front_door_snoozed").attributes["until"] == until
    assert hass.states.get("binary_sensor.yard_snoozed").state == "off"
    entry.runtime_data.snooze("front_door", None)
    await hass.config_entries.async_unload(entry.entry_id)
    assert hass_storage["blikk.the_entry"]["data"]["snoozed"] == {}


# ---- diagnostics


SECRETS = (
    "Front door",
    "front_door",
    "Porch Pi",
    "porch",
    "gate",
    "Two people",
    "s3cret",
    "10.0.0.9",
    "left wing",
    "frame for",
)


async def test_diagnostics_hold_figures_and_nothing_else(hass, mqtt_mock, diagnostics, hass_client, device_registry):
    entry = entry_of(data={"token": "s3cret", "media_url": "http://10.0.0.9"})
    await set_up(hass, entry)
    for topic, name in {
        "health": "health",
        "front_door/state": "state",
        "front_door/summary": "summary",
        "front_door/answer/gate_open": "answer",
        "front_door/event": "event-started",
        "front_door/ring": "ring",
    }.items():
        await publish(hass, topic, golden(name))
    await publish(hass, "front_door/picture/person", JPEG)
    await publish(hass, "front_door/picture/neighbour_bob", JPEG)
    await hass.async_block_till_done()
    reported = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert reported["node"]["health"]["cpu_percent"] == 41.3
    assert reported["node"]["health"]["problems"] == 1
    assert reported["cameras"][0]["state"]["counts"]["person"] == 2
    assert reported["cameras"][0]["pictures"].keys() == {"person", "other"}
    assert (reported["entry"]["token"], reported["entry"]["own_media_address"]) == (True, True)
    text = json.dumps(reported)
    assert [secret for secret in (*SECRETS, "neighbour_bob") if secret in text] == []
    camera = device_registry.async_get_device_by_identifier((DOMAIN, f"{NODE}.front_door"), entry.entry_id)
    assert await get_diagnostics_for_device(hass, hass_client, entry, camera) == reported["cameras"][0]
    hub = device_registry.async_get_device_by_identifier((DOMAIN, NODE), entry.entry_id)
    assert await get_diagnostics_for_device(hass, hass_client, entry, hub) == reported


async def test_diagnostics_of_a_node_that_reported_nothing_yet(hass, mqtt_mock, diagnostics, hass_client):
    entry = await set_up(hass, online=False)
    reported = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert (reported["node"]["health"], reported["cameras"][0]["state"]) == (None, None)
