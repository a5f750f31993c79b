"""Actions with responses, the timeline, triggers and conditions, tools for language models, summaries by an AI Task."""

import asyncio
import json
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_STATE_CHANGED, Platform
from homeassistant.core import Context, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import condition as condition_helper
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers import llm
from homeassistant.helpers import trigger as trigger_helper
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    async_fire_mqtt_message,
    async_fire_time_changed,
)
from stage import DOMAIN, JPEG, NODE, announce, click, entry_of, golden, jpeg_of, publish, set_up

from custom_components.blikk.pictures import PICTURES, EventPicture


@pytest.fixture
def node_answers(hass, mqtt_client_mock):
    """The node: answers with the golden reply of the kind, or the next of a list; keeps what it was asked."""
    asked = []
    replies = {
        "ask": golden("reply"),
        "events": golden("reply-events"),
        "describe": {**golden("reply-digest"), "text": "A person stands at the door."},
        "forget": {**golden("reply-events"), "events": [], "count": 3},
        "mark": golden("reply-mark"),
        "search": golden("reply-search"),
        "check": golden("reply-check"),
    }
    publish = mqtt_client_mock.publish.side_effect

    def passed_on(topic, payload, qos, retain, properties=None):
        done = publish(topic, payload, qos, retain, properties)
        if topic.endswith("/ask"):
            request = json.loads(payload)
            asked.append({key: value for key, value in request.items() if key not in ("correlation", "response_topic")})
            reply = replies[request["do"]]
            reply = {**(reply.pop(0) if isinstance(reply, list) else reply), "correlation": request["correlation"]}
            hass.loop.call_soon(async_fire_mqtt_message, hass, request["response_topic"], json.dumps(reply))
        return done

    mqtt_client_mock.publish.side_effect = passed_on
    return SimpleNamespace(asked=asked, replies=replies)


def device(hass, device_registry, entry, camera=None):
    key = f"{NODE}.{camera}" if camera else NODE
    return device_registry.async_get_device_by_identifier((DOMAIN, key), entry.entry_id).id


async def perform(hass, action, respond=True, **data):
    return await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=respond)


# ---- actions


async def test_a_question_is_answered_with_what_it_rests_on(hass, mqtt_mock, node_answers):
    await set_up(hass)
    answer = await perform(hass, "ask", question="Who came?", since="2026-11-21 00:00:00")
    assert answer["text"].startswith("One person at the front door")
    assert answer["count"] == 1
    assert answer["events"][0]["summary"]["title"] == "Two people at the front door"
    assert answer.keys() == {"text", "count", "query", "events", "source", "model", "tokens"}
    (request,) = node_answers.asked
    assert request == {"do": "ask", "question": "Who came?", "since": "2026-11-21T08:00:00+00:00"}


async def test_a_search_gives_what_looks_like_the_words(hass, mqtt_mock, node_answers, device_registry):
    entry = await set_up(hass, entry_of(golden("announce-search")))
    camera = device(hass, device_registry, entry, "gate")
    answer = await perform(hass, "search", device_id=camera, query="red car", since="2026-11-21 00:00:00", limit=5)
    assert answer.keys() == {"text", "count", "found", "model"}
    assert [(each["by"], each["score"], each["colours"][0]) for each in answer["found"]] == [
        ("concept", 0.2871, "red"),
        ("colour", None, "red"),
    ]
    assert node_answers.asked == [
        {"do": "search", "query": "red car", "camera": "gate", "limit": 5, "since": "2026-11-21T08:00:00+00:00"}
    ]


async def test_a_node_that_searches_nothing_says_what_to_add(hass, mqtt_mock, node_answers):
    await set_up(hass)
    with pytest.raises(ServiceValidationError) as caught:
        await perform(hass, "search", query="red car")
    assert caught.value.translation_key == "cannot_search"
    assert node_answers.asked == []


async def test_a_concept_is_a_binary_sensor(hass, mqtt_mock):
    await set_up(hass, entry_of(golden("announce-search")))
    sensor = "binary_sensor.gate_parcel_person"
    await publish(hass, "gate/state", golden("state-concepts"))
    state = hass.states.get(sensor)
    assert (state.state, state.name, state.attributes["text"]) == (
        "on",
        "Gate Parcel person",
        "person carrying a parcel",
    )
    await publish(hass, "gate/state", {**golden("state-concepts"), "concepts": {"parcel_person": "yes", "other": True}})
    assert hass.states.get(sensor).state == "off"


async def test_events_can_be_narrowed_down(hass, mqtt_mock, node_answers, device_registry):
    entry = await set_up(hass)
    camera = device(hass, device_registry, entry, "front_door")
    answer = await perform(hass, "get_events", device_id=camera, label="person", zone="porch", limit=5)
    assert (answer["count"], len(answer["events"])) == (2, 2)
    assert node_answers.asked == [
        {"do": "events", "camera": "front_door", "label": "person", "zone": "porch", "limit": 5}
    ]


async def test_a_camera_or_an_event_is_described(hass, mqtt_mock, node_answers, device_registry):
    entry = await set_up(hass)
    answer = await perform(hass, "describe", device_id=device(hass, device_registry, entry, "yard"))
    assert answer["text"] == "A person stands at the door."
    await perform(hass, "describe", respond=False, event="e1")
    assert node_answers.asked == [{"do": "describe", "camera": "yard"}, {"do": "describe", "event": "e1"}]


async def test_events_are_forgotten_and_the_pictures_that_were_kept_before_the_last(
    hass, mqtt_mock, node_answers, device_registry, tmp_path
):
    hass.config.config_dir = str(tmp_path)
    entry = await set_up(hass)
    cameras = ("front_door", "yard")

    async def photograph(event):
        for camera in cameras:
            await publish(hass, f"{camera}/picture/person", jpeg_of(event))

    def kept(event):
        pictures = hass.data[PICTURES]
        keys = {
            camera: EventPicture(entry_id=entry.entry_id, camera=camera, event=event, name="person")
            for camera in cameras
        }
        return [camera for camera, key in keys.items() if key in pictures]

    await photograph("e1")
    await photograph("e2")
    assert await perform(hass, "forget", event="e1") == {"count": 3}
    assert (kept("e1"), kept("e2")) == ([], ["front_door", "yard"])
    await photograph("e3")
    await perform(hass, "forget", device_id=device(hass, device_registry, entry, "yard"), until="2026-11-21T10:00:00Z")
    assert (kept("e2"), kept("e3")) == (["front_door"], ["front_door", "yard"])
    assert node_answers.asked[1] == {"do": "forget", "camera": "yard", "until": "2026-11-21T10:00:00+00:00"}


