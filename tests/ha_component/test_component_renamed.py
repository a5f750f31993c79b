"""A node under another id, or a new card for the same cameras: the user says whether it is the one that is away."""

import asyncio
import contextlib
import json

import pytest
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_MQTT,
    SOURCE_USER,
    ConfigEntryDisabler,
    ConfigEntryState,
)
from homeassistant.data_entry_flow import AbortFlow, FlowResultType, UnknownFlow
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_mqtt_message
from stage import BASE, DOMAIN, NODE, announce, entry_of, publish, published, set_up

from custom_components.blikk import config_flow, gone, handover, presence

NEW = "house-pi"
NEW_BASE = f"blikk/{NEW}"
PICTURE = f"{BASE}/front_door/picture/person"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(presence, "PROBE_LIMIT_S", 0.2)
    monkeypatch.setattr(presence, "QUIET_S", 0.01)
    monkeypatch.setattr(gone, "FIRST_S", 0.2)
    monkeypatch.setattr(gone, "QUIET_S", 0.05)
    monkeypatch.setattr(handover, "QUIET_S", 0.01)


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """What the broker keeps: handed to whoever subscribes, which the kit has no broker for."""
    topics = {
        f"{BASE}/announce": json.dumps(announce()),
        f"{BASE}/status": "offline",
        PICTURE: "a picture",
        f"homeassistant/device/blikk_{NODE}/node/config": "{}",
        f"{NEW_BASE}/announce": json.dumps(announced()),
        f"{NEW_BASE}/status": "online",
    }
    subscribe = config_flow.mqtt.async_subscribe

    async def subscribed(hass, topic, heard, *more):
        undo = await subscribe(hass, topic, heard, *more)
        for of, payload in topics.items():
            start, _, end = topic.replace("#", "+").partition("+")
            if of.startswith(start) and of.endswith(end) and (of == topic or start != topic):
                hass.loop.call_soon(async_fire_mqtt_message, hass, of, payload, 0, True)
        return undo

    monkeypatch.setattr(config_flow.mqtt, "async_subscribe", subscribed)
    return topics


def announced(**changes):
    return announce(id=NEW, name="House Pi", **changes)


async def found(hass, content=None):
    content = content or announced()
    topic = f"blikk/{content['id']}/announce"
    info = MqttServiceInfo(topic, json.dumps(content), 1, True, "blikk/+/announce", 0.0)
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_MQTT}, data=info)


async def answered(hass, flow, step):
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"next_step_id": step})
    await hass.async_block_till_done()
    return done


async def used(hass):
    """The old node, as a user has it after a while, and now away; it was set up with options."""
    entry = await set_up(hass, entry_of(options={"assistants": False}, data={"token": "secret"}))
    entities, devices = er.async_get(hass), dr.async_get(hass)
    entities.async_update_entity(
        "camera.front_door", name="Door", new_entity_id="camera.my_door", aliases=["the door"], labels={"outside"}
    )
    entities.async_update_entity("binary_sensor.front_door_motion", disabled_by=er.RegistryEntryDisabler.USER)
    entities.async_update_entity("event.front_door_doorbell", hidden_by=er.RegistryEntryHider.USER)
    entities.async_update_entity_options("camera.my_door", "conversation", {"should_expose": True})
    door = devices.async_get_device_by_identifier((DOMAIN, f"{NODE}.front_door"), entry.entry_id)
    devices.async_update_device(door.id, name_by_user="Main door", area_id="hall", labels={"outside"})
    await hass.async_block_till_done()
    await publish(hass, "status", "offline")
    return entry


def entities_of(hass, entry):
    """Whatever may not change: each entity without what names the node."""
    rows = {}
    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        assert entity.unique_id.startswith((f"blikk.{NODE}.", f"blikk.{NEW}."))
        key = entity.unique_id.replace(NODE, "").replace(NEW, "")
        set_on = (entity.name, entity.aliases, entity.labels, entity.disabled_by, entity.hidden_by, entity.options)
        rows[entity.domain, key] = (entity.id, entity.entity_id, entity.device_id, *set_on)
    return rows


def devices_of(hass, entry):
    return {
        device.id: (device.name_by_user, device.area_id, device.labels)
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    }


