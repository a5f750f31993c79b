"""A bad file gives every problem, each with its line, its path and how to mend it."""

import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

from blikk_edge.config import ConfigErrors, Problem, check, load
from blikk_edge.core.errors import ConfigError
from blikk_edge.grammar import values

MQTT = "{host: b}"
GOOD = """\
node: n
mqtt: broker
cameras:
  front:
    source: rtsp://cam/1
"""


def only(path: Path, **environ: str) -> Problem:
    problems = check(path, environ)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("Europe/Berln", "Did you mean `Europe/Berlin`?"),
        ("europe/berlin", "Did you mean `Europe/Berlin`?"),
        ("CEST+2", "Write one like `Europe/Berlin`."),
        ("../../etc/passwd", "Write one like `Europe/Berlin`."),
        ("Europe", "Write one like `Europe/Berlin`."),
        ("'+02:00'", "Write one like `Europe/Berlin`."),
    ],
)
def test_a_time_zone_that_nobody_knows_is_named_with_the_nearest(write, name, mend):
    problem = only(write(GOOD + f"timezone: {name}\n"))
    assert (problem.line, problem.path) == (6, "timezone")
    assert str(problem).endswith(f"no time zone of that name is known. {mend}")


@pytest.mark.parametrize("tag", ["german", "d", "de_", "../en", "1"])
def test_what_is_no_language_is_reported(write, tag):
    assert "no tag of a language. Write a short one like `de`" in str(only(write(GOOD + f"language: {tag}\n")))


def test_a_machine_without_time_zones_is_reported_where_to_get_them(write, monkeypatch):
    monkeypatch.setattr(values, "zone_named", lambda name: None)
    monkeypatch.setattr(values, "zone_names", frozenset)
    assert "Install `tzdata`" in str(only(write(GOOD + "timezone: Europe/Berlin\n")))


@pytest.mark.parametrize(
    ("line", "path", "says"),
    [
        # types and ranges
        ("    fps: fast", "fps", "not a number"),
        ("    fps: 0", "fps", "out of range"),
        ("    fps: .nan", "fps", "not a number"),
        ("    fps: nan", "fps", "not a number"),
        ("    fps: inf", "fps", "out of range"),
        ("    fps: [5]", "fps", "one value"),
        ("    fps:", "fps", "no value"),
        ("    fps: ''", "fps", "empty"),
        ("    height_px: 480.5", "height_px", "whole"),
        ("    rotate: 45", "rotate", "not a quarter turn"),
        ("    rotate: left", "rotate", "degrees, clockwise"),
        ("    summary_window: 0", "summary_window", "out of range"),
        ("    event_threshold: 1.1", "event_threshold", "out of range"),
        ("    loiter_s: 5m", "loiter_s", "not a duration"),
        ("    loiter_s: 2d", "loiter_s", "out of range"),
        ('    name: "a\\nb"', "name", "line break"),
        ("    backpressure_strategy: dorp", "backpressure_strategy", "Did you mean `drop`?"),
        ("    watch: often", "watch", "`eco`"),
        ("    transport: sctp", "transport", "`tcp`"),
        ("    labels: []", "labels", "empty"),
        ("    labels: [person, persn]", "labels[1]", "Did you mean `person`?"),
        ("    labels: [person, person]", "labels[1]", "twice"),
        # structure
        ("    fsp: 5", "fsp", "Did you mean `fps`?"),
        ("    select: [motion]", "select", "not a mapping"),
        ("    select: {motion: maybe}", "select.motion", "yes nor no"),
        ("    zones: [a]", "zones", "not a mapping"),
        ("    zones: {Path: {polygon: [[0,0],[1,0],[1,1]]}}", "zones.Path", "not an id"),
        ("    zones: {a: {labels: person}}", "zones.a.polygon", "missing"),
        ("    zones: {a: {polygon: [[0,0],[1,1]]}}", "zones.a.polygon", "at least 3"),
        ("    zones: {a: {polygon: [[0,0],[1,1],[0,0]]}}", "zones.a.polygon", "different"),
        ("    zones: {a: {polygon: [[0,0],[1,1],[50,0]]}}", "zones.a.polygon[2][0]", "out of range"),
        ("    zones: {a: {polygon: [[0,0],[1,1],[0]]}}", "zones.a.polygon[2]", "not a pair"),
        ("    private: [[[0,0],[1,1]]]", "private[0]", "at least 3"),
        ("    private: [[[0,0],[1,0],[0,1],[1,1]]]", "private[0]", "crosses or touches itself"),
        ("    private: [[[0,0],[1,0],[1,1]], [[0,0],[1,0],[1,1],[0,0],[1,0],[1,1]]]", "private[1]", "crosses"),
        ("    zones: {a: {polygon: [[0,0],[1,1],[1,0],[0,1]]}}", "zones.a.polygon", "in order around the area"),
        ("    private: [[[0,0],[0.5,0.5],[1,1]]]", "private[0]", "encloses nothing"),
        ("    private: [[[0,0],[1,0],[1,.inf]]]", "private[0][2][1]", "not a number"),
        ("    private: [[[0,0],[1,0],[1,-0.1]]]", "private[0][2][1]", "out of range"),
        (f"    private: [[{','.join(f'[{i / 2000},{i % 2}]' for i in range(1001))}]]", "private[0]", "more than 1000"),
        ("    private: yes", "private", "list of polygons"),
        ("    ring: {gpio: 40}", "ring.gpio", "out of range"),
        ("    onvif: true", "onvif", "without an `onvif://` source"),
        ("    onvif: http://10.0.0.7", "onvif", "nor an `onvif://` address"),
        ("    onvif: 'onvif://admin:a b@10.0.0.7'", "onvif", "space in an address"),
        ("    detector: fast", "detector", "no detector of that name"),
        ("    detector: Fast", "detector", "not an id"),
        # tags and aliases
        ("    name: !secret n", "name", "no `secrets.yaml`"),
        ("    name: !env N", "name", "no variable `N`"),
        ("    name: !env 'N!'", "name", "name of a variable"),
        ("    name: !shout n", "name", "not known"),
        ("    name: !!binary aGk=", "name", "not known"),
        ("    name: !!python/name:os.system", "name", "not known"),
        ("    select: !!set {motion}", "select", "not known"),
        ("    zones: &z {a: *z}", "zones.a", "inside"),
        ("    <<: 5", "", "takes a mapping"),
        ("    <<: {<<: {fsp: 5}}", "fsp", "Did you mean"),
        ("    [a]: 5", "", "plain name"),
        ("    ~: 5", "", "plain name"),
        ("    !secret a: 5", "", "plain name"),
    ],
)
def test_camera_problem_stands_at_its_line_and_path(write, line, path, says):
    problem = only(write(GOOD + line + "\n"))
    assert problem.line == 6
    assert problem.path == f"cameras.front.{path}".rstrip(".")
    assert says in f"{problem.text} {problem.mend}"
    assert str(problem).startswith(f"{problem.file}:6: cameras.front")


