"""A node as the tests play it: golden messages of the contract, published by nobody but the test."""

import json
from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_mqtt_message

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "contract" / "examples"
DOMAIN = "blikk"
NODE = "porch-pi"
BASE = f"blikk/{NODE}"
GOLDEN_JPEG = (EXAMPLES / "picture.jpg").read_bytes()
GOLDEN_EVENT = "front_door-1795262400250"
JPEG = b"\xff\xd8\xff\xe0 a redacted picture \xff\xd9"


def golden(name: str) -> dict:
    """A golden message of the contract."""
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def jpeg_of(event: str, more: bytes = b"") -> bytes:
    """A picture that says, as the golden one does, which event or ring it shows."""
    comment = b"blikk " + json.dumps({"id": event, "time": "2026-11-21T12:00:00.250Z"}).encode()
    return JPEG[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + JPEG[2:-2] + more + JPEG[-2:]


def announce(**changes) -> dict:
    """The golden announce with other values."""
    return {**golden("announce"), **changes}


def entry_of(content: dict | None = None, **more) -> MockConfigEntry:
    """A config entry of the golden node."""
    content = content or announce()
    data = {"prefix": "blikk", "node": content["id"], "announce": content, **more.pop("data", {})}
    return MockConfigEntry(domain=DOMAIN, title=content["name"], unique_id=content["id"], data=data, **more)


async def set_up(hass: HomeAssistant, entry: MockConfigEntry | None = None, *, online: bool = True) -> MockConfigEntry:
    """Set up an entry and bring its node and cameras online."""
    entry = entry or entry_of()
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    if online:
        await publish(hass, "status", "online", retain=True)
        for camera in entry.data["announce"]["cameras"]:
            await publish(hass, f"{camera['id']}/status", "online", retain=True)
    return entry


async def publish(hass: HomeAssistant, topic: str, payload, *, retain: bool = False, base: str = BASE) -> None:
    """A message of the node."""
    content = json.dumps(payload) if isinstance(payload, dict | list) else payload
    async_fire_mqtt_message(hass, f"{base}/{topic}", content, qos=1, retain=retain)
    await hass.async_block_till_done()


def published(mqtt_mock, topic: str) -> list:
    """What was published on a topic, as `(payload, qos, retain)`."""
    return [call.args[1:4] for call in mqtt_mock.async_publish.mock_calls if call.args and call.args[0] == topic]


async def click(hass: HomeAssistant, hass_client, issue) -> tuple[dict, dict]:
    """Mend a repair issue as the frontend does: its form, and what came of it."""
    assert await async_setup_component(hass, "repairs", {})
    client = await hass_client()
    begun = await client.post("/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue.issue_id})
    flow = await begun.json()
    done = await client.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
    return flow, await done.json()
