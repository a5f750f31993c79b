"""One real Home Assistant and one real `blikk run`: real models, two RTSP streams of the same visit, a real broker.

The tests tell one story and run in the order of the file: the node starts before its cameras do, a visitor comes by,
somebody rings, things are switched, the node dies, Home Assistant and the broker start anew, entities are deleted,
the component claims the node, a camera and the doorbell are taken away.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from broker import Broker
from diary import Diary
from patience import PATIENCE
from ports import free_port
from real_ha import RealHomeAssistant, wait_for
from rtsp_server import RtspServer
from staging import BlikkRun, Ears

from blikk_edge import __version__

pytestmark = [pytest.mark.timeout(400), pytest.mark.random_order(disabled=True)]

BASE = "blikk/hallway_pi"
NODE = """\
node: {{id: hallway_pi, name: Hallway Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 1
http: {{port: {hook}}}
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  front_door:
    source: {source}
"""
REST = """\
    ring: {{http: true}}
  yard:
    source: {source}
    labels: [person]
    loiter_s: 4
    zones:
      path: {{polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]}}
"""

FRONT_DOOR_IDS = {
    "binary_sensor.front_door_animal",
    "binary_sensor.front_door_motion",
    "binary_sensor.front_door_package",
    "binary_sensor.front_door_person",
    "binary_sensor.front_door_stream",
    "binary_sensor.front_door_vehicle",
    "button.front_door_describe",
    "button.front_door_snapshot",
    "camera.front_door",
    "event.front_door_detection",
    "event.front_door_doorbell",
    "image.front_door_last_package",
    "image.front_door_last_person",
    "image.front_door_last_ring",
    "number.front_door_threshold",
    "select.front_door_summaries",
    "sensor.front_door_last_summary",
    "switch.front_door_detection",
}
YARD_IDS = {
    "binary_sensor.yard_motion",
    "binary_sensor.yard_path_person",
    "binary_sensor.yard_person",
    "binary_sensor.yard_stream",
    "button.yard_describe",
    "button.yard_snapshot",
    "camera.yard",
    "event.yard_detection",
    "image.yard_last_person",
    "number.yard_threshold",
    "select.yard_summaries",
    "sensor.yard_last_summary",
    "switch.yard_detection",
}
NODE_IDS = {
    "binary_sensor.hallway_pi_connection",
    "binary_sensor.hallway_pi_problem",
    "sensor.hallway_pi_cpu",
    "sensor.hallway_pi_digest",
    "sensor.hallway_pi_inference_time",
    "sensor.hallway_pi_lost_records",
    "sensor.hallway_pi_memory",
    "sensor.hallway_pi_outbox",
    "sensor.hallway_pi_temperature",
}
QUIET_FIGURES = {"dropped_frames", "frame_rate", "inference_time", "last_frame_age", "restarts"}
DISABLED = {f"sensor.{camera}_{name}" for camera in ("front_door", "yard") for name in QUIET_FIGURES} | {
    *(f"sensor.front_door_{label}_count" for label in ("animal", "package", "person", "vehicle")),
    *("image.front_door_last_animal", "image.front_door_last_vehicle"),
    *("sensor.yard_path_count", "sensor.yard_person_count"),
}
ALL = FRONT_DOOR_IDS | YARD_IDS | NODE_IDS | DISABLED
SEEN = {
    entity for entity in FRONT_DOOR_IDS | YARD_IDS if entity.startswith(("binary_sensor.", "camera.", "image."))
} - {"binary_sensor.front_door_stream", "binary_sensor.yard_stream"}
WITHOUT_REST = {entity for entity in ALL if "yard" not in entity} - {
    "event.front_door_doorbell",
    "image.front_door_last_ring",
}


@dataclass
class Home:
    """Everything that runs; `run` is the node of the moment."""

    ha: RealHomeAssistant
    ears: Ears
    broker: Broker
    server: RtspServer
    run: BlikkRun
    hook: str
    smaller: str

    def state(self, entity: str) -> str | None:
        return self.ha.states().get(entity, {}).get("state")

    def attribute(self, entity: str, name: str) -> Any:
        return self.ha.states()[entity]["attributes"].get(name)

    def until(self, entity: str, state: str, limit_s: float = 20.0) -> None:
        wait_for(f"{entity} is {state}", lambda: self.state(entity) == state, limit_s)

    def registered(self) -> set[str]:
        """Our rows in the entity registry, disabled ones too."""
        return {entity for entity, row in self.ha.registry().items() if row["platform"] == "mqtt"}

    def ours(self) -> dict[str, str]:
        """The states of all our entities."""
        return {entity: row["state"] for entity, row in self.ha.states().items() if entity in ALL}

    def wrong(self) -> dict[str, tuple[str, str | None]]:
        """Where Home Assistant shows something else than the node said last: (wanted, shown)."""
        wanted: dict[str, str] = {"binary_sensor.hallway_pi_connection": "on"}
        for camera in ("front_door", "yard"):
            said = self.ears.json_on(f"{BASE}/{camera}/state")[-1]
            wanted |= {
                f"binary_sensor.{camera}_stream": "on",
                f"binary_sensor.{camera}_motion": "on" if said["motion"] else "off",
                f"binary_sensor.{camera}_person": "on" if said["counts"]["person"] else "off",
                "binary_sensor.yard_path_person": "on" if "person" in said["zone_counts"].get("path", {}) else "off",
                f"switch.{camera}_detection": "on" if said["detect"] else "off",
                f"number.{camera}_threshold": str(said["threshold"]),
            }
        shown = self.ours()
        wrong = {entity: (state, shown.get(entity)) for entity, state in wanted.items() if shown.get(entity) != state}
        away = ALL - DISABLED - {entity for entity, state in shown.items() if state != "unavailable"}
        return wrong | {entity: ("available", shown.get(entity)) for entity in away}

    def until_right(self, limit_s: float) -> float:
        """Wait until every entity is available and right; the seconds that took."""
        began = time.monotonic()
        while wrong := self.wrong():
            assert time.monotonic() - began < limit_s, f"after {limit_s:.0f} s (wanted, shown): {wrong}"
            time.sleep(0.05)
        return time.monotonic() - began

    def shows(self, entity: str, name: str) -> bool:
        """Whether the picture in Home Assistant is, byte for byte, the one that was last heard on MQTT."""
        platform, _, name_there = entity.partition(".")
        heard = self.ears.on(f"{BASE}/{name_there.partition('_last_')[0]}/picture/{name}")
        return bool(heard) and self.ha.get(f"/api/{platform}_proxy/{entity}") == heard[-1]

    def complaints(self) -> list[str]:
        """Warnings and errors of Home Assistant that have to do with MQTT or us."""
        lines = [line for line in self.ha.log if " WARNING " in line or " ERROR " in line]
        return [line for line in lines if any(word in line.lower() for word in ("mqtt", "blikk", "front_door", "yard"))]


@pytest.fixture(scope="module")
def home(ha_python: str, data: Path, visit_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder, port = tmp_path_factory.mktemp("run"), free_port()
    server = RtspServer(visit_clip, port=free_port())
    with Broker(folder) as broker, Ears(broker.port) as ears:
        smaller = NODE.format(port=broker.port, folder=folder, hook=port, source=server.url)
        run = BlikkRun(folder, smaller + REST.format(source=server.url), models=data / "models")
        with RealHomeAssistant(ha_python, folder, mqtt_port=broker.port) as ha:
            home = Home(ha, ears, broker, server, run, f"http://127.0.0.1:{port}/ring/front_door", smaller)
            try:
                run.start()
                yield home
            finally:
                server.kill()
                if home.run.process is not None and home.run.process.poll() is None:
                    home.run.kill()
                print(home.run.log)


@pytest.fixture(scope="module")
def diary(home: Home) -> Iterator[Diary]:
    with Diary(home.ha) as diary:
        yield diary


def test_every_entity_is_there_under_its_own_id(home):
    wait_for("all entities", lambda: home.registered() == ALL)
    home.until("binary_sensor.hallway_pi_connection", "on")


def test_cameras_are_devices_that_hang_on_the_node(home):
    found = home.ha.devices()

    assert {found[name]["via_device_id"] for name in ("Front door", "Yard")} == {found["Hallway Pi"]["id"]}
    assert found["Hallway Pi"]["sw_version"] == __version__


def test_figures_that_only_make_noise_are_disabled_until_somebody_wants_them(home):
    disabled = {entity for entity, row in home.ha.registry().items() if row["disabled_by"] == "integration"}

    assert disabled == DISABLED


def test_what_a_camera_sees_is_unavailable_while_its_stream_is_away_and_it_says_why(home):
    wait_for("the reason", lambda: home.attribute("binary_sensor.front_door_stream", "problem"))

    assert "rtsp://127.0.0.1" in home.attribute("binary_sensor.front_door_stream", "problem")
    available = {entity for entity, state in home.ours().items() if state != "unavailable"}
    assert available == ALL - DISABLED - SEEN
    assert home.state("binary_sensor.front_door_stream") == "off"
    assert home.state("binary_sensor.hallway_pi_problem") == "on"


def test_ring_that_is_heard_while_the_stream_is_away_is_reported(home):
    home.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
    wait_for("the ring", lambda: home.attribute("event.front_door_doorbell", "event_type") == "ring")
    with urlopen(Request(home.hook, method="POST"), timeout=5 * PATIENCE) as answer:
        assert answer.status == 204
    wait_for("the next", lambda: home.attribute("event.front_door_doorbell", "via") == "http")


def test_all_states_are_right_once_the_streams_are_there(home, diary):
    home.server.start()
    home.until("binary_sensor.front_door_stream", "on")
    home.until("binary_sensor.yard_stream", "on")
    home.until_right(5)

    shown = home.ours()
    labels = ("animal", "package", "vehicle")
    assert {shown[f"binary_sensor.front_door_{label}"] for label in labels} == {"off"}
    assert shown["image.front_door_last_package"] == "unknown"
    assert (shown["switch.front_door_detection"], shown["number.front_door_threshold"]) == ("on", "0.3")
    home.until("binary_sensor.hallway_pi_problem", "off")
    assert home.state("sensor.hallway_pi_lost_records") == "0"
    assert float(home.state("sensor.hallway_pi_memory")) > 20


def test_visit_is_one_detection_and_its_occupancy_goes_on_and_off(home, diary):
    home.until("binary_sensor.front_door_person", "on")
    wait_for("the end of the visit", lambda: diary.states("binary_sensor.front_door_person")[-2:] == ["on", "off"], 30)

    assert diary.states("binary_sensor.front_door_person")[-3:] in (["off", "on", "off"], ["unknown", "on", "off"])
    assert "on" in diary.states("binary_sensor.front_door_motion")
    fired = [event for event in diary.fired("event.front_door_detection") if event["label"] == "person"]
    assert [(event["event_type"], event["phase"], event["picture"]) for event in fired] == [
        ("person", "started", "person")
    ]
    home.until("binary_sensor.front_door_motion", "off", 40)


def test_who_stays_is_reported_as_loitering(home, diary):
    wait_for("loitering", lambda: len(diary.fired("event.yard_detection")) == 2)

    assert [event["event_type"] for event in diary.fired("event.yard_detection")] == ["person", "loitering"]


def test_pictures_are_those_of_mqtt_byte_for_byte(home):
    wait_for("the visitor", lambda: home.shows("image.front_door_last_person", "person"))
    wait_for("the still", lambda: home.shows("camera.front_door", "snapshot"))

    assert home.ha.get("/api/camera_proxy/camera.front_door")[:2] == b"\xff\xd8"
    assert home.state("image.front_door_last_package") == "unknown"


def test_doorbell_rings_by_mqtt_and_by_http(home, diary):
    home.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
    wait_for("one ring", lambda: len(diary.fired("event.front_door_doorbell")) == 1)
    with urlopen(Request(home.hook, method="POST"), timeout=5 * PATIENCE) as answer:
        assert answer.status == 204
    wait_for("two rings", lambda: len(diary.fired("event.front_door_doorbell")) == 2)

    rings = [(event["event_type"], event["via"]) for event in diary.fired("event.front_door_doorbell")]
    assert rings == [("ring", "mqtt"), ("ring", "http")]
    assert home.attribute("event.front_door_doorbell", "device_class") == "doorbell"
    wait_for("its picture", lambda: home.shows("image.front_door_last_ring", "ring"))


def test_button_makes_a_new_still(home):
    before = home.ha.get("/api/camera_proxy/camera.front_door")

    home.ha.call("button.press", "button.front_door_snapshot")
    wait_for("another still", lambda: home.ha.get("/api/camera_proxy/camera.front_door") != before)

    wait_for("it is that of MQTT", lambda: home.shows("camera.front_door", "snapshot"))


def test_number_is_what_the_node_answers(home):
    home.ha.call("number.set_value", "number.front_door_threshold", value=0.45)

    home.until("number.front_door_threshold", "0.45")
    wait_for("the node says so", lambda: home.ears.json_on(f"{BASE}/front_door/state")[-1]["threshold"] == 0.45)


def test_killed_node_leaves_only_its_connection_sensor(home):
    home.run.kill()
    home.until("binary_sensor.hallway_pi_connection", "off")
    wait_for(
        "all else unavailable",
        lambda: (
            {entity for entity, state in home.ours().items() if state != "unavailable"}
            == {"binary_sensor.hallway_pi_connection"}
        ),
    )


def test_next_start_brings_all_back_with_the_switches_as_they_were(home):
    began = time.monotonic()
    home.run.start()
    home.until("binary_sensor.front_door_stream", "on")
    home.until_right(10)
    print("right after start, s:", round(time.monotonic() - began, 2))

    assert home.state("number.front_door_threshold") == "0.45"


def test_a_mode_of_summaries_is_chosen_by_the_words_that_are_shown(home):
    modes = home.attribute("select.front_door_summaries", "options")
    assert modes[:2] == ["Off", "Template"]
    for shown, reported in (("Off", "off"), ("Template", "template")):
        home.ha.call("select.select_option", "select.front_door_summaries", option=shown)
        home.until("select.front_door_summaries", shown)
        assert home.ears.json_on(f"{BASE}/front_door/state")[-1]["summary"] == reported


def test_switch_really_stops_the_looking_and_starts_it_again(home, diary):
    home.until("binary_sensor.front_door_person", "on")
    home.ha.call("switch.turn_off", "switch.front_door_detection")
    home.until("switch.front_door_detection", "off")
    home.until("binary_sensor.front_door_person", "off")

    later, events = len(home.ears.on(f"{BASE}/health")) + 2, len(diary.fired("event.front_door_detection"))
    wait_for("2 s", lambda: len(home.ears.on(f"{BASE}/health")) >= later)
    assert home.state("binary_sensor.front_door_person") == "off"
    home.until("binary_sensor.yard_person", "on")  # it looks at the same visitor, who comes and goes
    assert home.state("binary_sensor.front_door_person") == "off"
    assert len(diary.fired("event.front_door_detection")) == events

    home.ha.call("switch.turn_on", "switch.front_door_detection")
    home.until("switch.front_door_detection", "on")
    home.until("binary_sensor.front_door_person", "on")


def test_nothing_so_far_was_worth_a_warning_to_home_assistant(home):
    assert home.complaints() == []


def test_restart_of_home_assistant_ends_with_all_states_and_pictures(home):
    home.ha.restart()
    print("right after restart of Home Assistant, s:", round(home.until_right(10), 2))

    for entity, name in (("image.front_door_last_person", "person"), ("image.front_door_last_ring", "ring")):
        wait_for(f"the picture {name}", lambda e=entity, n=name: home.shows(e, n))
    wait_for("the still", lambda: home.shows("camera.front_door", "snapshot"))
    assert home.registered() == ALL


def test_restart_of_a_broker_that_forgot_everything_ends_with_all_states(home):
    home.broker.kill()
    home.until("binary_sensor.hallway_pi_connection", "unavailable")
    away = time.monotonic() + 2.0  # Home Assistant itself tries again only every 10 s
    wait_for("2 s", lambda: time.monotonic() > away)
    heard = len(home.ears.heard)
    home.broker.start()
    print("right after restart of broker, s:", round(home.until_right(10), 2))

    assert any(topic == f"{BASE}/status" for _, topic, _, _ in home.ears.heard[heard:])
    assert home.registered() == ALL


@pytest.mark.parametrize("entity", ["binary_sensor.front_door_person", "sensor.front_door_frame_rate"])
def test_deleting_one_entity_brings_all_back_with_their_states(home, entity):
    home.ha.command({"type": "config/entity_registry/remove", "entity_id": entity})
    wait_for("they go", lambda: home.registered() != ALL)

    wait_for("they are back", lambda: home.registered() == ALL)
    home.until_right(10)


def test_claim_removes_every_entity_and_its_end_brings_the_same_back(home):
    home.ears.say(f"{BASE}/ha/claim", b'{"by":"test","mode":"integration"}', retain=True)
    wait_for("all gone", lambda: home.registered() == set())
    wait_for("devices too", lambda: "Front door" not in home.ha.devices())

    home.ears.say(f"{BASE}/ha/claim", b"", retain=True)
    wait_for("the same back", lambda: home.registered() == ALL)
    home.until_right(10)


def test_camera_and_doorbell_that_were_taken_out_of_the_file_disappear_with_the_next_start(home, data):
    home.run.stop()
    home.run = BlikkRun(home.run.folder, home.smaller, models=data / "models")
    home.run.start()

    wait_for("only the rest is there", lambda: home.registered() == WITHOUT_REST)
    wait_for("the camera's device too", lambda: "Yard" not in home.ha.devices())
    home.until("binary_sensor.front_door_stream", "on")
    home.run.stop()


def test_home_assistant_warned_of_nothing_but_the_killed_broker_and_its_own_second_thoughts(home):
    # For every disabled entity that goes with its device it empties the config topic again, and says so of itself.
    own = ["No device components to cleanup"]
    killed = [
        "Disconnected from MQTT server",
        "Error returned from MQTT server",
        "[paho.mqtt.client] failed to receive",
    ]
    assert [line for line in home.complaints() if not any(words in line for words in own + killed)] == []
    assert "Traceback" not in home.run.log
