"""A good file gives the Settings it describes."""

from dataclasses import replace
from pathlib import Path

import pytest

from blikk_edge.config import Settings, load
from blikk_edge.config.settings import CameraSettings, DetectorSettings, NodeSettings, RingSettings, Secret, SourceUrl
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.fields import Backpressure
from blikk_edge.core.geometry import Polygon
from blikk_edge.core.sightings import Label
from blikk_edge.net.options import ClientTlsSettings
from blikk_edge.sinks.mqtt.kind import HomeAssistantMode, MqttSettings

HEAD = "node: hallway\nmqtt: broker.local\n"
CAMERAS = "cameras: {front_door: {source: 'rtsp://cam/1'}}\n"


def camera(write, keys: str) -> CameraSettings:
    path = write(f"{HEAD}cameras:\n  front_door: {{source: 'rtsp://cam/1', {keys}}}\n")
    return load(path, environ={}).cameras[0]


def test_minimal_file_has_every_default_of_the_dataclasses(write):
    assert load(write(HEAD + CAMERAS), environ={}) == Settings(
        node=NodeSettings(id="hallway", name="Hallway"),
        mqtt=MqttSettings(host="broker.local"),
        cameras=(CameraSettings(id="front_door", name="Front door", source=SourceUrl("rtsp://cam/1")),),
    )


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("hallway", NodeSettings(id="hallway", name="Hallway")),
        ("front_hall", NodeSettings(id="front_hall", name="Front hall")),
        ("Küche links", NodeSettings(id="kuche_links", name="Küche links")),
        ("{name: Hallway}", NodeSettings(id="hallway", name="Hallway")),
        ("{id: pi4}", NodeSettings(id="pi4", name="Pi4")),
        ("{name: 玄関, id: genkan}", NodeSettings(id="genkan", name="玄関")),
        ("007", NodeSettings(id="007", name="007")),
        ("no", NodeSettings(id="no", name="No")),
    ],
)
def test_node_name_and_id_come_from_each_other(write, node, expected):
    assert load(write(f"node: {node}\nmqtt: b\n{CAMERAS}"), environ={}).node == expected


@pytest.mark.parametrize("word", ["off", "'off'", "Off", "OFF"])
def test_mode_off_is_a_mode_and_no_boolean(write, word):
    settings = load(write(f"{HEAD}{CAMERAS}home_assistant: {{mode: {word}}}"), environ={})
    assert settings.home_assistant.mode is HomeAssistantMode.OFF


@pytest.mark.parametrize("password", ["0123", "yes", "12:30:45", "1e5", "2024-01-01", "0x1F", "'#:{'"])
def test_password_stays_the_text_that_was_written(write, password):
    settings = load(write(f"node: n\nmqtt: {{host: b, username: u, password: {password}}}\n{CAMERAS}"), environ={})
    assert settings.mqtt.password == Secret(password.strip("'"))


@pytest.mark.parametrize(
    ("mqtt", "port"),
    [
        ("broker", 1883),
        ("{host: broker}", 1883),
        ("{host: broker, tls: false}", 1883),
        ("{host: broker, tls: true}", 8883),
        ("{host: broker, tls: {}}", 8883),
        ("{host: broker, tls: true, port: 1884}", 1884),
        ("{host: broker, port: !env PORT}", 2000),
    ],
)
def test_mqtt_port_follows_tls(write, mqtt, port):
    assert load(write(f"node: n\nmqtt: {mqtt}\n{CAMERAS}"), environ={"PORT": "2000"}).mqtt.port == port


@pytest.mark.parametrize("host", ["broker", "192.168.1.2", "::1", "fe80::1%eth0", "b-1.example.org", "core_mosquitto"])
def test_host_is_a_name_or_an_address(write, host):
    assert load(write(f"node: n\nmqtt: {{host: '{host}'}}\n{CAMERAS}"), environ={}).mqtt.host == host


