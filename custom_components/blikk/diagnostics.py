"""Diagnostics: figures and states, without names, texts about what happened, tokens and pictures."""

from dataclasses import asdict
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import AnyDeviceEntry

from . import devices
from .const import CONF_AI_TASK, CONF_ASSISTANTS, CONF_MEDIA_URL, CONF_TOKEN, SECTION_EVENTS, SECTION_SUMMARIES
from .contract import PROTOCOL, Camera
from .labels import LABELS
from .node import BlikkConfigEntry, BlikkNode

_PICTURES = (*LABELS, "ring", "snapshot")


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: BlikkConfigEntry) -> dict[str, Any]:
    """How one node is doing."""
    node = entry.runtime_data
    announce = node.announce
    health = asdict(node.health) if node.health else None
    if health is not None:
        health["problems"] = len(health["problems"])
        if health["llm"]:
            health["llm"] = {**health["llm"], "problem": health["llm"]["problem"] is not None}
    summaries = entry.options.get(SECTION_SUMMARIES, {})
    return {
        "protocol": PROTOCOL,
        "entry": {
            "source": entry.source,
            "own_media_address": CONF_MEDIA_URL in entry.data,
            "token": CONF_TOKEN in entry.data,
            "assistants": entry.options.get(CONF_ASSISTANTS),
            "events": dict(entry.options.get(SECTION_EVENTS, {})),
            "ai_task": CONF_AI_TASK in summaries,
        },
        "node": {
            "version": announce.version,
            "capabilities": sorted(announce.capabilities),
            "summaries": list(announce.summaries),
            "media": announce.media_url is not None,
            "left_out": len(announce.left_out),
            "connected": node.connected,
            "online": node.online,
            "health": health,
        },
        "cameras": [_camera(node, camera) for camera in announce.cameras],
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: BlikkConfigEntry, device: AnyDeviceEntry
) -> dict[str, Any]:
    """How one camera is doing; for the node's own device, all of it."""
    node = entry.runtime_data
    camera = node.announce.camera(devices.camera_of(node.announce, device) or "")
    return await async_get_config_entry_diagnostics(hass, entry) if camera is None else _camera(node, camera)


def _camera(node: BlikkNode, camera: Camera) -> dict[str, Any]:
    now = node.camera(camera.id)
    state = asdict(now.state) if now.state else None
    if state is not None:
        state["zones"] = list(state["zones"].values())
        state["zone_counts"] = [
            {_word(label): count for label, count in counts.items()} for counts in state["zone_counts"].values()
        ]
        state["counts"] = {_word(label): count for label, count in state["counts"].items()}
        state["problem"] = state["problem"] is not None
        state["measures"] = len(state["measures"])
    return {
        "labels": [_word(label) for label in camera.labels],
        "zones": len(camera.zones),
        "ring": camera.ring,
        "measures": [{"unit": each.unit, "alerts": len(each.alerts)} for each in camera.measures],
        "questions": [question.kind for question in camera.questions],
        "online": now.online,
        "snoozed": node.snoozed_until(camera.id) is not None,
        "state": state,
        "event": now.event
        and {
            "event_type": _word(now.event.event_type, *LABELS, "loitering", "package_taken"),
            "phase": now.event.phase,
            "revision": now.event.revision,
            "time": now.event.time.isoformat(),
            "replayed": now.event.replayed,
        },
        "rang": now.ring and now.ring.time.isoformat(),
        "summary": now.summary
        and {"source": now.summary.source, "model": now.summary.model, "revision": now.summary.revision},
        "answers": len(now.answers),
        "pictures": {
            _word(name, *_PICTURES): {"bytes": len(picture.content), "time": picture.time.isoformat()}
            for name, picture in now.pictures.items()
        },
    }


def _word(word: str, *known: str) -> str:
    """A word of the contract; anything else may say something about its owner."""
    return word if word in (known or LABELS) else "other"
