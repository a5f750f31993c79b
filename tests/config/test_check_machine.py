"""`blikk check` finds what a configuration needs on this machine and has not: before a start does."""

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from ports import free_port

from blikk_edge.app.checking import Checked, check, extras
from blikk_edge.config import ConfigErrors, load
from blikk_edge.kinds import plugins
from blikk_edge.llm.kinds import MODELS
from blikk_edge.store.store import Store

BASE = {
    "node": "hallway",
    "mqtt": "127.0.0.1",
    "cameras": "{door: {source: rtsp://127.0.0.1:9/1}}",
    "store": "{path: kept/blikk.db}",
}


@pytest.fixture
def checked(write):
    """Checks a configuration whose keys are changed; gives its problems as `path: text mend`."""

    def run(environ: dict[str, str] | None = None, **keys: str) -> Checked:
        text = "".join(f"{key}: {value}\n" for key, value in {**BASE, **keys}.items())
        return check(write(text), environ or {})

    return run


def reported(checked: Checked) -> list[str]:
    return [f"{problem.path}: {problem.text}. {problem.mend}" for problem in checked.problems]


def only(checked: Checked, *words: str) -> None:
    (problem,) = reported(checked)
    assert all(word in problem for word in words), problem
    assert checked.problems[0].line > 0


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"cameras": "{door: {source: 'rtsp://u:${PW}@127.0.0.1:9/1'}}"}, "cameras.door.source"),
        ({"cameras": "{door: {source: 'rtsp://u:{FRIGATE_RTSP_PASSWORD}@127.0.0.1:9/1'}}"}, "cameras.door.source"),
        ({"mqtt": "{host: 127.0.0.1, username: u, password: '{FRIGATE_MQTT_PASSWORD}'}"}, "mqtt.password"),
        ({"mqtt": "{host: 127.0.0.1, username: '{{ user }}', password: p}"}, "mqtt.username"),
        ({"mqtt": "{host: 127.0.0.1, username: u, password: '${PW:-none}'}"}, "mqtt.password"),
    ],
)
def test_placeholders_of_other_programs_are_noted(checked, keys, where):
    notes = [note for note in checked(**keys).notes if "placeholder" in note]
    assert len(notes) == 1
    assert notes[0].startswith(f"{where}: ")
    assert "PW" not in notes[0]


@pytest.mark.parametrize("password", ["$a{b}c", "{abc}", "a$b", "%7B", "${}"])
def test_signs_of_placeholders_in_a_password_are_none(checked, password):
    notes = checked(mqtt=f"{{host: 127.0.0.1, username: u, password: '{password}'}}").notes
    assert not any("placeholder" in note for note in notes)


def test_a_configuration_that_needs_nothing_is_fine(checked):
    result = checked()
    assert reported(result) == []
    assert len(result.notes) == 2
    assert result.settings is not None


@pytest.mark.parametrize(
    ("webhook", "more", "warned"),
    [
        ("http://127.0.0.1:9/x", "", True),
        ("{url: 'http://127.0.0.1:9/x', tell: [event]}", "", False),
        ("{url: 'http://127.0.0.1:9/x', tell: [answer, ring]}", "", False),
        ("http://127.0.0.1:9/x", ", questions: {anyone: 'Is there a person?'}", False),
    ],
)
def test_a_webhook_that_would_never_be_reported_anything_is_noted(checked, webhook: str, more: str, warned: bool):
    result = checked(webhook=webhook, cameras=f"{{door: {{source: rtsp://127.0.0.1:9/1{more}}}}}")
    assert reported(result) == []
    assert any("`tell: [event]`" in note for note in result.notes) == warned


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        ("{provider: opnai, model: m, base_url: 'http://h/v1'}", ("did you mean 'openai'", "summary.provider")),
        ("{provider: ollama}", ("there is no language model 'ollama'", "`provider: openai`", "`base_url:`")),
        ("{provider: lm_studio}", ("`provider: openai`",)),
        ("{provider: xyzzy}", ("there is no language model 'xyzzy'", "there is fleet, llama, openai")),
        ("{provider: llama, model: none.gguf}", ("summary.model", "none.gguf", "cannot be read")),
        ("{provider: llama, model: blikk.yaml}", ("summary.model", "it is no GGUF file")),
    ],
)
def test_a_language_model_that_cannot_be_made_is_reported(checked, summary: str, words: tuple[str, ...]):
    only(checked(summary=summary), *words)


def test_a_model_that_shall_see_and_has_no_eyes_is_reported(checked, tmp_path: Path):
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    only(checked(summary="{provider: llama, model: m.gguf, mode: vision}"), "summary.mode", "projector")


