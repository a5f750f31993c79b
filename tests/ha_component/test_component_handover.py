"""Claim and hand-over with plain MQTT discovery: the same entity ids, never `_2`, both ways."""

import asyncio
import json
from datetime import timedelta

import pytest
from homeassistant.components import mqtt
from homeassistant.components.mqtt.const import MQTT_CONNECTION_STATE
from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util import dt as dt_util
from patience import PATIENCE
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_mqtt_message,
    async_fire_time_changed,
)
from stage import BASE, DOMAIN, NODE, announce, click, entry_of, golden, publish, published, set_up

from custom_components.blikk import giveback, handover, retract

CONFIGS = {
    f"homeassistant/device/blikk_{NODE}/node/config": "discovery-node",
    f"homeassistant/device/blikk_{NODE}/camera_front_door/config": "discovery-camera",
}
CLAIM = f"{BASE}/ha/claim"
IS_CLAIMED = handover._async_is_claimed
HEAL_S = 0.3
"""The node's own wait, shortened: entities that still go would stand beside the new ones."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(handover, "_async_is_claimed", IS_CLAIMED)
    monkeypatch.setattr(handover, "CLAIM_LIMIT_S", 0.01)
    monkeypatch.setattr(handover, "QUIET_S", 0.01)
    monkeypatch.setattr(handover, "WITHDRAW_LIMIT_S", 0.2)
    monkeypatch.setattr(handover, "REMOVE_LIMIT_S", 0.5)
    monkeypatch.setattr(handover, "SETTLE_S", 0.6)
    monkeypatch.setattr(giveback, "SETTLE_S", 0.1)


@pytest.fixture(autouse=True)
def _like_a_broker(mqtt_client_mock):
    """To whoever has subscribed already, a broker passes messages on without the retain flag; the kit does not."""
    publish = mqtt_client_mock.publish.side_effect

    def passed_on(topic, payload, qos, retain, properties=None):
        return publish(topic, payload, qos, False, properties)

    mqtt_client_mock.publish.side_effect = passed_on


@pytest.fixture
def content():
    """The announce of the node that the golden discovery messages are of."""
    return {**announce(), "cameras": announce()["cameras"][:1]}


def publish_plain(hass, *, empty=False):
    """The node's plain discovery on the broker, or its withdrawal."""
    for topic, name in CONFIGS.items():
        async_fire_mqtt_message(hass, topic, "" if empty else json.dumps(golden(name)))


async def discover(hass):
    """The node's plain discovery, taken over by Home Assistant."""
    publish_plain(hass)
    await hass.async_block_till_done()


async def obey(hass):
    """Play the node: withdraw discovery when the claim comes, publish it when it goes."""

    @callback
    def heard(message):
        if message.payload:
            publish_plain(hass, empty=True)
        else:
            hass.loop.call_later(HEAL_S, publish_plain, hass)

    await mqtt.async_subscribe(hass, CLAIM, heard)


def ids(hass, platform):
    registry = er.async_get(hass)
    return {e.unique_id: e.entity_id for e in registry.entities.values() if e.platform == platform}


async def begin(hass, content, **more):
    """Set up an entry in the background: it waits for what the test does."""
    entry = entry_of(content, **more)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def test_the_claim_is_retained_and_says_who_claims(hass, mqtt_mock):
    await set_up(hass)
    ((payload, qos, retain),) = published(mqtt_mock, CLAIM)
    assert (qos, retain) == (1, True)
    assert json.loads(payload)["mode"] == "integration"
    assert len(json.loads(payload)["by"]) == 32


async def test_the_claim_says_where_the_household_lives_and_says_it_again_when_that_changes(hass, mqtt_mock):
    await hass.config.async_update(time_zone="Europe/Berlin", language="de")
    await set_up(hass)
    (claim,) = [json.loads(payload) for payload, _, _ in published(mqtt_mock, CLAIM)]
    assert claim.keys() == golden("claim").keys()
    assert (claim["timezone"], claim["language"]) == ("Europe/Berlin", "de")
    await hass.config.async_update(elevation=100)
    await hass.config.async_update(time_zone="Europe/Lisbon")
    await hass.async_block_till_done(wait_background_tasks=True)
    claims = [json.loads(payload)["timezone"] for payload, _, _ in published(mqtt_mock, CLAIM)]
    assert claims == ["Europe/Berlin", "Europe/Lisbon"]