async def test_a_node_with_the_cameras_of_one_that_is_away_is_asked_about(hass, mqtt_mock):
    await used(hass)
    flow = await found(hass)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "renamed")
    assert flow["menu_options"] == ["take_over", "apart"]
    assert flow["description_placeholders"] == {
        "name": "House Pi",
        "old": "Porch Pi",
        "same": "Front door, Yard",
        "gone": "-",
    }


async def test_with_yes_it_has_all_that_was_the_old_ones(hass, mqtt_mock, kept):
    entry = await used(hass)
    entities, devices = entities_of(hass, entry), devices_of(hass, entry)
    done = await answered(hass, await found(hass), "take_over")
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "taken_over")
    assert done["description_placeholders"] == {"name": "House Pi", "old": "Porch Pi"}
    assert hass.config_entries.async_entries(DOMAIN) == [entry]
    assert (entry.unique_id, entry.title, entry.state) == (NEW, "House Pi", ConfigEntryState.LOADED)
    assert (entry.data["node"], entry.data["announce"], entry.data["token"]) == (NEW, announced(), "secret")
    assert entry.options == {"assistants": False}
    assert (entities_of(hass, entry), devices_of(hass, entry)) == (entities, devices)
    registry = er.async_get(hass)
    assert registry.async_get("camera.my_door").unique_id == f"blikk.{NEW}.front_door.still"
    assert all(NODE not in each.unique_id for each in registry.entities.values() if each.platform == DOMAIN)
    hub = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, NEW), entry.entry_id)
    assert hub.name == "House Pi"
    for topic in kept:
        assert (("", 1, True) in published(mqtt_mock, topic)) == topic.startswith((f"{BASE}/", "homeassistant/")), topic
    assert published(mqtt_mock, f"{NEW_BASE}/ha/claim")


async def test_what_was_taken_over_hears_the_new_node_and_is_found_no_more(hass, mqtt_mock):
    await used(hass)
    flow = await found(hass)
    done = await answered(hass, flow, "take_over")
    assert done["reason"] == "taken_over"
    for topic in ("status", "front_door/status"):
        await publish(hass, topic, "online", retain=True, base=NEW_BASE)
    assert hass.states.get("event.front_door_doorbell").state == "unknown"
    assert hass.config_entries.flow.async_progress_by_handler(DOMAIN) == []
    assert (await found(hass))["reason"] == "already_configured"


async def test_with_no_it_is_a_node_of_its_own(hass, mqtt_mock):
    old = await used(hass)
    entities, devices = entities_of(hass, old), devices_of(hass, old)
    flow = await answered(hass, await found(hass), "apart")
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "discovery_confirm")
    again = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert again["step_id"] == "discovery_confirm"
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"assistants": True})
    await hass.async_block_till_done()
    assert (done["type"], done["title"]) == (FlowResultType.CREATE_ENTRY, "House Pi")
    assert (old.unique_id, old.data["node"]) == (NODE, NODE)
    assert (entities_of(hass, old), devices_of(hass, old)) == (entities, devices)
    assert published(mqtt_mock, PICTURE) == []
    new = er.async_get(hass).async_get_entity_id("event", DOMAIN, f"blikk.{NEW}.front_door.doorbell")
    assert new == "event.front_door_doorbell_2"


async def by_hand(hass):
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"prefix": "blikk"})
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"node": NEW, "assistants": False})
    assert flow["step_id"] == "renamed"
    return flow


async def test_who_chooses_it_from_the_list_is_asked_too(hass, mqtt_mock):
    entry = await used(hass)
    done = await answered(hass, await by_hand(hass), "take_over")
    assert (done["reason"], entry.unique_id) == ("taken_over", NEW)


async def test_from_the_list_it_becomes_a_node_of_its_own_with_what_was_chosen(hass, mqtt_mock):
    await used(hass)
    done = await answered(hass, await by_hand(hass), "apart")
    assert (done["type"], done["options"]) == (FlowResultType.CREATE_ENTRY, {"assistants": False})


@pytest.mark.parametrize("why", ["online", "other cameras", "disabled"])
async def test_where_it_cannot_be_the_old_one_nothing_is_asked(hass, mqtt_mock, why):
    entry, content = await used(hass), announced()
    if why == "online":
        await publish(hass, "status", "online")
    elif why == "disabled":
        await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    else:
        content = announced(cameras=[{"id": "attic", "name": "Attic"}])
    flow = await found(hass, content)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "discovery_confirm")