@pytest.mark.parametrize(
    ("text", "line", "path", "says"),
    [
        ("", 0, "", "empty"),
        ("# nothing yet\n", 0, "", "empty"),
        ("{}\n", 1, "cameras", "missing"),
        ("- a\n", 1, "", "not a mapping"),
        ("node: n\nmqtt: b\n", 1, "cameras", "missing"),
        ("node: n\nmqtt: b\ncameras:\n", 3, "cameras", "empty"),
        ("node: n\nmqtt: b\ncameras: [a]\n", 3, "cameras", "not a mapping"),
        ("node: n\nmqtt: b\ncameras:\n  a:\n    fps: 5\n", 4, "cameras.a.source", "missing"),
        ("node: n\nmqtt: {}\ncameras: {a: /dev/video0}\n", 2, "mqtt.host", "missing"),
        ("node: ''\nmqtt: b\ncameras: {a: /dev/video0}\n", 1, "node.name", "empty"),
        ("node: {}\nmqtt: b\ncameras: {a: /dev/video0}\n", 1, "node", "no name"),
        ("node: 玄関\nmqtt: b\ncameras: {a: /dev/video0}\n", 1, "node.name", "no id"),
        ("node: {id: A/b}\nmqtt: b\ncameras: {a: /dev/video0}\n", 1, "node.id", "not an id"),
    ],
)
def test_missing_keys_are_reported_at_the_key_above(write, text, line, path, says):
    problem = next(problem for problem in check(write(text), {}) if problem.path == path)
    assert problem.line == line
    assert says in problem.text