async def test_entities_keep_their_ids_when_the_component_takes_over_and_when_it_goes(hass, mqtt_mock, content):
    await discover(hass)
    before = ids(hass, "mqtt")
    assert len(before) > 30
    await obey(hass)
    entry = await begin(hass, content)
    assert entry.state is ConfigEntryState.LOADED
    after = ids(hass, DOMAIN)
    assert {unique_id: after.get(unique_id) for unique_id in before} == before
    assert ids(hass, "mqtt") == {}
    assert not [entity_id for entity_id in hass.states.async_entity_ids() if entity_id.endswith("_2")]
    assert await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert published(mqtt_mock, CLAIM)[-1] == ("", 1, True)
    assert ids(hass, DOMAIN) == {}
    async with asyncio.timeout(10 * PATIENCE):
        while ids(hass, "mqtt") != before:
            await asyncio.sleep(0.01)


async def test_what_a_user_had_set_is_set_on_ours(hass, mqtt_mock, content, entity_registry, device_registry):
    await discover(hass)
    area = ar.async_get(hass).async_create("Porch")
    person = entity_registry.async_update_entity(
        "binary_sensor.front_door_person",
        new_entity_id="binary_sensor.visitor",
        name="Visitor",
        icon="mdi:human",
        area_id=area.id,
        labels={"important"},
        aliases=["the visitor"],
        hidden_by=er.RegistryEntryHider.USER,
    )
    entity_registry.async_update_entity("sensor.front_door_person_count", disabled_by=er.RegistryEntryDisabler.USER)
    entity_registry.async_update_entity("sensor.front_door_frame_rate", disabled_by=None)
    entity_registry.async_update_entity_options("sensor.porch_pi_cpu", "sensor", {"display_precision": 3})
    (device,) = device_registry.async_get_devices(identifiers={("mqtt", f"blikk.{NODE}.front_door")})
    device_registry.async_update_device(device.id, name_by_user="Entrance", area_id=area.id)
    await obey(hass)
    entry = await begin(hass, content)
    ours = entity_registry.async_get("binary_sensor.visitor")
    assert (ours.platform, ours.unique_id) == (DOMAIN, person.unique_id)
    assert (ours.name, ours.icon, ours.area_id, ours.labels) == ("Visitor", "mdi:human", area.id, {"important"})
    assert (ours.aliases, ours.hidden_by) == (["the visitor"], er.RegistryEntryHider.USER)
    assert hass.states.get("binary_sensor.visitor")
    assert entity_registry.async_get("sensor.front_door_person_count").disabled_by is er.RegistryEntryDisabler.USER
    assert entity_registry.async_get("sensor.front_door_frame_rate").disabled_by is None
    assert entity_registry.async_get("sensor.porch_pi_cpu").options["sensor"]["display_precision"] == 3
    mine = device_registry.async_get_device_by_identifier((DOMAIN, f"{NODE}.front_door"), entry.entry_id)
    assert (mine.name_by_user, mine.area_id) == ("Entrance", area.id)


def customize(hass, registry, platform):
    """What a user sets: an id, a name, an area, what is disabled and enabled; returns what is set."""
    area = ar.async_get(hass).async_get_or_create("Porch")
    registry.async_update_entity(
        "binary_sensor.front_door_person", new_entity_id="binary_sensor.visitor", name="Visitor", area_id=area.id
    )
    registry.async_update_entity("sensor.front_door_last_summary", disabled_by=er.RegistryEntryDisabler.USER)
    registry.async_update_entity("sensor.front_door_frame_rate", disabled_by=None)
    registry.async_update_entity_options("sensor.porch_pi_cpu", "sensor", {"display_precision": 3})
    devices = dr.async_get(hass)
    key = f"{NODE}.front_door" if platform == DOMAIN else f"blikk.{NODE}.front_door"
    (device,) = devices.async_get_devices(identifiers={(platform, key)})
    devices.async_update_device(device.id, name_by_user="Entrance", area_id=area.id, labels={"outside"})


