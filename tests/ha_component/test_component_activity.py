"""Activity: what it says of visits, as the frontend asks for it."""

from datetime import timedelta

import pytest
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from stage import golden, publish, set_up


@pytest.fixture
def mock_recorder_before_hass(recorder_db_url):
    """A recorder, which has to be there before anything else."""


@pytest.fixture
async def activity(recorder_mock, hass, mqtt_mock, hass_ws_client):
    """The lines about an entity since the start."""
    assert await async_setup_component(hass, "logbook", {})
    began = dt_util.utcnow() - timedelta(seconds=1)

    async def lines(entity_id):
        await hass.async_block_till_done()
        await hass.data["recorder_instance"].async_block_till_done()
        client = await hass_ws_client()
        question = {"type": "logbook/get_events", "start_time": began.isoformat(), "entity_ids": [entity_id]}
        await client.send_json_auto_id(question)
        answer = await client.receive_json()
        return [line.get("message") or line.get("state") for line in answer["result"]]

    return lines


def summary(event, title, revision=2):
    return {**golden("summary"), "id": f"{event}-summary", "event": event, "title": title, "revision": revision}


async def test_each_visit_is_a_line_whatever_its_title(hass, activity):
    await set_up(hass)
    for reported in (
        summary("e1", "A person"),
        summary("e2", "A person", 1),
        summary("e2", "A person", 2),
        summary("e3", "Two people", 1),
        summary("e3", "A person", 2),
        summary("e4", "A person"),
    ):
        await publish(hass, "front_door/summary", reported)
    lines = await activity("sensor.front_door_last_summary")
    assert [line for line in lines if line != "unknown"] == [
        "A person",
        "A person",
        "Two people",
        "A person",
        "A person",
    ]


async def test_what_is_reported_again_is_no_other_visit(hass, activity):
    await set_up(hass)
    for _ in range(3):
        await publish(hass, "front_door/summary", summary("e1", "A person"))
    await publish(hass, "front_door/summary", {**summary("e1", "A person"), "event": None})
    lines = await activity("sensor.front_door_last_summary")
    assert [line for line in lines if line != "unknown"] == ["A person"]