def test_client_certificate_is_found_beside_the_file(write, tmp_path: Path):
    for name in ("ca.pem", "c.pem", "c.key"):
        (tmp_path / name).touch()
    tls = "{ca: ca.pem, certificate: c.pem, key: c.key, key_password: s}"
    settings = load(write(f"node: n\nmqtt: {{host: b, tls: {tls}}}\n{CAMERAS}"), environ={})
    assert settings.mqtt.tls == ClientTlsSettings(
        ca=tmp_path / "ca.pem", certificate=tmp_path / "c.pem", key=tmp_path / "c.key", key_password=Secret("s")
    )


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10", 10),
        ("10s", 10),
        ("1.5", 1.5),
        ("5min", 300),
        ("'5 min'", 300),
        ("1h", 3600),
        ("1500ms", 1.5),
        ("1d", 86400),
    ],
)
def test_durations_take_numbers_and_units(write, written, seconds):
    assert camera(write, f"loiter_s: {written}").loiter_s == seconds


@pytest.mark.parametrize(
    ("keys", "asked", "wanted"),
    [
        ("source: 'onvif://u:p@h'", "onvif://u:p@h", False),
        ("source: 'onvif://u:p@h', onvif: true", "onvif://u:p@h", True),
        ("source: 'onvif://u:p@h', onvif: no", None, False),
        ("source: 'rtsp://h/1'", None, False),
        ("source: 'rtsp://h/1', onvif: off", None, False),
        ("source: 'rtsp://h/1', onvif: 'onvif://u:p@h:8000'", "onvif://u:p@h:8000", True),
        ("source: /dev/video0, onvif: 'ONVIF://h'", "onvif://h", True),
    ],
)
def test_own_events_are_asked_for_at_an_onvif_source_or_where_it_is_written(write, keys, asked, wanted):
    got = load(write(f"node: n\nmqtt: b\ncameras: {{front: {{{keys}}}}}\n"), environ={}).cameras[0]
    assert (got.onvif and got.onvif.reveal(), got.onvif_wanted) == (asked, wanted)
    assert "u:p" not in repr(got)


def test_a_doorbell_that_only_its_own_camera_rings_needs_no_broker(write):
    text = "node: n\nmqtt: false\ncameras: {{front: {{source: 'onvif://h', ring: {ring}}}}}\n"
    assert load(write(text.format(ring="true")), environ={}).cameras[0].ring == RingSettings()
    silent = write(text.format(ring="{onvif: false}"))
    with pytest.raises(ConfigError, match="a doorbell that nothing can ring"):
        load(silent, environ={})


def test_camera_takes_what_is_written(write):
    got = camera(
        write,
        "name: Haustür, labels: [animal, person], event_threshold: 0.5, summary_window: 1, watch: full,"
        " backpressure_strategy: buffer, fps: 2.5, private: [[[0,0],[1,0],[1,1]]],"
        " zones: {path: {polygon: [[0,1],[0.5,0],[1,1]], labels: person, loiter_s: 20s}},"
        " ring: {gpio: 17, mqtt: false}",
    )
    assert (got.name, got.labels, got.fps) == ("Haustür", (Label.ANIMAL, Label.PERSON), 2.5)
    assert (got.event_threshold, got.summary_window) == (0.5, 1)
    assert got.backpressure_strategy is Backpressure.BUFFER
    assert got.private == (Polygon(((0, 0), (1, 0), (1, 1))),)
    assert (got.zones[0].name, got.zones[0].labels, got.zones[0].loiter_s) == ("path", (Label.PERSON,), 20)
    assert got.ring == RingSettings(gpio=17, mqtt=False)


@pytest.mark.parametrize(("ring", "expected"), [("true", RingSettings()), ("", RingSettings()), ("no", None)])
def test_ring_is_a_switch_too(write, ring, expected):
    assert camera(write, f"ring: {ring}").ring == expected


@pytest.mark.parametrize(
    "source", ["/dev/video0", "/dev/v4l/by-id/usb-cam", "https://cam/x.m3u8", "rtsp://[fe80::1]:554/a"]
)
def test_source_alone_makes_a_camera(write, source):
    settings = load(write(f"{HEAD}cameras: {{yard: '{source}'}}"), environ={})
    assert settings.cameras[0].source.reveal() == source


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        (" RTSP://cam/1 ", "rtsp://cam/1"),
        ("Http://u:p@Cam/1", "http://u:p@Cam/1"),
        ("rtsp://u:p@ss@cam/1", "rtsp://u:p%40ss@cam/1"),
        ("rtsp://u:p#1@cam/1", "rtsp://u:p%231@cam/1"),
        ("rtsp://u:100%@cam/1", "rtsp://u:100%25@cam/1"),
        ("rtsp://küche.local/1", "rtsp://xn--kche-0ra.local/1"),
    ],
)
def test_source_is_taken_as_people_write_it(write, source, plain):
    settings = load(write(f"{HEAD}cameras: {{yard: {{source: '{source}'}}}}"), environ={})
    assert settings.cameras[0].source.reveal() == plain


