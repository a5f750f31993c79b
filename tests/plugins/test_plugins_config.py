"""Plug-ins in `blikk.yaml`: their options are checked by name and line like every other key, and stay secret."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from blikk_edge.app.checking import check
from blikk_edge.cli.program import program
from blikk_edge.config import load
from blikk_edge.core.errors import ConfigError
from blikk_edge.kinds import plugins

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "plugins.md"

CONFIG = """\
node: n
mqtt: broker
store: {{path: {folder}/store.db}}
cameras:
  door:
    source: {source}
{more}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(more: str = "", source: str = "/dev/video0") -> Path:
        path = tmp_path / "blikk.yaml"
        path.write_text(CONFIG.format(folder=tmp_path, source=source, more=more))
        return path

    return write


@pytest.fixture
def both(install) -> None:
    install("blikk_post", "blikk.sinks", "post")
    install("blikk_webrtc", "blikk.sources", "webrtc")


def problems(path: Path) -> list[tuple[int, str, str]]:
    return [(found.line, found.path, f"{found.text}. {found.mend}") for found in check(path, {"HOME": "/"}).problems]


@pytest.mark.usefixtures("both")
def test_packages_are_looked_through_no_more_often_for_many_cameras_of_a_plug_in(
    write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time takes some 10 ms."""
    looks: list[str] = []
    real = plugins._entry_points
    monkeypatch.setattr(plugins, "_entry_points", lambda group, *name: looks.append(group) or real(group, *name))
    source = "{webrtc: {address: 'http://cam.local/door'}}"
    path = write(source=source)
    load(path, environ={})
    few = len(looks)
    more = "".join(f"  door_{number}:\n    source: {source}\n" for number in range(20))
    path.write_text(path.read_text() + more)
    assert len(load(path, environ={}).cameras) == 21
    assert len(looks) <= 2 * few


@pytest.mark.usefixtures("both")
def test_a_sink_gets_its_options(write) -> None:
    settings = load(
        write("sinks:\n  post:\n    url: https://a/b\n    token: t0ken-of-mine\n    timeout_s: 1min"), environ={}
    )
    (sink,) = settings.sinks
    assert (sink.name, sink.options.url, sink.options.timeout_s) == ("post", "https://a/b", 60.0)
    assert sink.options.token.reveal() == "t0ken-of-mine"
    assert "t0ken" not in repr(settings)


@pytest.mark.usefixtures("both")
def test_a_sink_may_be_plain_text_where_it_says_so(write) -> None:
    (sink,) = load(write("sinks:\n  post: https://a/b"), environ={}).sinks
    assert sink.options.url == "https://a/b"


@pytest.mark.usefixtures("both")
def test_what_is_wrong_with_options_is_reported_by_line(write) -> None:
    more = "sinks:\n  post:\n    urll: https://a/b\n    timeout_s: 1h\n"
    assert problems(write(more)) == [
        (8, "sinks.post.url", "`url` is missing. Add `url:` with an http or https address."),
        (9, "sinks.post.urll", "the key `urll` is not known here. Did you mean `url`?"),
        (10, "sinks.post.timeout_s", "a duration out of range. Write a duration from 1s to 1min."),
    ]


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("webrtc://me:secret@cam.local/door?token=secret", "webrtc://***@cam.local/door?***"),
        ("{webrtc: {address: 'http://cam.local/door', token: secret}}", "webrtc"),
    ],
)
def test_a_source_is_named_by_its_scheme_or_with_its_options(write, source: str, shown: str) -> None:
    settings = load(write(source=source), environ={})
    (camera,) = settings.cameras
    assert camera.plugged.name == "webrtc"
    assert "cam.local/door" in camera.plugged.options.address.reveal()
    assert camera.source.public == shown
    assert not camera.pushed
    assert "secret" not in repr(settings)


@pytest.mark.usefixtures("both")
def test_the_address_of_a_plugged_source_may_be_a_secret(write, tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("door: webrtc://cam.local/tr0ub4dor\n")
    (camera,) = load(write(source="!secret door"), environ={}).cameras
    assert camera.plugged.options.address.reveal() == "webrtc://cam.local/tr0ub4dor"
    assert camera.source.public == "webrtc://***"
    assert "tr0ub4dor" not in repr(camera)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{webrtc: {adress: x}}", "Did you mean `address`?"),
        ("{webrtc: {address: x}, pause_s: 1}", "Indent the options below `webrtc:`."),
        ("{webrct: {address: x}}", "Did you mean `webrtc`?"),
        ("{rtsp: {address: x}}", "Write its address behind `source:`."),
        ("webrct://cam", "`onvif://` or `webrtc://`"),
    ],
)
def test_a_source_that_cannot_be_one_is_refused(write, source: str, said: str) -> None:
    path = write(source=source)
    with pytest.raises(ConfigError):
        load(path, environ={})
    assert any(line == 6 and said in text for line, _, text in problems(path)), problems(path)


def test_an_enrichers_and_an_inputs_options_are_known_by_name_and_line(write, install) -> None:
    install("blikk_tally", "blikk.enrichers", "tally")
    install("blikk_knock", "blikk.inputs", "knock")
    more = "enrichers:\n  tally:\n    eahc: 2\ninputs:\n  knock:\n    camera: door\n    port: 70000\n"
    found = problems(write(more))
    assert [(line, where) for line, where, _ in found] == [(9, "enrichers.tally.eahc"), (13, "inputs.knock.port")]
    assert "each" in found[0][2]
    settings = load(write(more.replace("eahc", "each").replace("70000", "7000")), environ={})
    assert [each.options.each for each in settings.enrichers] == [2]
    assert [each.options.port for each in settings.inputs] == [7000]


@pytest.mark.parametrize(
    ("more", "mend"),
    [
        ("enrichers: {summary: {}}", "Write `summary:` at the top of the file."),
        ("enrichers: {digest: hourly}", "Write `summary.digest` instead."),
        ("enrichers: {questions: {}}", "Write `cameras.<id>.questions` instead."),
        ("inputs: {gpio: 17}", "Write `cameras.<id>.ring.gpio` instead."),
    ],
)
def test_ours_are_not_written_among_those_of_plug_ins(write, more: str, mend: str) -> None:
    ((_, _, text),) = problems(write(more))
    assert text.endswith(mend)


def test_a_plug_in_that_is_not_there_is_a_problem_and_stops_nothing(write, install) -> None:
    install("blikk_post", "blikk.sinks", "post")
    path = write(
        "    transforms: [angle]\nsinks:\n  pots: https://a/b\nenrichers:\n  weather: {}\ninputs: {knob: {}}\n"
    )
    settings = load(path, environ={})
    refused = [each.refused != "" for each in (*settings.sinks, *settings.enrichers, *settings.inputs)]
    assert refused == [True, True, True]
    found = problems(path)
    assert [(line, where) for line, where, _ in found] == [
        (7, "cameras.door.transforms[0]"),
        (9, "sinks.pots"),
        (11, "enrichers.weather"),
        (12, "inputs.knob"),
    ]
    assert "did you mean 'post'?" in found[1][2]
    assert all("the node runs without it" in text for _, _, text in found)


def test_a_schema_that_fails_is_the_plug_ins_fault_and_quotes_nothing(write, install) -> None:
    code = (Path(__file__).parent / "blikk_post.py").read_text()
    code = code.replace("of=PostOptions,", "of=PostOptions, make=lambda **v: 1 / 0,")
    install("plug_post", "blikk.sinks", "post", code)
    ((line, path, text),) = problems(write("sinks:\n  post: https://a/secret\n"))
    assert (line, path) == (8, "sinks.post")
    assert "ZeroDivisionError" in text
    assert "secret" not in text


@pytest.mark.usefixtures("both")
def test_what_the_guide_shows_is_read_as_it_says(install, tmp_path: Path) -> None:
    page = GUIDE.read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.S | re.M)
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.S | re.M)
    install("blikk_angle", "blikk.transforms", "angle", code)
    (tmp_path / "secrets.yaml").write_text("yard_token: y\npost_token: p\n")
    (tmp_path / "blikk.yaml").write_text(f"node: n\nmqtt: broker\n{shown}")
    got = load(tmp_path / "blikk.yaml", environ={})
    boiler, door, yard = got.cameras
    assert boiler.transforms[0].options.centre == (0.5, 0.5)
    assert (door.plugged.name, yard.plugged.name) == ("webrtc", "webrtc")
    assert yard.plugged.options.token.reveal() == "y"
    (post,) = got.sinks
    assert post.options.url == "https://example.org/blikk"
    refused = [each.refused for each in (got.detectors[-1].plugged, *got.enrichers)]
    assert [text[:24] for text in refused] == ["there is no detector 'ha", "there is no enricher 'we"]


@pytest.mark.usefixtures("both")
def test_only_what_is_named_is_imported(write, site: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(site)!r})
from pathlib import Path
from blikk_edge.config import load
load(Path({str(write("sinks: {post: 'https://a/b'}"))!r}), environ={{}})
print(sorted(name for name in sys.modules if name.startswith("blikk_") and "." not in name))
print(sorted({{"av", "cv2", "aiomqtt", "httpx2", "redis", "asyncpg", "zmq", "websockets"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['blikk_edge', 'blikk_post']", "[]"]


@pytest.mark.usefixtures("both")
def test_plugins_lists_what_is_there_from_where_and_what_was_refused(install, capsys) -> None:
    install("plug_bad", "blikk.sinks", "bad", "raise RuntimeError('because')")
    assert program(["plugins", "--json"]) == 0
    listed = {(each["kind"], each["name"]): each for each in json.loads(capsys.readouterr().out)["plugins"]}
    assert listed["sink", "post"]["package"] == "blikk_post"
    assert listed["sink", "post"]["version"] == "1.2"
    assert listed["sink", "post"]["refused"] == ""
    assert listed["source", "webrtc"]["meaning"] == "A camera that takes offers."
    assert listed["source", "rtsp"]["package"] == "blikk-edge"
    assert "because" in listed["sink", "bad"]["refused"]
    assert program(["plugins"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == ["sink", "bad"] and "refused: sink bad:" in line for line in lines)
