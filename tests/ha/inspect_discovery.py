"""Feed discovery payloads to Home Assistant's own schemas and its own templates; run by its Python, not by ours.

Standard input: {"configs": {topic: payload}, "states": {topic: [text, ...]}}. Standard output: for every component the
keys that Home Assistant would drop, the error it would raise, and what its templates make of the states on its topic.
"""

import asyncio
import json
import sys
import tempfile
from importlib import import_module

from homeassistant.components.mqtt.discovery import TOPIC_MATCHER
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA, SHARED_OPTIONS
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

TEMPLATES = {"value_template": "state_topic", "json_attributes_template": "json_attributes_topic"}


def component(config: dict, shared: dict) -> dict:
    """What the platform's schema makes of one component."""
    config = dict(config)
    schema = import_module(f"homeassistant.components.mqtt.{config.pop('platform')}").DISCOVERY_SCHEMA
    config |= {key: value for key, value in shared.items() if key in SHARED_OPTIONS and key not in config}
    try:
        known = schema(config)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
        return {"error": f"{type(error).__name__}: {error}"}
    inherited = {key for key in shared if key in SHARED_OPTIONS}  # a button takes no state_topic, for example
    return {"dropped": sorted(config.keys() - known.keys() - inherited), "kept": sorted(map(str, known))}


def rendered(hass: HomeAssistant, config: dict, states: dict) -> dict:
    """Each template's texts for the states given for its topic."""
    return {
        key: [
            Template(config[key], hass).async_render_with_possible_json_value(text, "ERROR")
            for text in states[config[topic]]
        ]
        for key, topic in TEMPLATES.items()
        if key in config and config[topic] in states
    }


async def main() -> None:
    work = json.load(sys.stdin)
    report: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        for topic, payload in work["configs"].items():
            match = TOPIC_MATCHER.fullmatch(topic.removeprefix("homeassistant/"))
            device = {"topic_ok": bool(match), "error": None, "components": {}}
            try:
                DEVICE_DISCOVERY_SCHEMA(json.loads(json.dumps(payload)))
            except Exception as error:  # noqa: BLE001
                device["error"] = f"{type(error).__name__}: {error}"
            for key, config in payload["components"].items():
                device["components"][key] = component(config, payload) | {
                    "rendered": rendered(hass, config, work["states"])
                }
            report[topic] = device
        await hass.async_stop(force=True)
    json.dump(report, sys.stdout)


asyncio.run(main())