@pytest.mark.parametrize(
    ("mqtt", "path", "says"),
    [
        ("{host: 'mqtt://b'}", "mqtt.host", "keys of their own"),
        ("'b:1883'", "mqtt.host", "host name"),
        ("{host: b, port: 0}", "mqtt.port", "out of range"),
        ("{host: b, port: 99999}", "mqtt.port", "out of range"),
        ("{host: b, prefix: 'a/#'}", "mqtt.prefix", "MQTT topic"),
        ("{host: b, prefix: /a}", "mqtt.prefix", "MQTT topic"),
        ("{host: b, password: p}", "mqtt.password", "without `username`"),
        ("{host: b, tls: {ca: nowhere.pem}}", "mqtt.tls.ca", "no such file"),
        ("{host: b, tls: {certificate: blikk.yaml}}", "mqtt.tls.certificate", "without `key`"),
        ("{host: b, tls: {key: blikk.yaml}}", "mqtt.tls.key", "without `certificate`"),
        ("{host: b, tls: {key_password: p}}", "mqtt.tls.key_password", "without `key`"),
        ("{host: b, tls: maybe}", "mqtt.tls", "not a mapping"),
    ],
)
def test_mqtt_problem_names_its_key(write, mqtt, path, says):
    problem = only(write(f"node: n\nmqtt: {mqtt}\ncameras: {{a: /dev/video0}}\n"))
    assert (problem.line, problem.path) == (2, path)
    assert says in f"{problem.text} {problem.mend}"


@pytest.mark.parametrize(
    ("detector", "path", "says"),
    [
        ("model: yolox-nan", "model", "Did you mean `yolox-nano`?"),
        ("model: yunet", "model", "no model of that name"),
        ("model: gone/x.tflite", "model", "no such file"),
        ("model: 'https://h/x.tflite'", "", "without `sha256`"),
        (f"model: 'https://h/x.tflite', sha256: {'0' * 64}", "", "without `decoder`"),
        ("model: 'https://u:p@h/x.tflite'", "model", "without user"),
        ("model: 'ftp://h/x.tflite'", "model", "web address"),
        ("sha256: abc", "sha256", "SHA-256"),
        ("thresholds: {person: 2}", "thresholds.person", "out of range"),
        ("thresholds: {cat: 0.5}", "thresholds.cat", "not known"),
        ("decoder: yolo", "decoder", "Did you mean `yolox`?"),
        ("threads: -1", "threads", "out of range"),
    ],
)
def test_detector_problem_names_its_key(write, detector, path, says):
    problem = only(write(f"{GOOD}detectors:\n  default: {{{detector}}}\n"))
    assert (problem.line, problem.path) == (7, f"detectors.default.{path}".rstrip("."))
    assert says in f"{problem.text} {problem.mend}"


@pytest.mark.parametrize("name", ["status", "announce", "health", "ask", "ha", "Front", "a-b", "a/b", "", "x" * 65])
def test_camera_id_is_a_free_place_on_mqtt(write, name):
    problem = only(write(f"node: n\nmqtt: b\ncameras:\n  ? '{name}'\n  : /dev/video0\n"))
    assert problem.line == 4
    assert "taken" in problem.text or "not an id" in problem.text


@pytest.mark.parametrize(
    "source",
    [
        "ftp://h/x",
        "rtsp://",
        "rtsp://h:99999/",
        "rtsp://h:0/",
        "rtsp://[::1",
        "nowhere.mp4",
        "rtsp://a b/",
        "0",
        "{a: 1}",
    ],
)
def test_source_that_cannot_be_one_is_refused(write, source):
    quoted = source if source.startswith("{") else f"'{source}'"
    problem = only(write(f"node: n\nmqtt: b\ncameras:\n  a:\n    source: {quoted}\n"))
    assert (problem.line, problem.path) == (5, "cameras.a.source")


def test_two_cameras_do_not_share_a_pin(write):
    text = "node: n\nmqtt: b\ncameras:\n" + "".join(f"  {c}: {{source: /dev/{c}, ring: {{gpio: 4}}}}\n" for c in "ab")
    assert only(write(text)).path == "cameras.b.ring.gpio"


def test_key_written_twice_names_both_lines(write):
    problem = only(write(GOOD + "    fps: 4\n    name: A\n    fps: 5\n"))
    assert (problem.line, problem.path) == (8, "cameras.front.fps")
    assert "line 6 and in line 8" in problem.text


def test_zone_written_twice_names_both_lines(write):
    zone = "      path: {polygon: [[0,0],[1,0],[1,1]]}\n"
    problem = only(write(GOOD + "    zones:\n" + zone + zone))
    assert problem.path == "cameras.front.zones.path"
    assert "line 7 and in line 8" in problem.text


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("node: n\n\tmqtt: b\n", 2, 1, "tab"),
        ("node: n\nmqtt: b: c\n", 2, 8, "`:`"),
        ("node: n\nmqtt\ncameras: 3\n", 3, 1, "`:`"),
        ("node: n\nmqtt: *b\n", 2, 7, "alias"),
        ('node: "n\n', 2, 1, "quote"),
        ('node: "\\q"\n', 1, 9, "escape"),
        ('node: "\\U00110000"\n', 1, 10, "escape"),
        ("node: %n\n", 1, 7, "character"),
        ("node: n\n---\nnode: m\n", 2, 1, "second document"),
        ("node: [a\nmqtt: b\n", 2, 5, "YAML"),
        ("node: n\nmqtt: a\x07b\n", 2, 8, "control character"),
        ("node: " + "[" * 100, 1, 37, "deep"),
    ],
)
def test_bad_yaml_is_reported_with_line_and_column(write, text, line, column, says):
    problem = only(write(text))
    assert (problem.line, problem.column) == (line, column)
    assert says in f"{problem.text} {problem.mend}"


