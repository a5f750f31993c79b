"""A camera that speaks ONVIF as a user gets it: its button rings, and its motion makes a node look that sleeps."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from broker import Broker
from onvif_device import OnvifDevice, Stream
from onvif_events import EventService
from patience import PATIENCE
from rtsp_server import RtspServer
from staging import SCHEMAS, BlikkRun, Ears, write_clip

from blikk_edge.store.store import Store

CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 1
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  porch:
    source: {source}
    watch: eco
    sleep_after_s: 1
    select: {{every_s: 0}}
    ring: true
"""
BASE = "blikk/hallway"


@pytest.mark.timeout(400)
def test_a_press_rings_and_motion_makes_a_sleeping_node_look(tmp_path: Path, broker: Broker, models: Path) -> None:
    still = np.random.default_rng(1).integers(60, 180, (15, 20, 3)).repeat(32, 0).repeat(32, 1).astype(np.uint8)
    write_clip(tmp_path / "still.mp4", [still] * 150)
    service = EventService(states={"motion": "false", "visitor": "false"})
    with RtspServer(tmp_path / "still.mp4") as server:
        stream = Stream(token="sub", width=640, height=480, url=f"rtsp://10.99.99.99:{server.port}/cam")
        device = OnvifDevice([stream], user="admin", password="top-secret", events=service)
        with device, Ears(broker.port) as ears:
            config = CONFIG.format(port=broker.port, folder=tmp_path, source=device.address)
            with BlikkRun(tmp_path, config, models=models) as run:
                ears.until(lambda: _idle(ears) and service.open, 60, "a node that sleeps and listens")
                before = _inferences(ears)[-1]
                service.say("motion", "true")
                ears.until(lambda: _inferences(ears)[-1] > before, 20, "a look")
                service.say("visitor", "true")
                ears.until(lambda: ears.on(f"{BASE}/porch/ring"), 20, "the ring")
                ears.until(lambda: ears.on("porch/picture/ring"), 20, "its picture")
                run.stop(5.0 * PATIENCE)
                ears.until(lambda: not service.open, 5, "the end of the subscription")
    store = Store(tmp_path / "hallway.db")
    store.open()
    kept = json.loads(store.recall("onvif/porch") or "{}")
    store.close()
    assert kept["identity"] == device.endpoint.removeprefix("urn:uuid:")
    assert [ring["via"] for ring in ears.json_on(f"{BASE}/porch/ring")] == ["onvif"]
    for name in ("ring", "state"):
        schema = json.loads((SCHEMAS / f"{name}.json").read_text())
        for message in ears.json_on(f"{BASE}/porch/{name}"):
            jsonschema.validate(message, schema)
    assert not ears.on("porch/event")
    assert "top-secret" not in run.log
    assert "HTTP Request" not in run.log  # a line for each of our requests would bury all others


def _inferences(ears: Ears) -> list[int]:
    return [state["inferences"] for state in ears.json_on("porch/state")]


def _idle(ears: Ears) -> bool:
    """Whether frames have come for a while, and the detector has looked at none of them."""
    last = ears.json_on("porch/state")[-5:]
    looks = {state["inferences"] for state in last}
    return len(last) == 5 and looks != {0} and len(looks) == 1 and last[-1]["online"]