async def test_an_event_is_marked_and_shown_so(hass, mqtt_mock, node_answers, hass_ws_client):
    entry = await set_up(hass)
    await publish(hass, "front_door/summary", golden("summary"))
    link = await hass_ws_client()
    await link.send_json_auto_id({"type": "blikk/timeline/subscribe"})
    for _ in range(2):
        await link.receive_json()  # the answer, and the cameras
    marked = golden("reply-mark")["events"][0]
    answer = await perform(hass, "mark", event=marked["id"], mark=" Family ")
    assert answer["events"][0]["mark"] == "Family"
    assert node_answers.asked == [{"do": "mark", "event": marked["id"], "mark": "Family"}]
    assert hass.states.get("sensor.front_door_last_summary").attributes["mark"] == "Family"
    assert (await link.receive_json())["event"] == {"text": {"id": marked["id"], "mark": "Family"}}
    await hass.config_entries.async_reload(entry.entry_id)
    await publish(hass, "status", "online", retain=True)
    await publish(hass, "front_door/summary", golden("summary"), retain=True)
    assert hass.states.get("sensor.front_door_last_summary").attributes["mark"] == "Family"
    node_answers.replies["mark"]["events"] = [{**marked, "mark": ""}]
    await perform(hass, "mark", respond=False, event=marked["id"], mark="")
    assert "mark" not in hass.states.get("sensor.front_door_last_summary").attributes


async def test_a_ring_of_which_nobody_was_seen_is_marked_and_shown_so(hass, mqtt_mock, node_answers, hass_ws_client):
    await set_up(hass)
    link = await hass_ws_client()
    await link.send_json_auto_id({"type": "blikk/timeline/subscribe"})
    for _ in range(2):
        await link.receive_json()  # the answer, and the cameras
    rang = {"id": "front_door-ring-1", "camera": "front_door", "time": "2026-11-21T12:00:00.250Z", "mark": "Family"}
    node_answers.replies["mark"] |= {"events": [], "rings": [rang]}
    answer = await perform(hass, "mark", event=rang["id"], mark="Family")
    assert answer == {"events": [], "rings": [rang]}
    assert (await link.receive_json())["event"] == {"text": {"id": rang["id"], "mark": "Family"}}
    node_answers.replies["events"] = {**golden("reply-events"), "rings": [rang]}
    await link.send_json_auto_id({"type": "blikk/timeline", "labels": ["ring"]})
    listed = (await link.receive_json())["result"]["events"]
    assert [(each["id"], each["mark"]) for each in listed] == [(rang["id"], "Family")]


async def test_a_mark_is_forgotten_with_its_event(hass, mqtt_mock, node_answers):
    await set_up(hass)
    await publish(hass, "front_door/summary", golden("summary"))
    marked = golden("reply-mark")["events"][0]["id"]
    for event, left in (("another", True), (marked, False)):
        await perform(hass, "mark", respond=False, event=marked, mark="Family")
        await perform(hass, "forget", respond=False, event=event)
        assert ("mark" in hass.states.get("sensor.front_door_last_summary").attributes) is left
    await perform(hass, "mark", respond=False, event=marked, mark="Family")
    await perform(hass, "forget", respond=False, until="2026-11-21T10:00:00Z")
    assert "mark" not in hass.states.get("sensor.front_door_last_summary").attributes


async def test_a_node_that_is_too_old_for_marks_says_so(hass, mqtt_mock, node_answers):
    await set_up(hass, entry_of(announce(capabilities=["ask"])))
    with pytest.raises(HomeAssistantError) as caught:
        await perform(hass, "mark", event="e1", mark="Family")
    assert caught.value.translation_key == "cannot_mark"
    assert node_answers.asked == []


@pytest.mark.parametrize(
    ("action", "data", "key"),
    [
        ("describe", {}, "describe_what"),
        ("forget", {}, "forget_what"),
        ("ask", {"question": "x", "device_id": "nobody"}, "unknown_device"),
    ],
)
async def test_what_makes_no_sense_is_reported_and_not_sent(hass, mqtt_mock, node_answers, action, data, key):
    await set_up(hass)
    with pytest.raises(ServiceValidationError) as caught:
        await perform(hass, action, **data)
    assert caught.value.translation_key == key
    assert node_answers.asked == []


async def test_a_device_of_somebody_else_is_refused(hass, mqtt_mock, device_registry):
    await set_up(hass)
    (broker,) = hass.config_entries.async_entries("mqtt")
    other = device_registry.async_get_or_create(config_entry_id=broker.entry_id, identifiers={("mqtt", "x")})
    with pytest.raises(ServiceValidationError) as caught:
        await perform(hass, "ask", question="x", device_id=other.id)
    assert caught.value.translation_key == "unknown_device"


async def test_actions_are_there_while_no_node_is_loaded_and_say_so(hass, mqtt_mock, device_registry):
    entry = await set_up(hass)
    camera = device(hass, device_registry, entry, "yard")
    await hass.config_entries.async_unload(entry.entry_id)
    assert hass.services.async_services()[DOMAIN].keys() == {
        *("ask", "search", "get_events", "describe", "snooze", "forget", "mark"),
    }
    for data in ({"device_id": camera}, {}):
        with pytest.raises(ServiceValidationError):
            await perform(hass, "ask", question="Who?", **data)


async def test_with_two_nodes_one_must_be_named(hass, mqtt_mock):
    await set_up(hass)
    await set_up(hass, entry_of(announce(id="shed", name="Shed")))
    with pytest.raises(ServiceValidationError):
        await perform(hass, "ask", question="Who?")


