"""A node that never comes back, in a real Home Assistant with a real broker: one click, and nothing of it is left."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from broker import Broker
from ports import free_port
from real_ha import RealHomeAssistant, wait_for
from staging import BlikkRun, Ears, kept

ROOT = Path(__file__).parents[2]
BASE = "blikk/old_pi"
NODE = """\
node: {{id: old_pi, name: Old Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/old_pi.db}}
cameras:
  front_door: {{source: "rtsp://127.0.0.1:{nobody}/none", ring: true}}
"""


@pytest.mark.timeout(400)
def test_a_node_that_is_gone_for_a_month_is_removed_by_a_click_with_all_it_left(ha_python: str, tmp_path: Path) -> None:
    copies = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
    with Broker(tmp_path, persistence=True) as broker, Ears(broker.port) as ears:
        home = RealHomeAssistant(ha_python, tmp_path, mqtt_port=broker.port, copies=copies, more="repairs:\n")
        node = NODE.format(port=broker.port, folder=tmp_path, nobody=free_port())
        with home as ha, BlikkRun(tmp_path, node, models=None) as run:
            entry = ha.add_node()
            wait_for("its entities", lambda: "event.front_door_doorbell" in ha.states(), 30)
            ears.say(
                f"{BASE}/front_door/picture/person", (ROOT / "contract/examples/picture.jpg").read_bytes(), retain=True
            )
            run.kill()
            wait_for("it is away", lambda: ha.states()["binary_sensor.old_pi_connection"]["state"] == "off")
            ha.stop()
            _make_old(tmp_path / "config" / ".storage" / f"blikk.{entry}")
            ha.start()
            ha.wait_until_running()
            issue = wait_for("the repair", lambda: _issue(ha), 30)
            assert issue["translation_placeholders"] == {"node": "Old Pi", "days": "31"}

            begun = ha.post("/api/repairs/issues/fix", {"handler": "blikk", "issue_id": issue["issue_id"]})
            assert begun["step_id"] == "confirm"
            done = ha.post(f"/api/repairs/issues/fix/{begun['flow_id']}", {})
            assert done["type"] == "create_entry"

            wait_for("its entities go", lambda: not [row for row in ha.states() if "front_door" in row])
            wait_for("the claim goes", lambda: not [topic for topic in kept(broker.port) if "blikk" in topic])
            assert ha.command({"type": "config_entries/get", "domain": "blikk"}) == []
            assert ha.found() is None
            assert not [line for line in ha.log if "custom_components/blikk" in line or "Traceback" in line]


def _issue(ha: RealHomeAssistant) -> dict | None:
    issues = ha.command({"type": "repairs/list_issues"})["issues"]
    return next((issue for issue in issues if issue["translation_key"] == "node_away"), None)


def _make_old(stored: Path) -> None:
    """What is remembered of the node is of a month ago."""
    content = json.loads(stored.read_text())
    since = datetime.fromisoformat(content["data"]["away_since"]) - timedelta(days=31)
    assert since < datetime.now(UTC)
    content["data"]["away_since"] = since.isoformat()
    stored.write_text(json.dumps(content))