def test_a_plug_in_that_cannot_be_loaded_is_reported(checked, monkeypatch):
    broken = EntryPoint(name="mine", value="blikk_edge.nothing:make", group=MODELS.group)
    monkeypatch.setattr(plugins, "_entry_points", lambda *_: [broken])
    monkeypatch.setattr(MODELS, "_found", {})
    only(checked(summary="{provider: mine}"), "summary.provider", "cannot be loaded")


@pytest.mark.parametrize(
    ("missing", "keys", "words"),
    [
        ("gpiod", {"cameras": "{door: {source: /dev/video0, ring: {gpio: 17}}}"}, ("ring.gpio", "blikk-edge[gpio]")),
        (
            "onveef",
            {"cameras": "{door: {source: /dev/video0, onvif: 'onvif://h'}}"},
            ("door.onvif", "blikk-edge[onvif]"),
        ),
        ("aiohttp", {"http": f"{{port: {free_port()}}}"}, ("http", "-m pip install")),
        ("aiohttp", {"webhook": "http://127.0.0.1:9/x"}, ("webhook", "-m pip install")),
    ],
)
def test_a_missing_package_is_reported_with_the_command_that_brings_it(checked, monkeypatch, missing, keys, words):
    there = extras._installed
    monkeypatch.setattr(extras, "_installed", lambda name: name != missing and there(name))
    only(checked(**keys), missing, *words)


def test_a_missing_package_of_language_models_is_reported(checked, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "blikk_edge.llm.openai_client", raising=False)
    only(
        checked(summary="{provider: openai, model: m, base_url: 'http://h/v1'}"), "-m pip install 'blikk-edge[openai]'"
    )


def test_models_that_are_not_here_and_may_not_be_fetched_are_reported(checked, tmp_path: Path):
    problems = reported(checked(models="{offline: true, cache: cache}"))
    assert [problem.split(":")[0] for problem in problems] == ["detectors.default.model", "privacy.model"]
    assert "blikk models pull yolox-nano" in problems[0]


def test_models_that_are_here_are_not_reported(checked, data: Path):
    result = checked({"BLIKK_MODELS": str(data / "models")}, models="{offline: true}")
    assert (reported(result), result.notes) == ([], ())


def test_what_serves_where_a_fetch_fails_and_what_it_does_not_find_is_worth_knowing(checked):
    notes = checked(models="{cache: cache}").notes
    assert any("should that fail, blazepose-person serves, which does not find vehicles, animals" in n for n in notes)
    assert any("yunet" in n and "should that fail, blazeface-full serves" in n for n in notes)
    chosen = checked(models="{cache: cache}", detectors="{default: {model: blazepose-person}}").notes
    assert "the model blazepose-person does not find" in chosen[0]
    assert chosen[1] == "the model blazepose-person will be fetched at the first start (33.1 MB)"


def test_a_model_of_ones_own_is_looked_at(checked, tmp_path: Path):
    (tmp_path / "mine.tflite").write_text("<html>404</html>")
    only(checked(detectors="{default: {model: mine.tflite, decoder: yolox}}"), "detectors.default.model", "mine.tflite")
    only(checked(detectors="{default: {model: mine.tflite}}"), "detectors.default.model", "needs a decoder")


def test_labels_that_nothing_reports_are_reported(checked):
    camera = "{door: {source: /dev/video0, detector: few, labels: [person, package]}}"
    result = checked(cameras=camera, detectors="{few: {model: person-192}}")
    only(result, "cameras.door.labels[1]", "cannot detect `package`", "It detects `person`")
    zone = "{path: {polygon: [[0, 0], [1, 0], [1, 1]], labels: [vehicle]}}"
    result = checked(cameras=f"{{door: {{source: /dev/video0, labels: [person], zones: {zone}}}}}")
    only(result, "cameras.door.zones.path.labels[0]", "does not report `vehicle`")


def test_questions_that_take_a_model_are_reported_where_there_is_none(checked):
    camera = "{door: {source: /dev/video0, questions: {gate: 'Is the gate open?', car: 'Is there a car?'}}}"
    only(checked(cameras=camera), "cameras.door.questions.gate", "takes a language model")
    only(checked(cameras=camera, summary="false"), "cameras.door.questions.gate")
    provided = "{provider: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}"
    assert reported(checked(cameras=camera, summary=provided)) == []


def test_topics_and_names_that_clash_are_reported(checked):
    only(checked(mqtt="{host: h, prefix: homeassistant}"), "mqtt.prefix")
    only(checked(mqtt="{host: h, prefix: homeassistant/blikk}"), "mqtt.prefix")
    two = "{a: {source: /dev/video0, name: Door}, b: {source: /dev/video1, name: door}}"
    only(checked(cameras=two), "cameras.b.name", "`a` has the same name")


