"""Cameras that two nodes share, in a real Home Assistant: who watches them changes, and no entity does."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from broker import Broker
from diary import Diary
from nats_server import NatsServer
from real_ha import RealHomeAssistant, wait_for
from site_nodes import Node, Site, cameras_yaml

ROOT = Path(__file__).parents[2]
CAMERAS = 2


class Household:
    """A Home Assistant that has a site, and what it shows of it."""

    def __init__(self, ha: RealHomeAssistant, hall: Site) -> None:
        self.ha = ha
        self.hall = hall

    def rows(self) -> dict[str, str]:
        """The unique ids of our entities, by entity id; all are the component's."""
        ours = {each: row for each, row in self.ha.registry().items() if row["platform"] in ("blikk", "mqtt")}
        assert {row["platform"] for row in ours.values()} == {"blikk"}
        return {each: row["unique_id"] for each, row in ours.items()}

    def away(self) -> set[str]:
        states = self.ha.states()
        return {each for each in self.rows() if each in states and states[each]["state"] == "unavailable"}

    def works(self, camera: str) -> None:
        """Whoever watches it, it rings, sees somebody, and does what it is told."""
        bell, seen = f"event.{camera}_doorbell", f"event.{camera}_detection"
        before = {each: self.ha.states()[each]["state"] for each in (bell, seen)}

        def is_news(entity: str) -> Callable[[], bool]:
            return lambda: self.ha.states()[entity]["state"] not in {before[entity], "unknown", "unavailable"}

        self.hall.ears.say(f"blikk/{self.hall.id}/{camera}/set/ring", "PRESS")
        wait_for(f"a ring of {camera}", is_news(bell), 30)
        wait_for(f"somebody before {camera}", is_news(seen), 60)
        threshold = f"number.{camera}_threshold"
        value = 0.45 if float(self.ha.states()[threshold]["state"]) != 0.45 else 0.55
        self.ha.call("number.set_value", threshold, value=value)
        wait_for(f"the threshold of {camera}", lambda: float(self.ha.states()[threshold]["state"]) == value)

    def moved(self, end: signal.Signals, node: Node, other: Node) -> None:
        """A node ends and the other takes over; nothing of that is seen in Home Assistant."""
        before, of_node = self.rows(), self.hall.held(node.name)
        assert of_node
        with Diary(self.ha) as diary:
            node.signal(end)
            node.wait()
            self.hall.until(lambda: self.hall.held(other.name) == set(self.hall.owners()), "the other has all")
            for camera in sorted(of_node):
                self.works(camera)
            went = {each for each in before if "unavailable" in diary.states(each)}
        assert not went
        assert self.rows() == before


@pytest.mark.timeout(400)
def test_whoever_watches_a_camera_its_entities_stay_and_work(ha_python: str, tmp_path: Path) -> None:
    copies = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
    (folder := tmp_path / "broker").mkdir()
    with (
        Broker(folder) as broker,
        NatsServer(tmp_path / "nats") as nats,
        RealHomeAssistant(ha_python, tmp_path, mqtt_port=broker.port, copies=copies) as ha,
        Site(tmp_path, "hall", "one", "two", nats=nats.url, broker=broker.port) as hall,
    ):
        hall["one"].apply(cameras_yaml(CAMERAS, more=", ring: true"))
        hall.start()
        hall.until(lambda: hall.shared(CAMERAS) and hall.status() == b"online", "all cameras")

        ha.add_node()
        home = Household(ha, hall)
        wait_for("its entities", lambda: "event.camera_1_doorbell" in ha.states() and not home.away(), 60)
        assert ha.found() is None, "two nodes that share cameras are one"
        for camera in sorted(hall.owners()):
            home.works(camera)

        # the one that speaks for the site is killed, comes back, and the other one is stopped in peace
        first, second = sorted(hall.nodes.values(), key=lambda node: "speaks for the site" not in node.log)
        home.moved(signal.SIGKILL, first, second)
        first.start()
        hall.until(lambda: hall.shared(CAMERAS), "each watches one again")
        home.moved(signal.SIGTERM, second, first)
        assert not [line for line in ha.log if " ERROR " in line or "Traceback" in line]