def customized(hass, platform):
    registry, devices = er.async_get(hass), dr.async_get(hass)
    found = {
        entity.unique_id: (
            entity.entity_id,
            entity.name,
            entity.area_id,
            entity.disabled_by,
            entity.options.get("sensor"),
        )
        for entity in registry.entities.values()
        if entity.platform == platform
    }
    key = f"{NODE}.front_door" if platform == DOMAIN else f"blikk.{NODE}.front_door"
    (device,) = devices.async_get_devices(identifiers={(platform, key)})
    return {**found, "device": (device.name_by_user, device.area_id, device.labels)}


async def until_plain(hass, before):
    """Until the plain entities are there, and are like ours were as far as there are such."""
    async with asyncio.timeout(10 * PATIENCE):
        while True:
            plain = ids(hass, "mqtt")
            if plain and {key: before[key] for key in plain} == {key: customized(hass, "mqtt")[key] for key in plain}:
                return
            await asyncio.sleep(0.02)


async def test_removed_and_added_again_all_is_as_it_was_set(
    hass, mqtt_mock, mqtt_client_mock, content, entity_registry, hass_storage
):
    await discover(hass)
    await obey(hass)
    entry = await begin(hass, content)
    await subscribed(mqtt_client_mock, 1)
    customize(hass, entity_registry, DOMAIN)
    before = customized(hass, DOMAIN)
    assert before[f"blikk.{NODE}.front_door.person"][:2] == ("binary_sensor.visitor", "Visitor")

    await hass.config_entries.async_remove(entry.entry_id)
    await until_plain(hass, before)
    assert customized(hass, "mqtt")["device"] == before["device"]
    assert f"blikk.removed.{NODE}" not in hass_storage

    # what is changed meanwhile counts, too
    (device,) = dr.async_get(hass).async_get_devices(identifiers={("mqtt", f"blikk.{NODE}.front_door")})
    dr.async_get(hass).async_update_device(device.id, name_by_user=None)
    before["device"] = (None, *before["device"][1:])
    entity_registry.async_update_entity("binary_sensor.visitor", name="Guest")
    before[f"blikk.{NODE}.front_door.person"] = (
        "binary_sensor.visitor",
        "Guest",
        *before[f"blikk.{NODE}.front_door.person"][2:],
    )
    await begin(hass, content)
    assert customized(hass, DOMAIN) == before


async def test_added_again_before_the_node_was_back_all_is_as_it_was_set(
    hass, mqtt_mock, mqtt_client_mock, content, entity_registry, hass_storage
):
    entry = await begin(hass, content)
    await subscribed(mqtt_client_mock, 1)
    customize(hass, entity_registry, DOMAIN)
    before = customized(hass, DOMAIN)
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert f"blikk.removed.{NODE}" in hass_storage
    hass.data[giveback._RETURNS].pop(NODE)()  # Home Assistant is started anew
    assert ids(hass, "mqtt") == {}
    await discover(hass)
    visitor = f"blikk.{NODE}.front_door.person"
    assert ids(hass, "mqtt")[visitor] == "binary_sensor.front_door_person"
    plain = customized(hass, "mqtt")
    assert {key for key, value in plain.items() if value != before[key]} == {visitor}
    assert plain[visitor][1:] == before[visitor][1:]
    await obey(hass)
    await begin(hass, content)
    assert customized(hass, DOMAIN) == before
    assert f"blikk.removed.{NODE}" not in hass_storage


