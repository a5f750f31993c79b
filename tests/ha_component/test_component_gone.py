"""A node that has been away for a month is offered for removal, with all that the broker keeps of it."""

from datetime import timedelta

import pytest
from homeassistant.components import mqtt
from homeassistant.components.mqtt.const import MQTT_CONNECTION_STATE
from homeassistant.config_entries import ConfigEntryState
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message, async_fire_time_changed
from stage import BASE, DOMAIN, NODE, click, publish, published, set_up

from custom_components.blikk import gone, issues

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(gone, "FIRST_S", 0.2)
    monkeypatch.setattr(gone, "QUIET_S", 0.05)


@pytest.fixture
def kept(monkeypatch):
    """What the broker keeps: handed to whoever subscribes to all of a node, which the kit has no broker for."""
    topics = {
        f"{BASE}/announce": "{}",
        f"{BASE}/front_door/picture/person": "a picture",
        f"homeassistant/device/blikk_{NODE}/node/config": "{}",
    }
    subscribe = mqtt.async_subscribe

    async def subscribed(hass, topic, heard, *more):
        undo = await subscribe(hass, topic, heard, *more)
        if topic.endswith("#") or topic.startswith("homeassistant/"):
            start = topic.partition("#")[0].partition("+")[0]
            for of, payload in topics.items():
                if of.startswith(start):
                    hass.loop.call_soon(async_fire_mqtt_message, hass, of, payload, 0, True)
        return undo

    monkeypatch.setattr(gone.mqtt, "async_subscribe", subscribed)
    return topics


def issue(hass, entry):
    return ir.async_get(hass).async_get_issue(DOMAIN, f"node_away_{entry.entry_id}")


async def later(hass, freezer, time):
    freezer.tick(time)
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


async def offered(hass):
    """A node that is offered for removal."""
    entry = await set_up(hass)
    await publish(hass, "status", "offline")
    issues.raise_away(hass, entry, 30)
    return entry


async def test_a_node_that_is_away_for_a_month_is_a_repair_until_it_is_back(hass, mqtt_mock, freezer):
    entry = await set_up(hass)
    await publish(hass, "status", "offline")
    await later(hass, freezer, 29.5 * DAY)
    assert issue(hass, entry) is None
    await later(hass, freezer, DAY)
    raised = issue(hass, entry)
    assert raised.is_fixable
    assert raised.translation_placeholders == {"node": "Porch Pi", "days": "30"}
    await publish(hass, "status", "online")
    assert issue(hass, entry) is None
    await publish(hass, "status", "offline")
    await later(hass, freezer, 29.5 * DAY)
    assert issue(hass, entry) is None


async def test_the_month_goes_on_over_restarts(hass, mqtt_mock, freezer):
    entry = await set_up(hass)
    await publish(hass, "status", "offline")
    for _ in range(3):
        await later(hass, freezer, 10 * DAY + timedelta(hours=1))
        assert await hass.config_entries.async_reload(entry.entry_id)
        await publish(hass, "status", "offline", retain=True)
    assert issue(hass, entry) is not None


async def test_a_node_of_which_nothing_is_heard_is_away_too(hass, mqtt_mock, freezer):
    entry = await set_up(hass, online=False)
    await later(hass, freezer, gone.LOOK_EVERY)
    await later(hass, freezer, 31 * DAY)
    assert issue(hass, entry) is not None


async def test_while_the_broker_is_away_nothing_is_known(hass, mqtt_mock, freezer):
    entry = await set_up(hass)
    await publish(hass, "status", "offline")
    async_dispatcher_send(hass, MQTT_CONNECTION_STATE, False)
    await later(hass, freezer, 31 * DAY)
    assert issue(hass, entry) is None


async def test_a_click_removes_the_node_and_what_the_broker_keeps(hass, mqtt_mock, hass_client, kept):
    entry = await offered(hass)
    flow, done = await click(hass, hass_client, issue(hass, entry))
    assert (flow["step_id"], done["type"]) == ("confirm", "create_entry")
    await hass.async_block_till_done()
    assert hass.config_entries.async_entries(DOMAIN) == []
    assert {topic for topic in kept if ("", 1, True) in published(mqtt_mock, topic)} == kept.keys()
    assert issue(hass, entry) is None
    assert hass.states.async_entity_ids("event") == []


async def test_without_the_broker_the_node_stays(hass, mqtt_mock, hass_client, kept):
    entry = await offered(hass)
    mqtt_mock.connected = False
    _, done = await click(hass, hass_client, issue(hass, entry))
    assert (done["type"], done["reason"]) == ("abort", "broker_away")
    assert hass.config_entries.async_entries(DOMAIN) == [entry]
    assert issue(hass, entry) is not None


async def test_a_broker_that_goes_meanwhile_costs_nothing_but_a_reload(hass, mqtt_mock, hass_client, kept):
    entry = await offered(hass)
    publish = mqtt_mock.async_publish.side_effect
    mqtt_mock.async_publish.side_effect = HomeAssistantError("not connected")
    _, done = await click(hass, hass_client, issue(hass, entry))
    assert done["reason"] == "broker_away"
    mqtt_mock.async_publish.side_effect = publish
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert issue(hass, entry) is not None