async def test_an_answer_that_is_a_refusal_is_an_error(hass, mqtt_mock, node_answers):
    node_answers.replies["ask"] = golden("reply-refused")
    await set_up(hass)
    with pytest.raises(HomeAssistantError) as caught:
        await perform(hass, "ask", question="Who?")
    assert caught.value.translation_key == "refused"
    assert not isinstance(caught.value, ServiceValidationError)


async def test_a_camera_or_a_whole_node_is_snoozed_and_woken(hass, mqtt_mock, device_registry, freezer):
    entry = await set_up(hass)
    camera = device(hass, device_registry, entry, "yard")
    answer = await perform(hass, "snooze", device_id=camera, duration={"minutes": 30})
    until = (dt_util.utcnow() + timedelta(minutes=30)).isoformat()
    assert answer == {"snoozed": {"yard": until}}
    await hass.async_block_till_done()
    assert hass.states.get("binary_sensor.yard_snoozed").state == "on"
    assert hass.states.get("binary_sensor.front_door_snoozed").state == "off"
    await perform(hass, "snooze", respond=False, duration="01:00:00")
    await hass.async_block_till_done()
    assert hass.states.get("binary_sensor.front_door_snoozed").state == "on"
    answer = await perform(hass, "snooze", device_id=[device(hass, device_registry, entry)], duration=0)
    await hass.async_block_till_done()
    assert answer == {"snoozed": {"front_door": None, "yard": None}}
    assert hass.states.get("binary_sensor.yard_snoozed").state == "off"


# ---- timeline


@pytest.fixture
async def timeline(hass, mqtt_mock, entity_registry):
    """A node whose calendars are enabled."""
    entry = entry_of()
    entry.add_to_hass(hass)
    for camera in ("front_door", "yard"):
        entity_registry.async_get_or_create(
            Platform.CALENDAR, DOMAIN, f"blikk.{NODE}.{camera}.timeline", suggested_object_id=f"{camera}_timeline",
            config_entry=entry, disabled_by=None,
        )  # fmt: skip
    return await set_up(hass, entry)


async def test_the_timeline_shows_events_and_their_summaries(hass, timeline, node_answers):
    node_answers.replies["events"] = golden("reply")
    node_answers.replies["events"]["events"] += [
        {"id": "half"},
        {**golden("reply-events")["events"][0], "mark": "Family"},
    ]
    answer = await hass.services.async_call(
        "calendar",
        "get_events",
        {
            "entity_id": "calendar.front_door_timeline",
            "start_date_time": "2026-11-21T00:00:00+00:00",
            "end_date_time": "2026-11-22T00:00:00+00:00",
        },
        blocking=True,
        return_response=True,
    )
    first, second = answer["calendar.front_door_timeline"]["events"]
    assert first["summary"] == "Two people at the front door"
    assert first["description"].startswith("Two people came up the path")
    assert (dt_util.parse_datetime(first["end"]) - dt_util.parse_datetime(first["start"])) == timedelta(seconds=75.5)
    assert second["summary"] == "Person · Family"
    assert first["location"] == "porch, path"
    (request,) = node_answers.asked
    assert request["camera"] == "front_door"
    assert (request["since"], request["limit"]) == ("2026-11-21T00:00:00+00:00", 500)


async def test_the_timeline_is_on_while_an_event_goes_on(hass, timeline, freezer):
    freezer.move_to("2026-11-21T12:00:01Z")
    assert hass.states.get("calendar.front_door_timeline").state == "off"
    await publish(hass, "front_door/event", golden("event-started"))
    shown = hass.states.get("calendar.front_door_timeline")
    assert (shown.state, shown.attributes["message"]) == ("on", "Person")
    await publish(hass, "front_door/summary", golden("summary"))
    shown = hass.states.get("calendar.front_door_timeline")
    assert shown.attributes["message"] == "Two people at the front door"
    freezer.move_to("2026-11-21T12:02:00Z")
    await publish(hass, "front_door/event", golden("event-ended"))
    assert hass.states.get("calendar.front_door_timeline").state == "off"


async def test_the_timeline_shows_the_picture_of_its_event(hass, timeline, freezer, hass_client_no_auth):
    event = golden("event-started")
    await publish(hass, "front_door/event", event)
    assert "entity_picture" not in hass.states.get("calendar.front_door_timeline").attributes
    await publish(hass, "front_door/picture/person", jpeg_of(event["id"]))
    path = hass.states.get("calendar.front_door_timeline").attributes["entity_picture"]
    answer = await (await hass_client_no_auth()).get(path)
    assert (answer.status, await answer.read()) == (200, jpeg_of(event["id"]))
    freezer.tick(60)
    await publish(hass, "front_door/event", {**event, "phase": "updated", "revision": 2})
    assert hass.states.get("calendar.front_door_timeline").attributes["entity_picture"] == path  # signed once
    await publish(hass, "front_door/event", {**event, "id": "next"})
    assert "entity_picture" not in hass.states.get("calendar.front_door_timeline").attributes


async def test_a_visit_of_an_hour_is_a_handful_of_states_of_the_timeline(hass, timeline, freezer):
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    freezer.move_to("2026-11-21T12:00:01Z")
    for number in range(60):
        event = {**golden("event-started"), "phase": "updated" if number else "started", "revision": number + 1}
        await publish(hass, "front_door/event", event)
        freezer.tick(60)
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
    of_it = [change for change in changes if change.data["entity_id"] == "calendar.front_door_timeline"]
    assert {change.data["new_state"].state for change in of_it} == {"on"}
    assert len(of_it) <= 5


async def test_a_node_that_cannot_be_asked_has_no_timeline(hass, mqtt_mock, entity_registry):
    await set_up(hass, entry_of(announce(capabilities=[])))
    assert entity_registry.async_get("calendar.front_door_timeline") is None


# ---- triggers and conditions


async def fired(hass, name, entity_id=None, target=None, **options):
    """Attach a trigger; returns the list of what it fires."""
    runs = []
    target = target or {"entity_id": entity_id}
    written = cv.TRIGGER_SCHEMA([{"trigger": name, "target": target, **({"options": options} if options else {})}])
    config = await trigger_helper.async_validate_trigger_config(hass, written)

    @callback
    def action(variables, context=None):
        runs.append(variables["trigger"])

    undo = await trigger_helper.async_initialize_triggers(hass, config, action, DOMAIN, "test", lambda *_: None)
    return runs, undo


