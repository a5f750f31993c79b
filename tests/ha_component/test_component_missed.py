"""Rings that Home Assistant missed: the node is asked for them when it is back, and each is reported once."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from homeassistant.components.mqtt.const import MQTT_CONNECTION_STATE
from homeassistant.const import Platform
from homeassistant.core import callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message
from stage import BASE, DOMAIN, NODE, entry_of, golden, publish, set_up

BELL = "event.front_door_doorbell"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """Of this test: the module may have been read minutes before."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def node(hass, mqtt_client_mock):
    """The node: answers with these rings, in seconds before now, and these events; what it was asked."""
    rings, events, asked = {}, [], []
    publish = mqtt_client_mock.publish.side_effect

    def passed_on(topic, payload, qos, retain, properties=None):
        done = publish(topic, payload, qos, retain, properties)
        if topic == f"{BASE}/ask":
            request = json.loads(payload)
            asked.append(request)
            reported = [{"id": f"ring-{ago_s}", "camera": "front_door", "time": at(ago_s)} for ago_s in sorted(rings)]
            reply = {
                **golden("reply-events"),
                "events": events,
                "rings": reported,
                "correlation": request["correlation"],
            }
            hass.loop.call_soon(async_fire_mqtt_message, hass, request["response_topic"], json.dumps(reply))
        return done

    mqtt_client_mock.publish.side_effect = passed_on
    passed_on.rings, passed_on.events, passed_on.asked = rings, events, asked
    return passed_on


@pytest.fixture
def reported(hass):
    """The ids of the rings that were reported, in order."""
    ids = []

    @callback
    def changed(event):
        state = event.data["new_state"]
        if event.data["entity_id"] == BELL and state and state.attributes.get("id"):
            ids.append(state.attributes["id"])

    hass.bus.async_listen("state_changed", changed)
    return ids


def at(ago_s):
    return (NOW - timedelta(seconds=ago_s)).isoformat()


async def ring(hass, ago_s, **more):
    content = {**golden("ring"), "id": f"ring-{ago_s}", "time": at(ago_s), **more}
    await publish(hass, "front_door/ring", content)


async def reconnect(hass):
    for connected in (False, True):
        async_dispatcher_send(hass, MQTT_CONNECTION_STATE, connected)
        await hass.async_block_till_done()
    await publish(hass, "status", "online")
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_what_rang_without_the_broker_is_reported_in_order_and_once(hass, mqtt_mock, node, reported):
    await set_up(hass)
    await ring(hass, 200)
    node.rings |= dict.fromkeys((200, 90, 30))
    await reconnect(hass)
    await ring(hass, 30, replayed=True)  # the node's own waited too
    await reconnect(hass)
    assert list(dict.fromkeys(reported)) == ["ring-200", "ring-90", "ring-30"]
    assert hass.states.get(BELL).attributes["replayed"] is True
    assert [request["do"] for request in node.asked] == ["events", "events"]


async def test_what_rang_while_home_assistant_restarted_is_reported(hass, mqtt_mock, node, reported):
    entry = await set_up(hass)
    await ring(hass, 200)
    node.rings |= dict.fromkeys((200, 30))
    reported.clear()
    await hass.config_entries.async_reload(entry.entry_id)
    await publish(hass, "status", "online", retain=True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert reported[-1] == "ring-30"


async def test_the_first_ring_of_all_is_reported_where_home_assistant_restarted_meanwhile(
    hass, mqtt_mock, node, reported
):
    entry = await set_up(hass)
    await reconnect(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    node.rings[-2] = None  # rung after the node was added
    await hass.config_entries.async_setup(entry.entry_id)
    await publish(hass, "status", "online", retain=True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert reported == ["ring--2"]


async def test_what_rang_long_ago_is_not_reported_any_more(hass, mqtt_mock, node, reported):
    await set_up(hass)
    await ring(hass, 2000)
    node.rings |= dict.fromkeys((2000, 1000))
    await reconnect(hass)
    assert set(reported) == {"ring-2000"}
    assert datetime.fromisoformat(node.asked[0]["since"]) >= NOW - timedelta(seconds=300)


async def test_a_node_that_has_just_been_added_is_not_asked(hass, mqtt_mock, node, reported):
    node.rings[30] = None
    await set_up(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (node.asked, reported) == ([], [])


@pytest.fixture
async def calendar(hass, mqtt_mock, entity_registry):
    """The timeline of the front door, which is disabled by default."""
    entry = entry_of()
    entry.add_to_hass(hass)
    entity_registry.async_get_or_create(
        Platform.CALENDAR, DOMAIN, f"blikk.{NODE}.front_door.timeline", suggested_object_id="front_door_timeline",
        config_entry=entry, disabled_by=None,
    )  # fmt: skip
    await set_up(hass, entry)
    return "calendar.front_door_timeline"


def visit(name, ago_s, **more):
    return {**golden(name), "id": "visit", "started": at(ago_s), "time": at(ago_s), **more}


async def test_what_was_detected_without_the_broker_is_in_the_calendar_and_triggers_nothing(hass, calendar, node):
    node.events.append(visit("event-ended", 200, ended=at(100)))
    await reconnect(hass)
    span = {"start_date_time": at(3600), "end_date_time": at(-60)}
    reported = await hass.services.async_call(
        "calendar", "get_events", {"entity_id": calendar, **span}, blocking=True, return_response=True
    )
    assert len(reported[calendar]["events"]) == 1
    assert hass.states.get("event.front_door_detection").state == "unknown"


async def test_a_visit_that_ended_without_the_broker_does_not_seem_to_go_on(hass, calendar, node):
    await publish(hass, "front_door/event", visit("event-started", 200))
    shown = hass.states.get("event.front_door_detection").state
    assert hass.states.get(calendar).state == "on"
    node.events.append(visit("event-ended", 200, ended=at(100)))
    await reconnect(hass)
    assert hass.states.get(calendar).state == "off"
    assert hass.states.get("event.front_door_detection").state == shown


async def test_a_visit_that_still_goes_on_after_an_outage_is_left_as_it_is(hass, calendar, node):
    await publish(hass, "front_door/event", visit("event-started", 200))
    node.events.append(visit("event-loitering", 200))
    await reconnect(hass)
    assert hass.states.get(calendar).state == "on"
    assert hass.states.get("event.front_door_detection").attributes["event_type"] == "person"
