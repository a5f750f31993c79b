"""A measured angle in a real Home Assistant: by plain discovery, then by the component under the same ids."""

from pathlib import Path

import pytest
from broker import Broker
from made_once import made_once
from real_ha import RealHomeAssistant, wait_for
from rtsp_server import RtspServer
from staging import NeedleRun, dial_clip

ROOT = Path(__file__).parents[2]
SENSOR, EVENT = "sensor.boiler_needle_angle", "event.boiler_alert"
NODE = """\
node: {{id: boiler_pi, name: Boiler Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/boiler.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  boiler:
    source: {source}
    transforms: [needle]
"""


def shows(ha: RealHomeAssistant, angle: int, alert: str | None) -> bool:
    state = ha.states().get(SENSOR, {"state": "unknown"})
    return (
        state["state"] not in {"unknown", "unavailable"}
        and abs(float(state["state"]) - angle) < 2
        and state["attributes"].get("alert") == alert
    )


def follows_the_needle(ha: RealHomeAssistant) -> None:
    """It shows the value, with an alert while it is too high; the event fires when that begins."""
    before = ha.states()[EVENT]["state"]
    wait_for("a low angle", lambda: shows(ha, 20, None), 60)
    wait_for("a high angle", lambda: shows(ha, 70, "too_high"), 60)
    fired = wait_for(
        "the alert",
        lambda: next((e for e in [ha.states()[EVENT]] if e["state"] not in {before, "unknown", "unavailable"}), None),
    )
    assert fired["attributes"]["event_type"] == "needle_angle_too_high"
    assert abs(fired["attributes"]["value"] - 70) < 2
    state = ha.states()[SENSOR]["attributes"]
    assert (state["unit_of_measurement"], state["state_class"]) == ("°", "measurement")


@pytest.mark.timeout(400)
def test_a_sensor_shows_a_measured_angle_and_an_alert_fires_an_event(
    ha_python: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clip = made_once(tmp_path_factory, "dial.mp4", dial_clip)
    copies = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
    with RtspServer(clip) as server, Broker(tmp_path) as broker:
        config = NODE.format(port=broker.port, folder=tmp_path, source=server.url)
        with (
            RealHomeAssistant(ha_python, tmp_path, mqtt_port=broker.port, copies=copies) as ha,
            NeedleRun(tmp_path, config, models=None),
        ):
            wait_for("the plain entities", lambda: {SENSOR, EVENT} <= ha.states().keys(), 60)
            assert ha.registry()[SENSOR]["platform"] == "mqtt"
            follows_the_needle(ha)
            ha.add_node()
            wait_for("the component", lambda: ha.registry().get(SENSOR, {}).get("platform") == "blikk", 30)
            wait_for("the component's state", lambda: ha.states().get(EVENT), 30)
            follows_the_needle(ha)
            assert not [line for line in ha.log if " ERROR " in line or "Traceback" in line]
