"""The examples of docs/guide/home-assistant.md, in a real Home Assistant: they load, and its actions are understood."""

import re
import shutil
from unittest.mock import patch

import pytest
import yaml
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.script import Script
from homeassistant.setup import async_setup_component
from stage import ROOT, announce, entry_of, golden, set_up

from custom_components.blikk.contract import Reply
from custom_components.blikk.node import BlikkNode

GUIDE = (ROOT / "docs" / "guide" / "home-assistant.md").read_text()
BLOCKS = [block for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if not block.startswith("# blikk.yaml")]
EXAMPLES = [yaml.safe_load(block) for block in BLOCKS]
ACTIONS = [example for example in EXAMPLES if "action" in example]
AUTOMATIONS = [example for example in EXAMPLES if "alias" in example]


def test_every_example_is_of_a_kind_that_is_tried():
    others = [example for example in EXAMPLES if example not in ACTIONS and example not in AUTOMATIONS]
    assert [example.get("type", next(iter(example))) for example in others] == [
        "custom:blikk-timeline-card", "custom:blikk-camera-card", "logger",
    ]  # fmt: skip
    assert {example["action"] for example in ACTIONS} == {
        f"blikk.{name}" for name in yaml.safe_load((ROOT / "custom_components/blikk/services.yaml").read_text())
    }
    assert len(AUTOMATIONS) >= 5


@pytest.mark.parametrize("example", ACTIONS, ids=lambda example: example["action"])
async def test_an_action_does_what_it_says(hass, mqtt_mock, example):
    able = announce(capabilities=[*announce()["capabilities"], "search"])
    await set_up(hass, entry_of(able))
    content = {"ok": True, "text": "Two people.", "count": 2, "events": [], "summary": None, "found": []}
    script = Script(hass, cv.SCRIPT_SCHEMA([example]), "guide", "test")
    with patch.object(BlikkNode, "async_request", return_value=Reply(ok=True, text="x", content=content)) as asked:
        result = await script.async_run()
    if example["action"] == "blikk.snooze":
        assert hass.states.get("binary_sensor.front_door_snoozed").state == "on"
        assert hass.states.get("binary_sensor.yard_snoozed").state == "off"
    else:
        assert asked.await_count == 1
    if variable := example.get("response_variable"):
        assert result.variables[variable].keys() <= {*content, "query", "source", "model", "tokens"}
        assert result.variables[variable]


@pytest.mark.parametrize("example", AUTOMATIONS, ids=lambda example: example["alias"])
async def test_an_automation_loads(hass, mqtt_mock, tmp_path, caplog, example):
    shutil.copytree(ROOT / "blueprints", tmp_path / "blueprints")
    hass.config.config_dir = str(tmp_path)
    await set_up(hass)
    assert await async_setup_component(hass, "automation", {"automation": example})
    await hass.async_block_till_done()
    (automation,) = hass.states.async_all("automation")
    assert automation.state == "on"
    assert "failed to setup" not in caplog.text


async def test_the_logger_of_the_example_is_ours(hass):
    (example,) = (example for example in EXAMPLES if "logger" in example)
    assert await async_setup_component(hass, "logger", example)
    assert list(example["logger"]["logs"]) == ["custom_components.blikk"]


async def test_every_entity_that_is_named_is_there(hass, mqtt_mock):
    content = announce()
    content["cameras"][0]["measures"] = golden("announce-measures")["cameras"][0]["measures"]
    entry = await set_up(hass, entry_of(content))
    ours = {entity.entity_id for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)}
    named = set(re.findall(r"\b(?:[a-z]+|binary_sensor)\.front_door(?:_[a-z_]+)?\b", GUIDE))
    assert len(named) > 15
    assert named - ours == set()