async def revisions(hass, *reported, event="e1", **more):
    """The revisions of an event: type and zones of each."""
    for number, (event_type, zones) in enumerate(reported, 1):
        phase = {"phase": "started" if number == 1 else "updated", "revision": number}
        content = {**golden("event-started"), "id": event, "event_type": event_type, "zones": zones, **phase, **more}
        await publish(hass, "front_door/event", content)


async def test_a_trigger_with_a_zone_fires_once_when_one_is_there_whenever_that_is(hass, mqtt_mock):
    await set_up(hass)
    runs, undo = await fired(hass, "blikk.person_seen", "event.front_door_detection", zone="Porch")
    anywhere, undo_anywhere = await fired(hass, "blikk.person_seen", "event.front_door_detection", zone=" ")
    await revisions(hass, ("person", ["path"]), ("person", ["path"]))
    assert (runs, len(anywhere)) == ([], 1)
    shown = hass.states.get("event.front_door_detection")
    await revisions(
        hass, ("person", ["path"]), ("person", ["path", "porch"]), ("person", ["path", "porch"]), event="e2"
    )
    assert [(run["entity_id"], run["zone"]) for run in runs] == [("event.front_door_detection", "porch")]
    await revisions(hass, ("person", ["porch"]), ("loitering", ["porch"]), event="e3")
    assert len(runs) == 2
    await revisions(hass, ("package", ["porch"]), event="e4", label="package")
    assert len(runs) == 2
    assert hass.states.get("event.front_door_detection").attributes["zones"] == ["porch"]
    assert shown.attributes["zones"] == ["path"]  # the state is of what was reported then
    undo()
    undo_anywhere()
    await revisions(hass, ("person", ["porch"]), event="e5")
    assert len(runs) == 2


def of_now(revision: int, *, began_ago_s: float, **more) -> dict:
    """A revision of now, of an event that began so long ago."""
    now = dt_util.utcnow()
    times = {"time": now.isoformat(), "started": (now - timedelta(seconds=began_ago_s)).isoformat()}
    phase = "started" if revision == 1 else "updated"
    return {**golden("event-started"), "id": "e1", "revision": revision, "phase": phase, **times, **more}


async def test_who_has_long_been_in_a_zone_is_no_trigger_after_a_restart_or_an_outage(hass, mqtt_mock):
    await set_up(hass)
    runs, _ = await fired(hass, "blikk.person_seen", "event.front_door_detection", zone="porch")
    await publish(hass, "front_door/event", of_now(7, began_ago_s=3600, zones=["porch"]))
    await publish(hass, "front_door/event", of_now(8, began_ago_s=3600, zones=["porch"]))
    assert runs == []
    await publish(hass, "front_door/event", of_now(1, began_ago_s=0, id="e2", zones=[]))
    await publish(hass, "front_door/event", of_now(9, began_ago_s=3600, id="e2", zones=["porch"]))
    assert runs == []
    await publish(hass, "front_door/event", of_now(9, began_ago_s=60, id="e3", zones=["porch"]))
    assert len(runs) == 1
    assert hass.states.get("event.front_door_detection").attributes["id"] == "e2"


async def test_two_events_at_once_trigger_once_each(hass, mqtt_mock):
    await set_up(hass)
    runs, _ = await fired(hass, "blikk.person_seen", "event.front_door_detection", zone="porch")
    for revision in (1, 2, 3):
        for event in ("e1", "e2"):
            await publish(hass, "front_door/event", of_now(revision, began_ago_s=5, id=event, zones=["porch"]))
    assert len(runs) == 2


async def test_lingering_in_a_zone_is_a_trigger_by_the_device_too(hass, mqtt_mock, device_registry, node_answers):
    entry = await set_up(hass)
    door, yard = (device(hass, device_registry, entry, camera) for camera in ("front_door", "yard"))
    runs, _ = await fired(hass, "blikk.someone_lingers", target={"device_id": door}, zone="porch")
    elsewhere, _ = await fired(hass, "blikk.someone_lingers", target={"device_id": yard}, zone="porch")
    await revisions(hass, ("person", ["porch"]), ("loitering", ["porch", "path"]))
    assert (len(runs), elsewhere) == (1, [])
    await revisions(hass, ("person", ["path"]), ("loitering", ["path"]), event="e2")
    assert len(runs) == 1
    entry.runtime_data.snooze("front_door", dt_util.utcnow() + timedelta(hours=1))
    await revisions(hass, ("person", ["porch"]), ("loitering", ["porch"]), event="e3")
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("name", "label", "type_"),
    [
        ("person_seen", "person", "person"),
        ("vehicle_seen", "vehicle", "vehicle"),
        ("animal_seen", "animal", "animal"),
        ("package_delivered", "package", "package"),
        ("package_taken", "package", "package_taken"),
        ("someone_lingers", "person", "loitering"),
    ],
)
async def test_a_trigger_fires_for_its_own_type_until_it_is_detached(hass, mqtt_mock, name, label, type_):
    content = announce()
    content["cameras"][0]["labels"] = ["person", "vehicle", "animal", "package"]
    await set_up(hass, entry_of(content))
    runs, undo = await fired(hass, f"blikk.{name}", "event.front_door_detection")
    other = "animal" if type_ == "person" else "person"
    event = golden("event-started")
    await publish(hass, "front_door/event", {**event, "id": "1", "event_type": other, "label": other})
    assert runs == []
    await publish(hass, "front_door/event", {**event, "id": "2", "event_type": type_, "label": label})
    assert [run["entity_id"] for run in runs] == ["event.front_door_detection"]
    await publish(hass, "front_door/event", {**event, "id": "3", "event_type": type_, "label": label})
    assert len(runs) == 2
    undo()
    await publish(hass, "front_door/event", {**event, "id": "4", "event_type": type_, "label": label})
    assert len(runs) == 2


