"""A node that gets another id, and one that is gone, in a real Home Assistant with a real broker."""

import json
from pathlib import Path

import pytest
from broker import Broker
from ports import free_port
from real_ha import RealHomeAssistant, wait_for
from staging import BlikkRun, Ears, kept

ROOT = Path(__file__).parents[2]
NODE = """\
node: {{id: {node}, name: {name}}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/node.db}}
cameras:
  front_door: {{source: "rtsp://127.0.0.1:{nobody}/none", ring: true}}
"""
DOORBELL, PICTURE = "event.front_door_doorbell", "image.my_last_ring"


@pytest.mark.timeout(400)
def test_a_node_that_is_renamed_keeps_its_entities_and_one_that_is_gone_is_not_offered(
    ha_python: str, tmp_path: Path
) -> None:
    copies = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
    place = {"folder": tmp_path, "nobody": free_port()}
    with Broker(tmp_path, persistence=True) as broker, Ears(broker.port) as ears:
        old = NODE.format(node="old_pi", name="Old Pi", port=broker.port, **place)
        new = NODE.format(node="new_pi", name="New Pi", port=broker.port, **place)
        gone = json.dumps(json.loads((ROOT / "contract/examples/announce.json").read_text()) | {"id": "ghost"})
        ears.say("blikk/ghost/status", "offline", retain=True)
        ears.say("blikk/ghost/announce", gone, retain=True)
        with RealHomeAssistant(ha_python, tmp_path, mqtt_port=broker.port, copies=copies) as ha:
            with BlikkRun(tmp_path, old, models=None) as run:
                entry = ha.add_node("Old Pi")
                wait_for("its entities", lambda: DOORBELL in ha.states(), 30)
                change = {"type": "config/entity_registry/update", "entity_id": "image.front_door_last_ring"}
                ha.command({**change, "new_entity_id": PICTURE, "name": "Who rang"})
                ha.command({**change, "entity_id": "binary_sensor.front_door_motion", "disabled_by": "user"})
                before = _entities(ha)
                run.stop()
            with BlikkRun(tmp_path, new, models=None):
                flow = wait_for("the new one is found", lambda: ha.found("New Pi"), 30)["flow_id"]
                step = wait_for("the question", lambda: _asked(ha, flow), 30)
                assert step["menu_options"] == ["take_over", "apart"]
                done = ha.post(f"/api/config/config_entries/flow/{flow}", {"next_step_id": "take_over"})
                assert (done["type"], done["reason"]) == ("abort", "taken_over")
                wait_for("it is heard", lambda: ha.states().get(DOORBELL, {}).get("state") == "unknown", 30)
                wait_for("no entity beside them", lambda: _entities(ha).keys() == before.keys(), 30)
                after = _entities(ha)
                assert {each["platform"] for each in after.values()} == {"blikk"}
                fixed = ("id", "device_id", "name", "disabled_by", "created_at")
                for entity_id, entity in before.items():
                    assert [after[entity_id][key] for key in fixed] == [entity[key] for key in fixed]
                    assert after[entity_id]["unique_id"] == entity["unique_id"].replace("old_pi", "new_pi")
                (only,) = ha.command({"type": "config_entries/get", "domain": "blikk"})
                assert (only["entry_id"], only["title"]) == (entry, "New Pi")
                assert not [topic for topic in kept(broker.port) if "old_pi" in topic]
                assert ha.found("Old Pi") is None

                assert ha.found("Porch Pi") is None
                ears.say("blikk/ghost/status", "online", retain=True)
                wait_for("the one that is back", lambda: ha.found("Porch Pi"), 30)
            assert not [line for line in ha.log if "custom_components/blikk" in line or "Traceback" in line]


def _asked(ha: RealHomeAssistant, flow: str) -> dict | None:
    """The question, once Home Assistant knows that the old node is away."""
    step = ha.get(f"/api/config/config_entries/flow/{flow}")
    return step if step["step_id"] == "renamed" else None


def _entities(ha: RealHomeAssistant) -> dict[str, dict]:
    rows = ha.command({"type": "config/entity_registry/list"})
    full = [ha.command({"type": "config/entity_registry/get", "entity_id": row["entity_id"]}) for row in rows]
    return {row["entity_id"]: row for row in full if row["platform"] in ("blikk", "mqtt")}
