"""What a household's restarts do to a real Home Assistant, a real `blikk run` and a real broker: every case, one table.

Each of the three stays, restarts (an update: it ends politely and is there again at once) or is killed and comes back
late, after the others have noticed (a plug, a power cut, a machine that hangs). That makes 27 cases, and these are the
ones that a household meets: what updates is one part or all, what fails is one part or the whole house. In which order
those that are late come back is the other half: see `test_component_run.py`.

By itself, without a reload, all must then be available, under the ids it had, and a ring be reported exactly once.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from broker import Broker
from patience import PATIENCE
from real_ha import RealHomeAssistant, wait_for
from rtsp_server import RtspServer
from staging import BlikkRun, Ears

pytestmark = [pytest.mark.timeout(400), pytest.mark.random_order(disabled=True)]

ROOT = Path(__file__).parents[2]
BASE = "blikk/hallway_pi"
NODE = """\
node: {{id: hallway_pi, name: Hallway Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 1
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  front_door: {{source: "{source}", ring: true}}
"""
DOORBELL = {
    "alias": "Doorbell",
    "use_blueprint": {
        "path": "blikk/doorbell.yaml",
        "input": {
            "doorbells": ["event.front_door_doorbell"],
            "pause_seconds": 0,
            "chime": [{"action": "persistent_notification.create", "data": {"message": "It rang."}}],
        },
    },
}

PARTS = ("broker", "node", "ha")
"""In the order in which they come back, where several are late."""

DEEDS = ("stays", "restarts", "is late")


@dataclass
class House:
    """Everything that runs."""

    ha: RealHomeAssistant
    ears: Ears
    broker: Broker
    run: BlikkRun

    def state(self, entity: str) -> str | None:
        return self.ha.states().get(entity, {}).get("state")

    def rows(self) -> dict[str, str]:
        """Our entities, plain ones too, with the integration that makes each."""
        registry = self.ha.registry()
        return {each: row["platform"] for each, row in registry.items() if row["platform"] in ("blikk", "mqtt")}

    def reported(self) -> int:
        """How many notifications of a ring there are."""
        return len(self.ha.command({"type": "persistent_notification/get"}))

    def rang(self) -> list[str]:
        """What Home Assistant keeps on disk of the last rings: whoever kills it before that hears of one twice."""
        return [file.read_text() for file in (self.ha.folder / "config" / ".storage").glob("blikk.0*")]

    def health(self) -> None:
        """Until the node has reported its health once more: what it said before is heard by now."""
        reported = len(self.ears.on(f"{BASE}/health"))
        # the first may have been under way
        wait_for("the node's health", lambda: len(self.ears.on(f"{BASE}/health")) > reported + 1)

    def do(self, deeds: dict[str, str]) -> None:
        """What each part does; on return all are started."""
        late = [part for part in PARTS if deeds[part] == "is late"]
        anew = [part for part in PARTS if deeds[part] == "restarts"]
        for part in late:
            self._end(part, politely=False)
        for part in anew:
            self._end(part, politely=True)
        for part in anew:
            self._start(part)
        self._notice(late)
        for part in late:
            self._start(part)

    def wrong(self) -> dict[str, str | None]:
        """What is not as it shall be: whoever is there is, and all that is there is available."""
        states = {each: state["state"] for each, state in self.ha.states().items()}
        ours = {each: states[each] for each in self.rows() if each in states}
        there = dict.fromkeys(("binary_sensor.hallway_pi_connection", "binary_sensor.front_door_stream"), "on")
        return {each: states.get(each) for each, state in there.items() if states.get(each) != state} | {
            each: state for each, state in ours.items() if state == "unavailable"
        }

    def listens(self) -> int:
        """How often Home Assistant has asked the broker for rings: it does so half a second after it is connected."""
        return self.broker.log.count(f" 1 {BASE}/+/ring\n")

    def until_right(self, limit_s: float) -> None:
        began = time.monotonic()
        while wrong := self.wrong():
            assert time.monotonic() - began < PATIENCE * limit_s, f"after {PATIENCE * limit_s:.0f} s: {wrong}"
            time.sleep(0.05)

    def _end(self, part: str, *, politely: bool) -> None:
        ends: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "broker": (self.broker.kill, self.broker.stop),
            "node": (self.run.kill, self.run.stop),
            "ha": (self.ha.kill, self.ha.stop),
        }
        ends[part][politely]()

    def _start(self, part: str) -> None:
        {"broker": self.broker.start, "node": self.run.start, "ha": self.ha.start}[part]()

    def _notice(self, late: list[str]) -> None:
        """Until those that are up are as they will stay while the late ones are away."""
        if late and "ha" not in late:
            self.ha.wait_until_running()
            seen = "unavailable" if "broker" in late else "off"
            wait_for("it is missed", lambda: self.state("binary_sensor.hallway_pi_connection") == seen)
        elif late == ["ha"]:
            self.health()


@pytest.fixture(scope="module")
def house(ha_python: str, data: Path, visit_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("restarts")
    names = ("custom_components/blikk", "blueprints/automation/blikk")
    (folder / "config").mkdir()
    (folder / "config" / "automations.yaml").write_text("[]\n")
    with RtspServer(visit_clip) as server, Broker(folder, persistence=True) as broker, Ears(broker.port) as ears:
        node = NODE.format(port=broker.port, folder=folder, source=server.url)
        ha = RealHomeAssistant(
            ha_python,
            folder,
            mqtt_port=broker.port,
            copies={name: ROOT / name for name in names},
            more="automation: !include automations.yaml\n",
        )
        with ha, BlikkRun(folder, node, models=data / "models") as run:
            house = House(ha, ears, broker, run)
            ha.add_node()
            wait_for("its entities", lambda: "event.front_door_doorbell" in ha.states(), 30)
            ha.post("/api/config/automation/config/doorbell", DOORBELL)
            wait_for("the automation", lambda: house.state("automation.doorbell") == "on")
            house.until_right(30)
            yield house


@pytest.mark.parametrize(("node", "broker", "ha"), list(product(DEEDS, repeat=3)))
def test_a_ring_is_reported_once_and_all_is_there(house: House, node: str, broker: str, ha: str) -> None:
    """A quiet machine needs 15 s at most from when the last part is started: Home Assistant's client asks for a broker
    that was away every 10 s.
    """
    began, before, listened = time.monotonic(), house.rows(), house.listens()
    assert set(before.values()) == {"blikk"}
    assert house.reported() == 0

    house.do({"node": node, "broker": broker, "ha": ha})
    started = time.monotonic()
    house.ha.wait_until_running()
    if {broker, ha} != {"stays"}:
        wait_for("Home Assistant listens", lambda: house.listens() > listened)
    house.until_right(15)
    assert house.reported() == 0
    right, kept = time.monotonic(), house.rang()
    house.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
    wait_for("the ring is reported", house.reported)
    wait_for("the ring is kept", lambda: house.rang() != kept)

    assert house.reported() == 1  # a second one that comes later meets the first lines of the next case
    assert house.rows() == before
    house.ha.post("/api/services/persistent_notification/dismiss_all", {})
    took = time.monotonic() - began
    print(f"node {node}, broker {broker}, ha {ha}: right after {right - started:.1f} s; {took:.1f} s in all")


@pytest.mark.parametrize("away", ["ha", "broker"])
def test_a_ring_that_home_assistant_cannot_hear_is_reported_when_it_is_back(house: House, away: str) -> None:
    """It restarts, or its client has not found the broker again, which the node did at once."""
    assert house.reported() == 0
    if away == "ha":
        house.ha.stop()
    else:
        house.broker.restart()
        reported = house.run.log.count("connected to")
        wait_for("the node is back", lambda: house.run.log.count("connected to") > reported)
    house.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
    house.health()
    if away == "ha":
        house.ha.start()
        house.ha.wait_until_running()
    wait_for("the ring is reported", house.reported)
    house.until_right(15)
    house.health()
    assert house.reported() == 1
    house.ha.post("/api/services/persistent_notification/dismiss_all", {})


def test_the_last_ring_was_reported_once_too_and_the_logs_are_clean(house: House) -> None:
    house.health()
    assert house.reported() == 0
    assert not [line for line in house.ha.log if "custom_components/blikk" in line]
    assert "Traceback" not in house.run.log