@pytest.mark.parametrize(("zone", "times"), [("porch", 1), ("path", 0), ("", 1)])
async def test_that_a_parcel_was_taken_triggers_once_at_the_end_of_its_event(hass, mqtt_mock, zone, times):
    content = announce()
    content["cameras"][0]["labels"] = ["person", "package"]
    await set_up(hass, entry_of(content))
    runs, _ = await fired(hass, "blikk.package_taken", "event.front_door_detection", zone=zone)
    now = dt_util.utcnow().isoformat()
    await publish(hass, "front_door/event", {**golden("event-left-behind"), "zones": ["porch"], "time": now})
    assert runs == []
    await publish(hass, "front_door/event", {**golden("event-taken"), "zones": ["porch"], "time": now})
    assert len(runs) == times
    assert hass.states.get("event.front_door_detection").attributes["change"] == "taken"


async def test_a_trigger_of_a_snoozed_camera_is_silent(hass, mqtt_mock):
    entry = await set_up(hass)
    runs, _ = await fired(hass, "blikk.person_seen", "event.front_door_detection")
    entry.runtime_data.snooze("front_door", dt_util.utcnow() + timedelta(hours=1))
    await publish(hass, "front_door/event", golden("event-started"))
    assert runs == []


async def test_triggers_heed_only_entities_of_their_own(hass, mqtt_mock):
    await set_up(hass)
    runs, _ = await fired(hass, "blikk.person_seen", "event.somebody_elses")
    hass.states.async_set("event.somebody_elses", "2026-11-21T12:00:00.000+00:00", {"event_type": "person"})
    hass.states.async_set("event.somebody_elses", "2026-11-21T12:00:01.000+00:00", {"event_type": "person"})
    await hass.async_block_till_done()
    assert runs == []


async def test_a_summary_triggers_when_it_is_written_not_when_it_was_kept(hass, mqtt_mock, freezer):
    freezer.move_to("2026-11-21T12:00:32Z")
    await set_up(hass)
    runs, _ = await fired(hass, "blikk.summary_written", "sensor.front_door_last_summary")
    await publish(hass, "front_door/summary", {**golden("summary"), "event": "old", "time": "2026-11-21T11:00:00.000Z"})
    assert runs == []
    await publish(hass, "front_door/summary", {**golden("summary"), "revision": 1})
    await publish(hass, "front_door/summary", golden("summary"))
    assert len(runs) == 2
    await publish(hass, "front_door/summary", golden("summary"))
    assert len(runs) == 2


async def test_home_assistants_own_doorbell_trigger_hears_our_doorbell(hass, mqtt_mock):
    assert await async_setup_component(hass, "doorbell", {})
    await set_up(hass)
    runs, _ = await fired(hass, "doorbell.rang", "event.front_door_doorbell")
    await publish(hass, "front_door/ring", golden("ring"))
    assert len(runs) == 1


async def test_a_trigger_runs_an_automation(hass, mqtt_mock):
    await set_up(hass)
    assert await async_setup_component(
        hass,
        AUTOMATION,
        {
            AUTOMATION: {
                "triggers": {"trigger": "blikk.person_seen", "target": {"entity_id": "event.front_door_detection"}},
                "conditions": {
                    "condition": "blikk.is_occupied",
                    "target": {"entity_id": "binary_sensor.front_door_person"},
                    "options": {"behavior": "any"},
                },
                "actions": {"event": "automation_ran"},
            }
        },
    )
    runs = async_capture_events(hass, "automation_ran")
    await publish(hass, "front_door/event", golden("event-started"))
    assert runs == []
    await publish(hass, "front_door/state", golden("state"))
    await publish(hass, "front_door/event", {**golden("event-started"), "id": "2"})
    assert len(runs) == 1


async def holds(hass, name, entity_id=None, target=None, **options):
    target = target or {"entity_id": entity_id}
    config = await condition_helper.async_validate_condition_config(
        hass, {"condition": f"blikk.{name}", "target": target, "options": {"behavior": "any", **options}}
    )
    checker = await condition_helper.async_from_config(hass, config)
    try:
        return checker.async_check(variables={})
    finally:
        checker.async_unload()


async def test_conditions_tell_who_is_there_and_who_is_snoozed(hass, mqtt_mock):
    entry = await set_up(hass)
    await publish(hass, "front_door/state", golden("state"))
    person, package = "binary_sensor.front_door_person", "binary_sensor.front_door_package"
    assert await holds(hass, "is_occupied", person)
    assert not await holds(hass, "is_occupied", package)
    assert await holds(hass, "is_not_occupied", package)
    assert not await holds(hass, "is_not_occupied", person)
    assert await holds(hass, "is_occupied", "binary_sensor.front_door_porch_person")
    assert await holds(hass, "is_not_occupied", "binary_sensor.front_door_path_person")
    assert not await holds(hass, "is_occupied", "binary_sensor.front_door_motion")
    assert not await holds(hass, "is_snoozed", "binary_sensor.front_door_snoozed")
    entry.runtime_data.snooze("front_door", dt_util.utcnow() + timedelta(hours=1))
    await hass.async_block_till_done()
    assert await holds(hass, "is_snoozed", "binary_sensor.front_door_snoozed")


async def test_conditions_with_a_zone_look_at_the_sensors_of_that_zone(hass, mqtt_mock, device_registry):
    entry = await set_up(hass)
    door = device_registry.async_get_device_by_identifier((DOMAIN, f"{NODE}.front_door"), entry.entry_id).id
    await publish(hass, "front_door/state", golden("state"))  # a person on the porch, nobody on the path
    for target in ({"device_id": door}, {"entity_id": hass.states.async_entity_ids("binary_sensor")}):
        for behavior in ("any", "all"):
            options = {"target": target, "behavior": behavior}
            assert await holds(hass, "is_occupied", zone=" Porch ", **options)
            assert not await holds(hass, "is_not_occupied", zone="porch", **options)
            assert not await holds(hass, "is_occupied", zone="path", **options)
            assert await holds(hass, "is_not_occupied", zone="path", **options)
    assert await holds(hass, "is_occupied", target={"device_id": door}, zone=" ")
    assert not await holds(hass, "is_occupied", target={"device_id": door}, zone="", behavior="all")