async def test_without_plain_entities_all_is_as_it_was_set_too(
    hass, mqtt_mock, mqtt_client_mock, content, entity_registry
):
    entry = await begin(hass, content)
    await subscribed(mqtt_client_mock, 1)
    customize(hass, entity_registry, DOMAIN)
    before = customized(hass, DOMAIN)
    await hass.config_entries.async_remove(entry.entry_id)
    await begin(hass, content)
    assert customized(hass, DOMAIN) == before


async def test_a_node_that_comes_back_a_day_later_finds_all_as_it_was_set(
    hass, mqtt_mock, mqtt_client_mock, content, entity_registry, hass_storage
):
    entry = await begin(hass, content)
    await subscribed(mqtt_client_mock, 1)
    customize(hass, entity_registry, DOMAIN)
    before = customized(hass, DOMAIN)
    await hass.config_entries.async_remove(entry.entry_id)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(days=1))
    await hass.async_block_till_done()
    await discover(hass)
    await until_plain(hass, before)
    assert f"blikk.removed.{NODE}" not in hass_storage


async def test_what_is_disabled_with_its_config_entry_is_not_disabled_for_good(
    hass, mqtt_mock, mqtt_client_mock, content
):
    entry = await begin(hass, content)
    await subscribed(mqtt_client_mock, 1)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    await hass.config_entries.async_remove(entry.entry_id)
    await begin(hass, content)
    assert er.async_get(hass).async_get("binary_sensor.front_door_person").disabled_by is None


async def test_for_a_node_that_is_away_its_discovery_is_withdrawn(hass, mqtt_mock, content):
    await discover(hass)
    before = ids(hass, "mqtt")
    entry = await begin(hass, content)
    assert entry.state is ConfigEntryState.LOADED
    for topic in CONFIGS:
        assert ("", 1, True) in published(mqtt_mock, topic)
    after = ids(hass, DOMAIN)
    assert {unique_id: after.get(unique_id) for unique_id in before} == before


async def test_plain_entities_that_only_the_registry_knows_do_not_stand_in_the_way(
    hass, mqtt_mock, content, entity_registry, device_registry
):
    (broker,) = hass.config_entries.async_entries("mqtt")
    device = device_registry.async_get_or_create(
        config_entry_id=broker.entry_id, identifiers={("mqtt", f"blikk.{NODE}.front_door")}
    )
    entity_registry.async_get_or_create(
        "binary_sensor",
        "mqtt",
        f"blikk.{NODE}.front_door.person",
        suggested_object_id="front_door_person",
        config_entry=broker,
        device_id=device.id,
    )
    entry = await begin(hass, content)
    assert entry.state is ConfigEntryState.LOADED
    assert entity_registry.async_get("binary_sensor.front_door_person").platform == DOMAIN


async def test_a_node_that_will_not_withdraw_is_a_repair_that_a_click_tries_again(
    hass, mqtt_mock, content, hass_client
):
    await discover(hass)
    stubborn = True

    @callback
    def emptied(message):
        if stubborn and not message.payload:
            hass.loop.call_later(HEAL_S, publish_plain, hass)

    for topic in CONFIGS:
        await mqtt.async_subscribe(hass, topic, emptied)
    entry = await begin(hass, content)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"plain_entities_{entry.entry_id}")
    assert issue.is_fixable
    assert ids(hass, DOMAIN) == {}

    stubborn = False
    flow, done = await click(hass, hass_client, issue)
    assert (flow["step_id"], flow["description_placeholders"]) == ("confirm", {"node": "Porch Pi"})
    assert done["type"] == "create_entry"
    async with asyncio.timeout(10 * PATIENCE):
        while entry.state is not ConfigEntryState.LOADED:
            await asyncio.sleep(0.01)
    await hass.async_block_till_done()
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue.issue_id) is None
    assert not [entity_id for entity_id in hass.states.async_entity_ids() if entity_id.endswith("_2")]


