"""Our discovery, states and events in a real Home Assistant over a real broker, made by the real wire functions."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import paho.mqtt.client as paho
import pytest
import wire_samples as s
from broker import Broker
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from real_ha import RealHomeAssistant, wait_for

from blikk_edge.core.commands import Set, Setting, Snapshot
from blikk_edge.core.house import CameraAvailability, CameraState
from blikk_edge.core.observation import Phase
from blikk_edge.core.sightings import Label
from blikk_edge.wire.desk import Advice, DiscoveryDesk
from blikk_edge.wire.discovery import devices
from blikk_edge.wire.messages import Message, announce, availability, decode_command, encode

DOOR = "camera_front_door"
JPEG = b"\xff\xd8\xff\xe0 a picture, for all that Home Assistant knows \xff\xd9"


class Edge:
    """The least that can hold a desk: one connection, one timer, both served when the test asks."""

    def __init__(self, port: int, node=s.NODE) -> None:
        self.commands: list[tuple[str, bytes]] = []
        self.births = 0
        self._node = node
        self._told: dict[str, Message] = {}
        self._desk = DiscoveryDesk(
            devices(node, s.TOPICS), s.TOPICS, mode="auto", prefix="homeassistant", birth_topic="homeassistant/status"
        )
        self._due_at: float | None = None
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_message = self._arrived
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(
            [(topic, paho.SubscribeOptions(qos=1)) for topic in (*self._desk.filters, s.TOPICS.set_filter)]
        )
        self.tell()
        self._follow(self._desk.connected())

    def tell(self) -> None:
        """Everything that is retained: the node, its availability, what its cameras see."""
        self.publish(announce(self._node, s.TOPICS), availability(s.TOPICS, online=True), encode(s.HEALTH, s.TOPICS))
        for camera in self._node.cameras:
            self.publish(encode(CameraAvailability(camera=camera.id, online=True), s.TOPICS))
        self.publish(encode(s.STATE, s.TOPICS), encode(CameraState(camera="yard", online=True), s.TOPICS))

    def publish(self, *messages: Message) -> None:
        for message in messages:
            if message.retain and message.topic.startswith(s.TOPICS.base):
                self._told[message.topic] = message
            properties = Properties(PacketTypes.PUBLISH)
            if message.expiry_s is not None:
                properties.MessageExpiryInterval = message.expiry_s
            self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)

    def write(self, topic: str, payload: bytes) -> None:
        """What somebody else would write."""
        self._client.publish(topic, payload, 1, retain=True)

    def until(self, what: str, look: Callable[[], object], limit_s: float = 20.0) -> None:
        """Serve the connection and the timer until `look` gives something true."""
        wait_for(what, lambda: self.serve() or look(), limit_s)

    def serve(self) -> None:
        for _ in range(50):
            assert self._client.loop(timeout=0.01) == paho.MQTT_ERR_SUCCESS
            if self._due_at is not None and time.monotonic() >= self._due_at:
                self._due_at = None
                self._follow(self._desk.due())

    def close(self) -> None:
        self._client.disconnect()

    def _arrived(self, _client, _data, message) -> None:
        if "/set/" in message.topic:
            self.commands.append((message.topic, message.payload))
        else:
            self._follow(self._desk.received(message.topic, message.payload))

    def _follow(self, advice: Advice) -> None:
        self.publish(*advice.messages)
        if advice.again_in_s is not None:
            self._due_at = time.monotonic() + advice.again_in_s
        if advice.restate:
            self.births += 1
            self.publish(*self._told.values())


@pytest.fixture(scope="module")
def ha(ha_python, tmp_path_factory) -> Iterator[RealHomeAssistant]:
    folder = tmp_path_factory.mktemp("ha")
    with Broker(folder) as broker, RealHomeAssistant(ha_python, folder, mqtt_port=broker.port) as home:
        home.broker_port = broker.port
        yield home


@pytest.fixture(scope="module")
def edge(ha) -> Iterator[Edge]:
    edge = Edge(ha.broker_port)
    edge.until("all entities have their state", lambda: states_of(ha).get("sensor.yard_animal_count") == "0")
    edge.until("the camera's too", lambda: states_of(ha).get("sensor.front_door_person_count") == "2")
    yield edge
    edge.close()


def states_of(ha) -> dict[str, str]:
    """The states of our entities, those that Home Assistant has of its own left out."""
    ours = ("front_door", "yard", "porch_pi")
    return {id_: row["state"] for id_, row in ha.states().items() if id_.split(".")[1].startswith(ours)}


def registered(ha) -> set[str]:
    """Our rows in the entity registry, disabled ones too."""
    return {id_ for id_, row in ha.registry().items() if row["platform"] == "mqtt"}


def wanted(node=s.NODE) -> set[str]:
    """The entity ids that our payloads ask for."""
    parts = [part for d in devices(node, s.TOPICS) for part in d.payload["components"].values()]
    return {part["default_entity_id"] for part in parts}


def test_all_entities_are_there_under_the_ids_we_asked_for(ha, edge):
    assert registered(ha) == wanted()


def test_entities_show_the_states_we_published(ha, edge):
    states = states_of(ha)

    assert {
        id_: states[id_]
        for id_ in (
            "binary_sensor.front_door_motion",
            "binary_sensor.front_door_person",
            "binary_sensor.front_door_package",
            "binary_sensor.front_door_stream",
            "sensor.front_door_person_count",
            "switch.front_door_detection",
            "number.front_door_threshold",
            "event.front_door_doorbell",
            "event.front_door_detection",
            "image.front_door_last_person",
            "button.front_door_snapshot",
            "binary_sensor.yard_motion",
            "binary_sensor.porch_pi_connection",
            "binary_sensor.porch_pi_problem",
            "sensor.porch_pi_cpu",
            "sensor.porch_pi_memory",
            "sensor.porch_pi_temperature",
            "sensor.porch_pi_inference_time",
            "sensor.porch_pi_outbox",
            "sensor.porch_pi_lost_records",
        )
    } == {
        "binary_sensor.front_door_motion": "on",
        "binary_sensor.front_door_person": "on",
        "binary_sensor.front_door_package": "off",
        "binary_sensor.front_door_stream": "on",
        "sensor.front_door_person_count": "2",
        "switch.front_door_detection": "on",
        "number.front_door_threshold": "0.35",
        "event.front_door_doorbell": "unknown",
        "event.front_door_detection": "unknown",
        "image.front_door_last_person": "unknown",
        "button.front_door_snapshot": "unknown",
        "binary_sensor.yard_motion": "off",
        "binary_sensor.porch_pi_connection": "on",
        "binary_sensor.porch_pi_problem": "on",
        "sensor.porch_pi_cpu": "41.3",
        "sensor.porch_pi_memory": "164.0",
        "sensor.porch_pi_temperature": "52.3",
        "sensor.porch_pi_inference_time": "61.3",
        "sensor.porch_pi_outbox": "2",
        "sensor.porch_pi_lost_records": "0",
    }


def test_cameras_are_devices_that_hang_on_the_node(ha, edge):
    found = ha.devices()

    assert {found[name]["via_device_id"] for name in ("Front door", "Yard")} == {found["Porch Pi"]["id"]}
    assert found["Porch Pi"]["sw_version"] == "0.1.0"


def test_noisy_entities_are_disabled_until_somebody_wants_them(ha, edge):
    disabled = {id_ for id_, row in ha.registry().items() if row["disabled_by"] == "integration"}

    assert {"sensor.front_door_frame_rate", "sensor.front_door_porch_count"} <= disabled
    assert "sensor.front_door_person_count" not in disabled


def attribute(ha, entity, name):
    return ha.states()[entity]["attributes"].get(name)


def seen_count(ha, edge, count):
    """Publish another count and wait for it: what was published before has then been worked on."""
    edge.publish(encode(replace(s.STATE, counts=((Label.PERSON, count),)), s.TOPICS))
    edge.until(f"count {count}", lambda: states_of(ha)["sensor.front_door_person_count"] == str(count))


def test_detection_fires_when_an_event_starts_and_not_when_it_goes_on(ha, edge):
    edge.publish(encode(s.STARTED, s.TOPICS))
    edge.until("the event", lambda: attribute(ha, "event.front_door_detection", "id") == s.STARTED.id)
    fired = ha.states()["event.front_door_detection"]

    updated = replace(s.STARTED, phase=Phase.UPDATED, revision=2)
    edge.publish(encode(updated, s.TOPICS), encode(s.ENDED, s.TOPICS))
    seen_count(ha, edge, 5)

    assert fired["attributes"]["event_type"] == "person"
    assert (fired["attributes"]["phase"], fired["attributes"]["zones"]) == ("started", ["porch"])
    assert ha.states()["event.front_door_detection"]["state"] == fired["state"]


def test_detection_fires_for_loitering(ha, edge):
    edge.publish(encode(s.LOITERING, s.TOPICS))

    edge.until("loitering", lambda: attribute(ha, "event.front_door_detection", "event_type") == "loitering")


def test_doorbell_fires_ring(ha, edge):
    edge.publish(encode(s.RING, s.TOPICS))

    edge.until("the ring", lambda: attribute(ha, "event.front_door_doorbell", "event_type") == "ring")
    assert attribute(ha, "event.front_door_doorbell", "device_class") == "doorbell"


def test_stale_ring_that_was_replayed_does_not_ring(ha, edge):
    before = ha.states()["event.front_door_doorbell"]["state"]

    edge.publish(encode(replace(s.RING, time=time.time() - 3600), s.TOPICS, replayed=True))
    seen_count(ha, edge, 6)

    assert ha.states()["event.front_door_doorbell"]["state"] == before


def test_pictures_arrive_byte_for_byte(ha, edge):
    for name in ("person", "snapshot"):
        edge.publish(encode(replace(s.PICTURE, name=name, jpeg=JPEG + name.encode()), s.TOPICS))
    edge.until("the picture", lambda: states_of(ha)["image.front_door_last_person"] != "unknown")

    assert ha.get("/api/image_proxy/image.front_door_last_person") == JPEG + b"person"
    assert ha.get("/api/camera_proxy/camera.front_door") == JPEG + b"snapshot"


def test_switch_number_and_button_send_commands_we_understand(ha, edge):
    edge.commands.clear()

    ha.call("switch.turn_off", "switch.front_door_detection")
    ha.call("number.set_value", "number.front_door_threshold", value=0.55)
    ha.call("button.press", "button.front_door_snapshot")
    edge.until("three commands", lambda: len(edge.commands) == 3)

    assert [decode_command(topic, payload, s.TOPICS, {"front_door"}) for topic, payload in edge.commands] == [
        Set(camera="front_door", setting=Setting.DETECT, value=False),
        Set(camera="front_door", setting=Setting.THRESHOLD, value=0.55),
        Snapshot(camera="front_door"),
    ]


def test_switch_and_number_follow_the_state_that_answers(ha, edge):
    edge.publish(encode(replace(s.STATE, detect=False, threshold=0.55), s.TOPICS))

    edge.until("the switch", lambda: states_of(ha)["switch.front_door_detection"] == "off")
    assert states_of(ha)["number.front_door_threshold"] == "0.55"


def test_camera_that_lost_its_stream_is_unavailable_and_says_why(ha, edge):
    lost = replace(s.STATE, online=False, problem="no frame for 10 s")
    edge.publish(encode(lost, s.TOPICS), encode(CameraAvailability(camera="front_door", online=False), s.TOPICS))
    edge.until("unavailable", lambda: states_of(ha)["binary_sensor.front_door_motion"] == "unavailable")

    assert states_of(ha)["binary_sensor.front_door_stream"] == "off"
    assert attribute(ha, "binary_sensor.front_door_stream", "problem") == "no frame for 10 s"
    assert states_of(ha)["binary_sensor.yard_motion"] == "off"

    edge.tell()
    edge.until("back", lambda: states_of(ha)["binary_sensor.front_door_motion"] == "on")


def test_node_that_is_gone_leaves_only_its_connection_sensor(ha, edge):
    edge.publish(availability(s.TOPICS, online=False))
    edge.until("unavailable", lambda: states_of(ha)["binary_sensor.yard_motion"] == "unavailable")

    available = {id_ for id_, state in states_of(ha).items() if state != "unavailable"}
    assert available == {"binary_sensor.porch_pi_connection"}
    assert states_of(ha)["binary_sensor.porch_pi_connection"] == "off"

    edge.tell()
    edge.until("back", lambda: states_of(ha)["binary_sensor.yard_motion"] == "off")


def test_restart_of_home_assistant_ends_with_all_states_and_pictures(ha, edge):
    births = edge.births
    ha.restart()

    edge.until("its birth", lambda: edge.births > births)
    edge.until("the states", lambda: states_of(ha).get("sensor.front_door_person_count") == "2")
    edge.until("the picture", lambda: states_of(ha)["image.front_door_last_person"] not in {"unknown", "unavailable"})
    assert ha.get("/api/camera_proxy/camera.front_door") == JPEG + b"snapshot"
    assert registered(ha) == wanted()


def complaints(ha):
    lines = [line for line in ha.log if " WARNING " in line or " ERROR " in line]
    return [line for line in lines if "mqtt" in line.lower() or "blikk" in line.lower()]


def test_nothing_we_publish_is_worth_a_warning_to_home_assistant(ha, edge):
    assert complaints(ha) == []


def test_deleting_one_entity_brings_all_back_with_their_states(ha, edge):
    ha.command({"type": "config/entity_registry/remove", "entity_id": "sensor.front_door_person_count"})
    edge.until("they go", lambda: "binary_sensor.front_door_motion" not in states_of(ha))

    edge.until("they are back", lambda: registered(ha) == wanted())
    edge.until("with their states", lambda: states_of(ha)["sensor.front_door_person_count"] == "2")


def test_deleting_a_disabled_entity_brings_all_back(ha, edge):
    ha.command({"type": "config/entity_registry/remove", "entity_id": "sensor.front_door_frame_rate"})

    edge.until("it goes", lambda: registered(ha) != wanted())
    edge.until("they are back", lambda: registered(ha) == wanted())


def test_claim_removes_every_entity_and_its_end_brings_the_same_back(ha, edge):
    before = registered(ha)

    edge.write(s.TOPICS.claim, b'{"by":"test","mode":"integration"}')
    edge.until("all gone", lambda: registered(ha) == set())
    edge.until("devices too", lambda: "Front door" not in ha.devices())

    edge.write(s.TOPICS.claim, b"")
    edge.until("all back", lambda: registered(ha) == before)
    edge.until("with their states", lambda: states_of(ha)["sensor.front_door_person_count"] == "2")


def test_camera_and_zone_that_are_no_more_disappear_with_the_next_start(ha, edge):
    smaller = replace(s.NODE, cameras=(replace(s.FRONT, zones=("path",), labels=(Label.PERSON,)),))
    next_run = Edge(ha.broker_port, smaller)

    next_run.until("the rest is gone", lambda: registered(ha) == wanted(smaller))
    next_run.until("and stays as it is", lambda: "Yard" not in ha.devices())
    next_run.close()


def test_removals_make_home_assistant_warn_of_nothing_but_its_own_second_thoughts(ha, edge):
    # For every disabled entity that goes with its device it empties the config topic again, and says so of itself.
    assert [line for line in complaints(ha) if "No device components to cleanup" not in line] == []