@pytest.mark.parametrize("behavior", ["any", "all"])
@pytest.mark.parametrize("name", ["is_occupied", "is_not_occupied"])
async def test_a_condition_with_a_zone_of_which_nothing_is_there_is_false(
    hass, mqtt_mock, device_registry, entity_registry, name, behavior
):
    entry = await set_up(hass)
    door, yard = (
        {"device_id": device_registry.async_get_device_by_identifier((DOMAIN, f"{NODE}.{camera}"), entry.entry_id).id}
        for camera in ("front_door", "yard")
    )
    person = {"entity_id": "binary_sensor.front_door_person"}  # anywhere before the camera
    for target, zone in ((door, "attic"), (yard, "porch"), (person, "porch"), (door, "porch")):
        assert not await holds(hass, name, target=target, zone=zone, behavior=behavior)  # porch: no state yet
    await publish(hass, "front_door/state", golden("state"))
    assert await holds(hass, name, target=door, zone="porch", behavior=behavior) == (name == "is_occupied")
    entity_registry.async_update_entity(
        "binary_sensor.front_door_porch_person", disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.async_block_till_done()
    assert not await holds(hass, name, target=door, zone="porch", behavior=behavior)


async def test_triggers_and_conditions_are_described_for_the_editor(hass, mqtt_mock):
    await set_up(hass)
    triggers = await trigger_helper.async_get_all_descriptions(hass)
    assert {key for key in triggers if key.startswith("blikk.")} == {
        f"blikk.{name}"
        for name in (
            "person_seen", "vehicle_seen", "animal_seen", "package_delivered", "package_taken", "someone_lingers",
            "summary_written",
        )
    }  # fmt: skip
    conditions = await condition_helper.async_get_all_descriptions(hass)
    assert {key for key in conditions if key.startswith("blikk.")} == {
        "blikk.is_occupied", "blikk.is_not_occupied", "blikk.is_snoozed",
    }  # fmt: skip
    assert all(triggers[key] and conditions["blikk.is_occupied"] for key in triggers if key.startswith("blikk."))


# ---- tools for language models


@pytest.fixture
async def tools(hass, mqtt_mock):
    """The tools that Assist has, by name."""
    for component in ("homeassistant", "llm", "conversation"):
        assert await async_setup_component(hass, component, {})

    async def get(assistant="conversation"):
        context = llm.LLMContext(platform="test", context=Context(), language="en", assistant=assistant, device_id=None)
        api = await llm.async_get_api(hass, llm.LLM_API_ASSIST, context)
        return api, {tool.name: tool for tool in api.tools if tool.name.startswith("blikk__")}

    return get


def expose(hass, *entity_ids):
    from homeassistant.components.homeassistant.exposed_entities import async_expose_entity

    for entity_id in entity_ids:
        async_expose_entity(hass, "conversation", entity_id, True)


async def test_tools_are_there_for_exposed_cameras_only(hass, mqtt_mock, tools, caplog):
    await set_up(hass)
    assert (await tools())[1] == {}
    expose(hass, "camera.front_door")
    _, found = await tools()
    assert found.keys() == {"blikk__list_cameras", "blikk__get_events", "blikk__describe_now"}
    assert all(tool.integration == DOMAIN and tool.annotations.read_only for tool in found.values())
    assert found["blikk__describe_now"].annotations.open_world
    assert "provides" not in caplog.text


async def test_a_user_may_keep_assistants_out(hass, mqtt_mock, tools):
    entry = await set_up(hass, entry_of(options={"assistants": False}))
    expose(hass, "camera.front_door")
    assert entry.state is ConfigEntryState.LOADED
    assert (await tools())[1] == {}


async def test_a_node_that_cannot_answer_only_lists_its_cameras(hass, mqtt_mock, tools):
    await set_up(hass, entry_of(announce(capabilities=[], summaries=[])))
    expose(hass, "camera.front_door")
    assert (await tools())[1].keys() == {"blikk__list_cameras"}


async def test_other_language_model_apis_get_nothing(hass, mqtt_mock, tools):
    from custom_components.blikk.llm import async_get_tools

    await set_up(hass)
    assert async_get_tools(hass, None, "another") is None


async def test_cameras_are_listed_with_what_they_see(hass, mqtt_mock, tools):
    await set_up(hass)
    await publish(hass, "front_door/state", golden("state"))
    await publish(hass, "front_door/summary", golden("summary"))
    await publish(hass, "front_door/answer/gate_open", golden("answer"))
    expose(hass, "camera.front_door")
    api, _ = await tools()
    result = await api.async_call_tool(llm.ToolInput("blikk__list_cameras", {}))
    assert result.data["cameras"] == [
        {
            "name": "Front door",
            "available": True,
            "recognizes": ["person", "package"],
            "zones": ["porch", "path"],
            "sees_now": {"person": 2},
            "last_summary": "Two people came up the path, stood at the porch for 20 seconds and left.",
            "answers": {"Is the gate open?": "yes"},
        }
    ]


async def test_a_model_can_ask_who_was_at_the_door(hass, mqtt_mock, tools, node_answers):
    node_answers.replies["events"] = golden("reply")
    node_answers.replies["events"]["events"].append({"id": "half"})
    await set_up(hass)
    expose(hass, "camera.front_door")
    api, _ = await tools()
    result = await api.async_call_tool(
        llm.ToolInput("blikk__get_events", {"camera": "Front door", "label": "person", "hours": 5})
    )
    assert not result.error
    (event,) = result.data["events"]
    assert (event["camera"], event["label"], event["lingered"]) == ("Front door", "person", True)
    assert event["summary"].startswith("Two people came up the path")
    assert node_answers.asked[0]["label"] == "person"


async def test_a_model_can_ask_about_all_cameras_that_are_exposed(hass, mqtt_mock, tools, node_answers):
    await set_up(hass)
    expose(hass, "camera.front_door", "camera.yard")
    api, _ = await tools()
    result = await api.async_call_tool(llm.ToolInput("blikk__get_events", {"limit": 1}))
    assert [request["camera"] for request in node_answers.asked] == ["front_door", "yard"]
    assert (len(result.data["events"]), result.data["more"]) == (1, True)


async def test_a_model_can_have_a_camera_described(hass, mqtt_mock, tools, node_answers):
    await set_up(hass)
    expose(hass, "camera.front_door")
    api, _ = await tools()
    result = await api.async_call_tool(llm.ToolInput("blikk__describe_now", {"camera": "Front door"}))
    assert result.data == {"camera": "Front door", "text": "A person stands at the door."}


@pytest.mark.parametrize("arguments", [{}, {"camera": "Yard"}, {"camera": 7}])
async def test_what_a_model_asks_wrongly_is_reported_to_it(hass, mqtt_mock, tools, arguments):
    await set_up(hass)
    expose(hass, "camera.front_door")
    api, _ = await tools()
    result = await api.async_call_tool(llm.ToolInput("blikk__describe_now", arguments))
    assert result.error
    assert result.data["error"]


async def test_cameras_of_the_same_name_are_reported_apart(hass, mqtt_mock, tools):
    await set_up(hass)
    await set_up(hass, entry_of(announce(id="shed", name="Shed")))
    expose(hass, "camera.front_door", "camera.front_door_2")
    _, found = await tools()
    assert found["blikk__list_cameras"]._cameras.keys() == {"Front door", "Front door (Shed)"}


# ---- summaries by an AI Task


AI_TASK = "ai_task.mine"
OPTIONS = {"summaries": {"ai_task": AI_TASK, "instructions": "Be kind.", "pause_s": 60, "calls_per_day": 2}}
TOLD = {"title": "The postman", "text": "The postman left a letter.", "importance": "low"}


@pytest.fixture
async def ai(hass, mqtt_mock, node_answers, freezer):
    """A node whose summaries an AI Task writes; what the task is asked, and what it answers."""
    freezer.move_to("2026-11-21T12:01:16Z")
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "ai_task", {})
    hass.states.async_set(AI_TASK, "unknown")
    entry = await set_up(hass, entry_of(options=OPTIONS))
    await publish(hass, "front_door/picture/person", JPEG)
    calls, answers = [], [TOLD]

    async def generate(hass, **values):
        calls.append(values)
        if isinstance(answers[0], Exception):
            raise answers[0]
        return SimpleNamespace(data=answers[0])

    with patch("homeassistant.components.ai_task.async_generate_data", generate):
        yield SimpleNamespace(entry=entry, calls=calls, answers=answers, node=node_answers)


