"""Home Assistant is up before the broker, or the broker goes while a node is set up: all ends well by itself."""

from datetime import timedelta

import pytest
from homeassistant.components.mqtt.const import MQTT_CONNECTION_STATE
from homeassistant.config_entries import ConfigEntryState
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_fire_time_changed
from stage import BASE, DOMAIN, click, entry_of, golden, publish, published, set_up

from custom_components.blikk import issues

CLAIM = f"{BASE}/ha/claim"


@pytest.fixture
def broker(hass, mqtt_mock):
    """The broker's connection: `come()` and `go()`; `break_off()` goes unnoticed until something is published."""
    publish = mqtt_mock.async_publish.side_effect

    class Connection:
        def refuse(self, *_, **__):
            raise HomeAssistantError("not connected")

        def break_off(self):
            mqtt_mock.async_publish.side_effect = self.refuse

        def go(self):
            self.break_off()
            mqtt_mock.connected = False
            async_dispatcher_send(hass, MQTT_CONNECTION_STATE, False)

        async def come(self):
            mqtt_mock.async_publish.side_effect = publish
            mqtt_mock.connected = True
            async_dispatcher_send(hass, MQTT_CONNECTION_STATE, True)
            await hass.async_block_till_done()

    return Connection()


@pytest.mark.parametrize("how", ["go", "break_off"])
async def test_a_node_that_was_taken_over_is_set_up_without_the_broker_and_claimed_when_it_comes(
    hass, mqtt_mock, broker, how
):
    entry = await set_up(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    getattr(broker, how)()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    mqtt_mock.async_publish.reset_mock()

    await broker.come()
    await publish(hass, "status", "online", retain=True)
    assert len(published(mqtt_mock, CLAIM)) == 1
    assert hass.states.get("binary_sensor.porch_pi_connection").state == "on"
    await publish(hass, "front_door/status", "online", retain=True)
    await publish(hass, "front_door/ring", golden("ring"))
    assert hass.states.get("event.front_door_doorbell").attributes["event_type"] == "ring"


async def test_a_broker_that_comes_while_a_node_is_set_up_is_claimed_too(hass, mqtt_mock, broker, monkeypatch):
    entry = await set_up(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    broker.go()
    forward = hass.config_entries.async_forward_entry_setups

    async def meanwhile(*given):
        mqtt_mock.async_publish.reset_mock()
        await broker.come()
        await forward(*given)

    monkeypatch.setattr(hass.config_entries, "async_forward_entry_setups", meanwhile)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert len(published(mqtt_mock, CLAIM)) == 1


@pytest.mark.parametrize("how", ["go", "break_off"])
async def test_a_new_node_is_tried_again_until_the_broker_is_there(hass, mqtt_mock, broker, how):
    getattr(broker, how)()
    entry = entry_of()
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "broker_away"
    assert hass.states.async_entity_ids("event") == []

    await broker.come()
    assert entry.state is ConfigEntryState.LOADED


async def test_a_new_node_that_was_removed_meanwhile_stays_so(hass, mqtt_mock, broker):
    broker.go()
    entry = entry_of()
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.config_entries.async_remove(entry.entry_id)
    await broker.come()
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert hass.config_entries.async_entries(DOMAIN) == []


@pytest.mark.parametrize("known", [True, False])
async def test_a_broker_that_comes_an_hour_late_needs_nobody(hass, mqtt_mock, broker, freezer, known):
    """Home Assistant's own timer is at ten minutes by then, for a node that was not taken over before."""
    if known:
        entry = await set_up(hass)
        await hass.config_entries.async_unload(entry.entry_id)
    else:
        entry = entry_of()
        entry.add_to_hass(hass)
    broker.go()
    await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(60):
        assert entry.state is (ConfigEntryState.LOADED if known else ConfigEntryState.SETUP_RETRY)
        freezer.tick(timedelta(minutes=1))
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
    mqtt_mock.async_publish.reset_mock()

    await broker.come()
    assert entry.state is ConfigEntryState.LOADED
    assert len(published(mqtt_mock, CLAIM)) == 1
    await publish(hass, "status", "online", retain=True)
    await publish(hass, "front_door/status", "online", retain=True)
    await publish(hass, "front_door/ring", golden("ring"))
    assert hass.states.get("binary_sensor.porch_pi_connection").state == "on"
    assert hass.states.get("event.front_door_doorbell").attributes["event_type"] == "ring"


async def test_a_connection_that_breaks_before_the_claim_is_through_is_claimed_with_the_next(hass, mqtt_mock, broker):
    await set_up(hass)
    broker.break_off()
    async_dispatcher_send(hass, MQTT_CONNECTION_STATE, True)
    await hass.async_block_till_done()
    mqtt_mock.async_publish.reset_mock()
    await broker.come()
    assert len(published(mqtt_mock, CLAIM)) == 1


async def test_a_repair_without_the_broker_says_why_and_stays(hass, mqtt_mock, broker, hass_client):
    assert await async_setup_component(hass, "repairs", {})
    entry = await set_up(hass)
    issues.raise_plain(hass, entry)
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"plain_entities_{entry.entry_id}")
    broker.break_off()
    _, done = await click(hass, hass_client, issue)
    assert (done["type"], done["reason"]) == ("abort", "broker_away")
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue.issue_id) is not None
