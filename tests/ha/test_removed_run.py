"""A node is removed while the broker is away: the claim goes, and discovery comes back with what a user had set."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from ports import free_port
from real_ha import RealHomeAssistant, wait_for
from staging import BlikkRun, Ears, kept

pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).parents[2]
CLAIM = "blikk/hall_pi/ha/claim"
NODE = """\
node: {{id: hall_pi, name: Hall Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/hall_pi.db}}
cameras:
  front_door: {{source: "rtsp://127.0.0.1:{nobody}/none", ring: true}}
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path, persistence=True) as broker:
        yield broker


def set_on(ha: RealHomeAssistant) -> tuple[str | None, str | None]:
    """The name of the doorbell, and who disabled the sensor of motion."""
    rows = ha.registry()
    bell, motion = (rows.get(each, {}) for each in ("event.front_door_doorbell", "binary_sensor.front_door_motion"))
    return bell.get("name"), motion.get("disabled_by")


@pytest.mark.parametrize("restarted", [False, True])
def test_the_claim_goes_and_the_plain_entities_come(
    ha_python: str, tmp_path: Path, broker: Broker, restarted: bool
) -> None:
    """Also where Home Assistant was restarted before the broker came back."""
    copies = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
    node = NODE.format(port=broker.port, folder=tmp_path, nobody=free_port())
    home = RealHomeAssistant(ha_python, tmp_path, mqtt_port=broker.port, copies=copies)
    with Ears(broker.port), home as ha, BlikkRun(tmp_path, node, models=None):

        def platform() -> str | None:
            return ha.registry().get("event.front_door_doorbell", {}).get("platform")

        entry = ha.add_node()
        wait_for("its entities", lambda: platform() == "blikk", 30)
        for change in (
            {"entity_id": "event.front_door_doorbell", "name": "Gate bell"},
            {"entity_id": "binary_sensor.front_door_motion", "disabled_by": "user"},
        ):
            ha.command({"type": "config/entity_registry/update", **change})
        wait_for("the claim", lambda: CLAIM in kept(broker.port))
        broker.stop()
        wait_for("it is missed", lambda: ha.states()["binary_sensor.hall_pi_connection"]["state"] == "unavailable")
        ha.delete(f"/api/config/config_entries/entry/{entry}")
        wait_for("its entities go", lambda: platform() is None)
        if restarted:
            ha.restart()
        broker.start()
        wait_for("the claim goes", lambda: CLAIM not in kept(broker.port), 30)
        wait_for("the plain entities", lambda: platform() == "mqtt", 30)
        wait_for("what a user had set", lambda: set_on(ha) == ("Gate bell", "user"), 30)
        assert not [line for line in ha.log if "custom_components/blikk" in line]