@contextmanager
def late_answer():
    """The AI Task answers once this is set."""
    come = asyncio.Event()

    async def slow(hass, **values):
        await come.wait()
        return SimpleNamespace(data=TOLD)

    with patch("homeassistant.components.ai_task.async_generate_data", slow):
        yield come


async def end(hass, **changes):
    await publish(hass, "front_door/event", {**golden("event-ended"), **changes})
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_an_ai_task_writes_the_summary_of_an_event_from_its_picture(hass, ai):
    await publish(hass, "front_door/event", golden("event-started"))
    assert ai.calls == []
    await end(hass)
    (asked,) = ai.calls
    assert asked["entity_id"] == AI_TASK
    assert asked["attachments"] == [
        {"media_content_id": "media-source://image/image.front_door_last_person", "media_content_type": "image/jpeg"}
    ]
    assert "Front door" in asked["instructions"]
    assert "Be kind." in asked["instructions"]
    assert "porch, path" in asked["instructions"]
    shown = hass.states.get("sensor.front_door_last_summary")
    assert (shown.state, shown.attributes["text"]) == ("The postman", "The postman left a letter.")
    assert (shown.attributes["source"], shown.attributes["model"]) == ("ai_task", AI_TASK)
    assert shown.attributes["checked"] == "whole"
    assert ai.node.asked == [
        {
            "do": "check",
            "event": golden("event-ended")["id"],
            "title": "The postman",
            "text": "The postman left a letter.",
            "pictures": True,
            "language": "en",
        }
    ]
    await publish(hass, "front_door/summary", golden("summary"))
    assert hass.states.get("sensor.front_door_last_summary").state == "The postman"
    await publish(hass, "front_door/summary", {**golden("summary"), "event": "next", "title": "Next"})
    assert hass.states.get("sensor.front_door_last_summary").state == "Next"


async def test_where_the_last_picture_is_disabled_the_camera_shows_it_to_the_ai_task(
    hass, ai, entity_registry, freezer
):
    entity_registry.async_update_entity("image.front_door_last_person", disabled_by=er.RegistryEntryDisabler.USER)
    await end(hass)
    assert ai.calls[0]["attachments"][0]["media_content_id"] == "media-source://camera/camera.front_door"
    await publish(hass, "front_door/picture/ring", JPEG)  # now the camera shows another
    freezer.tick(61)
    await end(hass, id="2")
    assert len(ai.calls) == 1


async def test_only_the_redacted_bytes_reach_the_ai_task(hass, mqtt_mock, ai, hass_client):
    await end(hass)
    path = ai.calls[0]["attachments"][0]["media_content_id"].removeprefix("media-source://image/")
    from homeassistant.components import image

    assert (await image.async_get_image(hass, path)).content == JPEG


async def test_the_ai_task_pauses_and_stops_for_the_day(hass, ai, freezer):
    await end(hass)
    await end(hass, id="2")
    assert len(ai.calls) == 1
    for number in range(3):
        freezer.tick(61)
        await end(hass, id=f"next {number}")
    assert len(ai.calls) == 2
    freezer.tick(86400)
    await end(hass, id="tomorrow")
    assert len(ai.calls) == 3


@pytest.mark.parametrize(
    "problem",
    [
        HomeAssistantError("no quota"),
        TimeoutError(),
        {"title": "x"},
        {**TOLD, "importance": "?"},
        {**TOLD, "text": "..."},
        {**TOLD, "title": "..."},
        "text",
        None,
    ],
)
async def test_where_the_ai_task_fails_the_nodes_own_summary_serves(hass, ai, caplog, freezer, problem):
    await publish(hass, "front_door/summary", golden("summary"))
    ai.answers[0] = problem
    await end(hass)
    assert hass.states.get("sensor.front_door_last_summary").state == "Two people at the front door"
    freezer.tick(61)
    await end(hass, id="2")
    assert caplog.text.count("cannot write summaries") == 1
    assert "Traceback" not in caplog.text