@pytest.mark.parametrize(("written", "degrees"), [("0", 0), ("90", 90), ("180", 180), ("270", 270), ("-90", 270)])
def test_rotate_is_degrees_clockwise(write, written, degrees):
    assert camera(write, f"rotate: {written}").rotate == degrees


@pytest.mark.parametrize("source", ["clip one.mp4", "file://{folder}/clip%20one.mp4", "{folder}/clip one.mp4"])
def test_source_file_is_found_beside_the_file(write, tmp_path: Path, source):
    (tmp_path / "clip one.mp4").touch()
    settings = load(write(f"{HEAD}cameras: {{yard: '{source.format(folder=tmp_path)}'}}"), environ={})
    assert settings.cameras[0].source.reveal() == str(tmp_path / "clip one.mp4")


def test_thresholds_that_are_not_written_are_the_default_ones(write):
    detector = load(
        write(f"{HEAD}{CAMERAS}detectors: {{default: {{thresholds: {{animal: 0.9}}}}}}"), environ={}
    ).detectors
    expected = {**dict(DetectorSettings().thresholds), Label.ANIMAL: 0.9}
    assert detector == (replace(DetectorSettings(), thresholds=tuple(expected.items())),)


def test_default_detector_is_there_beside_others(write):
    settings = load(write(f"{HEAD}{CAMERAS}detectors: {{fast: {{model: ssd-mobilenet-v1}}}}"), environ={})
    assert [detector.name for detector in settings.detectors] == ["default", "fast"]
    assert settings.detector_of(settings.cameras[0]) == DetectorSettings()


def test_model_of_ones_own_is_found_beside_the_file(write, tmp_path: Path):
    (tmp_path / "mine.tflite").touch()
    settings = load(write(f"{HEAD}{CAMERAS}detectors: {{default: {{model: mine.tflite, decoder: ssd}}}}"), environ={})
    assert (settings.detectors[0].model, settings.detectors[0].decoder) == (str(tmp_path / "mine.tflite"), "ssd")


def test_anchors_and_merges_share_keys(write):
    text = (
        HEAD + "cameras:\n  a: &base\n    source: rtsp://cam/a\n    fps: 2\n    select: &s {every_s: 3}\n"
        "  b:\n    <<: *base\n    source: rtsp://cam/b\n"
        "  c:\n    <<: [*base, {name: Other}]\n    fps: 9\n    select: *s\n"
    )
    cameras = load(write(text), environ={}).cameras
    assert [c.source.reveal()[-1] for c in cameras] == ["a", "b", "a"]
    assert [c.fps for c in cameras] == [2, 2, 9]
    assert [c.name for c in cameras] == ["A", "B", "Other"]
    assert {c.select.every_s for c in cameras} == {3}


def test_env_gives_a_value_or_its_default(write):
    text = "node: !env NAME\nmqtt: {host: !env HOST broker.local, username: u, password: !env PASS}\n" + CAMERAS
    settings = load(write(text), environ={"NAME": "porch", "PASS": "a b"})
    assert (settings.node.id, settings.mqtt.host, settings.mqtt.password) == ("porch", "broker.local", Secret("a b"))


def test_secrets_come_from_the_file_beside(write):
    text = "node: n\nmqtt: {host: b, username: !secret user, password: !secret pw}\ncameras: {a: !secret cam}\n"
    settings = load(write(text, "user: me\npw: 0123\ncam: rtsp://u:p@h/x\nunused: 1\n"), environ={})
    assert (settings.mqtt.username, settings.mqtt.password) == ("me", Secret("0123"))
    assert settings.cameras[0].source.reveal() == "rtsp://u:p@h/x"


def test_byte_order_mark_is_no_part_of_the_text(write, tmp_path: Path):
    path = tmp_path / "blikk.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + CAMERAS).encode())
    assert load(path, environ={}).node.id == "hallway"