def test_text_that_is_not_utf8_is_reported_with_its_line(tmp_path: Path):
    path = tmp_path / "blikk.yaml"
    path.write_bytes("node: n\nmqtt: Tür\n".encode("latin-1"))
    assert (only(path).line, only(path).text) == (2, "the text is not UTF-8")


def test_file_that_is_not_there_is_a_problem(tmp_path: Path):
    assert "no such file" in only(tmp_path / "gone.yaml").text
    assert "folder" in only(tmp_path).text


def test_aliases_to_aliases_do_not_fill_the_memory(write):
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert "too large" in only(write("a0: &a0 [x]\n" + levels)).text


@pytest.mark.timeout(30)
def test_merges_of_merges_take_no_time(write):
    levels = "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 28))
    assert {p.path for p in check(write("m0: &m0 {k0: 1}\n" + levels), {})} >= {"m0", "m27", "node"}
    keys = "".join(f"  k{n}: 1\n" for n in range(300))
    wide = "".join(f"m{n}: {{<<: *m}}\n" for n in range(300))
    assert "too large" in only(write(f"m: &m\n{keys}{wide}")).text


@pytest.mark.parametrize(
    ("secrets", "file", "says"),
    [
        ("other: 1\n", "blikk.yaml", "no entry `pw`"),
        ("pw: [a]\n", "blikk.yaml", "not a text"),
        ("pw:\n", "blikk.yaml", "not a text"),
        ("pw: a\npw: b\n", "secrets.yaml", "twice"),
        ("pw\n", "secrets.yaml", "name: value"),
        ("pw: 'a\n", "secrets.yaml", "quote"),
    ],
)
def test_secret_that_cannot_be_had_is_reported(write, secrets, file, says):
    text = "node: n\nmqtt:\n  host: b\n  username: u\n  password: !secret pw\ncameras: {a: /dev/video0}\n"
    problem = next(problem for problem in check(write(text, secrets), {}) if problem.file.name == file)
    assert says in problem.text
    assert problem.line == (5 if file == "blikk.yaml" else problem.line)


def test_secret_in_a_place_that_is_shown_is_refused(write):
    problem = only(write("node: !secret n\nmqtt: b\ncameras: {a: /dev/video0}\n", "n: hallway\n"))
    assert (problem.path, problem.line) == ("node.name", 1)
    assert "shown" in problem.text


def test_every_problem_is_reported_in_the_order_of_lines(write):
    text = (
        "nod: n\nmqtt: {host: 'a b', port: x}\ncameras:\n  a: {source: 5, fps: x}\n  status: {fsp: 1, detector: d}\n"
        "privacy: {blur: perhaps}\n"
    )
    problems = check(write(text), {})
    assert [(p.line, p.path) for p in problems] == [
        (1, "nod"),
        (1, "node"),
        (2, "mqtt.host"),
        (2, "mqtt.port"),
        (4, "cameras.a.fps"),
        (4, "cameras.a.source"),
        (5, "cameras.status"),
        (5, "cameras.status.detector"),
        (5, "cameras.status.fsp"),
        (5, "cameras.status.source"),
        (6, "privacy.blur"),
    ]


def test_load_raises_all_problems_at_once(write):
    path = write("node: n\nmqtt: {port: x}\ncameras: {a: /dev/video0}\n")
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert isinstance(caught.value, ConfigErrors)
    assert list(caught.value.problems) == check(path, {})
    assert str(caught.value).splitlines() == [str(problem) for problem in check(path, {})]


def test_check_opens_no_camera_and_no_connection(write):
    path = write("node: n\nmqtt: 127.0.0.1\ncameras: {a: /dev/video0, b: 'rtsp://127.0.0.1/x'}\n")
    script = f"""
import pathlib, sys
def watch(event, args):
    if event.startswith("socket.") or (event == "open" and str(args[0]).startswith("/dev/video")):
        raise SystemExit(f"{{event}} {{args}}")
from blikk_edge.config import check
sys.addaudithook(watch)
assert check(pathlib.Path({str(path)!r}), {{}}) == []
assert not {{"av", "cv2", "aiomqtt", "aiohttp", "websockets", "redis", "asyncpg", "zmq"}} & set(sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