def test_one_source_for_two_cameras_is_worth_a_note(checked):
    result = checked(cameras="{a: /dev/video0, b: /dev/video0}")
    assert reported(result) == []
    assert "b and a have the same source" in result.notes


def test_what_is_known_of_a_camera_is_worth_a_note_without_its_login(checked):
    result = checked(cameras="{a: 'rtsp://u53r:p455@cam/Streaming/Channels/101', b: 'rtsp://cam/stream2'}")
    assert reported(result) == []
    (note,) = (each for each in result.notes if each.startswith(("a: ", "b: ")))
    assert note.startswith("a: this is the main stream of Hikvision; ")
    assert "/Streaming/Channels/102" in note
    assert not {"u53r", "p455"} & set(note.replace(":", " ").replace("@", " ").split())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one.pem` and `one.key`, `two.pem` and `two.key`; skips without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: scripts/apt openssl")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("one", "two"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        subprocess.run(
            [*command, "-keyout", f"{name}.key", "-out", f"{name}.pem"], cwd=folder, check=True, capture_output=True
        )
    (folder / "none.pem").write_text("nothing")
    return folder


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("ca: {0}/one.pem", ()),
        ("ca: {0}/none.pem", ("mqtt.tls.ca", "holds no certificate")),
        ("certificate: {0}/one.pem, key: {0}/one.key", ()),
        ("certificate: {0}/one.pem, key: {0}/two.key", ("mqtt.tls.key", "not the one of `certificate`")),
        ("certificate: {0}/none.pem, key: {0}/one.key", ("mqtt.tls.certificate", "cannot be used")),
    ],
)
def test_certificates_that_cannot_serve_are_reported(checked, certificates: Path, keys: str, words: tuple[str, ...]):
    result = checked(mqtt=f"{{host: h, tls: {{{keys.format(certificates)}}}}}")
    if words:
        only(result, *words)
    else:
        assert reported(result) == []


def test_certificates_of_our_own_servers_are_looked_at(checked, certificates: Path):
    tls = f"{{certificate: {certificates}/one.pem, key: {certificates}/two.key}}"
    only(checked(http=f"{{port: {free_port()}, tls: {tls}}}"), "http.tls.key")


def test_a_store_that_cannot_be_written_is_reported(checked, tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    only(checked(store="{path: file/below.db}"), "store.path", "nothing can be written into its folder")
    only(checked(store="{path: folder}"), "store.path", "this is a folder")
    os.mkfifo(tmp_path / "pipe")
    only(checked(store="{path: pipe}"), "store.path", "this is a device or a pipe")
    (tmp_path / "there.db").symlink_to(tmp_path / "back.db")
    (tmp_path / "back.db").symlink_to(tmp_path / "there.db")
    only(checked(store="{path: there.db}"), "store.path", "leads round in a circle")
    (tmp_path / "gone.db").symlink_to(tmp_path / "file" / "gone.db")
    only(checked(store="{path: gone.db}"), "store.path", "nothing can be written into its folder")
    (tmp_path / "kept.db").symlink_to(tmp_path / "folder" / "kept.db")
    assert reported(checked(store="{path: kept.db}")) == []
    (tmp_path / "notes.txt").write_text("to do\n")
    only(checked(store="{path: notes.txt}"), "store.path", "this file is no store")
    only(checked(http=f"{{port: {free_port()}}}", media="{folder: file}"), "media.folder")


def test_secrets_that_everybody_can_read_are_noted(checked, tmp_path: Path):
    secrets = tmp_path / "secrets.yaml"
    secrets.write_text("pw: 1234\n")
    secrets.chmod(0o644)
    assert any("`chmod 600 secrets.yaml`" in note for note in checked().notes)
    secrets.chmod(0o640)
    assert not any("secrets" in note for note in checked().notes)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


BELL = "{door: {source: /dev/video0, ring: {http: true}}}"


def test_a_port_that_is_taken_is_reported(checked, taken: int):
    only(checked(cameras=BELL, http=f"{{port: {taken}}}"), "http.port", "another program has this port")


def test_the_ports_of_a_node_that_runs_are_its_own(checked, taken: int, tmp_path: Path):
    (tmp_path / "kept").mkdir()
    store = Store(tmp_path / "kept" / "blikk.db")
    store.open()
    with closing(store):
        result = checked(cameras=BELL, http=f"{{port: {taken}}}")
    assert reported(result) == []
    assert any("a node runs with this store" in note for note in result.notes)


def test_checking_leaves_the_store_as_it_is(checked, tmp_path: Path):
    checked()
    assert not (tmp_path / "kept").exists()
    (tmp_path / "kept").mkdir()
    with closing(sqlite3.connect(tmp_path / "kept" / "blikk.db")) as db:
        db.execute("CREATE TABLE a (b)")
    before = (tmp_path / "kept" / "blikk.db").read_bytes()
    assert reported(checked()) == []
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["blikk.db"]
    assert (tmp_path / "kept" / "blikk.db").read_bytes() == before


def test_an_address_that_this_machine_has_not_is_reported(checked, certificates: Path):
    tls = f"{{certificate: {certificates}/one.pem, key: {certificates}/one.key}}"
    http = f"{{host: 192.0.2.1, tokens: {{view: 0123456789abcdef}}, tls: {tls}}}"
    only(checked(http=http), "http.host", "no such address")


def test_two_servers_of_one_port_are_refused_by_a_start_too(write):
    path = write("node: n\nmqtt: b\ncameras: {d: /dev/video0}\nhttp: {port: 8431}\nsinks: {zeromq: {port: 8431}}\n")
    with pytest.raises(ConfigErrors, match="the port of `http` is the same"):
        load(path, environ={})


def test_one_port_on_two_addresses_is_fine(write):
    path = write(
        "node: n\nmqtt: b\ncameras: {d: /dev/video0}\nhttp: {port: 8431, host: '::1'}\nsinks: {zeromq: {port: 8431}}\n"
    )
    assert load(path, environ={}).http is not None


OLD = """\
node: n
mqtt: b
ring_hook:
  port: 8427
ingest:
  host: 0.0.0.0
  port: 8429
  tls: {certificate: a.pem, key: b.pem}
  every_s: 30s
media:
  token: 0123456789abcdef
  host: 0.0.0.0
  port: 8428
  tls: {certificate: a.pem, key: b.pem}
  url: https://h:8428
  keep_days: 3
sinks:
  websocket:
    token: 0123456789abcdef
    host: 0.0.0.0
    port: 8430
    tls: {certificate: a.pem, key: b.pem}
    names: [h]
    origins: ["https://page"]
    keep: 100
cameras: {d: {source: /dev/video0}}
"""


def test_the_keys_of_the_old_ports_give_one_section_that_can_be_pasted(write, tmp_path: Path):
    (problem,) = check(write(OLD), {}).problems
    assert (problem.line, problem.path) == (3, "ring_hook")
    for place in (
        "ring_hook` (line 3)",
        "ingest.tls` (line 8)",
        "media.url` (line 15)",
        "sinks.websocket.names` (line 23)",
    ):
        assert f"`{place}" in problem.text
    assert "0123456789abcdef" not in str(problem)
    assert "8429" not in problem.mend
    section = problem.mend.partition(":\n")[2]
    kept = [line for number, line in enumerate(OLD.splitlines(), 1) if f"(line {number})" not in problem.text]
    for file in ("a.pem", "b.pem"):
        (tmp_path / file).touch()
    (tmp_path / "secrets.yaml").write_text("".join(f"http_{who}_token: {who * 4}\n" for who in ("view", "control")))
    new = "\n".join([section, *kept]).replace("  port: 8427\n", "")
    settings = load(write(new), environ={})
    assert settings.http is not None
    assert (settings.http.host, settings.http.url, settings.http.names) == ("0.0.0.0", "https://h:8428", ("h",))