REFUSED = {**golden("reply-check-refused"), "unsupported": ["postman (a guess)"]}


async def test_what_the_node_did_not_see_is_written_once_more_and_else_not_shown(hass, ai, caplog):
    await publish(hass, "front_door/summary", golden("summary"))
    ai.node.replies["check"] = [REFUSED, REFUSED, golden("reply-check")]
    await end(hass)
    assert hass.states.get("sensor.front_door_last_summary").state == "Two people at the front door"
    assert "cannot write summaries" in caplog.text
    first, second = (asked["instructions"] for asked in ai.calls)
    assert second.startswith(first)
    assert 'Your last answer, "The postman left a letter.", cannot be used' in second
    assert "postman (a guess)" in second


async def test_what_is_written_better_at_the_second_try_is_shown(hass, ai):
    ai.node.replies["check"] = [REFUSED, {**golden("reply-check"), "checked": "partly"}]
    await end(hass)
    shown = hass.states.get("sensor.front_door_last_summary")
    assert (shown.state, shown.attributes["checked"]) == ("The postman", "partly")
    assert len(ai.calls) == 2


async def test_a_refusal_for_another_reason_is_no_reason_to_ask_the_model_again(hass, ai):
    await publish(hass, "front_door/summary", golden("summary"))
    ai.node.replies["check"] = {**golden("reply-refused"), "error": "there is no event 'x' in the store (any more)"}
    await end(hass)
    assert len(ai.calls) == 1
    assert hass.states.get("sensor.front_door_last_summary").state == "Two people at the front door"


async def test_a_text_that_comes_late_leaves_that_of_a_newer_event(hass, ai):
    with late_answer() as come:
        await publish(hass, "front_door/event", golden("event-ended"))
        newer = {"event": "next", "id": "next-s1", "title": "Next", "since": "2026-11-21T12:05:00Z"}
        await publish(hass, "front_door/summary", {**golden("summary"), **newer})
        come.set()
        await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.get("sensor.front_door_last_summary").state == "Next"


async def test_the_second_try_counts_and_is_not_made_on_the_last_one_of_a_day(hass, ai, freezer):
    ai.node.replies["check"] = [golden("reply-check"), REFUSED]
    await end(hass)
    freezer.tick(61)
    await end(hass, id="2")
    assert len(ai.calls) == 2
    assert len(ai.node.asked) == 2


async def test_a_node_of_an_earlier_version_does_not_check(hass, ai):
    content = announce()
    content["capabilities"].remove("check")
    await publish(hass, "announce", content)
    await end(hass)
    shown = hass.states.get("sensor.front_door_last_summary")
    assert (shown.state, shown.attributes["checked"]) == ("The postman", None)
    assert ai.node.asked == []


async def test_a_node_that_is_away_leaves_its_own_summary(hass, ai):
    await publish(hass, "front_door/summary", golden("summary"))
    ai.node.replies["check"] = []
    await publish(hass, "status", "offline")
    await end(hass)
    assert hass.states.get("sensor.front_door_last_summary").state != "The postman"
    assert ai.node.asked == []


async def test_in_another_language_than_english_the_model_says_what_its_text_says(hass, ai):
    hass.config.language = "sv"
    ai.answers[0] = {
        **TOLD,
        "person_count": 1,
        "vehicle_count": 0,
        "animal_count": float("nan"),
        "times": ["12:00", " 12:01:15 ", "at noon o'clock"],
    }
    await end(hass)
    assert {str(key) for key in ai.calls[0]["structure"].schema} > {"person_count", "ring_count", "times"}
    (asked,) = ai.node.asked
    assert asked["language"] == "sv"
    assert asked["said"] == {
        "counts": {"person": 1, "vehicle": 0},
        "rings": 0,
        "times": ["12:00", "12:01:15"],
    }


async def test_an_ai_task_that_writes_again_is_reported(hass, ai, caplog, freezer):
    ai.answers[0] = HomeAssistantError("no quota")
    await end(hass)
    ai.answers[0] = TOLD
    freezer.tick(61)
    await end(hass, id="2")
    assert f"{AI_TASK} writes summaries again" in caplog.text


async def test_without_a_picture_the_ai_task_is_not_asked(hass, ai):
    await end(hass, label="package", event_type="package")
    await end(hass, label="unicorn", event_type="unicorn", id="2")
    assert ai.calls == []


async def test_an_ai_task_that_is_gone_is_a_repair_that_a_click_mends(hass, ai, hass_client):
    hass.states.async_remove(AI_TASK)
    await end(hass)
    assert ai.calls == []
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"ai_task_gone_{ai.entry.entry_id}")
    flow, done = await click(hass, hass_client, issue)
    assert flow["description_placeholders"] == {"node": "Porch Pi", "entity_id": AI_TASK}
    assert done["type"] == "create_entry"
    await hass.async_block_till_done()
    assert "ai_task" not in ai.entry.options["summaries"]
    assert ai.entry.options["summaries"]["pause_s"] == 60
    assert ir.async_get(hass).issues == {}


async def test_cameras_that_come_later_have_their_summaries_written_too(hass, ai):
    content = announce()
    content["cameras"].append({**content["cameras"][0], "id": "garage", "name": "Garage"})
    await publish(hass, "announce", content)
    await publish(hass, "garage/status", "online")
    await publish(hass, "garage/picture/person", JPEG)
    await publish(hass, "garage/event", {**golden("event-ended"), "camera": "garage"})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.get("sensor.garage_last_summary").state == "The postman"


async def test_a_ring_never_waits_for_a_summary(hass, ai):
    with late_answer() as come:
        await publish(hass, "front_door/event", golden("event-ended"))
        await publish(hass, "front_door/ring", golden("ring"))
        assert hass.states.get("event.front_door_doorbell").state != "unknown"
        assert hass.states.get("sensor.front_door_last_summary").state == "unknown"
        come.set()
        await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.get("sensor.front_door_last_summary").state == "The postman"