async def test_plain_entities_that_come_later_are_a_repair_until_they_go(hass, mqtt_mock, content):
    entry = await begin(hass, content)

    async def until(there):
        async with asyncio.timeout(10 * PATIENCE):
            while (ir.async_get(hass).async_get_issue(DOMAIN, f"plain_entities_{entry.entry_id}") is None) is there:
                await asyncio.sleep(0.01)

    await discover(hass)
    await until(True)
    publish_plain(hass, empty=True)
    await until(False)


async def test_unloading_and_reloading_keep_the_claim(hass, mqtt_mock):
    entry = await set_up(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    assert all(payload for payload, _, _ in published(mqtt_mock, CLAIM))


async def test_the_claim_is_made_again_when_the_broker_comes_back(hass, mqtt_mock):
    await set_up(hass)
    for connected in (False, True):
        async_dispatcher_send(hass, MQTT_CONNECTION_STATE, connected)
        await hass.async_block_till_done()
    claims = published(mqtt_mock, CLAIM)
    assert claims == [claims[0]] * 2


async def test_removing_leaves_nothing_behind(hass, mqtt_mock, hass_storage):
    entry = await set_up(hass)
    entry.runtime_data.snooze("yard", entry.created_at.replace(year=2999))
    ir.async_create_issue(
        hass, DOMAIN, f"protocol_too_new_{entry.entry_id}", is_fixable=False, severity="error", translation_key="x"
    )
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert f"blikk.{entry.entry_id}" not in hass_storage
    assert ids(hass, DOMAIN) == {}
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert ir.async_get(hass).issues == {}


async def test_a_claim_that_cannot_be_taken_back_does_not_stop_the_removal(hass, mqtt_mock, caplog):
    entry = await set_up(hass)
    (broker,) = hass.config_entries.async_entries("mqtt")
    await hass.config_entries.async_unload(entry.entry_id)
    await hass.config_entries.async_set_disabled_by(broker.entry_id, ConfigEntryDisabler.USER)
    mqtt_mock.connected = False
    await hass.config_entries.async_remove(entry.entry_id)
    assert hass.config_entries.async_entries(DOMAIN) == []


async def remove_while_away(hass, monkeypatch, entry):
    """The user removes a node while nothing can be published."""

    async def publish(*_arguments, **_more):
        raise HomeAssistantError("The client is not currently connected")

    with monkeypatch.context() as context:
        context.setattr(mqtt, "async_publish", publish)
        await hass.config_entries.async_remove(entry.entry_id)
        await hass.async_block_till_done()


async def test_a_claim_is_taken_back_when_the_broker_is_there_again(hass, mqtt_mock, monkeypatch, hass_storage):
    entry = await set_up(hass)
    await remove_while_away(hass, monkeypatch, entry)
    assert ("", 1, True) not in published(mqtt_mock, CLAIM)
    async_dispatcher_send(hass, MQTT_CONNECTION_STATE, True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert published(mqtt_mock, CLAIM)[-1] == ("", 1, True)
    assert "blikk.owed_claims" not in hass_storage


async def test_a_claim_of_before_a_restart_is_taken_back_when_the_node_announces_itself(hass, mqtt_mock, hass_storage):
    hass_storage["blikk.owed_claims"] = {"version": 1, "key": "blikk.owed_claims", "data": [CLAIM]}
    async_fire_mqtt_message(hass, f"{BASE}/announce", json.dumps(golden("announce")))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert published(mqtt_mock, CLAIM) == [("", 1, True)]


async def test_the_claim_of_a_node_that_was_added_again_stays(hass, mqtt_mock, monkeypatch, hass_storage):
    entry = await set_up(hass)
    await remove_while_away(hass, monkeypatch, entry)
    await set_up(hass)
    async_dispatcher_send(hass, MQTT_CONNECTION_STATE, True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert ("", 1, True) not in published(mqtt_mock, CLAIM)
    assert "blikk.owed_claims" not in hass_storage


async def test_nothing_is_emptied_later_of_a_node_that_was_added_again(hass, mqtt_mock, hass_storage):
    """Another node took its place while the broker went, and then it came back."""
    owed = [CLAIM, f"{BASE}/announce", f"{BASE}/status", "blikk/porch-pi-2/status"]
    hass_storage["blikk.owed_claims"] = {"version": 1, "key": "blikk.owed_claims", "data": owed}
    await set_up(hass)
    mqtt_mock.async_publish.reset_mock()
    await retract.async_retract_owed(hass)
    emptied = [topic for topic in owed if ("", 1, True) in published(mqtt_mock, topic)]
    assert emptied == ["blikk/porch-pi-2/status"]
    assert "blikk.owed_claims" not in hass_storage


async def test_a_claim_is_taken_back_where_another_node_is_ignored(hass, mqtt_mock, hass_storage):
    MockConfigEntry(domain=DOMAIN, unique_id="garage", source=SOURCE_IGNORE, title="Garage").add_to_hass(hass)
    hass_storage["blikk.owed_claims"] = {"version": 1, "key": "blikk.owed_claims", "data": [CLAIM]}
    await retract.async_retract_owed(hass)
    assert published(mqtt_mock, CLAIM) == [("", 1, True)]


async def test_two_nodes_do_not_take_each_others_entities(hass, mqtt_mock, content):
    await discover(hass)
    before = ids(hass, "mqtt")
    entry = await begin(hass, announce(id="porch", cameras=[]))
    assert entry.state is ConfigEntryState.LOADED
    assert ids(hass, "mqtt") == before


@pytest.mark.parametrize("mqtt_config_entry_options", [{"discovery_prefix": "ha"}])
async def test_the_discovery_prefix_of_home_assistant_is_heeded(hass, mqtt_mock, content):
    for topic, name in CONFIGS.items():
        async_fire_mqtt_message(hass, topic.replace("homeassistant", "ha"), json.dumps(golden(name)))
    await hass.async_block_till_done()
    assert ids(hass, "mqtt")
    await begin(hass, content)
    assert ("", 1, True) in published(mqtt_mock, f"ha/device/blikk_{NODE}/node/config")
    assert ids(hass, "mqtt") == {}


async def test_what_is_hidden_from_the_announce_is_reported_once(hass, mqtt_mock, caplog):
    await set_up(hass)
    content = announce()
    content["cameras"].append({"id": "a/b"})
    for _ in range(3):
        await publish(hass, "announce", content)
    assert caplog.text.count("these cameras cannot be addressed: 'a/b'") == 1


async def subscribed(client, times):
    """Until every topic with a wildcard was asked for so often: Home Assistant trips over what is given up earlier."""
    words = ("status", "state", "event", "ring", "summary", "digest", "answer/+", "picture/+")
    async with asyncio.timeout(10 * PATIENCE):
        while any(str(client.subscribe.mock_calls).count(f"'{BASE}/+/{word}'") < times for word in words):
            await asyncio.sleep(0.01)


async def test_plain_entities_of_a_broker_that_forgot_the_claim_change_nothing_of_ours(
    hass, mqtt_mock, mqtt_client_mock, content, entity_registry
):
    entry = await begin(hass, content)
    await subscribed(mqtt_client_mock, 1)
    entity_registry.async_update_entity("binary_sensor.front_door_person", name="Visitor")
    before = ids(hass, DOMAIN)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await discover(hass)
    assert [entity_id for entity_id in ids(hass, "mqtt").values() if entity_id.endswith("_2")]
    await obey(hass)

    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert (ids(hass, DOMAIN), ids(hass, "mqtt")) == (before, {})
    assert entity_registry.async_get("binary_sensor.front_door_person").name == "Visitor"
    await subscribed(mqtt_client_mock, 2)


async def test_plain_entities_that_stand_beside_ours_after_a_reconnection_are_withdrawn(hass, mqtt_mock, content):
    await begin(hass, content)
    await discover(hass)
    assert ids(hass, "mqtt")

    async_dispatcher_send(hass, MQTT_CONNECTION_STATE, True)

    async with asyncio.timeout(10 * PATIENCE):
        while ids(hass, "mqtt"):
            await asyncio.sleep(0.01)