async def test_a_node_that_comes_back_meanwhile_keeps_what_it_has(hass, mqtt_mock):
    entry = await used(hass)
    flow = await found(hass)
    await publish(hass, "status", "online")
    flow = await answered(hass, flow, "take_over")
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "discovery_confirm")
    assert entry.unique_id == NODE


async def test_a_node_that_goes_after_the_new_one_was_found_is_asked_about_when_the_user_looks(hass, mqtt_mock):
    await used(hass)
    await publish(hass, "status", "online")
    flow = await found(hass)
    assert flow["step_id"] == "discovery_confirm"
    await publish(hass, "status", "offline")
    assert (await hass.config_entries.flow.async_configure(flow["flow_id"]))["step_id"] == "renamed"


@pytest.mark.parametrize(("status", "step"), [("online", "discovery_confirm"), ("offline", "renamed"), ("", "renamed")])
async def test_of_a_node_that_is_not_set_up_now_the_broker_knows_whether_it_is_away(
    hass, mqtt_mock, kept, status, step
):
    entry_of().add_to_hass(hass)
    kept[f"{BASE}/status"] = status
    assert (await found(hass))["step_id"] == step


async def test_the_one_with_most_cameras_in_common_is_meant_and_what_goes_is_said(hass, mqtt_mock):
    one = announce(id="attic-pi", name="Attic Pi", cameras=announce()["cameras"][:1])
    await set_up(hass, entry_of(one), online=False)
    await used(hass)
    flow = await found(hass)
    assert flow["description_placeholders"]["old"] == "Porch Pi"
    smaller = await found(hass, announce(id=NEW, name="House Pi", cameras=announce()["cameras"][1:]))
    assert smaller["reason"] == "already_in_progress"
    hass.config_entries.flow.async_abort(flow["flow_id"])
    flow = await found(hass, announced(cameras=announce()["cameras"][1:]))
    assert (flow["description_placeholders"]["same"], flow["description_placeholders"]["gone"]) == (
        "Yard",
        "Front door",
    )


async def test_without_the_broker_nothing_is_taken_over(hass, mqtt_mock):
    entry = await used(hass)
    flow = await found(hass)
    mqtt_mock.connected = False
    done = await answered(hass, flow, "take_over")
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "broker_away")
    assert (entry.unique_id, entry.state) == (NODE, ConfigEntryState.LOADED)
    assert {row[1] for row in entities_of(hass, entry).values()} >= {"camera.my_door"}


async def test_what_was_set_on_the_new_one_before_it_was_removed_does_not_count(hass, mqtt_mock):
    """A household that had both: it removes the new node, with its `_2`, and lets it take over the old one."""
    old = await used(hass)
    new = await set_up(hass, entry_of(announced()), online=False)
    assert er.async_get(hass).async_get("event.front_door_doorbell_2").config_entry_id == new.entry_id
    await hass.config_entries.async_remove(new.entry_id)
    await hass.async_block_till_done()
    entities, devices = entities_of(hass, old), devices_of(hass, old)
    async with asyncio.timeout(5):
        while not (flows := hass.config_entries.flow.async_progress_by_handler(DOMAIN)):
            await asyncio.sleep(0.01)
    assert (await answered(hass, flows[0], "take_over"))["reason"] == "taken_over"
    assert (entities_of(hass, old), devices_of(hass, old)) == (entities, devices)


async def test_who_says_yes_twice_moves_it_once(hass, mqtt_mock, kept):
    entry = await used(hass)
    flow = await found(hass)
    configure = hass.config_entries.flow.async_configure
    done = await asyncio.gather(
        *(configure(flow["flow_id"], {"next_step_id": "take_over"}) for _ in range(3)), return_exceptions=True
    )
    await hass.async_block_till_done()
    assert "taken_over" in [each.get("reason") for each in done if isinstance(each, dict)]
    assert (entry.unique_id, entry.state) == (NEW, ConfigEntryState.LOADED)
    for topic in (each for each in kept if each.startswith(f"{NEW_BASE}/")):
        assert published(mqtt_mock, topic) == [], topic


