"""A step of somebody else's in a real node: the angle of a needle, from a clip to the broker."""

from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from made_once import made_once
from rtsp_server import RtspServer
from staging import Ears, NeedleRun, dial_clip, follows_contract

BASE = "blikk/boiler_pi"
CONFIG = """\
node: {{id: boiler_pi, name: Boiler Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 2
store: {{path: {folder}/boiler.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  boiler:
    source: {source}
    transforms: [needle]
"""


def observed(ears: Ears, kind: str) -> list[dict[str, Any]]:
    return [each for each in ears.json_on(f"{BASE}/boiler/observation") if each["kind"] == kind]


def shown(ears: Ears) -> dict[str, Any]:
    """The needle as the newest state shows it, in whole degrees."""
    needle = ears.json_on(f"{BASE}/boiler/state")[-1].get("measures", {}).get("needle_angle")
    return {**needle, "value": round(needle["value"], -1)} if needle else {}


@pytest.mark.timeout(400)
def test_a_measured_angle_comes_over_mqtt_and_its_alert_begins_and_ends_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clip = made_once(tmp_path_factory, "dial.mp4", dial_clip)
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(clip) as server:
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url)
        with NeedleRun(tmp_path, config, models=None) as run:
            ears.until(lambda: observed(ears, "alert"), 60, "the alert")
            ears.until(lambda: shown(ears) == {"value": 70, "unit": "°", "alert": "too_high"}, 20, "the angle")
            ears.until(lambda: observed(ears, "alert_ended"), 60, "the end of the alert")
            ears.until(lambda: shown(ears) == {"value": 20, "unit": "°", "alert": None}, 20, "the angle after it")
            began, ended, values = (observed(ears, kind) for kind in ("alert", "alert_ended", "measure"))
            run.stop()
    assert run.log.count("INFO    blikk.node: plug-in blikk_needle 1.0: transform needle\n") == 1
    assert (len(began), len(ended)) == (1, 1)
    assert [each["measures"][0]["alert"] for each in (*began, *ended)] == ["too_high", "too_high"]
    assert [round(each["measures"][0]["value"]) for each in (*began, *ended)] == [70, 20]
    assert len(values) <= 4  # the needle moved twice
    assert all(min(abs(each["measures"][0]["value"] - true) for true in (20, 70)) < 2 for each in values)
    (camera,) = ears.json_on(f"{BASE}/announce")[-1]["cameras"]
    declared = {"name": "needle_angle", "unit": "°", "device_class": None, "alerts": ["too_high"]}
    assert camera["measures"] == [declared]
    assert follows_contract(ears, BASE) >= {"announce", "state", "health", "observation"}