def test_other_mistakes_are_told_beside_the_section(write):
    problems = check(
        write("node: n\nmqtt: b\nmedia: {port: 8428}\ncameras: {d: {source: /dev/video0, fps: x}}\n"), {}
    ).problems
    assert [problem.path for problem in problems] == ["media.port", "cameras.d.fps"]
    assert problems[0].mend.endswith(":\nhttp:\n  port: 8428")


@pytest.mark.parametrize(("url", "wrong"), [("https://h:8429", True), ("https://h:8443", False), ("https://h", False)])
def test_an_address_with_a_port_of_earlier_versions_is_refused(write, url: str, wrong: bool):
    http = f"http: {{port: {free_port()}, url: '{url}'}}\n"
    found = check(write(f"node: n\nmqtt: b\ncameras: {{d: /dev/video0}}\n{http}"), {}).problems
    assert [problem.path for problem in found] == (["http.url"] if wrong else [])


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"media": "true"}, "media"),
        ({"cameras": BELL}, "cameras.door.ring.http"),
        ({"cameras": "{door: {source: push, push_token: 0123456789abcdef}}"}, "cameras.door.source"),
    ],
)
def test_what_the_server_serves_wants_it(checked, keys: dict[str, str], path: str):
    only(checked(**keys), path, "is off", "Add `http: true`")
    assert reported(checked(**keys, http=f"{{port: {free_port()}}}")) == []