async def test_a_second_yes_while_the_first_one_moves_leaves_what_the_broker_keeps_of_the_new_node(
    hass, mqtt_mock, kept, monkeypatch
):
    entry = await used(hass)
    flow, unload = await found(hass), hass.config_entries.async_unload
    seconds, configure = [], hass.config_entries.flow.async_configure

    async def meanwhile(entry_id, **more):
        if not seconds:
            second = configure(flow["flow_id"], {"next_step_id": "take_over"})
            seconds.append(hass.async_create_task(second, eager_start=False))
        else:
            async with asyncio.timeout(5):
                while entry.unique_id == NODE and not more:
                    await asyncio.sleep(0.01)
        return await unload(entry_id, **more)

    monkeypatch.setattr(hass.config_entries, "async_unload", meanwhile)
    done = await configure(flow["flow_id"], {"next_step_id": "take_over"})
    assert done["reason"] == "taken_over"
    with contextlib.suppress(AbortFlow, UnknownFlow):
        assert (await seconds[0])["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert (entry.unique_id, entry.state) == (NEW, ConfigEntryState.LOADED)
    for topic in (each for each in kept if each.startswith(f"{NEW_BASE}/")):
        assert published(mqtt_mock, topic) == [], topic


async def test_a_new_node_that_was_ignored_and_is_chosen_by_hand_leaves_no_second_entry(hass, mqtt_mock):
    entry = await used(hass)
    ignored = MockConfigEntry(domain=DOMAIN, unique_id=NEW, source=SOURCE_IGNORE, title="House Pi")
    ignored.add_to_hass(hass)
    done = await answered(hass, await by_hand(hass), "take_over")
    assert (done["reason"], entry.unique_id) == ("taken_over", NEW)
    assert hass.config_entries.async_entries(DOMAIN) == [entry]


@pytest.mark.parametrize(("before", "after"), [("pi", "pi.door"), ("pi.door", "pi")])
async def test_ids_that_are_ones_of_cameras_of_the_other_are_moved_too(hass, mqtt_mock, kept, before, after):
    cameras = [{"id": "door", "name": "Door"}, {"id": "yard", "name": "Yard"}]
    entry = await set_up(hass, entry_of(announce(id=before, cameras=cameras)), online=False)
    registry = er.async_get(hass)
    each = er.async_entries_for_config_entry(registry, entry.entry_id)
    ids, devices = {entity.id: entity.entity_id for entity in each}, devices_of(hass, entry)
    wanted = {entity.id: f"blikk.{after}." + entity.unique_id.removeprefix(f"blikk.{before}.") for entity in each}
    kept[f"blikk/{after}/status"] = "online"
    flow = await found(hass, announce(id=after, cameras=cameras))
    assert (await answered(hass, flow, "take_over"))["reason"] == "taken_over"
    each = er.async_entries_for_config_entry(registry, entry.entry_id)
    assert {entity.id: entity.entity_id for entity in each} == ids
    assert {entity.id: entity.unique_id for entity in each} == wanted
    assert devices_of(hass, entry) == devices


async def test_a_broker_that_goes_while_it_moves_leaves_the_old_one_as_it_was(hass, mqtt_mock, monkeypatch):
    entry = await used(hass)
    entities, flow, look = entities_of(hass, entry), await found(hass), gone.async_kept

    async def gone_meanwhile(*given):
        topics = await look(*given)
        mqtt_mock.connected = False
        return topics

    monkeypatch.setattr(gone, "async_kept", gone_meanwhile)
    done = await answered(hass, flow, "take_over")
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "broker_away")
    assert (entry.unique_id, entry.state, entities_of(hass, entry)) == (NODE, ConfigEntryState.LOADED, entities)


async def test_an_entry_is_set_up_again_where_the_move_fails(hass, mqtt_mock, monkeypatch):
    entry = await used(hass)
    flow = await found(hass)

    async def refuse(*_):
        raise HomeAssistantError("MQTT is not set up")

    monkeypatch.setattr(gone, "async_kept", refuse)
    done = await answered(hass, flow, "take_over")
    assert (done["reason"], entry.unique_id, entry.state) == ("broker_away", NODE, ConfigEntryState.LOADED)
